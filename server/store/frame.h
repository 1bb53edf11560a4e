// The octets of frames, put together from parts that were encoded once. Outbox entries: see
// change_log.h. Pure functions.
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

/// Field numbers used above; checked against the generated code by a test.
inline constexpr std::uint32_t kFrameChangesField = 4;
inline constexpr std::uint32_t kOutboxItemsField = 4;

}  // namespace twinspool::store
