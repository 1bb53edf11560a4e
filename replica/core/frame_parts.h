// Cutting an encoded Frame or CatchUpUnit into parts for the wire, and putting parts together.
//
// Pure values: no thread, clock or I/O. A whole is compressed (zstd) before it is cut when that
// makes it smaller. The assembler never holds more than limits::kFrameBytesMax, refuses what
// announces more, and never decompresses beyond the announced size.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"

namespace twinspool::replica::core {

/// Parts of one whole, in order; `seq` is the frame's, or the unit's number. kLimit when `whole` is
/// larger than limits::kFrameBytesMax.
Result<std::vector<proto::FramePart>> CutIntoParts(std::string_view whole, std::uint64_t seq,
                                                   bool unit);

/// Puts the parts of one whole after another together. Thread-compatible.
class PartAssembler {
 public:
  struct Whole {
    std::uint64_t seq = 0;  // 0: it came in one part and names itself
    bool unit = false;
    std::string octets;  // decompressed
  };

  /// Nothing: more parts are needed, or the part repeats one that is already in. kInvalidArgument:
  /// parts are out of order or say contradicting things; kLimit: more than a bound; kDataLoss: the
  /// octets do not decompress to what was announced. After an error the half whole is forgotten.
  Result<std::optional<Whole>> Take(const proto::FramePart& part);
  void Reset();
  std::size_t held_bytes() const { return octets_.size(); }

 private:
  Status CheckPart(const proto::FramePart& part) const;
  Result<std::optional<Whole>> Finish();

  bool active_ = false;
  proto::FramePart head_;  // of the whole under way, octets removed
  std::uint32_t next_index_ = 0;
  std::string octets_;
};

}  // namespace twinspool::replica::core
