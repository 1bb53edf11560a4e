// DeadlineQueue: timers for tens of thousands of connections at the price of a comparison per
// event.
//
// Connections push their deadlines back at every byte that comes in. The queue is lazy about that:
// an entry stays where it is while the real deadline is later, and its owner, when called, looks
// and arms again. Pure: knows no clock and no thread; each I/O thread has one.
#pragma once

#include <map>
#include <optional>

#include "common/env.h"

namespace twinspool::net {

class DeadlineQueue;

/// Something that wants to be called at a time. Must be cancelled before it is destroyed.
class Timed {
 public:
  virtual ~Timed() = default;
  /// `now` reached the armed time, or an earlier one armed before: look, act, arm again.
  virtual void OnTime(Instant now) = 0;

 private:
  friend class DeadlineQueue;
  std::optional<std::multimap<Instant, Timed*>::iterator> place_;
};

/// Not thread-safe.
class DeadlineQueue {
 public:
  /// Calls `timed` at `when` or earlier; does nothing when it will be called earlier anyway.
  void Arm(Timed* timed, Instant when) {
    if (timed->place_ && (*timed->place_)->first <= when) {
      return;
    }
    Cancel(timed);
    timed->place_ = entries_.emplace(when, timed);
  }

  void Cancel(Timed* timed) {
    if (timed->place_) {
      entries_.erase(*timed->place_);
      timed->place_.reset();
    }
  }

  /// When Run is due; nothing when no one waits.
  std::optional<Instant> next() const {
    return entries_.empty() ? std::nullopt : std::optional(entries_.begin()->first);
  }

  /// Calls everyone who is due. What they arm at or before `now` waits for the next Run.
  void Run(Instant now) {
    std::size_t due = 0;
    for (auto it = entries_.begin(); it != entries_.end() && it->first <= now; ++it) {
      ++due;
    }
    while (due-- > 0 && !entries_.empty() && entries_.begin()->first <= now) {
      Timed* timed = entries_.begin()->second;
      Cancel(timed);
      timed->OnTime(now);
    }
  }

  std::size_t size() const { return entries_.size(); }

 private:
  std::multimap<Instant, Timed*> entries_;
};

}  // namespace twinspool::net
