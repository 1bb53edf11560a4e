#include "server/store/schema.h"

#include "common/codec.h"

namespace twinspool::store {
namespace {

constexpr std::size_t kIdSize = 16;
constexpr std::size_t kEntryIdSize = 20;

std::string Key(char kind, std::string_view rest) {
  std::string key(1, kind);
  key += rest;
  return key;
}

std::string Join(std::string_view a, std::string_view b) {
  std::string key(a);
  key += b;
  return key;
}

}  // namespace

const std::array<FamilyInfo, kFamilyCount> kFamilies = {{
    {Family::kMeta, "meta", "name, or mark letter + id", "packed"},
    {Family::kUsers, "users", "'h' user | 'n' name | 's' user",
     "be64 modseq + UserHeader | user id | packed UserState"},
    {Family::kMailboxes, "mailboxes", "'h' user mailbox | 'n' user name | 's' mailbox",
     "be64 modseq + MailboxHeader | mailbox id | packed MailboxRow"},
    {Family::kIndex, "index", "mailbox, be32 uid >> 8", "packed page"},
    {Family::kRecords, "records", "mailbox, be32 uid", "RecordHeader"},
    {Family::kBodies, "bodies", "user, be64 body no, be32 chunk", "octets"},
    {Family::kGuids, "guids", "user, guid", "be64 body no, varint size, varint chunks"},
    {Family::kRefs, "refs", "user, be64 body no, mailbox, be32 uid", "nothing"},
    {Family::kSummaries, "summaries", "user, be64 body no", "opaque"},
    {Family::kTexts, "texts", "'b' user, be64 body no | 'p' mailbox, kind, be32 uid >> 8",
     "version, folded text | packed column"},
    {Family::kOutbox, "outbox", "be64 commit seq", "OutboxEntry"},
    {Family::kTokens, "tokens", "user, key", "be64 modseq, be64 expiry, result"},
    {Family::kMisc, "misc", "user, kind, key", "be64 modseq, u8 deleted, value"},
}};

std::string IncompleteKey(UserId user) {
  return Key('i', user.bytes());
}

std::string RecountKey(MailboxId mailbox) {
  return Key('r', mailbox.bytes());
}

std::string RecountUserKey(UserId user) {
  return Key('c', user.bytes());
}

std::string ForgottenKey(UserId user) {
  return Key('f', user.bytes());
}

std::string StagingKey(UserId user, BodyNo body) {
  std::string key = Key('b', user.bytes());
  PutBe64(&key, body.value());
  return key;
}

std::string UnclaimedKey(UserId user, BodyNo body) {
  std::string key = Key('u', user.bytes());
  PutBe64(&key, body.value());
  return key;
}

std::string UserKey(UserId user) {
  return Key('h', user.bytes());
}

std::string UserNameKey(std::string_view name) {
  return Key('n', name);
}

std::string UserStateKey(UserId user) {
  return Key('s', user.bytes());
}

std::string MailboxKey(UserId user, MailboxId mailbox) {
  return Join(MailboxPrefix(user), mailbox.bytes());
}

std::string MailboxNameKey(UserId user, std::string_view name) {
  return Join(MailboxNamePrefix(user), name);
}

std::string MailboxStateKey(MailboxId mailbox) {
  return Key('s', mailbox.bytes());
}

std::string MailboxPrefix(UserId user) {
  return Key('h', user.bytes());
}

std::string MailboxNamePrefix(UserId user) {
  return Key('n', user.bytes());
}

std::string PageKey(MailboxId mailbox, std::uint32_t page) {
  std::string key(mailbox.bytes());
  PutBe32(&key, page);
  return key;
}

std::string RecordKey(MailboxId mailbox, Uid uid) {
  std::string key(mailbox.bytes());
  PutBe32(&key, uid.value());
  return key;
}

std::string BodyKey(UserId user, BodyNo body, std::uint32_t chunk) {
  std::string key = BodyPrefix(user, body);
  PutBe32(&key, chunk);
  return key;
}

std::string BodyPrefix(UserId user, BodyNo body) {
  std::string key(user.bytes());
  PutBe64(&key, body.value());
  return key;
}

std::string GuidKey(UserId user, const Guid& guid) {
  return Join(user.bytes(), guid.bytes());
}

std::string RefKey(UserId user, BodyNo body, MailboxId mailbox, Uid uid) {
  std::string key = RefPrefix(user, body);
  key += mailbox.bytes();
  PutBe32(&key, uid.value());
  return key;
}

std::string RefPrefix(UserId user, BodyNo body) {
  return BodyPrefix(user, body);
}

std::string SummaryKey(UserId user, BodyNo body) {
  return BodyPrefix(user, body);
}

std::string BodyTextKey(UserId user, BodyNo body) {
  return Key('b', BodyPrefix(user, body));
}

std::string BodyTextPrefix(UserId user) {
  return Key('b', user.bytes());
}

std::string TextPageKey(MailboxId mailbox, char kind, std::uint32_t page) {
  std::string key = TextPagePrefix(mailbox);
  key.push_back(kind);
  PutBe32(&key, page);
  return key;
}

std::string TextPagePrefix(MailboxId mailbox) {
  return Key('p', mailbox.bytes());
}

std::string OutboxKey(CommitSeq seq) {
  std::string key;
  PutBe64(&key, seq.value());
  return key;
}

std::string TokenKey(UserId user, std::string_view key) {
  return Join(user.bytes(), key);
}

std::string MiscKey(UserId user, std::uint8_t kind, std::string_view key) {
  std::string out(user.bytes());
  out.push_back(static_cast<char>(kind));
  out += key;
  return out;
}

std::optional<Uid> UidOfRecordKey(std::string_view key) {
  Reader reader(key);
  reader.Bytes(kIdSize);
  const Uid uid(reader.Be32());
  return reader.ok() && reader.AtEnd() ? std::optional(uid) : std::nullopt;
}

std::optional<Uid> UidOfRefKey(std::string_view key) {
  Reader reader(key);
  reader.Bytes(kIdSize);  // user
  reader.Be64();          // body
  reader.Bytes(kIdSize);  // mailbox
  const Uid uid(reader.Be32());
  return reader.ok() && reader.AtEnd() ? std::optional(uid) : std::nullopt;
}

std::optional<std::uint32_t> PageOfTextPageKey(std::string_view key) {
  Reader reader(key);
  reader.Bytes(1 + kIdSize + 1);  // 'p', mailbox, kind
  const std::uint32_t page = reader.Be32();
  return reader.ok() && reader.AtEnd() ? std::optional(page) : std::nullopt;
}

std::optional<std::uint32_t> PageOfPageKey(std::string_view key) {
  Reader reader(key);
  reader.Bytes(kIdSize);
  const std::uint32_t page = reader.Be32();
  return reader.ok() && reader.AtEnd() ? std::optional(page) : std::nullopt;
}

std::optional<BodyKeyParts> PartsOfBodyKey(std::string_view key) {
  Reader reader(key);
  reader.Bytes(kIdSize);
  BodyKeyParts parts;
  parts.body = BodyNo(reader.Be64());
  parts.chunk = reader.Be32();
  return reader.ok() && reader.AtEnd() ? std::optional(parts) : std::nullopt;
}

std::optional<CommitSeq> SeqOfOutboxKey(std::string_view key) {
  Reader reader(key);
  const CommitSeq seq(reader.Be64());
  return reader.ok() && reader.AtEnd() ? std::optional(seq) : std::nullopt;
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') {
    end.pop_back();
  }
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  }
  return end;
}

std::string PackEntryId(const EntryId& id) {
  std::string bytes;
  PutBe32(&bytes, id.epoch.value());
  PutBe64(&bytes, id.incarnation.value());
  PutBe64(&bytes, id.seq.value());
  return bytes;
}

std::optional<EntryId> UnpackEntryId(std::string_view bytes) {
  if (bytes.size() != kEntryIdSize) {
    return std::nullopt;
  }
  Reader reader(bytes);
  EntryId id;
  id.epoch = Epoch(reader.Be32());
  id.incarnation = Incarnation(reader.Be64());
  id.seq = CommitSeq(reader.Be64());
  return id;
}

}  // namespace twinspool::store
