// What FETCH needs of a message without reading its body: a small blob, kept beside the message.
//
// A cache, never the truth: a reader that does not understand a blob rebuilds it from the octets.
// Layout (common/codec.h): version, header length, date (0, or 1 with zigzag UTC seconds and zigzag
// zone), then ENVELOPE, BODY and BODYSTRUCTURE as length-prefixed wire strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"
#include "server/mime/date.h"

namespace twinspool::mime {

/// Raise it when the layout, or anything that gets rendered, changes.
inline constexpr std::uint64_t kSummaryVersion = 2;

struct Summary {
  std::string envelope;            // as FETCH ENVELOPE answers
  std::string body;                // as FETCH BODY answers
  std::string body_structure;      // as FETCH BODYSTRUCTURE answers
  std::uint64_t header_bytes = 0;  // of the message's header with its empty line
  std::optional<Date> date;        // of the first Date: field, if it could be read
};

/// Scans the message once and encodes what was found.
std::string Summarize(std::string_view message);

/// kDataLoss for an unknown version or a blob that does not parse: make a new one.
Result<Summary> ParseSummary(std::string_view blob);

}  // namespace twinspool::mime
