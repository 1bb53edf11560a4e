// Golden octets of every family, key and packed value: existing data directories hold them.
#include "server/store/schema.h"

#include <set>

#include <gtest/gtest.h>

#include "server/store/rows.h"

namespace twinspool::store {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return hex;
}

const UserId kUser = *UserId::FromHex("000102030405060708090a0b0c0d0e0f");
const MailboxId kMailbox = *MailboxId::FromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
constexpr char kUserHex[] = "000102030405060708090a0b0c0d0e0f";
constexpr char kMailboxHex[] = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

TEST(Schema, FamiliesAreInOrderAndNamedOnce) {
  const char* names[] = {"meta", "users",     "mailboxes", "index",  "records", "bodies", "guids",
                         "refs", "summaries", "texts",     "outbox", "tokens",  "misc"};
  std::set<std::string> seen;
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kFamilies[i].family), i);
    EXPECT_STREQ(kFamilies[i].name, names[i]);
    EXPECT_TRUE(seen.insert(kFamilies[i].name).second);
  }
}

TEST(Schema, PackedValues) {
  const std::string digest = "0123456789abcdef";
  const std::string digest_hex = "30313233343536373839616263646566";
  UserState user;
  user.last_modseq = Modseq(300);
  user.uid_validity = 7;
  user.digest = DigestBytes::FromBytes(digest);
  user.mailboxes = 5;
  user.bytes = 128;
  user.messages = 3;
  user.subscriptions = 9;
  EXPECT_EQ(Hex(EncodeUserState(user)), "01ac0207" + digest_hex + "0580010309");
  EXPECT_EQ(*DecodeUserState(EncodeUserState(user)), user);

  MailboxRow row;
  row.owner = kUser;
  row.uid_next = 300;
  row.highest_modseq = Modseq(1);
  row.exists = 2;
  row.unseen = 3;
  row.deleted = 4;
  row.bytes = 128;
  row.entries = 6;
  row.digest = DigestBytes::FromBytes(digest);
  row.purge_floor = Modseq(7);
  row.uid_peer = 8;
  EXPECT_EQ(Hex(EncodeMailboxRow(row)),
            std::string("01") + kUserHex + "ac0201020304800106" + digest_hex + "0708");
  EXPECT_EQ(*DecodeMailboxRow(EncodeMailboxRow(row)), row);

  EXPECT_EQ(Hex(EncodeVersioned(Modseq(9), "h")), "000000000000000968");
  EXPECT_EQ(Hex(EncodePoolEntry({BodyNo(0x0102030405060708), 300, 2})), "0102030405060708ac0202");
  EXPECT_EQ(Hex(EncodeLooseBody({1, Guid()})), "0000000000000001");
  const std::string guid(Guid::kSize, '\xab');
  std::string guid_hex;
  for (std::size_t i = 0; i < Guid::kSize; ++i) {
    guid_hex += "ab";
  }
  EXPECT_EQ(Hex(EncodeLooseBody({1, Guid::FromBytes(guid)})), "0000000000000001" + guid_hex);
  EXPECT_EQ(DecodeLooseBody(EncodeLooseBody({1, Guid()}))->guid, Guid());
  EXPECT_EQ(Hex(EncodeTokenRow({Modseq(2), 3, "res"})), "00000000000000020000000000000003726573");
  EXPECT_EQ(Hex(EncodeMiscRow({Modseq(4), true, "v"})), "00000000000000040176");
  EXPECT_EQ(Hex(EncodeDeletedAt(258)), "0000000000000102");
  EXPECT_EQ(DeletedAt({Modseq(4), true, EncodeDeletedAt(258)}), 258);
  EXPECT_EQ(DeletedAt({Modseq(4), true, ""}), 0);
}

TEST(Schema, FormatVersionIsOne) {
  EXPECT_EQ(kFormatVersion, 1u);
}

TEST(Schema, MetaKeys) {
  EXPECT_EQ(kMetaVersion, "version");
  EXPECT_EQ(kMetaLast, "last");
  EXPECT_EQ(kMetaLow, "low");
  EXPECT_EQ(Hex(IncompleteKey(kUser)), std::string("69") + kUserHex);
  EXPECT_EQ(Hex(RecountKey(kMailbox)), std::string("72") + kMailboxHex);
  EXPECT_EQ(Hex(RecountUserKey(kUser)), std::string("63") + kUserHex);
  EXPECT_EQ(Hex(ForgottenKey(kUser)), std::string("66") + kUserHex);
  EXPECT_EQ(Hex(StagingKey(kUser, BodyNo(0x0102030405060708))),
            std::string("62") + kUserHex + "0102030405060708");
  EXPECT_EQ(Hex(UnclaimedKey(kUser, BodyNo(0x0102030405060708))),
            std::string("75") + kUserHex + "0102030405060708");
}

TEST(Schema, UserAndMailboxKeys) {
  EXPECT_EQ(Hex(UserKey(kUser)), std::string("68") + kUserHex);
  EXPECT_EQ(UserNameKey("ann@example.org"), "nann@example.org");
  EXPECT_EQ(Hex(UserStateKey(kUser)), std::string("73") + kUserHex);
  EXPECT_EQ(Hex(MailboxKey(kUser, kMailbox)), std::string("68") + kUserHex + kMailboxHex);
  EXPECT_EQ(Hex(MailboxNameKey(kUser, "a/b")), std::string("6e") + kUserHex + "612f62");
  EXPECT_EQ(Hex(MailboxStateKey(kMailbox)), std::string("73") + kMailboxHex);
  EXPECT_EQ(Hex(MailboxPrefix(kUser)), std::string("68") + kUserHex);
  EXPECT_EQ(Hex(MailboxNamePrefix(kUser)), std::string("6e") + kUserHex);
}

TEST(Schema, MessageKeys) {
  EXPECT_EQ(Hex(PageKey(kMailbox, 0x00010203)), std::string(kMailboxHex) + "00010203");
  EXPECT_EQ(Hex(RecordKey(kMailbox, Uid(0x01020304))), std::string(kMailboxHex) + "01020304");
  EXPECT_EQ(Hex(BodyKey(kUser, BodyNo(5), 6)),
            std::string(kUserHex) + "0000000000000005" + "00000006");
  EXPECT_EQ(Hex(BodyPrefix(kUser, BodyNo(5))), std::string(kUserHex) + "0000000000000005");
  Guid guid;
  guid.data()[0] = 0xab;
  EXPECT_EQ(Hex(GuidKey(kUser, guid)), std::string(kUserHex) + "ab" + std::string(62, '0'));
  EXPECT_EQ(Hex(RefKey(kUser, BodyNo(5), kMailbox, Uid(7))),
            std::string(kUserHex) + "0000000000000005" + kMailboxHex + "00000007");
  EXPECT_EQ(RefPrefix(kUser, BodyNo(5)), BodyPrefix(kUser, BodyNo(5)));
  EXPECT_EQ(SummaryKey(kUser, BodyNo(5)), BodyPrefix(kUser, BodyNo(5)));
}

TEST(Schema, OtherKeys) {
  EXPECT_EQ(Hex(OutboxKey(CommitSeq(0x0a0b))), "0000000000000a0b");
  EXPECT_EQ(Hex(TokenKey(kUser, "t")), std::string(kUserHex) + "74");
  EXPECT_EQ(Hex(MiscKey(kUser, 1, "INBOX")), std::string(kUserHex) + "01" + "494e424f58");
}

TEST(Schema, KeysParseBack) {
  EXPECT_EQ(UidOfRecordKey(RecordKey(kMailbox, Uid(77))), Uid(77));
  EXPECT_EQ(PageOfPageKey(PageKey(kMailbox, 3)), 3u);
  const auto parts = PartsOfBodyKey(BodyKey(kUser, BodyNo(9), 4));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->body, BodyNo(9));
  EXPECT_EQ(parts->chunk, 4u);
  EXPECT_EQ(SeqOfOutboxKey(OutboxKey(CommitSeq(12))), CommitSeq(12));
  for (const std::string bad : {"", "x", "0123456789abcdef012", "0123456789abcdef0123456789ab!"}) {
    EXPECT_FALSE(UidOfRecordKey(bad));
    EXPECT_FALSE(PageOfPageKey(bad));
    EXPECT_FALSE(PartsOfBodyKey(bad));
    EXPECT_FALSE(SeqOfOutboxKey(bad));
  }
}

TEST(Schema, PrefixEndIsTheSmallestKeyAbove) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd(std::string("a\xff", 2)), "b");
  EXPECT_EQ(PrefixEnd(std::string("\xff\xff", 2)), "");
  EXPECT_LT(MailboxKey(kUser, kMailbox), PrefixEnd(MailboxPrefix(kUser)));
}

TEST(Schema, EntryIdRoundTrip) {
  const EntryId id{Epoch(3), Incarnation(0x55), CommitSeq(0x010000)};
  EXPECT_EQ(Hex(PackEntryId(id)),
            "00000003"
            "0000000000000055"
            "0000000000010000");
  EXPECT_EQ(UnpackEntryId(PackEntryId(id)), id);
  EXPECT_FALSE(UnpackEntryId("short"));
  EXPECT_FALSE(UnpackEntryId(PackEntryId(id) + "x"));
}

}  // namespace
}  // namespace twinspool::store
