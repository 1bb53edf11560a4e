#include "server/store/serving.h"

#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/visibility.h"

namespace twinspool::store {

void ServingControl::AdvanceTo(CommitSeq seq) {
  path_.visibility.AdvanceTo(seq);
}

void ServingControl::PeerHas(CommitSeq seq) {
  path_.visibility.PeerHas(seq);
}

void ServingControl::SetPeerFreeBytes(std::uint64_t bytes) {
  path_.disk.SetPeerFreeBytes(bytes);
}

std::uint64_t ServingControl::FreeBytes() {
  return path_.disk.FreeBytesNow();
}

void ServingControl::SetServing(const replica::ServingState& state) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const ServingPtr before = path_.gate.state();
  const bool same_time = before->primary == state.primary && before->epoch == state.epoch &&
                         before->incarnation == state.incarnation &&
                         before->keep_outbox == state.keep_outbox;
  if (same_time) {
    path_.gate.Set(state);
    return;
  }
  path_.gate.Close();
  path_.pipeline.Drain();
  const bool was = before->primary;
  if (was && !state.primary) {
    path_.visibility.End(OutcomeUnknown("this node is not primary any more"));
  }
  if (state.primary) {
    const CommitSeq last = path_.pipeline.Restart(state);
    if (!was) {
      path_.head.Clear();
      path_.visibility.Begin(
          {last, path_.pipeline.last_ticket(), path_.engine.TakeSnapshot(), {}, {}, {}, 0});
    }
  }
  path_.gate.Open(state);
  path_.visibility.WaitCompletions();
}

}  // namespace twinspool::store
