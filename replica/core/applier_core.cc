#include "replica/core/applier_core.h"

#include <utility>

#include "common/limits.h"

namespace twinspool::replica::core {

void ApplierCore::Reset(EntryId last) {
  assembler_.Reset();
  queue_.clear();
  queue_bytes_ = 0;
  last_ = last;
}

EntryId ApplierCore::QueueEnd() const {
  if (queue_.empty()) {
    return last_;
  }
  const proto::Frame& back = queue_.back();
  return {Epoch(back.epoch()), Incarnation(back.incarnation()), CommitSeq(back.seq())};
}

Result<ApplierCore::Taken> ApplierCore::Take(const proto::FramePart& part, Epoch epoch) {
  ASSIGN_OR_RETURN(std::optional<PartAssembler::Whole> whole, assembler_.Take(part));
  if (!whole) {
    return Taken::kMore;
  }
  if (!whole->unit) {
    return TakeFrame(*whole, epoch);
  }
  unit_.Clear();
  if (!unit_.ParseFromString(whole->octets) || (whole->seq != 0 && unit_.number() != whole->seq)) {
    return InvalidArgument("a catch-up unit of the peer does not parse");
  }
  return Taken::kUnit;
}

Result<ApplierCore::Taken> ApplierCore::TakeFrame(const PartAssembler::Whole& whole, Epoch epoch) {
  const EntryId end = QueueEnd();
  proto::Frame frame;
  if (!frame.ParseFromString(whole.octets) || (whole.seq != 0 && frame.seq() != whole.seq)) {
    return InvalidArgument("what came after entry " + std::to_string(end.seq.value()) +
                           " is not the frame that its parts announce");
  }
  if (frame.seq() <= end.seq.value()) {
    return Taken::kDuplicate;
  }
  if (frame.seq() != end.seq.value() + 1) {
    return Conflict("frame " + std::to_string(frame.seq()) + " came after entry " +
                    std::to_string(end.seq.value()) + ": a gap");
  }
  if (frame.epoch() > epoch.value() || frame.epoch() < end.epoch.value()) {
    return InvalidArgument("frame " + std::to_string(frame.seq()) + " is of epoch " +
                           std::to_string(frame.epoch()) + ", which cannot follow here");
  }
  queue_bytes_ += whole.octets.size();
  queue_.push_back(std::move(frame));
  return Taken::kFrame;
}

bool ApplierCore::ShouldFlush() const {
  return queue_bytes_ >= limits::kApplyBatchBytes || queue_.size() >= limits::kApplyBatchFrames;
}

std::vector<proto::Frame> ApplierCore::TakeQueue() {
  queue_bytes_ = 0;
  return std::exchange(queue_, {});
}

proto::CatchUpUnit ApplierCore::TakeUnit() {
  return std::exchange(unit_, {});
}

}  // namespace twinspool::replica::core
