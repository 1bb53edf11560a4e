// StoreTxn: one write of one user (or a copy between two) on a primary, from lock to queue.
//
//   StoreTxn txn(path, user);
//   TRY(txn.Admit(Admission::kBodies));        // serving, blocked, disk reserves, queue bounds
//   … read txn.edit(), check preconditions, txn.NextModseq(user), txn.Add(user) …
//   ASSIGN_OR_RETURN(Ticket ticket, txn.Commit());
//   path.visibility.WhenAcked(ticket, …);
//
// Commit() runs Apply() on the items, publishes to HeadState, queues rows, items and outbox items
// for the commit thread, and unlocks. A transaction that is destroyed without Commit() changed
// nothing. Everything that answers a client, a refusal and a no-op too, waits for depends_on() or
// the commit's ticket, so that nobody learns what a failover could take back.
//
// Runs on any thread but the commit thread; never waits for a sync or a peer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>

#include "proto/types.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "server/store/apply.h"
#include "server/store/head.h"

namespace twinspool::store {

class CommitPipeline;
class VisibilityControl;
class DiskReserve;

/// The parts that every write goes through; owned by Store. Plain references.
struct WritePath {
  Engine& engine;
  HeadState& head;
  CommitPipeline& pipeline;
  VisibilityControl& visibility;
  DiskReserve& reserve;
  Clock& clock;
  Random& random;
};

/// What a write brings, which decides whether it is admitted when the disk is nearly full.
enum class Admission {
  kSmall,   // flags, expunges, names: refused below the hard reserve only
  kBodies,  // octets: refused below the soft reserve, too
  kFree,    // gives room back (collection, purge): the queue's and role's bounds only
};

class StoreTxn {
 public:
  explicit StoreTxn(const WritePath& path, UserId user, std::optional<UserId> other = std::nullopt);
  ~StoreTxn();
  StoreTxn(const StoreTxn&) = delete;
  StoreTxn& operator=(const StoreTxn&) = delete;

  /// kFenced: not primary; kUnavailable: writes blocked or the queue is full (nothing was done);
  /// kOverQuota: disk reserve. Call first.
  Status Admit(Admission admission);

  HeadEdit& edit() { return edit_; }
  /// Seconds and nanoseconds of the wall clock, one moment for the whole transaction.
  std::int64_t now_s() const { return now_ns_ / 1'000'000'000; }
  std::int64_t now_ns() const { return now_ns_; }
  /// The next number of the user's counter: max(last + 1, (epoch + bias) << 40 | 1).
  Result<Modseq> NextModseq(UserId user);
  /// A new item at the end of the user's changes.
  proto::ChangeItem* Add(UserId user);
  bool empty() const { return changes_.empty(); }
  /// The ticket that a refusal or no-op decided now must wait for.
  Ticket depends_on() const;
  /// kLimit when `count` more UIDs in this mailbox would run further ahead of the peer than a
  /// forced promotion jumps.
  Status CheckUidDistance(const HeadMailbox& mailbox, std::uint64_t count) const;

  /// See above. Without items: depends_on(), and nothing is queued.
  Result<Ticket> Commit();

 private:
  const WritePath& path_;
  std::shared_lock<std::shared_mutex> gate_;  // no change of role while this is under way
  std::optional<StripeLock> lock_;
  HeadEdit edit_;
  std::int64_t now_ns_;
  std::vector<std::pair<UserId, std::unique_ptr<proto::UserChanges>>> changes_;
  std::map<UserId, Modseq> modseqs_;
};

}  // namespace twinspool::store
