#include "replica/core/shipper_core.h"

#include "common/limits.h"
#include "replica/core/frame_parts.h"

namespace twinspool::replica::core {

ShipperLimits ShipperLimits::Default() {
  return {.ring_bytes = limits::kRingBytes, .window_bytes = limits::kSendWindowBytes};
}

void ShipperCore::Reset(CommitSeq last, Instant now) {
  ring_.clear();
  bytes_ = 0;
  last_ = last;
  acked_ = CommitSeq(0);
  oldest_unacked_ = last > acked_ ? std::optional<Instant>(now) : std::nullopt;
  gone_upto_ = CommitSeq(0);
  gone_bytes_ = 0;
  StopTail();
}

void ShipperCore::Push(EntryId id, std::shared_ptr<const std::string> frame, Instant now) {
  if (id.seq <= last_) {
    return;
  }
  const bool gap = id.seq.value() != last_.value() + 1;
  last_ = id.seq;
  oldest_unacked_ = oldest_unacked_.value_or(now);
  if (frame != nullptr && frame->size() > limits::kFrameBytesMax) {
    frame = nullptr;
  }
  if (gap || frame == nullptr) {
    gone_upto_ = CommitSeq(id.seq.value() - 1);
    gone_bytes_ += bytes_;
    ring_.clear();
    bytes_ = 0;
  }
  if (frame != nullptr) {
    bytes_ += frame->size();
    ring_.push_back({id.seq, std::move(frame), now});
  }
  Evict();
}

void ShipperCore::Evict() {
  // Acked frames are never asked for again.
  while (!ring_.empty() && ring_.front().seq <= acked_) {
    bytes_ -= ring_.front().frame->size();
    ring_.pop_front();
  }
  while (bytes_ > limits_.ring_bytes && ring_.size() > 1) {
    gone_upto_ = ring_.front().seq;
    gone_bytes_ += ring_.front().frame->size();
    bytes_ -= ring_.front().frame->size();
    ring_.pop_front();
  }
  if (acked_ >= gone_upto_) {
    gone_bytes_ = 0;
  }
  if (tailing_ && parts_.empty() && !CanTail(sent_upto_)) {
    fell_behind_ = true;
  }
}

bool ShipperCore::CanTail(CommitSeq after) const {
  if (after >= last_) {
    return after == last_;
  }
  return !ring_.empty() && ring_.front().seq.value() <= after.value() + 1;
}

void ShipperCore::StartTail(CommitSeq after) {
  StopTail();
  tailing_ = true;
  sent_upto_ = after;
  fell_behind_ = !CanTail(after);
}

void ShipperCore::StopTail() {
  tailing_ = false;
  fell_behind_ = false;
  sent_upto_ = CommitSeq(0);
  parts_.clear();
  next_part_ = 0;
  in_flight_.clear();
  in_flight_bytes_ = 0;
}

const ShipperCore::Slot* ShipperCore::Find(CommitSeq seq) const {
  if (ring_.empty() || seq < ring_.front().seq || seq > ring_.back().seq) {
    return nullptr;
  }
  return &ring_[static_cast<std::size_t>(seq.value() - ring_.front().seq.value())];
}

bool ShipperCore::WindowHasRoom(std::size_t more) const {
  // A frame larger than the window travels alone.
  return in_flight_.empty() || in_flight_bytes_ + more <= limits_.window_bytes;
}

bool ShipperCore::HasMore() const {
  if (!tailing_ || fell_behind_) {
    return false;
  }
  if (!parts_.empty()) {
    return true;
  }
  const Slot* slot = Find(sent_upto_.Next());
  return slot != nullptr && WindowHasRoom(slot->frame->size());
}

Result<std::optional<proto::FramePart>> ShipperCore::Next() {
  if (!tailing_ || fell_behind_) {
    return std::optional<proto::FramePart>();
  }
  if (parts_.empty()) {
    if (sent_upto_ >= last_) {
      return std::optional<proto::FramePart>();
    }
    const Slot* slot = Find(sent_upto_.Next());
    if (slot == nullptr) {
      fell_behind_ = true;
      return std::optional<proto::FramePart>();
    }
    if (!WindowHasRoom(slot->frame->size())) {
      return std::optional<proto::FramePart>();
    }
    ASSIGN_OR_RETURN(parts_, CutIntoParts(*slot->frame, slot->seq.value(), false));
    next_part_ = 0;
    in_flight_.emplace_back(slot->seq, slot->frame->size());
    in_flight_bytes_ += slot->frame->size();
  }
  proto::FramePart part = std::move(parts_[next_part_++]);
  if (next_part_ == parts_.size()) {
    parts_.clear();
    sent_upto_ = sent_upto_.Next();
  }
  part.set_more(HasMore());
  return std::optional<proto::FramePart>(std::move(part));
}

Status ShipperCore::OnAck(CommitSeq durable_upto) {
  if (durable_upto > last_) {
    return InvalidArgument("the peer acknowledges entry " + std::to_string(durable_upto.value()) +
                           " but the log ends at " + std::to_string(last_.value()));
  }
  acked_ = std::max(acked_, durable_upto);
  while (!in_flight_.empty() && in_flight_.front().first <= acked_) {
    in_flight_bytes_ -= in_flight_.front().second;
    in_flight_.pop_front();
  }
  if (const Slot* next = Find(acked_.Next())) {
    oldest_unacked_ = next->at;
  } else if (acked_ >= last_) {
    oldest_unacked_.reset();
  }
  Evict();
  return OkStatus();
}

std::uint64_t ShipperCore::lag_bytes() const {
  std::uint64_t bytes = gone_bytes_;
  for (const Slot& slot : ring_) {
    bytes += slot.seq > acked_ ? slot.frame->size() : 0;
  }
  return bytes;
}

}  // namespace twinspool::replica::core
