// How a write call ends: templates shared by local_mail_store.cc, users.cc and jobs.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// Commits a decided transaction: `result` reaches `done` once the commit (for a refusal, all that
/// led to it) is acked.
template <typename T>
void FinishTxn(StoreTxn& txn, Result<T> result, const Done<T>& done) {
  auto answer = std::make_shared<Result<T>>(std::move(result));
  const auto complete = [answer, done](const Status& acked) {
    if (acked.ok()) {
      done(std::move(*answer));
    } else {
      done(acked);
    }
  };
  if (answer->ok()) {
    txn.CommitThen(complete);
  } else {
    txn.RefuseThen(complete);
  }
}

/// One whole write: admits, lets `decide` add items and say the result, commits. What is refused
/// beforehand (role, blocked, full queues) is answered at once; nothing depends on it.
template <typename T, typename Fn>
void RunTxn(const WritePath& path, UserId user, Admission admission, const Done<T>& done,
            Fn&& decide) {
  StoreTxn txn(path, user);
  if (const Status admitted = txn.Admit(admission); !admitted.ok()) {
    if (admitted.Is(Code::kOverQuota)) {
      return FinishTxn<T>(txn, admitted, done);
    }
    return done(admitted);
  }
  FinishTxn<T>(txn, decide(txn), done);
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
        return FinishTxn<T>(
            txn, first ? status : OutcomeUnknown("only a part was done: " + status.ToString()),
            done);
      }
      if (!next) {
        return FinishTxn<T>(txn, std::move(result), done);
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
