// What is stored of a password, and that a remembered login is one and the same login.
#include "server/node/credentials.h"

#include <gtest/gtest.h>

#include "common/env.h"

namespace twinspool::node {
namespace {

class NodeCredentialsTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  NodeCredentials credentials_{
      {.local_domains = {"example.org"}, .cost = auth::kTestCost}, clock_, SystemRandom()};
};

TEST_F(NodeCredentialsTest, MakeAHashAndBothVerifiers) {
  const auto made = credentials_.Make("pencil");
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  EXPECT_TRUE(auth::VerifyPassword("pencil", made->password_hash));
  ASSERT_EQ(made->scram.size(), 2u);
  EXPECT_EQ(made->scram[0].mechanism(), "SCRAM-SHA-1");
  EXPECT_EQ(made->scram[0].stored_key().size(), 20u);
  EXPECT_EQ(made->scram[1].mechanism(), "SCRAM-SHA-256");
  EXPECT_EQ(made->scram[1].server_key().size(), 32u);
  EXPECT_EQ(made->scram[1].iterations(), 4096u);
  EXPECT_TRUE(credentials_.Make(std::string(1000, 'x')).status().Is(Code::kInvalidArgument));
}

TEST_F(NodeCredentialsTest, RememberWhatWasVerifiedAgainstTheSameHash) {
  const std::string hash = credentials_.Make("pencil")->password_hash;
  EXPECT_FALSE(credentials_.Remembers("anna", "pencil", hash));
  EXPECT_FALSE(credentials_.Verify("anna", "pen", hash));
  EXPECT_FALSE(credentials_.Remembers("anna", "pen", hash));
  EXPECT_TRUE(credentials_.Verify("anna", "pencil", hash));
  EXPECT_TRUE(credentials_.Remembers("anna", "pencil", hash));
  EXPECT_FALSE(
      credentials_.Remembers("anna", "pencil", credentials_.Make("pencil")->password_hash));
  EXPECT_FALSE(credentials_.Remembers("berta", "pencil", hash));
}

TEST_F(NodeCredentialsTest, AnEmptyHashLetsNobodyIn) {
  EXPECT_FALSE(credentials_.Verify("anna", "", ""));
  EXPECT_FALSE(credentials_.Verify("anna", "pencil", ""));
  EXPECT_FALSE(credentials_.Remembers("anna", "pencil", ""));
}

TEST_F(NodeCredentialsTest, NamesFollowTheConfiguredDomains) {
  EXPECT_EQ(*credentials_.FoldName("Anna"), "anna");
  EXPECT_EQ(credentials_.RecipientCandidates("Anna@Example.org"),
            (std::vector<std::string>{"anna@example.org", "anna"}));
  EXPECT_EQ(credentials_.RecipientCandidates("anna@other.org"),
            std::vector<std::string>{"anna@other.org"});
}

}  // namespace
}  // namespace twinspool::node
