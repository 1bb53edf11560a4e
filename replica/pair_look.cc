// How a pair is looked at, from outside and by its own search for damage.
#include <chrono>
#include <utility>

#include "common/limits.h"
#include "replica/pair.h"

namespace twinspool::replica {

PairStatus Pair::Snapshot() {
  PairStatus status = TakeStatus();
  if (const PeerLink* link = link_; link != nullptr && !status.peer.connected) {
    status.peer.error = link->last_error();
  }
  return status;
}

PairStatus Pair::TakeStatus() {
  const std::unique_lock lock(mutex_, std::chrono::milliseconds(limits::kHeartbeatMs));
  if (!lock.owns_lock()) {
    return LastSnapshot();
  }
  PairStatus status = talk_->Snapshot();
  status.scrub = scrubber_->Snapshot();
  return status;
}

PairStatus Pair::LastSnapshot() {
  PairStatus status;
  {
    const std::lock_guard copy(copy_mutex_);
    status = copy_;
  }
  status.scrub = scrubber_->Snapshot();
  return status;
}

ScrubParts Pair::PartsOfScrub() {
  return {.settings = parts_.scrub,
          .store = parts_.ports.scrub,
          .clock = parts_.clock,
          .observer = parts_.observer,
          .status = [this] { return LastSnapshot(); },
          .in_talk =
              [this](std::function<void(Conversation&)> work) {
                PostWork([this, work = std::move(work)] { work(*talk_); });
              }};
}

}  // namespace twinspool::replica
