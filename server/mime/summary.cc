#include "server/mime/summary.h"

#include "common/codec.h"
#include "server/mime/bodystructure.h"
#include "server/mime/envelope.h"
#include "server/mime/header.h"
#include "server/mime/preview.h"
#include "server/mime/structure.h"

namespace twinspool::mime {
namespace {

std::uint64_t ZigZag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0);
}

std::int64_t UnZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ ((value & 1) != 0 ? ~std::uint64_t{0} : 0));
}

void PutDate(std::string* out, const std::optional<Date>& date) {
  PutVarint(out, date.has_value() ? 1 : 0);
  if (date.has_value()) {
    PutVarint(out, ZigZag(date->utc_seconds));
    PutVarint(out, ZigZag(date->zone_minutes));
  }
}

Status Damaged() {
  return DataLoss("message summary is damaged; it is rebuilt from the message");
}

std::optional<Date> ReadDate(Reader* in) {
  if (in->Varint() == 0) {
    return std::nullopt;
  }
  Date date;
  date.utc_seconds = UnZigZag(in->Varint());
  date.zone_minutes = static_cast<int>(UnZigZag(in->Varint()));
  return date;
}

/// Version to sort fields: the head of a blob, and all of a SortSummary.
template <typename Head>
Result<Head> ReadHead(Reader* in, std::uint64_t* header_bytes) {
  if (in->Varint() != kSummaryVersion || !in->ok()) {
    return DataLoss("message summary of an unknown version; it is rebuilt from the message");
  }
  Head head;
  *header_bytes = in->Varint();
  head.date = ReadDate(in);
  if (!TakeSortFields(in, &head.sort)) {
    return Damaged();
  }
  return head;
}

}  // namespace

SortSummary SortSummaryOf(std::string_view header_block) {
  SortSummary summary;
  if (const std::optional<HeaderField> date = FindField(header_block, "Date")) {
    summary.date = ParseDate(date->value);
  }
  summary.sort = ReadSortFields(header_block);
  return summary;
}

std::string Summarize(std::string_view message) {
  const Structure structure = Scan(message);
  const std::string_view header = structure.root().header.Of(message);
  const SortSummary head = SortSummaryOf(header);
  std::string out;
  PutVarint(&out, kSummaryVersion);
  PutVarint(&out, header.size());
  PutDate(&out, head.date);
  PutSortFields(head.sort, &out);
  PutString(&out, Preview(structure, message));
  PutString(&out, RenderEnvelope(header));
  PutString(&out, RenderBody(structure, message, BodyForm::kBody));
  PutString(&out, RenderBody(structure, message, BodyForm::kBodyStructure));
  return out;
}

Result<Summary> ParseSummary(std::string_view blob) {
  Reader in(blob);
  Summary summary;
  ASSIGN_OR_RETURN(SortSummary head, ReadHead<SortSummary>(&in, &summary.header_bytes));
  summary.date = head.date;
  summary.sort = std::move(head.sort);
  summary.preview = in.String();
  summary.envelope = in.String();
  summary.body = in.String();
  summary.body_structure = in.String();
  if (!in.ok() || !in.AtEnd()) {
    return Damaged();
  }
  return summary;
}

Result<SortSummary> ParseSortSummary(std::string_view blob) {
  Reader in(blob);
  std::uint64_t header_bytes = 0;
  return ReadHead<SortSummary>(&in, &header_bytes);
}

Result<SortSummaryView> ViewSortSummary(std::string_view blob) {
  Reader in(blob);
  std::uint64_t header_bytes = 0;
  return ReadHead<SortSummaryView>(&in, &header_bytes);
}

std::string_view SortHead(std::string_view blob) {
  Reader in(blob);
  std::uint64_t header_bytes = 0;
  return ReadHead<SortSummaryView>(&in, &header_bytes).ok()
             ? blob.substr(0, blob.size() - in.rest().size())
             : std::string_view();
}

bool IsCurrentSummary(std::string_view blob) {
  return Reader(blob).Varint() == kSummaryVersion;
}

}  // namespace twinspool::mime
