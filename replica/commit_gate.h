// Where the store's commit thread hands over durable groups, and where groups that need no peer
// are acknowledged at once.
//
// The gate is the one meeting point of the commit thread and the conversation. While it is closed
// (the role machine is taking a step), groups only queue up: so a grant can be put out of use, the
// end of the log be read and the peer be told it is in sync without a group slipping through
// between. It never waits for the conversation: when more octets queue up than the ring would hold,
// the frames are let go (the standby catches up another way) and only their positions are kept.
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

#include "common/env.h"
#include "common/types.h"
#include "replica/ports.h"

namespace twinspool::replica {

/// See the head of this file. Lock order: the gate's mutex is taken before the store's ack tracker
/// and never while the store's locks are held by the conversation.
class CommitGate : public CommitListener {
 public:
  /// `wake` runs after each group on the commit thread; it must not block.
  CommitGate(Clock& clock, Visibility& visibility, std::function<void()> wake);

  /// A new time as primary begins after `last`: groups that are queued are forgotten, marks stay.
  void Begin(CommitSeq last);

  void OnCommitted(CommittedGroup group) override;
  /// From ChangeLog::AtBarrier, on the commit thread: `run` is handed out between the groups around
  /// it.
  void Mark(std::function<void()> run);

  struct Entry {
    CommittedGroup group;
    Instant at;
    std::function<void()> mark;  // set: not a group
  };
  std::deque<Entry> Take();
  bool empty() const;
  /// One group waits, and nothing else, with a frame of at most limits::kSendAtOnceBytesMax.
  bool HoldsOneSmallGroup() const;

  /// Groups wait from now on, even those that nobody else has to store.
  void Close();
  /// Groups are acknowledged at once (`alone`), or wait for the peer.
  void Open(bool alone);

 private:
  void AdvanceLocked();
  void BoundLocked(std::size_t more);

  Clock& clock_;
  Visibility& visibility_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::deque<Entry> queue_;
  std::size_t queued_bytes_ = 0;
  CommitSeq last_;
  CommitSeq advanced_;
  bool alone_ = false;
};

}  // namespace twinspool::replica
