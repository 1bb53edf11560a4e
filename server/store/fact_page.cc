#include "server/store/fact_page.h"

#include "proto/types.pb.h"

#include "common/codec.h"
#include "server/store/schema.h"

namespace twinspool::store {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

void PutSigned(std::string* out, std::int64_t value) {
  PutVarint(out, (static_cast<std::uint64_t>(value) << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

std::int64_t Signed(Reader* in) {
  const std::uint64_t value = in->Varint();
  return static_cast<std::int64_t>((value >> 1) ^ ((value & 1) != 0 ? ~std::uint64_t{0} : 0));
}

}  // namespace

Result<MessageRecord> ParseRecord(std::string_view row) {
  proto::RecordHeader header;
  if (!header.ParseFromArray(row.data(), static_cast<int>(row.size()))) {
    return DataLoss("the record of a message does not parse");
  }
  MessageRecord record;
  record.guid = Guid::FromBytes(header.guid());
  record.body = BodyNo(header.body_no());
  record.size = header.size();
  record.internal_date = header.internal_date_ns() / kNsPerSecond;
  record.zone_minutes = static_cast<std::int16_t>(header.zone_minutes());
  record.save_date = header.save_date_ns() / kNsPerSecond;
  record.created = Modseq(header.created_modseq());
  return record;
}

void FactPageWriter::Add(Uid uid, const MessageRecord& record, std::string_view head) {
  PutVarint(&messages_, uid.value() - previous_);
  previous_ = uid.value();
  messages_ += record.guid.bytes();
  PutVarint(&messages_, record.body.value());
  PutVarint(&messages_, record.size);
  PutSigned(&messages_, record.internal_date);
  PutSigned(&messages_, record.zone_minutes);
  PutSigned(&messages_, record.save_date);
  PutVarint(&messages_, record.created.value());
  PutString(&messages_, head);
  ++count_;
}

std::string FactPageWriter::Take() const {
  std::string page;
  PutVarint(&page, kVersion);
  PutVarint(&page, count_);
  return page + messages_;
}

Result<std::vector<Facts>> ReadFactPage(std::string_view page) {
  Reader in(page);
  const bool present = in.Varint() == kVersion;
  const std::uint64_t count = in.Varint();
  if (!present || !in.ok() || count > 1u << kPageBits) {
    return DataLoss("a page of facts of another version; it is made anew");
  }
  std::vector<Facts> all(static_cast<std::size_t>(count));
  std::uint64_t uid = 0;
  for (Facts& facts : all) {
    uid += in.Varint();
    facts.uid = Uid(static_cast<std::uint32_t>(uid));
    facts.record.guid = Guid::FromBytes(in.Bytes(Guid::kSize));
    facts.record.body = BodyNo(in.Varint());
    facts.record.size = in.Varint();
    facts.record.internal_date = Signed(&in);
    facts.record.zone_minutes = static_cast<std::int16_t>(Signed(&in));
    facts.record.save_date = Signed(&in);
    facts.record.created = Modseq(in.Varint());
    facts.head = in.String();
  }
  if (!in.ok() || !in.AtEnd()) {
    return DataLoss("a page of facts is damaged; it is made anew");
  }
  return all;
}

}  // namespace twinspool::store
