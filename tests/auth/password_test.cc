// Password hashes.
#include "server/auth/password.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::auth {
namespace {

using ::testing::StartsWith;

std::string Hash(std::string_view password) {
  return HashPassword(password, SystemRandom(), kTestCost).value();
}

TEST(Password, RightOneVerifies) {
  const std::string hash = Hash("correct horse");
  EXPECT_THAT(hash, StartsWith("$y$"));
  EXPECT_TRUE(VerifyPassword("correct horse", hash));
  EXPECT_FALSE(VerifyPassword("correct hors", hash));
  EXPECT_FALSE(VerifyPassword("Correct horse", hash));
  EXPECT_FALSE(VerifyPassword("", hash));
}

TEST(Password, DefaultCostIsTheLibrarys) {
  const auto hash = HashPassword("x", SystemRandom()).value();
  EXPECT_THAT(hash, StartsWith("$y$j9T$"));
  EXPECT_TRUE(VerifyPassword("x", hash));
}

TEST(Password, SaltsDiffer) {
  EXPECT_NE(Hash("x"), Hash("x"));
}

TEST(Password, NulDoesNotCutAPassword) {
  const std::string hash = Hash("secret");
  EXPECT_FALSE(VerifyPassword(std::string_view("secret\0tail", 11), hash));
  EXPECT_EQ(HashPassword(std::string_view("a\0b", 3), SystemRandom(), kTestCost).code(),
            Code::kInvalidArgument);
}

TEST(Password, Bounds) {
  const std::string longest(limits::kPasswordBytesMax, 'p');
  EXPECT_TRUE(VerifyPassword(longest, Hash(longest)));
  EXPECT_FALSE(VerifyPassword(longest + "p", Hash(longest)));
  EXPECT_EQ(HashPassword(longest + "p", SystemRandom(), kTestCost).code(), Code::kInvalidArgument);
  EXPECT_EQ(HashPassword("", SystemRandom(), kTestCost).code(), Code::kInvalidArgument);
}

TEST(Password, UnusableHashesNeverMatch) {
  for (const char* hash : {"", "*", "!", "x", "plain", "$y$", "$99$salt$hash", "*0"}) {
    EXPECT_FALSE(VerifyPassword("plain", hash)) << hash;
    EXPECT_FALSE(VerifyPassword(hash, hash)) << hash;
  }
}

TEST(Password, HashesOfOtherMethodsVerify) {
  // The known answer for "Hello world!" of SHA-crypt's specification.
  EXPECT_TRUE(VerifyPassword("Hello world!",
                             "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJu"
                             "esI68u4OTLiBFdcbYEdFCoEOfaS35inz1"));
}

TEST(Password, UnknownUserCostsAsMuchAsAWrongPassword) {
  const auto hash = HashPassword("x", SystemRandom()).value();
  const auto time = [](std::string_view stored) {
    std::vector<std::int64_t> times;
    for (int i = 0; i < 7; ++i) {
      const Instant begin = SystemClock().Now();
      EXPECT_FALSE(VerifyPassword("wrong", stored));
      times.push_back(SystemClock().Now().ns - begin.ns);
    }
    return *std::min_element(times.begin(), times.end());
  };
  VerifyPassword("warm up", "");
  const auto known = time(hash);
  const auto unknown = time("");
  EXPECT_GT(unknown, known / 3);
  EXPECT_LT(unknown, known * 3);
}

}  // namespace
}  // namespace twinspool::auth
