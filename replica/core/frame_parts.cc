#include "replica/core/frame_parts.h"

#include <zstd.h>

#include <algorithm>

#include "common/limits.h"

namespace twinspool::replica::core {
namespace {

/// The compressed form, or nothing when it would not be smaller.
std::optional<std::string> Compress(std::string_view whole) {
  if (whole.size() < limits::kCompressFrameBytesMin) {
    return std::nullopt;
  }
  std::string out(ZSTD_compressBound(whole.size()), '\0');
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), whole.data(), whole.size(), limits::kFrameZstdLevel);
  if (ZSTD_isError(size) != 0U || size >= whole.size()) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

Result<std::string> Decompress(std::string_view packed, std::uint64_t raw_bytes) {
  std::string out(raw_bytes, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(size) != 0U || size != raw_bytes) {
    return DataLoss("a replicated frame does not decompress to the size its parts announce");
  }
  return out;
}

std::uint32_t PartCount(std::size_t bytes) {
  const std::size_t parts = (bytes + limits::kFramePartBytes - 1) / limits::kFramePartBytes;
  return static_cast<std::uint32_t>(std::max<std::size_t>(parts, 1));
}

}  // namespace

Result<std::vector<proto::FramePart>> CutIntoParts(std::string_view whole, std::uint64_t seq,
                                                   bool unit) {
  if (whole.size() > limits::kFrameBytesMax) {
    return LimitExceeded("a frame of " + std::to_string(whole.size()) +
                         " octets is above the wire's limit of " +
                         std::to_string(limits::kFrameBytesMax));
  }
  const std::optional<std::string> packed = Compress(whole);
  const std::string_view octets = packed ? std::string_view(*packed) : whole;
  const std::uint32_t count = PartCount(octets.size());
  std::vector<proto::FramePart> parts(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    proto::FramePart& part = parts[i];
    part.set_seq(seq);
    part.set_index(i);
    part.set_count(count);
    part.set_zstd(packed.has_value());
    part.set_raw_bytes(whole.size());
    part.set_unit(unit);
    const std::string_view piece = octets.substr(i * limits::kFramePartBytes);
    part.set_octets(std::string(piece.substr(0, limits::kFramePartBytes)));
  }
  return parts;
}

void PartAssembler::Reset() {
  active_ = false;
  next_index_ = 0;
  octets_.clear();
  octets_.shrink_to_fit();
}

Status PartAssembler::CheckPart(const proto::FramePart& part) const {
  constexpr std::uint64_t kPartsMax = limits::kFrameBytesMax / limits::kFramePartBytes + 1;
  if (part.raw_bytes() > limits::kFrameBytesMax || part.count() > kPartsMax ||
      part.octets().size() > limits::kFramePartBytes) {
    return LimitExceeded("the peer announces a frame of " + std::to_string(part.raw_bytes()) +
                         " octets in " + std::to_string(part.count()) +
                         " parts, above the wire's limit; it is refused, not buffered");
  }
  if (part.count() == 0 || part.index() >= part.count()) {
    return InvalidArgument("the peer numbers the parts of a frame wrongly");
  }
  if (!active_) {
    return part.index() == 0 ? OkStatus()
                             : InvalidArgument("parts of a frame came without its beginning");
  }
  const bool same = part.seq() == head_.seq() && part.unit() == head_.unit() &&
                    part.count() == head_.count() && part.zstd() == head_.zstd() &&
                    part.raw_bytes() == head_.raw_bytes();
  if (!same || part.index() > next_index_) {
    return InvalidArgument("parts of a frame are missing between part " +
                           std::to_string(next_index_) + " and part " +
                           std::to_string(part.index()));
  }
  return OkStatus();
}

Result<std::optional<PartAssembler::Whole>> PartAssembler::Take(const proto::FramePart& part) {
  if (Status status = CheckPart(part); !status.ok()) {
    Reset();
    return status;
  }
  if (!active_) {
    active_ = true;
    head_ = part;
    head_.clear_octets();
    next_index_ = 0;
  }
  if (part.index() < next_index_) {
    return std::optional<Whole>();
  }
  octets_ += part.octets();
  ++next_index_;
  if (octets_.size() > limits::kFrameBytesMax) {
    Reset();
    return LimitExceeded("the parts of a frame are larger than the wire's limit");
  }
  if (next_index_ < head_.count()) {
    return std::optional<Whole>();
  }
  return Finish();
}

Result<std::optional<PartAssembler::Whole>> PartAssembler::Finish() {
  Whole whole{.seq = head_.seq(), .unit = head_.unit(), .octets = std::move(octets_)};
  const bool packed = head_.zstd();
  const std::uint64_t raw_bytes = head_.raw_bytes();
  Reset();
  if (packed) {
    ASSIGN_OR_RETURN(whole.octets, Decompress(whole.octets, raw_bytes));
  } else if (whole.octets.size() != raw_bytes) {
    return DataLoss("a replicated frame has another size than its parts announce");
  }
  return std::optional<Whole>(std::move(whole));
}

}  // namespace twinspool::replica::core
