// Tokens: signatures by keys that are made here, and what their claims must say.
#include "server/auth/jwt.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "server/auth/tokens.h"
#include "tests/auth/jwt_maker.h"

namespace twinspool::auth {
namespace {

using testing::JwtMaker;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr char kSecret[] = "a secret of some thirty-two octets";
const std::string kClaims = R"({"email":"anna","exp":1700000600})";

Code ReadCode(const std::string& token, const JwtKeys& keys) {
  return ReadJwt(token, keys).code();
}

TEST(Jwt, EachAlgorithmGoesWithItsOwnKey) {
  const JwtMaker rsa = JwtMaker::Rsa();
  const JwtMaker ec = JwtMaker::Ec("P-256");
  const JwtKeys keys = JwtKeys::Load(rsa.public_pem() + ec.public_pem(), kSecret).value();
  const std::string tokens[] = {rsa.Make("RS256", kClaims), ec.Make("ES256", kClaims),
                                JwtMaker::Hs256(kSecret, kClaims)};
  for (const std::string& token : tokens) {
    const auto claims = ReadJwt(token, keys);
    ASSERT_TRUE(claims.ok()) << token;
    EXPECT_EQ(UserOfClaims(*claims, {.user_claim = "email"}, kNow, true).value(), "anna");
  }
  const JwtKeys none = JwtKeys::Load("", "").value();
  const JwtKeys other = JwtKeys::Load(JwtMaker::Rsa().public_pem(), "another").value();
  for (const std::string& token : tokens) {
    EXPECT_EQ(ReadCode(token, none), Code::kUnauthenticated);
    EXPECT_EQ(ReadCode(token, other), Code::kUnauthenticated);
  }
}

TEST(Jwt, APublicKeyIsNoSecretAndNoneIsNothing) {
  const JwtMaker rsa = JwtMaker::Rsa();
  const JwtKeys keys = JwtKeys::Load(rsa.public_pem(), "").value();
  EXPECT_EQ(ReadCode(JwtMaker::Hs256(rsa.public_pem(), kClaims), keys), Code::kUnauthenticated);
  EXPECT_EQ(ReadCode(JwtMaker::Hs256("", kClaims), keys), Code::kUnauthenticated);
  EXPECT_EQ(ReadCode(JwtMaker::Unsigned(kClaims), keys), Code::kUnauthenticated);
  EXPECT_EQ(ReadCode(rsa.Make("ES256", kClaims), keys), Code::kUnauthenticated);
  EXPECT_EQ(ReadCode(rsa.Make("RS512", kClaims), keys), Code::kUnauthenticated);
}

TEST(Jwt, AChangedOctetIsNoticed) {
  const JwtKeys keys = JwtKeys::Load("", kSecret).value();
  const std::string good = JwtMaker::Hs256(kSecret, kClaims);
  ASSERT_TRUE(ReadJwt(good, keys).ok());
  for (std::size_t i = 0; i < good.size(); i += 3) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'Q' : 'A';
    EXPECT_FALSE(ReadJwt(bad, keys).ok()) << i;
  }
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a.b"), good + ".x",
        good.substr(0, good.rfind('.') + 1), "=" + good}) {
    EXPECT_FALSE(ReadJwt(bad, keys).ok()) << bad;
  }
}

TEST(Jwt, WhatAHeaderCallsCriticalMustBeUnderstood) {
  const JwtKeys keys = JwtKeys::Load("", kSecret).value();
  EXPECT_EQ(
      ReadCode(JwtMaker::Hs256(kSecret, kClaims, R"({"alg":"HS256","crit":["x"],"x":1})"), keys),
      Code::kUnauthenticated);
  EXPECT_FALSE(ReadJwt(JwtMaker::Hs256(kSecret, "[1]"), keys).ok());
  EXPECT_FALSE(ReadJwt(JwtMaker::Hs256(kSecret, "{"), keys).ok());
}

TEST(Jwt, KeysThatAreOfNoUseAreToldApart) {
  EXPECT_EQ(JwtKeys::Load("not PEM", "").code(), Code::kInvalidArgument);
  EXPECT_EQ(JwtKeys::Load(JwtMaker::Ec("P-384").public_pem(), "").code(), Code::kInvalidArgument);
  EXPECT_EQ(JwtKeys::Load(JwtMaker::Rsa(1024).public_pem(), "").code(), Code::kInvalidArgument);
  EXPECT_EQ(
      JwtKeys::Load("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "").code(),
      Code::kInvalidArgument);
  EXPECT_TRUE(JwtKeys::Load("", "").value().empty());
}

Code CodeOf(const std::string& claims, const TokenRules& rules, bool must_expire = true) {
  return UserOfClaims(ParseJsonObject(claims).value(), rules, kNow, must_expire).code();
}

TEST(Claims, HaveTheirTimes) {
  const TokenRules rules{.user_claim = "email"};
  const auto at = [&](const std::string& times) {
    return CodeOf(R"({"email":"anna")" + times + "}", rules);
  };
  const std::int64_t skew = limits::kTokenSkewSeconds;
  EXPECT_EQ(at(",\"exp\":" + std::to_string(kNow - skew + 1)), Code::kOk);
  EXPECT_EQ(at(",\"exp\":" + std::to_string(kNow - skew)), Code::kUnauthenticated);
  EXPECT_EQ(at(""), Code::kUnauthenticated) << "good for ever is too good";
  EXPECT_EQ(at(R"(,"exp":"tomorrow")"), Code::kUnauthenticated);
  EXPECT_EQ(at(R"(,"exp":-1)"), Code::kUnauthenticated);
  const std::string good = ",\"exp\":" + std::to_string(kNow + 10);
  EXPECT_EQ(at(good + ",\"nbf\":" + std::to_string(kNow + skew)), Code::kOk);
  EXPECT_EQ(at(good + ",\"nbf\":" + std::to_string(kNow + skew + 1)), Code::kUnauthenticated);
  EXPECT_EQ(at(good + ",\"nbf\":\"now\""), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(R"({"email":"anna"})", rules, false), Code::kOk);
}

TEST(Claims, FitTheRules) {
  const TokenRules rules{.issuer = "https://id.example",
                         .audience = "mail",
                         .scope = "imap",
                         .user_claim = "preferred_username"};
  const auto with = [&](const std::string& iss, const std::string& aud, const std::string& scope,
                        const std::string& user) {
    return CodeOf("{\"exp\":1700000600,\"iss\":" + iss + ",\"aud\":" + aud + ",\"scope\":" + scope +
                      ",\"preferred_username\":" + user + "}",
                  rules);
  };
  const std::string iss = "\"https://id.example\"";
  EXPECT_EQ(with(iss, "\"mail\"", "\"openid imap\"", "\"anna\""), Code::kOk);
  EXPECT_EQ(with(iss, "[\"x\",\"mail\"]", "\"imap\"", "\"anna\""), Code::kOk);
  EXPECT_EQ(with("\"other\"", "\"mail\"", "\"imap\"", "\"anna\""), Code::kUnauthenticated);
  EXPECT_EQ(with("7", "\"mail\"", "\"imap\"", "\"anna\""), Code::kUnauthenticated);
  EXPECT_EQ(with(iss, "\"mailbox\"", "\"imap\"", "\"anna\""), Code::kUnauthenticated);
  EXPECT_EQ(with(iss, "[]", "\"imap\"", "\"anna\""), Code::kUnauthenticated);
  EXPECT_EQ(with(iss, "\"mail\"", "\"imaps\"", "\"anna\""), Code::kUnauthenticated);
  EXPECT_EQ(with(iss, "\"mail\"", "\"imap\"", "\"\""), Code::kUnauthenticated);
  EXPECT_EQ(with(iss, "\"mail\"", "\"imap\"", "[\"anna\"]"), Code::kUnauthenticated);
}

TEST(Json, IsReadWithinBounds) {
  EXPECT_FALSE(ParseJsonObject(std::string(100'000, '[')).ok());
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "{\"a\":";
  }
  EXPECT_FALSE(ParseJsonObject(deep).ok());
  EXPECT_FALSE(ParseJsonObject("").ok());
  EXPECT_FALSE(ParseJsonObject("7").ok());
}

// --- whose token it is

class TokensTest : public ::testing::Test {
 protected:
  TokensTest() : clock_(kNow * 1'000'000'000) {}

  Introspect Server() {
    return [this](const std::string& token, const std::function<void(Result<std::string>)>& done) {
      asked_.push_back(token);
      done(answer_);
    };
  }
  Result<std::string> Check(TokenChecker& checker, const std::string& token) {
    Result<std::string> user = Internal("not answered");
    checker.Check(token, [&](Result<std::string> answer) { user = std::move(answer); });
    return user;
  }

  ManualClock clock_;
  std::vector<std::string> asked_;
  Result<std::string> answer_ = std::string(R"({"active":true,"email":"anna"})");
  const TokenRules rules_{.user_claim = "email"};
};

TEST_F(TokensTest, KeysComeBeforeTheServer) {
  TokenChecker checker(rules_, Server(), clock_);
  checker.SetKeys(JwtKeys::Load("", kSecret).value());
  EXPECT_EQ(Check(checker, JwtMaker::Hs256(kSecret, kClaims)).value(), "anna");
  EXPECT_EQ(Check(checker, JwtMaker::Hs256("wrong", kClaims)).code(), Code::kUnauthenticated);
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(Check(checker, "opaque").value(), "anna");
  EXPECT_EQ(asked_, std::vector<std::string>{"opaque"});
}

TEST_F(TokensTest, KeysMayBeReplaced) {
  TokenChecker checker(rules_, nullptr, clock_);
  const std::string token = JwtMaker::Hs256(kSecret, kClaims);
  EXPECT_EQ(Check(checker, token).code(), Code::kUnauthenticated);
  checker.SetKeys(JwtKeys::Load("", kSecret).value());
  EXPECT_TRUE(Check(checker, token).ok());
  checker.SetKeys(JwtKeys::Load("", "new").value());
  EXPECT_EQ(Check(checker, token).code(), Code::kUnauthenticated);
}

TEST_F(TokensTest, AGoodAnswerIsRememberedForAWhile) {
  TokenChecker checker(rules_, Server(), clock_);
  EXPECT_TRUE(Check(checker, "t").ok());
  answer_ = Unavailable("down");
  EXPECT_TRUE(Check(checker, "t").ok());
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_EQ(Check(checker, "u").code(), Code::kUnavailable);
  clock_.AdvanceMs(limits::kTokenCacheMs);
  EXPECT_EQ(Check(checker, "t").code(), Code::kUnavailable);
}

TEST_F(TokensTest, ButNotBeyondItsExpiry) {
  answer_ = R"({"active":true,"email":"anna","exp":)" + std::to_string(kNow + 5) + "}";
  TokenChecker checker(rules_, Server(), clock_);
  EXPECT_TRUE(Check(checker, "t").ok());
  clock_.AdvanceMs(5'000);
  answer_ = std::string(R"({"active":false})");
  EXPECT_EQ(Check(checker, "t").code(), Code::kUnauthenticated);
}

TEST_F(TokensTest, ABadAnswerIsNotRemembered) {
  TokenChecker checker(rules_, Server(), clock_);
  answer_ = std::string(R"({"active":false})");
  EXPECT_EQ(Check(checker, "t").code(), Code::kUnauthenticated);
  answer_ = std::string(R"({"email":"anna"})");
  EXPECT_EQ(Check(checker, "t").code(), Code::kUnauthenticated) << "active must be said";
  answer_ = std::string("<html>");
  EXPECT_EQ(Check(checker, "t").code(), Code::kUnavailable);
  answer_ = std::string(R"({"active":true,"email":"anna"})");
  EXPECT_TRUE(Check(checker, "t").ok());
  EXPECT_EQ(asked_.size(), 4u);
}

TEST_F(TokensTest, MemoryIsBounded) {
  TokenChecker checker(rules_, Server(), clock_, 2);
  for (const char* token : {"a", "b", "c"}) {
    EXPECT_TRUE(Check(checker, token).ok());
  }
  EXPECT_TRUE(Check(checker, "c").ok());
  EXPECT_EQ(asked_.size(), 3u);
  EXPECT_TRUE(Check(checker, "a").ok());
  EXPECT_EQ(asked_.size(), 4u) << "the oldest gave way";
}

TEST_F(TokensTest, AnEmptyTokenIsNotAskedAbout) {
  TokenChecker checker(rules_, Server(), clock_);
  EXPECT_EQ(Check(checker, "").code(), Code::kUnauthenticated);
  EXPECT_TRUE(asked_.empty());
}

}  // namespace
}  // namespace twinspool::auth
