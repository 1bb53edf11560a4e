// The maildrop of a session.
#include "server/pop3/maildrop.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::pop3 {
namespace {

TEST(Pop3Maildrop, CountsWhatIsNotDeleted) {
  Maildrop drop({}, UidValidity(7));
  ASSERT_TRUE(drop.Add(Uid(3), 10));
  ASSERT_TRUE(drop.Add(Uid(5), 200));
  drop.Delete(0);
  drop.Delete(0);
  EXPECT_EQ(drop.count(), 1u);
  EXPECT_EQ(drop.octets(), 200u);
  EXPECT_EQ(drop.size(), 2u);
  EXPECT_EQ(drop.Deleted().ToString(), "3");
  drop.MarkRetrieved(0);
  drop.MarkRetrieved(1);
  EXPECT_EQ(drop.Retrieved().ToString(), "5");
  drop.Reset();
  EXPECT_EQ(drop.count(), 2u);
  EXPECT_EQ(drop.octets(), 210u);
  EXPECT_EQ(drop.Retrieved().ToString(), "3,5");
}

TEST(Pop3Maildrop, UniqueIdsFitTheGrammar) {
  Maildrop drop({}, UidValidity(UINT32_MAX));
  ASSERT_TRUE(drop.Add(Uid(UINT32_MAX), 1));
  EXPECT_EQ(drop.UniqueId(0), "4294967295.4294967295");
  EXPECT_LE(drop.UniqueId(0).size(), 70u) << "RFC 1939 §7";
}

TEST(Pop3Maildrop, HoldsSoManyAndNoMore) {
  Maildrop drop;
  for (std::size_t i = 1; i <= limits::kPop3MessagesMax; ++i) {
    ASSERT_TRUE(drop.Add(Uid(static_cast<std::uint32_t>(i)), 1));
  }
  EXPECT_FALSE(drop.Add(Uid(UINT32_MAX), 1));
  EXPECT_EQ(drop.count(), limits::kPop3MessagesMax);
  EXPECT_EQ(drop.octets(), limits::kPop3MessagesMax);
}

}  // namespace
}  // namespace twinspool::pop3
