// User names and recipients.
#include "server/auth/user_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::auth {
namespace {

using ::testing::ElementsAre;

TEST(FoldUserName, OneSpelling) {
  EXPECT_EQ(FoldUserName("Anna").value(), "anna");
  EXPECT_EQ(FoldUserName("ANNA@Example.ORG").value(), "anna@example.org");
  EXPECT_EQ(FoldUserName("Ju\u0308rgen").value(), "jürgen");
  EXPECT_EQ(FoldUserName("STRASSE").value(), FoldUserName("straße").value());
  EXPECT_EQ(FoldUserName("o'neil+x_%*").value(), "o'neil+x_%*");
  // Folding what was folded changes nothing, also where folding and NFC fight.
  for (const char* name : {"\u1E9E", "\u0390", "\u1FB7", "\u0149x", "\u01F0", "\u03AA\u0301"}) {
    const std::string once = FoldUserName(name).value();
    EXPECT_EQ(FoldUserName(once).value(), once);
  }
}

TEST(FoldUserName, Refusals) {
  for (const char* name : {"", " anna", "anna ", "a/b", "a\tb", "a\x7f", "@x", "anna@", "a@b@c",
                           "\xff", "a\u200b", "a\u2028", "\u00a0a", "\xed\xa0\x80"}) {
    EXPECT_EQ(FoldUserName(name).code(), Code::kInvalidArgument) << name;
  }
  EXPECT_EQ(FoldUserName(std::string_view("a\0b", 3)).code(), Code::kInvalidArgument);
  EXPECT_TRUE(FoldUserName(std::string(limits::kUserNameBytesMax, 'a')).ok());
  EXPECT_FALSE(FoldUserName(std::string(limits::kUserNameBytesMax + 1, 'a')).ok());
}

TEST(RecipientCandidates, WholeThenLocalThenWithoutDetail) {
  EXPECT_THAT(RecipientCandidates("Anna+News@Example.org", {"example.ORG"}),
              ElementsAre("anna+news@example.org", "anna+news", "anna@example.org", "anna"));
  EXPECT_THAT(RecipientCandidates("anna+news@other.org", {"example.org"}),
              ElementsAre("anna+news@other.org", "anna@other.org"));
  EXPECT_THAT(RecipientCandidates("anna@other.org", {"*"}), ElementsAre("anna@other.org", "anna"));
  EXPECT_THAT(RecipientCandidates("anna+a+b", {}), ElementsAre("anna+a+b", "anna"));
  EXPECT_THAT(RecipientCandidates("anna", {}), ElementsAre("anna"));
  EXPECT_THAT(RecipientCandidates("anna@example.org.", {"example.org"}),
              ElementsAre("anna@example.org.", "anna"));
}

TEST(RecipientCandidates, OddAddresses) {
  EXPECT_THAT(RecipientCandidates("", {"*"}), ElementsAre());
  EXPECT_THAT(RecipientCandidates("@x", {"*"}), ElementsAre());
  EXPECT_THAT(RecipientCandidates("+detail", {}), ElementsAre("+detail"));
  EXPECT_THAT(RecipientCandidates("a/b@x", {"x"}), ElementsAre());
  EXPECT_THAT(RecipientCandidates("a@b@x", {"x"}), ElementsAre("a@b"));
}

}  // namespace
}  // namespace twinspool::auth
