// SASL PLAIN (RFC 4616).
#include "server/auth/plain.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "common/codec.h"

namespace twinspool::auth {
namespace {

/// With a NUL for each '|'.
std::string Nul(std::string text) {
  std::replace(text.begin(), text.end(), '|', '\0');
  return text;
}

TEST(Plain, UserAndPasswordStandBetweenNuls) {
  const auto parse = [](std::string_view message) { return ParsePlain(Base64Encode(message)); };
  const auto login = parse(Nul("|anna| secret "));
  ASSERT_TRUE(login.ok());
  EXPECT_EQ(login->user, "anna");
  EXPECT_EQ(login->password, " secret ");
  EXPECT_TRUE(parse(Nul("anna|anna|x")).ok());
  EXPECT_EQ(parse(Nul("bert|anna|x")).code(), Code::kPermissionDenied);
  for (const char* bad : {"", "|", "a|b", "|a|b|c"}) {
    EXPECT_EQ(parse(Nul(bad)).code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(ParsePlain("AGEAYg").code(), Code::kInvalidArgument) << "without its padding";
}

}  // namespace
}  // namespace twinspool::auth
