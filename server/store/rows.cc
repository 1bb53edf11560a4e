// Codecs of rows.h. Derived rows carry a version byte; a Reader that ran dry is kDataLoss.
#include "server/store/rows.h"

#include "common/codec.h"

namespace twinspool::store {
namespace {

constexpr std::uint8_t kRowVersion = 1;

Status Malformed(const char* what) {
  return DataLoss(std::string(what) +
                  " does not parse: the store is damaged; fill this node afresh from its peer");
}

std::uint32_t Varint32(Reader* reader) {
  const std::uint64_t value = reader->Varint();
  if (value > UINT32_MAX) {
    reader->Fail();
    return 0;
  }
  return static_cast<std::uint32_t>(value);
}

template <typename IdType>
IdType ReadId(Reader* reader) {
  return IdType::FromBytes(reader->Bytes(IdType::kSize));
}

}  // namespace

std::string EncodeUserState(const UserState& state) {
  std::string out(1, static_cast<char>(kRowVersion));
  PutVarint(&out, state.last_modseq.value());
  PutVarint(&out, state.uid_validity);
  out.append(state.digest.bytes());
  PutVarint(&out, state.mailboxes);
  PutVarint(&out, state.bytes);
  PutVarint(&out, state.messages);
  PutVarint(&out, state.subscriptions);
  return out;
}

Result<UserState> DecodeUserState(std::string_view bytes) {
  Reader reader(bytes);
  const bool known = reader.U8() >= kRowVersion;
  UserState state;
  state.last_modseq = Modseq(reader.Varint());
  state.uid_validity = Varint32(&reader);
  state.digest = ReadId<DigestBytes>(&reader);
  state.mailboxes = Varint32(&reader);
  state.bytes = reader.Varint();
  state.messages = reader.Varint();
  // Rows of earlier builds end here.
  state.subscriptions = reader.AtEnd() ? 0 : Varint32(&reader);
  if (!reader.ok() || !known) {
    return Malformed("the state of a user");
  }
  return state;
}

std::string EncodeMailboxRow(const MailboxRow& row) {
  std::string out(1, static_cast<char>(kRowVersion));
  out.append(row.owner.bytes());
  PutVarint(&out, row.uid_next);
  PutVarint(&out, row.highest_modseq.value());
  PutVarint(&out, row.exists);
  PutVarint(&out, row.unseen);
  PutVarint(&out, row.deleted);
  PutVarint(&out, row.bytes);
  PutVarint(&out, row.entries);
  out.append(row.digest.bytes());
  PutVarint(&out, row.purge_floor.value());
  PutVarint(&out, row.uid_peer);
  return out;
}

Result<MailboxRow> DecodeMailboxRow(std::string_view bytes) {
  Reader reader(bytes);
  const bool known = reader.U8() >= kRowVersion;
  MailboxRow row;
  row.owner = ReadId<UserId>(&reader);
  row.uid_next = Varint32(&reader);
  row.highest_modseq = Modseq(reader.Varint());
  row.exists = Varint32(&reader);
  row.unseen = Varint32(&reader);
  row.deleted = Varint32(&reader);
  row.bytes = reader.Varint();
  row.entries = Varint32(&reader);
  row.digest = ReadId<DigestBytes>(&reader);
  row.purge_floor = Modseq(reader.Varint());
  row.uid_peer = Varint32(&reader);
  if (!reader.ok() || !known) {
    return Malformed("the state of a mailbox");
  }
  return row;
}

std::string EncodeVersioned(Modseq modseq, std::string_view bytes) {
  std::string out;
  out.reserve(8 + bytes.size());
  PutBe64(&out, modseq.value());
  out.append(bytes);
  return out;
}

Result<VersionedBytes> DecodeVersioned(std::string_view row) {
  Reader reader(row);
  VersionedBytes out;
  out.modseq = Modseq(reader.Be64());
  if (!reader.ok()) {
    return Malformed("a header");
  }
  out.bytes = std::string(reader.rest());
  return out;
}

std::string EncodePoolEntry(const PoolEntry& entry) {
  std::string out;
  PutBe64(&out, entry.body.value());
  PutVarint(&out, entry.size);
  PutVarint(&out, entry.chunks);
  return out;
}

Result<PoolEntry> DecodePoolEntry(std::string_view row) {
  Reader reader(row);
  PoolEntry entry;
  entry.body = BodyNo(reader.Be64());
  entry.size = reader.Varint();
  entry.chunks = Varint32(&reader);
  if (!reader.ok()) {
    return Malformed("an entry of the pool");
  }
  return entry;
}

std::string EncodeLooseBody(const LooseBody& loose) {
  std::string out;
  PutBe64(&out, static_cast<std::uint64_t>(loose.since_s));
  if (!loose.guid.nil()) {
    out.append(loose.guid.bytes());
  }
  return out;
}

Result<LooseBody> DecodeLooseBody(std::string_view row) {
  Reader reader(row);
  LooseBody loose;
  loose.since_s = static_cast<std::int64_t>(reader.Be64());
  if (!reader.ok()) {
    return Malformed("the mark of a loose body");
  }
  loose.guid = Guid::FromBytes(reader.rest());
  return loose;
}

std::string EncodeTokenRow(const TokenRow& row) {
  std::string out;
  PutBe64(&out, row.modseq.value());
  PutBe64(&out, static_cast<std::uint64_t>(row.expires_s));
  out.append(row.result);
  return out;
}

Result<TokenRow> DecodeTokenRow(std::string_view bytes) {
  Reader reader(bytes);
  TokenRow row;
  row.modseq = Modseq(reader.Be64());
  row.expires_s = static_cast<std::int64_t>(reader.Be64());
  if (!reader.ok()) {
    return Malformed("a remembered result");
  }
  row.result = std::string(reader.rest());
  return row;
}

std::string EncodeDeletedAt(std::int64_t seconds) {
  std::string out;
  PutBe64(&out, static_cast<std::uint64_t>(seconds));
  return out;
}

std::int64_t DeletedAt(const MiscRow& row) {
  Reader reader(row.value);
  const auto seconds = static_cast<std::int64_t>(reader.Be64());
  return reader.ok() ? seconds : 0;
}

std::string EncodeMiscRow(const MiscRow& row) {
  std::string out;
  PutBe64(&out, row.modseq.value());
  out.push_back(row.deleted ? '\1' : '\0');
  out.append(row.value);
  return out;
}

Result<MiscRow> DecodeMiscRow(std::string_view bytes) {
  Reader reader(bytes);
  MiscRow row;
  row.modseq = Modseq(reader.Be64());
  row.deleted = reader.U8() != 0;
  if (!reader.ok()) {
    return Malformed("a row of misc");
  }
  row.value = std::string(reader.rest());
  return row;
}

}  // namespace twinspool::store
