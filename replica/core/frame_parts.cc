#include "replica/core/frame_parts.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "proto/types.pb.h"

#include "common/codec.h"
#include "common/limits.h"

namespace twinspool::replica::core {
namespace {

// --- where mail lies in a whole

/// A body shorter than this is not worth a block of its own.
constexpr std::size_t kOwnBlockBytesMin = 512;

/// Calls fn(octets) for each element of the length-delimited field `field` of an encoded message;
/// stops at what does not read.
template <typename Fn>
void ForEachField(std::string_view message, int field, Fn&& fn) {
  const std::uint64_t wanted = static_cast<std::uint64_t>(field) << 3 | 2;
  Reader reader(message);
  while (reader.ok() && !reader.AtEnd()) {
    const std::uint64_t tag = reader.Varint();
    std::string_view octets;
    switch (tag & 7) {
      case 0:
        reader.Varint();
        break;
      case 1:
        reader.Bytes(8);
        break;
      case 2:
        octets = reader.String();
        break;
      case 5:
        reader.Bytes(4);
        break;
      default:
        return;
    }
    if (reader.ok() && tag == wanted) {
      fn(octets);
    }
  }
}

/// Adds the octets of large bodies inside an encoded ChangeItem.
void AddBodies(std::string_view item, std::vector<std::string_view>* bodies) {
  ForEachField(item, proto::ChangeItem::kBodyFieldNumber, [&](std::string_view body) {
    ForEachField(body, proto::BodyItem::kOctetsFieldNumber, [&](std::string_view octets) {
      if (octets.size() >= kOwnBlockBytesMin) {
        bodies->push_back(octets);
      }
    });
  });
}

/// The octets of large bodies inside an encoded Frame or CatchUpUnit, in order.
std::vector<std::string_view> BodiesIn(std::string_view whole, bool unit) {
  std::vector<std::string_view> bodies;
  const auto from_item = [&](std::string_view item) { AddBodies(item, &bodies); };
  if (unit) {
    ForEachField(whole, proto::CatchUpUnit::kItemsFieldNumber, from_item);
    return bodies;
  }
  ForEachField(whole, proto::Frame::kChangesFieldNumber, [&](std::string_view changes) {
    ForEachField(changes, proto::UserChanges::kItemsFieldNumber, from_item);
  });
  return bodies;
}

// --- compression

/// One zstd frame, piece by piece. Each piece ends a block: ids and digests are noise, and in one
/// block with mail they would spoil its code (scripts/bench --only wire).
class Packer {
 public:
  explicit Packer(std::size_t whole_bytes)
      : context_(ZSTD_createCCtx(), ZSTD_freeCCtx), out_(ZSTD_compressBound(whole_bytes), '\0') {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, limits::kFrameZstdLevel);
    ZSTD_CCtx_setPledgedSrcSize(context_.get(), whole_bytes);
  }
  /// False once it would not be smaller, or zstd fails.
  bool Add(std::string_view piece, ZSTD_EndDirective end) {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    ZSTD_outBuffer out{out_.data(), out_.size(), used_};
    const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, end);
    used_ = out.pos;
    return left == 0;
  }
  std::string Take() {
    out_.resize(used_);
    return std::move(out_);
  }

 private:
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
  std::string out_;
  std::size_t used_ = 0;
};

/// The compressed form, or nothing when it would not be smaller.
std::optional<std::string> Compress(std::string_view whole, bool unit) {
  if (whole.size() < limits::kCompressFrameBytesMin) {
    return std::nullopt;
  }
  Packer packer(whole.size());
  const char* at = whole.data();
  for (const std::string_view body : BodiesIn(whole, unit)) {
    const std::string_view before(at, static_cast<std::size_t>(body.data() - at));
    if (!packer.Add(before, ZSTD_e_flush) || !packer.Add(body, ZSTD_e_flush)) {
      return std::nullopt;
    }
    at = body.data() + body.size();
  }
  const auto rest = static_cast<std::size_t>(whole.data() + whole.size() - at);
  if (!packer.Add({at, rest}, ZSTD_e_end)) {
    return std::nullopt;
  }
  std::string out = packer.Take();
  return out.size() < whole.size() ? std::optional(std::move(out)) : std::nullopt;
}

Result<std::string> Decompress(std::string_view packed, std::uint64_t raw_bytes) {
  std::string out(raw_bytes, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(size) != 0U || size != raw_bytes) {
    return DataLoss("a replicated frame does not decompress to the size its parts announce");
  }
  return out;
}

/// Of the whole that a part belongs to.
std::uint32_t Count(const proto::FramePart& part) {
  return std::max(part.count(), 1u);
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
  const std::optional<std::string> packed = Compress(whole, unit);
  const std::string_view octets = packed ? std::string_view(*packed) : whole;
  const std::uint32_t count = PartCount(octets.size());
  std::vector<proto::FramePart> parts(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    proto::FramePart& part = parts[i];
    if (count > 1) {
      part.set_seq(seq);
      part.set_index(i);
      part.set_count(count);
    }
    part.set_zstd(packed.has_value());
    if (packed || count > 1) {
      part.set_raw_bytes(whole.size());
    }
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
  if (part.index() >= Count(part)) {
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
  if (next_index_ < Count(head_)) {
    return std::optional<Whole>();
  }
  return Finish();
}

Result<std::optional<PartAssembler::Whole>> PartAssembler::Finish() {
  Whole whole{.seq = head_.seq(), .unit = head_.unit(), .octets = std::move(octets_)};
  const bool packed = head_.zstd();
  const bool alone = !packed && Count(head_) == 1;
  const std::uint64_t raw_bytes = alone ? whole.octets.size() : head_.raw_bytes();
  Reset();
  if (packed) {
    ASSIGN_OR_RETURN(whole.octets, Decompress(whole.octets, raw_bytes));
  } else if (whole.octets.size() != raw_bytes) {
    return DataLoss("a replicated frame has another size than its parts announce");
  }
  return std::optional<Whole>(std::move(whole));
}

}  // namespace twinspool::replica::core
