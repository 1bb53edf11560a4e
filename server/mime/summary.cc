#include "server/mime/summary.h"

#include "common/codec.h"
#include "server/mime/bodystructure.h"
#include "server/mime/envelope.h"
#include "server/mime/header.h"
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

std::optional<Date> ReadDate(Reader* in) {
  if (in->Varint() == 0) {
    return std::nullopt;
  }
  Date date;
  date.utc_seconds = UnZigZag(in->Varint());
  date.zone_minutes = static_cast<int>(UnZigZag(in->Varint()));
  return date;
}

}  // namespace

std::string Summarize(std::string_view message) {
  const Structure structure = Scan(message);
  const std::string_view header = structure.root().header.Of(message);
  const std::optional<HeaderField> date = FindField(header, "Date");
  std::string out;
  PutVarint(&out, kSummaryVersion);
  PutVarint(&out, header.size());
  PutDate(&out, date.has_value() ? ParseDate(date->value) : std::nullopt);
  PutString(&out, RenderEnvelope(header));
  PutString(&out, RenderBody(structure, message, BodyForm::kBody));
  PutString(&out, RenderBody(structure, message, BodyForm::kBodyStructure));
  return out;
}

Result<Summary> ParseSummary(std::string_view blob) {
  Reader in(blob);
  const std::uint64_t version = in.Varint();
  if (!in.ok() || version != kSummaryVersion) {
    return DataLoss("message summary of an unknown version; it is rebuilt from the message");
  }
  Summary summary;
  summary.header_bytes = in.Varint();
  summary.date = ReadDate(&in);
  summary.envelope = in.String();
  summary.body = in.String();
  summary.body_structure = in.String();
  if (!in.ok() || !in.AtEnd()) {
    return DataLoss("message summary is damaged; it is rebuilt from the message");
  }
  return summary;
}

}  // namespace twinspool::mime
