#include "replica/commit_gate.h"

#include <utility>

#include "common/limits.h"

namespace twinspool::replica {

CommitGate::CommitGate(Clock& clock, Visibility& visibility, std::function<void()> wake)
    : clock_(clock), visibility_(visibility), wake_(std::move(wake)) {}

void CommitGate::Begin(CommitSeq last) {
  const std::lock_guard lock(mutex_);
  std::erase_if(queue_, [](const Entry& entry) { return !entry.mark; });
  queued_bytes_ = 0;
  last_ = last;
  advanced_ = last;
}

void CommitGate::OnCommitted(CommittedGroup group) {
  {
    const std::lock_guard lock(mutex_);
    last_ = group.id.seq;
    BoundLocked(group.frame == nullptr ? 0 : group.frame->size());
    queue_.push_back({std::move(group), clock_.Now(), {}});
    AdvanceLocked();
  }
  wake_();
}

void CommitGate::BoundLocked(std::size_t more) {
  if (queued_bytes_ + more > limits::kRingBytes) {
    for (Entry& entry : queue_) {
      entry.group.frame = nullptr;
    }
    queued_bytes_ = 0;
  }
  queued_bytes_ += more;
}

void CommitGate::Mark(std::function<void()> run) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({{}, clock_.Now(), std::move(run)});
  }
  wake_();
}

std::deque<CommitGate::Entry> CommitGate::Take() {
  const std::lock_guard lock(mutex_);
  queued_bytes_ = 0;
  return std::exchange(queue_, {});
}

bool CommitGate::empty() const {
  const std::lock_guard lock(mutex_);
  return queue_.empty();
}

bool CommitGate::HoldsOneSmallGroup() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() == 1 && queue_.front().group.frame != nullptr &&
         queue_.front().group.frame->size() <= limits::kSendAtOnceBytesMax;
}

void CommitGate::Close() {
  const std::lock_guard lock(mutex_);
  alone_ = false;
}

void CommitGate::Open(bool alone) {
  const std::lock_guard lock(mutex_);
  alone_ = alone;
  AdvanceLocked();
}

void CommitGate::AdvanceLocked() {
  // Under the mutex: Close must not return while a group is being acknowledged without the peer.
  if (alone_ && last_ > advanced_) {
    advanced_ = last_;
    visibility_.AdvanceTo(last_);
  }
}

}  // namespace twinspool::replica
