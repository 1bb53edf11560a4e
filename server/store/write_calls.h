// How a write call ends: templates shared by local_mail_store.cc, users.cc and jobs.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// What an attempt in memory came to.
enum class Attempt : std::uint8_t {
  kAnswered,  // `done` is called or will be
  kTooMuch,   // nothing was done: it takes a thread that may wait
};

/// Commits a decided transaction: `result` reaches `done` once the commit (for a refusal, all that
/// led to it) is acked. kTooMuch under Effort::kInMemory only.
template <typename T>
Attempt FinishTxn(StoreTxn& txn, Result<T> result, const Done<T>& done) {
  if (txn.effort() == Effort::kInMemory && !result.ok() && result.status().Is(Code::kTimeout)) {
    return Attempt::kTooMuch;
  }
  auto answer = std::make_shared<Result<T>>(std::move(result));
  const auto complete = [answer, done](const Status& acked) {
    if (acked.ok()) {
      done(std::move(*answer));
    } else {
      done(acked);
    }
  };
  if (!answer->ok()) {
    txn.RefuseThen(complete);
    return Attempt::kAnswered;
  }
  return txn.CommitThen(complete) ? Attempt::kAnswered : Attempt::kTooMuch;
}

/// One whole write: admits, lets `decide` add items and say the result, commits. What is refused
/// beforehand (role, blocked, full queues) is answered at once; nothing depends on it.
template <typename T, typename Fn>
Attempt RunTxn(const WritePath& path, UserId user, Admission admission, const Done<T>& done,
               Fn&& decide, Effort effort = Effort::kWait) {
  StoreTxn txn(path, user, std::nullopt, effort);
  if (!txn.ready()) {
    return Attempt::kTooMuch;
  }
  if (const Status admitted = txn.Admit(admission); !admitted.ok()) {
    if (admitted.Is(Code::kOverQuota)) {
      return FinishTxn<T>(txn, admitted, done);
    }
    done(admitted);
    return Attempt::kAnswered;
  }
  return FinishTxn<T>(txn, decide(txn), done);
}

/// A write of several transactions, each `part(txn, from)` answering where the next goes on.
/// `other` is locked, too. A part that fails after others were queued leaves the outcome unknown to
/// the caller: what is queued has no negative answer.
template <typename T>
struct PartedWrite {
  UserId user;
  std::optional<UserId> other;
  Admission admission = Admission::kSmall;
  std::function<Result<std::optional<Uid>>(StoreTxn&, Uid, T*)> part;

  /// Only if all of it fits in one transaction for which everything is in memory.
  Attempt RunInMemory(const WritePath& path, const Done<T>& done) const {
    StoreTxn txn(path, user, other, Effort::kInMemory);
    if (!txn.ready()) {
      return Attempt::kTooMuch;
    }
    if (const Status admitted = txn.Admit(admission); !admitted.ok()) {
      return Attempt::kTooMuch;  // Run says it
    }
    T result{};
    const Result<std::optional<Uid>> next = part(txn, Uid(1), &result);
    if (!next.ok() || next->has_value()) {
      return Attempt::kTooMuch;
    }
    return FinishTxn<T>(txn, std::move(result), done);
  }

  void Run(const WritePath& path, T result, const Done<T>& done) const {
    Uid from(1);
    for (bool first = true;; first = false) {
      StoreTxn txn(path, user, other);
      Status status = txn.Admit(admission);
      if (!status.ok() && first && !status.Is(Code::kOverQuota)) {
        return done(status);
      }
      std::optional<Uid> next;
      if (status.ok()) {
        Result<std::optional<Uid>> made = part(txn, from, &result);
        status = made.status();
        if (made.ok()) {
          next = *made;
        }
      }
      if (!status.ok()) {
        FinishTxn<T>(txn,
                     first ? status : OutcomeUnknown("only a part was done: " + status.ToString()),
                     done);
        return;
      }
      if (!next) {
        FinishTxn<T>(txn, std::move(result), done);
        return;
      }
      if (const Result<Ticket> queued = txn.Commit(); !queued.ok()) {
        return done(first ? queued.status()
                          : OutcomeUnknown("only a part was done: " + queued.status().ToString()));
      }
      from = *next;
    }
  }
};

}  // namespace twinspool::store
