// Passwords for one device or program.
#include "server/auth/app_password.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twinspool::auth {
namespace {

using ::testing::MatchesRegex;

TEST(AppPassword, IsLongAndNeverTheSame) {
  std::set<std::string> made;
  for (int i = 0; i < 100; ++i) {
    const AppPassword one = MakeAppPassword(SystemRandom());
    EXPECT_THAT(one.text, MatchesRegex("[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}-"
                                       "[a-z2-9]{4}-[a-z2-9]{4}"));
    EXPECT_TRUE(IsAppPassword(one.text, one.hash));
    EXPECT_EQ(one.hash.find(one.text), std::string::npos);
    made.insert(one.text);
  }
  EXPECT_EQ(made.size(), 100u);
}

TEST(AppPassword, MayBeTypedWithoutHyphensAndInCapitals) {
  SeededRandom random(1);
  const AppPassword one = MakeAppPassword(random);
  std::string typed;
  for (const char c : one.text) {
    typed += c == '-' ? ' ' : static_cast<char>(std::toupper(c));
  }
  EXPECT_TRUE(IsAppPassword(typed, one.hash));
  std::erase(typed, ' ');
  EXPECT_TRUE(IsAppPassword(typed, one.hash));
}

TEST(AppPassword, IsNotAnother) {
  const AppPassword one = MakeAppPassword(SystemRandom());
  const AppPassword other = MakeAppPassword(SystemRandom());
  EXPECT_FALSE(IsAppPassword(one.text, other.hash));
  EXPECT_FALSE(IsAppPassword(one.text + "a", one.hash));
  EXPECT_FALSE(IsAppPassword("", one.hash));
  EXPECT_FALSE(IsAppPassword("pencil", "pencil"));
  EXPECT_FALSE(IsAppPassword(one.text, ""));
  EXPECT_FALSE(IsAppPassword(one.hash, one.hash));
}

}  // namespace
}  // namespace twinspool::auth
