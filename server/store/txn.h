// StoreTxn: one write of one user (or a copy between two) on a primary, from lock to queue.
//
//   StoreTxn txn(path, user);
//   TRY(txn.Admit(Admission::kBodies));        // role, blocked writes, disk reserves, queue bounds
//   … read txn.edit(), check preconditions, txn.NextModseq(user), txn.Add(user) …
//   txn.CommitThen([](Status acked) { … });
//
// Commit() runs Apply() on the items, publishes to HeadState, queues rows, items and outbox items
// for the commit thread, and unlocks. A transaction that is destroyed without Commit() changed
// nothing. Everything that answers a client, a refusal and a no-op too, waits for what it saw or
// the commit's ticket, so that nobody learns what a failover could take back.
//
// Runs on any thread but the commit thread; never waits for a sync or a peer.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>

#include "proto/types.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "server/store/apply.h"
#include "server/store/disk_policy.h"
#include "server/store/head.h"
#include "server/store/role_gate.h"

namespace twinspool::store {

class CommitPipeline;
class Engine;
class VisibilityControl;
struct QueuedTxn;

/// What a user's mailboxes may hold together; nothing: as much as he likes.
struct QuotaLimits {
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> messages;
};

/// The parts that every write goes through; owned by Store.
struct WritePath {
  Engine& engine;
  HeadState& head;
  RoleGate& gate;
  DiskPolicy& disk;
  VisibilityControl& visibility;
  CommitPipeline& pipeline;
  Clock& clock;
  Random& random;
  QuotaLimits default_quota;
};

class StoreTxn {
 public:
  /// Locks the stripes of `user` and, if given, `other`; waits while the role is changing. With
  /// Effort::kInMemory it waits for nothing: when it is not ready(), or a call answers kTimeout, it
  /// is to be dropped, and done again with kWait on a thread that may.
  StoreTxn(const WritePath& path, UserId user, std::optional<UserId> other = std::nullopt,
           Effort effort = Effort::kWait);
  ~StoreTxn();
  StoreTxn(const StoreTxn&) = delete;
  StoreTxn& operator=(const StoreTxn&) = delete;

  Effort effort() const { return effort_; }
  /// Whether there is anything to be done with it at all.
  bool ready() const { return pass_.has_value() && lock_->held(); }
  /// kFenced: not primary; kUnavailable: writes blocked or the queue is full (nothing was done);
  /// kOverQuota: disk reserve. Call first.
  Status Admit(Admission admission);
  /// In place of Admit, for what a primary owes to the store before it may serve (a forced
  /// promotion): only the role counts, not that clients' writes are still refused.
  Status AdmitBeforeServing();

  HeadEdit& edit() { return edit_; }
  const QuotaLimits& default_quota() const { return path_.default_quota; }
  /// One moment of the wall clock for the whole transaction.
  std::int64_t now_s() const { return now_ns_ / 1'000'000'000; }
  std::int64_t now_ns() const { return now_ns_; }
  /// The next number of the user's counter: max(last + 1, (epoch + bias) << 40 | 1).
  Result<Modseq> NextModseq(UserId user);
  /// A new item at the end of the user's changes; stays where it is.
  proto::ChangeItem* Add(UserId user);
  bool empty() const { return changes_.empty(); }
  /// kLimit when `count` more UIDs in this mailbox would run further ahead of what the peer surely
  /// knows than a forced promotion jumps (where the pair asks for that), or past the end of UIDs.
  Status CheckUidDistance(UserId owner, MailboxId mailbox, std::uint64_t count);

  /// Without items nothing is queued and the answer is the ticket of what it saw. kLimit above
  /// limits::kTransactionBytesMax: nothing was done. Unlocks; what the answer is
  /// needed for (VisibilityControl::WhenAcked) is to be said before this object goes, so that a
  /// change of role cannot come between.
  Result<Ticket> Commit();
  /// Commit(), then `done` once it is acked: with OK, or why not. False, without `done`, when
  /// Commit() answers kTimeout (under Effort::kInMemory only).
  bool CommitThen(std::function<void(Status)> done);
  /// For a refusal or a no-op: `done` once everything that led to it is acked. Unlocks.
  void RefuseThen(std::function<void(Status)> done);

 private:
  Status ApplyAll(QueuedTxn* queued);

  const WritePath& path_;
  const Effort effort_;
  std::optional<RoleGate::Pass> pass_;  // no change of role while this is under way
  const ServingPtr serving_;
  std::optional<StripeLock> lock_;
  HeadEdit edit_;
  const UserId user_;
  const std::int64_t now_ns_;
  /// In the order in which users were first named.
  std::deque<proto::UserChanges> changes_;
  std::map<UserId, Modseq> modseqs_;
  Ticket depends_on_;
};

}  // namespace twinspool::store
