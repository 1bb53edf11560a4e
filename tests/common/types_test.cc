#include "common/types.h"

#include <type_traits>

#include <gtest/gtest.h>

namespace twinspool {
namespace {

TEST(Types, StrongTypesDoNotMix) {
  static_assert(!std::is_convertible_v<Modseq, CommitSeq>);
  static_assert(!std::is_convertible_v<std::uint64_t, Modseq>);
  EXPECT_LT(Modseq(1), Modseq(2));
}

TEST(Types, IdsRoundTripThroughHex) {
  const auto id = MailboxId::FromHex("000102030405060708090a0b0c0d0eff");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->ToHex(), "000102030405060708090a0b0c0d0eff");
  EXPECT_EQ(MailboxId::FromBytes(id->bytes()), *id);
  EXPECT_FALSE(MailboxId::FromHex("00").has_value());
  EXPECT_FALSE(MailboxId::FromHex("zz0102030405060708090a0b0c0d0eff").has_value());
}

TEST(Types, EntriesOrderByEpochThenIncarnationThenSeq) {
  EXPECT_LT((EntryId{Epoch(2), Incarnation(9), CommitSeq(9)}),
            (EntryId{Epoch(3), Incarnation(1), CommitSeq(1)}));
}

}  // namespace
}  // namespace twinspool
