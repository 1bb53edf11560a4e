// The one message of SASL PLAIN, as clients send it and as they should not.
#include "server/auth/plain.h"

#include <gtest/gtest.h>

namespace twinspool::auth {
namespace {

using std::string_literals::operator""s;

TEST(Plain, NamesAUserAndAPassword) {
  const auto claim = ParsePlain("\0anna\0pencil"s);
  ASSERT_TRUE(claim.ok());
  EXPECT_EQ(claim->user, "anna");
  EXPECT_EQ(claim->secret, "pencil");
  EXPECT_EQ(claim->act_for, "");
}

TEST(Plain, MayNameWhomItActsFor) {
  const auto claim = ParsePlain("berta\0anna\0pencil"s);
  ASSERT_TRUE(claim.ok());
  EXPECT_EQ(claim->user, "anna");
  EXPECT_EQ(claim->act_for, "berta");
}

TEST(Plain, IsRefusedWhenItIsSomethingElse) {
  for (const std::string& bad : {""s, "anna"s, "anna\0pencil"s, "\0anna\0pencil\0x"s}) {
    EXPECT_EQ(ParsePlain(bad).code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace twinspool::auth
