// Digests: the sum's arithmetic, and golden terms that both nodes must agree on for ever.
#include "common/digest.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace twinspool {
namespace {

const MailboxId kMailbox = *MailboxId::FromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
const UserId kUser = *UserId::FromHex("000102030405060708090a0b0c0d0e0f");

EntryDigestInput SomeEntry() {
  EntryDigestInput entry;
  entry.mailbox = kMailbox;
  entry.uid = Uid(7);
  entry.flags = 3;
  entry.modseq = Modseq(99);
  entry.updated_s = 1'700'000'000;
  entry.keywords = {"$junk", "work"};
  return entry;
}

TEST(Digest, CarriesBetweenHalves) {
  DigestBytes ones;
  std::fill_n(ones.data(), DigestBytes::kSize, std::uint8_t{0xff});
  DigestBytes one;
  one.data()[0] = 1;
  Digest128 sum = Digest128::FromBytes(ones);
  sum.Add(Digest128::FromBytes(one));
  EXPECT_TRUE(sum.zero());
  sum.Subtract(Digest128::FromBytes(one));
  EXPECT_EQ(sum.bytes(), ones);
}

TEST(Digest, OrderDoesNotMatterAndSubtractingUndoes) {
  std::vector<Digest128> terms;
  for (std::uint32_t uid = 1; uid <= 50; ++uid) {
    terms.push_back(RecordTerm(kMailbox, Uid(uid), "record"));
  }
  Digest128 forward;
  for (const Digest128& term : terms) {
    forward.Add(term);
  }
  std::mt19937 random(1);
  std::ranges::shuffle(terms, random);
  Digest128 shuffled;
  for (const Digest128& term : terms) {
    shuffled.Add(term);
  }
  EXPECT_EQ(forward, shuffled);
  for (const Digest128& term : terms) {
    shuffled.Subtract(term);
  }
  EXPECT_TRUE(shuffled.zero());
}

// The same row twice must not cancel, as it would with XOR.
TEST(Digest, DoubledRowsShow) {
  Digest128 sum;
  sum.Add(RecordTerm(kMailbox, Uid(1), "x"));
  sum.Add(RecordTerm(kMailbox, Uid(1), "x"));
  EXPECT_FALSE(sum.zero());
}

TEST(Digest, GoldenTerms) {
  Guid guid;
  guid.data()[31] = 1;
  EXPECT_EQ(RecordTerm(kMailbox, Uid(7), "record").bytes().ToHex(),
            "ae813f634151dea28f78e2a0fa5d902b");
  EXPECT_EQ(EntryTerm(SomeEntry()).bytes().ToHex(), "464549c9b5823fa098a088532ae0a959");
  EXPECT_EQ(UserTerm(kUser, Modseq(5), "header").bytes().ToHex(),
            "2fdd9ea02efdf6c8f097c0860d985cc0");
  EXPECT_EQ(MailboxTerm(kMailbox, Modseq(5), "header").bytes().ToHex(),
            "a0e0017c6aba384eb810302bcbeb705f");
  EXPECT_EQ(MiscTerm({kUser, 1, "INBOX", Modseq(6), false, "v"}).bytes().ToHex(),
            "65ee7ba27864c9c7e6a1d569bff583c2");
  EXPECT_EQ(TokenTerm({kUser, "key", Modseq(6), 1234, "result"}).bytes().ToHex(),
            "4d84a30d6095f5d80775e00c35b1cc26");
  EXPECT_EQ(BodyTerm(kUser, BodyNo(8), guid, 1000).bytes().ToHex(),
            "89a75c4a1fab55e465baad347de4e14b");
}

TEST(Digest, EveryFieldOfAnEntryCounts) {
  std::set<std::string> seen{EntryTerm(SomeEntry()).bytes().ToHex()};
  const auto differs = [&](auto&& change) {
    EntryDigestInput entry = SomeEntry();
    change(&entry);
    return seen.insert(EntryTerm(entry).bytes().ToHex()).second;
  };
  EXPECT_TRUE(differs([](auto* e) { e->uid = Uid(8); }));
  EXPECT_TRUE(differs([](auto* e) { e->state = 1; }));
  EXPECT_TRUE(differs([](auto* e) { e->flags = 1; }));
  EXPECT_TRUE(differs([](auto* e) { e->modseq = Modseq(1); }));
  EXPECT_TRUE(differs([](auto* e) { e->updated_s = 1; }));
  EXPECT_TRUE(differs([](auto* e) { e->keywords = {"$junk"}; }));
  EXPECT_TRUE(differs([](auto* e) { e->keywords = {"$junkwork"}; }));
  EXPECT_TRUE(differs([](auto* e) { e->tail = "new"; }));
}

TEST(Digest, Sha256OfPiecesAndOfNothing) {
  EXPECT_EQ(GuidOf("").ToHex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 hash;
  hash.Update("ab");
  hash.Update("c");
  EXPECT_EQ(hash.Finish(), GuidOf("abc"));
  EXPECT_EQ(hash.Finish(), GuidOf(""));
  EXPECT_EQ(GuidOf("abc").ToHex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace twinspool
