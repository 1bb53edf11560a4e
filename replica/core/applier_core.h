// What a standby does with parts that arrive: puts frames together, refuses gaps and repeats, and
// gathers whole frames so that several become durable with one sync.
//
// Pure: no thread, lock, clock or I/O. It knows nothing of roles: its owner asks the role machine
// whether a part may be applied at all before it gives it here.
#pragma once

#include <optional>
#include <vector>

#include "proto/replication.pb.h"
#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "replica/core/frame_parts.h"

namespace twinspool::replica::core {

/// Parts in, contiguous frames and units out.
class ApplierCore {
 public:
  /// The log ends at `last`; everything under way is forgotten.
  void Reset(EntryId last);

  enum class Taken {
    kMore,       // part of a whole that is not complete yet
    kFrame,      // a frame joined the queue
    kDuplicate,  // a frame at or below what is there: dropped
    kUnit,       // a catch-up unit is complete: TakeUnit
  };
  /// `epoch` is the promised one. Errors mean that the stream is not to be trusted and must begin
  /// anew: kConflict for a gap, kInvalidArgument for a frame of a higher epoch than promised, of a
  /// lower one than its predecessor, or one that does not parse; the assembler's errors.
  Result<Taken> Take(const proto::FramePart& part, Epoch epoch);

  /// Enough is queued: the owner should apply now, even if more parts wait.
  bool ShouldFlush() const;
  bool has_queue() const { return !queue_.empty(); }
  /// The queued frames, in order, to be applied with one sync; then call Reset or Applied.
  std::vector<proto::Frame> TakeQueue();
  /// The log ends at `last` now.
  void Applied(EntryId last) { last_ = last; }
  proto::CatchUpUnit TakeUnit();

  /// End of the log as far as it is durable.
  EntryId last() const { return last_; }

 private:
  Result<Taken> TakeFrame(const PartAssembler::Whole& whole, Epoch epoch);
  EntryId QueueEnd() const;

  PartAssembler assembler_;
  EntryId last_;
  std::vector<proto::Frame> queue_;
  std::size_t queue_bytes_ = 0;
  proto::CatchUpUnit unit_;
};

}  // namespace twinspool::replica::core
