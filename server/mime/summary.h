// What FETCH needs of a message without reading its body: a small blob, kept beside the message.
//
// A cache, never the truth: a reader that does not understand a blob rebuilds it from the octets.
// Layout (common/codec.h): version, header length, date (0, or 1 with zigzag UTC seconds and zigzag
// zone), what SORT and THREAD compare, then the preview, ENVELOPE, BODY and BODYSTRUCTURE as
// length-prefixed strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"
#include "server/mime/date.h"
#include "server/mime/sort_fields.h"

namespace twinspool::mime {

/// Raise it when the layout, or anything that gets rendered, changes.
inline constexpr std::uint64_t kSummaryVersion = 3;

struct Summary {
  std::string envelope;            // as FETCH ENVELOPE answers
  std::string body;                // as FETCH BODY answers
  std::string body_structure;      // as FETCH BODYSTRUCTURE answers
  std::uint64_t header_bytes = 0;  // of the message's header with its empty line
  std::optional<Date> date;        // of the first Date: field, if it could be read
  SortFields sort;
  std::string preview;  // RFC 8970
};

/// The part of a summary that SORT and THREAD need.
struct SortSummary {
  std::optional<Date> date;
  SortFields sort;
};

/// The same as views into a blob, or into a SortSummary.
struct SortSummaryView {
  std::optional<Date> date;
  SortFieldsView sort;
};
inline SortSummaryView ViewOf(const SortSummary& summary) {
  return {summary.date, ViewOf(summary.sort)};
}

/// Scans the message once and encodes what was found.
std::string Summarize(std::string_view message);

/// kDataLoss for an unknown version or a blob that does not parse: make a new one.
Result<Summary> ParseSummary(std::string_view blob);
/// Likewise; cheaper, because it copies no wire strings.
Result<SortSummary> ParseSortSummary(std::string_view blob);
/// Likewise, without copies: hundreds of thousands are read for one SORT.
Result<SortSummaryView> ViewSortSummary(std::string_view blob);
/// The part of a blob that ParseSortSummary reads; empty when it does not parse.
std::string_view SortHead(std::string_view blob);
/// Whether a blob is of the present version.
bool IsCurrentSummary(std::string_view blob);

/// What a summary would say to SORT and THREAD, from a message's header alone.
SortSummary SortSummaryOf(std::string_view header_block);

}  // namespace twinspool::mime
