// VisibilityControl: from durable to visible. Keeps the groups that are durable here and not yet
// acked, each with its snapshot; when the ack policy is met it moves the visible view, wakes
// watchers and completes the waiting commands, in the order of their tickets.
//
// After a start or a change of role there is no view until AdvanceTo has covered the whole log.
//
// Threads: all methods from any thread; no lock is held while completions and watchers run, and
// those run on the thread that advanced (or ticked, or ended).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "server/store/changed_pages.h"
#include "server/store/commit_news.h"
#include "server/store/grants.h"
#include "server/store/head.h"
#include "server/store/serial_runner.h"
#include "server/store/watchers.h"

namespace twinspool::store {

class Snapshot;
using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// What readers see: the state after one commit group.
struct View {
  SnapshotPtr snapshot;
  CommitSeq seq;
  Ticket ticket;
};

/// A commit group that is durable here.
struct DurableGroup {
  CommitSeq seq;
  Ticket last_ticket;
  SnapshotPtr snapshot;
  CommitNews news;
  std::vector<PageChange> pages;
  /// Writes of this group, for the bounds on what is pending.
  std::vector<UserId> users;
  std::size_t bytes = 0;
};

class VisibilityControl {
 public:
  explicit VisibilityControl(Clock& clock) : clock_(clock) {}

  // --- bounds on writes that are queued or not acked
  /// kUnavailable when one more would pass a bound; nothing is counted.
  Status AdmitPending(UserId user);
  void AddPending(UserId user, std::size_t bytes);

  // --- from the commit thread and the pair
  /// Groups come in order.
  void OnDurable(DurableGroup group);
  /// A new time: the log ends with `base`, nothing of it is acked. Without a view until AdvanceTo.
  void Begin(DurableGroup base);
  /// The time is over: every waiting command completes with `why`, the view goes.
  void End(const Status& why);
  /// Returns once every completion that was due has run.
  void WaitCompletions() { runner_.WaitIdle(); }
  void AdvanceTo(CommitSeq seq);
  /// Rows were mended behind the views: `snapshot`, of the newest durable group, takes the place of
  /// the one that the group has. On the commit thread, between two groups.
  void Refresh(SnapshotPtr snapshot);
  void PeerHas(CommitSeq seq);
  /// Newest ticket that the peer surely has; nothing: not even the state at Begin.
  std::optional<Ticket> peer_ticket();

  // --- from commands
  /// Calls `done` once everything up to `ticket` is acked: at once if it is. After
  /// limits::kWriteHoldMs: kOutcomeUnknown.
  void WhenAcked(Ticket ticket, std::function<void(Status)> done);
  /// Completes what waited too long. Called about once a second.
  void Tick();
  /// What to read; null while there is none.
  std::shared_ptr<const View> view();

  Watchers& watchers() { return watchers_; }
  /// As of every durable group, so of every view.
  ChangedPages& changed_pages() { return changed_pages_; }
  Grants& grants() { return grants_; }
  /// Commands that wait for an ack.
  std::size_t waiting();

 private:
  struct Waiter {
    Instant deadline;
    std::function<void(Status)> done;
  };
  using Functions = std::vector<std::function<void()>>;

  void ReleaseLocked(const DurableGroup& group);
  /// Waiters up to `ticket`, as functions that complete them with `status`.
  void TakeWaitersLocked(Ticket ticket, const Status& status, Functions* out);

  Clock& clock_;
  Watchers watchers_;
  ChangedPages changed_pages_;
  Grants grants_;
  SerialRunner runner_;

  std::mutex mutex_;
  bool live_ = false;  // between Begin and End
  std::deque<DurableGroup> unacked_;
  CommitSeq acked_;  // may run ahead of what is durable here
  std::shared_ptr<const View> view_;
  std::multimap<Ticket, Waiter> waiters_;
  std::deque<std::pair<CommitSeq, Ticket>> peer_marks_;  // groups that the peer may lack
  std::optional<Ticket> peer_ticket_;
  std::unordered_map<UserId, std::size_t> pending_;
  std::size_t pending_writes_ = 0;
  std::size_t pending_bytes_ = 0;
};

}  // namespace twinspool::store
