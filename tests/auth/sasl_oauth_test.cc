// OAUTHBEARER and XOAUTH2: messages, good and bad.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/auth/sasl.h"

namespace twinspool::auth {
namespace {

using std::string_literals::operator""s;
using ::testing::IsSupersetOf;

class OauthTest : public ::testing::Test {
 protected:
  static Result<SaslStep> Step(const std::string& mechanism, const std::string& message) {
    const SaslPlace place{.tokens =
                              TokenOffer{.scope = "mail", .discovery_url = "https://id.example/c"}};
    return MakeMechanism(mechanism, place, nullptr).value()->Step(message);
  }
};

TEST_F(OauthTest, IsOfferedWhereTokensAreTaken) {
  EXPECT_THAT(MechanismNames({.tokens = TokenOffer{}}), IsSupersetOf({"OAUTHBEARER", "XOAUTH2"}));
  EXPECT_EQ(MakeMechanism("OAUTHBEARER", {}, nullptr).code(), Code::kNotFound);
  EXPECT_EQ(MakeMechanism("XOAUTH2", {}, nullptr).code(), Code::kNotFound);
}

TEST_F(OauthTest, OauthBearerClaimsAToken) {
  const auto step =
      Step("OAUTHBEARER", "n,a=user@example.com,\1host=server\1port=143\1auth=Bearer vF9d\1\1"s);
  ASSERT_TRUE(step.ok()) << step.status().ToString();
  EXPECT_EQ(step->claim->proof, SaslClaim::Proof::kToken);
  EXPECT_EQ(step->claim->act_for, "user@example.com");
  EXPECT_EQ(step->claim->secret, "vF9d");
  EXPECT_EQ(
      step->claim->refusal,
      R"({"status": "invalid_token", "scope": "mail", "openid-configuration": "https://id.example/c"})");
  EXPECT_EQ(Step("OAUTHBEARER", "n,,\1auth=bearer x=y\1\1"s)->claim->secret, "x=y");
  EXPECT_EQ(Step("OAUTHBEARER", "y,a=a=2Cb=3D,\1auth=Bearer x\1\1"s)->claim->act_for, "a,b=");
}

TEST_F(OauthTest, WithoutATokenItMayAskWhereTokensAre) {
  for (const std::string& message : {"n,,\1auth=\1\1"s, "n,,\1\1"s}) {
    const auto step = Step("OAUTHBEARER", message);
    ASSERT_TRUE(step.ok());
    EXPECT_EQ(step->claim->secret, "");
  }
}

TEST_F(OauthTest, NonsenseIsToldFromABadToken) {
  for (const std::string& bad :
       {""s, "n"s, "n,"s, "n,,"s, "n,,\1"s, "n,,\1auth=Bearer x"s, "n,,\1auth=Bearer x\1"s,
        "n,,\1auth=Bearer x\1\1\1"s, "n,,\1auth=Basic x\1\1"s, "n,,\1auth=Bearer\1\1"s,
        "p=tls-exporter,,\1auth=Bearer x\1\1"s, "n,b=x,\1auth=Bearer x\1\1"s,
        "n,a=x=,\1auth=Bearer x\1\1"s, "n,a=x=2,\1auth=Bearer x\1\1"s, "n,,\1nonsense\1\1"s}) {
    EXPECT_EQ(Step("OAUTHBEARER", bad).code(), Code::kInvalidArgument) << bad;
  }
}

TEST_F(OauthTest, Xoauth2ClaimsAToken) {
  const auto step = Step("XOAUTH2", "user=anna\1auth=Bearer ya29\1\1"s);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->claim->act_for, "anna");
  EXPECT_EQ(step->claim->secret, "ya29");
  EXPECT_EQ(step->claim->refusal, R"({"status": "401", "schemes": "bearer", "scope": "mail"})");
  for (const std::string& bad : {""s, "\1"s, "auth=Bearer x\1\1"s, "user=\1auth=Bearer x\1\1"s,
                                 "user=anna\1auth=Bearer x"s, "user=anna\1auth=Basic x\1\1"s}) {
    EXPECT_EQ(Step("XOAUTH2", bad).code(), Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace twinspool::auth
