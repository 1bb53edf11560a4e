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

/// The server's first message of SCRAM, without its nonce.
std::string SaltShown(NodeCredentials& credentials, const std::string& user,
                      const std::vector<proto::ScramVerifier>& stored = {}) {
  const auto mechanism =
      credentials.StartMechanism({"SCRAM-SHA-256", {}}, [&](const std::string&) { return stored; });
  const auto step = (*mechanism)->Step("n,,n=" + user + ",r=abc");
  return step->challenge.substr(step->challenge.find(",s="));
}

TEST_F(NodeCredentialsTest, AStrangersSaltIsTheSameOnBothNodesAndLooksLikeAnyOther) {
  NodeCredentials other({.cost = auth::kTestCost}, clock_, SystemRandom());
  EXPECT_NE(SaltShown(credentials_, "nobody"), SaltShown(other, "nobody"));
  credentials_.SetDecoySecret("of the pair");
  other.SetDecoySecret("of the pair");
  const std::string decoy = SaltShown(credentials_, "nobody");
  EXPECT_EQ(decoy, SaltShown(other, "nobody"));
  EXPECT_EQ(decoy, SaltShown(other, "Nobody")) << "as of a user whose name folds";
  EXPECT_NE(decoy, SaltShown(other, "nobody2"));
  const auto made = credentials_.Make("pencil");
  const std::string real = SaltShown(credentials_, "anna", made->scram);
  EXPECT_EQ(real.size(), decoy.size());
  EXPECT_EQ(real.substr(real.find(",i=")), decoy.substr(decoy.find(",i=")));
}

TEST_F(NodeCredentialsTest, ADamagedVerifierIsNotUsed) {
  credentials_.SetDecoySecret("of the pair");
  auto made = credentials_.Make("pencil")->scram;
  for (proto::ScramVerifier& one : made) {
    one.set_iterations(0);
  }
  EXPECT_EQ(SaltShown(credentials_, "anna", made), SaltShown(credentials_, "anna"));
}

TEST_F(NodeCredentialsTest, MastersAreThoseThatAreConfigured) {
  const NodeCredentials credentials({.master_users = {"Migration"}}, clock_, SystemRandom());
  EXPECT_TRUE(credentials.IsMaster("migration"));
  EXPECT_FALSE(credentials.IsMaster("anna"));
  EXPECT_FALSE(credentials_.IsMaster("migration"));
}

TEST_F(NodeCredentialsTest, AnAppPasswordFitsItsHash) {
  const store::MadeAppPassword made = credentials_.MakeAppPassword();
  EXPECT_TRUE(credentials_.IsAppPassword(made.text, made.hash));
  EXPECT_FALSE(credentials_.IsAppPassword("pencil", made.hash));
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
