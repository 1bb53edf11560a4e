// Protocol Buffers allow fields in any order and encoded messages to be joined, so parts that were
// serialised earlier are spliced in behind the few scalar fields.
#include "server/store/frame.h"

#include "proto/types.pb.h"

#include "common/codec.h"

namespace twinspool::store {

static_assert(proto::Frame::kChangesFieldNumber == kFrameChangesField);
static_assert(proto::OutboxEntry::kItemsFieldNumber == kOutboxItemsField);

void AppendField(std::uint32_t field, std::string_view message, std::string* out) {
  constexpr std::uint32_t kLengthDelimited = 2;
  PutVarint(out, (std::uint64_t{field} << 3) | kLengthDelimited);
  PutString(out, message);
}

std::string EncodeFrame(const FrameParts& parts) {
  proto::Frame frame;
  frame.set_epoch(parts.id.epoch.value());
  frame.set_incarnation(parts.id.incarnation.value());
  frame.set_seq(parts.id.seq.value());
  for (const DigestBytes& digest : parts.digests) {
    frame.add_digests(std::string(digest.bytes()));
  }
  frame.set_trim_upto(parts.trim_upto.value());
  frame.set_wall_ns(parts.wall_ns);
  std::string out = frame.SerializeAsString();
  for (const std::string_view changes : parts.changes) {
    AppendField(kFrameChangesField, changes, &out);
  }
  return out;
}

}  // namespace twinspool::store
