// The mechanisms, each against GNU SASL's client.
#include "server/auth/sasl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/auth/decoy.h"
#include "tests/auth/gsasl_client.h"
#include "tests/auth/tls_pair.h"

namespace twinspool::auth {
namespace {

using ::testing::ElementsAre;
using testing::GsaslClient;
using testing::TlsPair;

constexpr char kExporter[] = "thirty-two octets of one channel";

class SaslTest : public ::testing::Test {
 protected:
  std::unique_ptr<SaslMechanism> Make(const std::string& name, const SaslPlace& place = {}) {
    auto made = MakeMechanism(name, place, [this](ScramHash hash, const std::string& user) {
      asked_.push_back(user);
      return user == "anna" ? DeriveScram(hash, "pencil", "salt of anna's")
                            : MakeDecoy("secret", hash, user, SystemRandom());
    });
    return made.ok() ? std::move(*made) : nullptr;
  }

  /// Lets both talk to the end; the server's last word.
  Result<SaslStep> Talk(SaslMechanism& server, GsaslClient& client) {
    Result<SaslStep> step = SaslStep{server.first_challenge(), std::nullopt};
    for (int turn = 0; turn < 10 && step.ok() && !step->claim; ++turn) {
      const std::string answer = client.Step(step->challenge);
      if (client.outcome() != GSASL_OK && client.outcome() != GSASL_NEEDS_MORE) {
        return Conflict("the client gave up: " + std::to_string(client.outcome()));
      }
      step = server.Step(answer);
    }
    return step;
  }
  Result<SaslStep> Talk(const std::string& mechanism, const SaslPlace& place,
                        const GsaslClient::Properties& properties) {
    GsaslClient client(mechanism, properties);
    return Talk(*Make(mechanism, place), client);
  }

  std::vector<std::string> asked_;
};

TEST_F(SaslTest, WhatIsOfferedFollowsTheConnection) {
  EXPECT_THAT(MechanismNames({}), ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"));
  EXPECT_THAT(MechanismNames({.tls_exporter = kExporter, .certificate_names = {"anna"}}),
              ElementsAre("EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
                          "SCRAM-SHA-1", "PLAIN", "LOGIN"));
  EXPECT_EQ(Make("SCRAM-SHA-256-PLUS"), nullptr);
  EXPECT_EQ(Make("EXTERNAL"), nullptr);
  EXPECT_EQ(Make("CRAM-MD5"), nullptr);
}

TEST_F(SaslTest, PlainAndLoginClaimAPassword) {
  for (const std::string mechanism : {"PLAIN", "LOGIN"}) {
    const auto step = Talk(mechanism, {}, GsaslClient::Login("anna", "pencil"));
    ASSERT_TRUE(step.ok() && step->claim) << mechanism;
    EXPECT_EQ(step->claim->proof, SaslClaim::Proof::kPassword);
    EXPECT_EQ(step->claim->user, "anna");
    EXPECT_EQ(step->claim->secret, "pencil");
  }
}

TEST_F(SaslTest, PasswordsComeAsTheOctetsThatTheyAre) {
  // GNU SASL's own server would make "a" of U+00AA, and refuse octets that are not UTF-8.
  for (const std::string password : {"\xc2\xaa", "\xff\xfe"}) {
    const auto step = Make("PLAIN")->Step(std::string("\0anna\0", 6) + password);
    ASSERT_TRUE(step.ok());
    EXPECT_EQ(step->claim->secret, password);
  }
}

TEST_F(SaslTest, ScramProvesWithoutAPassword) {
  for (const std::string mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256"}) {
    GsaslClient client(mechanism, GsaslClient::Login("anna", "pencil"));
    const auto step = Talk(*Make(mechanism), client);
    ASSERT_TRUE(step.ok() && step->claim) << mechanism << step.status().ToString();
    EXPECT_EQ(client.outcome(), GSASL_OK) << "the client believes the server, too";
    EXPECT_EQ(step->claim->proof, SaslClaim::Proof::kGiven);
    EXPECT_EQ(step->claim->user, "anna");
  }
}

TEST_F(SaslTest, ScramRefusesAWrongPasswordAndAnUnknownUser) {
  for (const std::string mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256"}) {
    EXPECT_EQ(Talk(mechanism, {}, GsaslClient::Login("anna", "pen")).code(),
              Code::kUnauthenticated);
    EXPECT_EQ(Talk(mechanism, {}, GsaslClient::Login("nobody", "pencil")).code(),
              Code::kUnauthenticated);
  }
}

TEST_F(SaslTest, ScramNamesWhomItActsFor) {
  auto properties = GsaslClient::Login("anna", "pencil");
  properties[GSASL_AUTHZID] = "berta";
  const auto step = Talk("SCRAM-SHA-256", {}, properties);
  ASSERT_TRUE(step.ok() && step->claim);
  EXPECT_EQ(step->claim->act_for, "berta");
}

TEST_F(SaslTest, ScramBindsToARealTlsConnection) {
  const TlsPair tls;
  ASSERT_EQ(tls.server_exporter().size(), 32u);
  for (const std::string mechanism : {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}) {
    const auto login =
        GsaslClient::Bound(GsaslClient::Login("anna", "pencil"), tls.client_exporter());
    const auto step = Talk(mechanism, {.tls_exporter = tls.server_exporter()}, login);
    EXPECT_TRUE(step.ok() && step->claim) << mechanism << step.status().ToString();
  }
}

TEST_F(SaslTest, ScramRefusesTheBindingOfAnotherConnection) {
  const TlsPair to_the_attacker;
  const TlsPair to_the_server;
  const auto login =
      GsaslClient::Bound(GsaslClient::Login("anna", "pencil"), to_the_attacker.client_exporter());
  EXPECT_EQ(
      Talk("SCRAM-SHA-256-PLUS", {.tls_exporter = to_the_server.server_exporter()}, login).code(),
      Code::kUnauthenticated);
}

TEST_F(SaslTest, ScramSeesThatPlusWasTakenAway) {
  // The client can bind but was not offered to: "y,,". It was offered, so somebody lied to it.
  const SaslPlace bound{.tls_exporter = kExporter};
  EXPECT_EQ(Make("SCRAM-SHA-256", bound)->Step("y,,n=anna,r=abcdef").code(),
            Code::kUnauthenticated);
  EXPECT_TRUE(Make("SCRAM-SHA-256", bound)->Step("n,,n=anna,r=abcdef").ok());
  EXPECT_TRUE(Make("SCRAM-SHA-256")->Step("y,,n=anna,r=abcdef").ok()) << "an honest client";
}

TEST_F(SaslTest, ScramWithoutPlusTakesNoBinding) {
  const auto step =
      Make("SCRAM-SHA-256", {.tls_exporter = kExporter})->Step("p=tls-exporter,,n=anna,r=abcdef");
  EXPECT_FALSE(step.ok());
}

TEST_F(SaslTest, ScramTellsNonsenseFromAWrongProof) {
  for (const std::string& nonsense :
       {std::string(), std::string("x"), std::string("n,,"), std::string("n,,n=,r="),
        std::string("n,,n=anna"), std::string(3, '\0'), std::string("n,,m=x,n=anna,r=abc")}) {
    EXPECT_EQ(Make("SCRAM-SHA-256")->Step(nonsense).code(), Code::kInvalidArgument) << nonsense;
  }
  const auto mechanism = Make("SCRAM-SHA-256");
  ASSERT_TRUE(mechanism->Step("n,,n=anna,r=abcdef").ok());
  EXPECT_FALSE(mechanism->Step("c=biws,r=other,p=AAAA").ok());
}

TEST_F(SaslTest, ScramAsksOnceForAVerifier) {
  Talk("SCRAM-SHA-256", {}, GsaslClient::Login("anna", "pencil")).status().ok();
  EXPECT_THAT(asked_, ElementsAre("anna"));
}

TEST_F(SaslTest, ExternalIsTheCertificatesFirstNameOrTheOneThatTheClientMeans) {
  const SaslPlace place{.certificate_names = {"anna@example.org", "Anna"}};
  const auto first = Make("EXTERNAL", place)->Step("");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->claim->proof, SaslClaim::Proof::kGiven);
  EXPECT_EQ(first->claim->user, "anna@example.org");
  EXPECT_EQ(Make("EXTERNAL", place)->Step("anna")->claim->user, "Anna");
  const auto other = Make("EXTERNAL", place)->Step("berta");
  EXPECT_EQ(other->claim->user, "anna@example.org");
  EXPECT_EQ(other->claim->act_for, "berta");
}

// --- decoys

TEST(Decoy, LooksTheSameWheneverAskedAndOnlyUnderOneSecret) {
  const auto decoy = [](const char* secret, ScramHash hash, const char* user) {
    return MakeDecoy(secret, hash, user, SystemRandom());
  };
  const ScramVerifier one = decoy("secret", ScramHash::kSha256, "nobody");
  const ScramVerifier again = decoy("secret", ScramHash::kSha256, "nobody");
  const ScramVerifier real =
      DeriveScram(ScramHash::kSha256, "x", std::string(kScramSaltBytes, 's'));
  EXPECT_EQ(one.salt, again.salt);
  EXPECT_NE(one.stored_key, again.stored_key);
  EXPECT_EQ(one.iterations, real.iterations);
  EXPECT_EQ(one.salt.size(), real.salt.size());
  EXPECT_EQ(one.stored_key.size(), real.stored_key.size());
  EXPECT_NE(one.salt, decoy("secret", ScramHash::kSha256, "nobody2").salt);
  EXPECT_NE(one.salt, decoy("other", ScramHash::kSha256, "nobody").salt);
  EXPECT_NE(one.salt, decoy("secret", ScramHash::kSha1, "nobody").salt);
}

}  // namespace
}  // namespace twinspool::auth
