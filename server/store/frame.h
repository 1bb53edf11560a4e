// The octets of frames and outbox entries, put together from parts that were encoded once.
//
// Both nodes must write the same outbox entry for a group: the primary builds it here when it
// commits, the standby when it applies the frame. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace twinspool::store {

/// Appends `message` as one element of the repeated message field `field` (tag, length, bytes).
void AppendField(std::uint32_t field, std::string_view message, std::string* out);

struct FrameParts {
  EntryId id;
  std::vector<std::string_view> changes;  // encoded proto::UserChanges
  std::vector<DigestBytes> digests;
  CommitSeq trim_upto;
  std::int64_t wall_ns = 0;
};
/// An encoded proto::Frame.
std::string EncodeFrame(const FrameParts& parts);

/// An encoded proto::OutboxEntry. `items` are its OutboxItems as ApplyResult has them,
/// `frame_bytes` is the size of the encoded frame.
std::string EncodeOutboxEntry(const EntryId& id, std::int64_t wall_ns, std::string_view items,
                              std::uint64_t frame_bytes);

/// Field numbers used above; checked against the generated code by a test.
inline constexpr std::uint32_t kFrameChangesField = 4;
inline constexpr std::uint32_t kOutboxItemsField = 4;

}  // namespace twinspool::store
