// Who is let through to a password check, and who no longer is.
#include "server/auth/login_guard.h"

#include <gtest/gtest.h>

#include "common/env.h"

namespace twinspool::auth {
namespace {

class LoginGuardTest : public ::testing::Test {
 protected:
  /// A login with a wrong password; whether it got as far as being checked.
  bool Guess(const std::string& user, const std::string& address) {
    if (!guard_.Enter(user, address).ok()) {
      return false;
    }
    guard_.Leave(user, address, true);
    return true;
  }
  void GuessOften(int times, const std::string& user, const std::string& address) {
    for (int i = 0; i < times; ++i) {
      Guess(user, address);
    }
  }
  bool Lets(const std::string& user, const std::string& address) {
    return guard_.Welcome(user, address).ok();
  }

  ManualClock clock_;
  LoginGuard guard_{clock_, {"198.51.100.7"}};
};

TEST_F(LoginGuardTest, AnAddressThatGuessesTooOftenIsNotCheckedAnyMore) {
  for (int i = 0; i < limits::kLoginFailuresPerAddressMax; ++i) {
    EXPECT_TRUE(Guess("user" + std::to_string(i), "192.0.2.1")) << i;
  }
  EXPECT_TRUE(guard_.Enter("anna", "192.0.2.1").Is(Code::kLimit)) << "whatever the name";
  EXPECT_TRUE(Lets("anna", "192.0.2.2")) << "others are not held up";
  clock_.AdvanceMs(limits::kLoginFailureForgetMs);
  EXPECT_TRUE(Guess("anna", "192.0.2.1")) << "one more for each that is forgotten";
  EXPECT_FALSE(Guess("anna", "192.0.2.1"));
  clock_.AdvanceMs(limits::kLoginFailuresPerAddressMax * limits::kLoginFailureForgetMs);
  EXPECT_TRUE(Lets("anna", "192.0.2.1"));
}

TEST_F(LoginGuardTest, RightPasswordsCountForNothing) {
  for (int i = 0; i < 10 * limits::kLoginFailuresPerAddressMax; ++i) {
    ASSERT_TRUE(guard_.Enter("anna", "192.0.2.1").ok());
    guard_.Leave("anna", "192.0.2.1", false);
  }
  EXPECT_TRUE(Lets("anna", "192.0.2.1"));
}

TEST_F(LoginGuardTest, ANetworkOfIPv6IsOneClient) {
  for (int i = 0; i < limits::kLoginFailuresPerAddressMax; ++i) {
    Guess("anna", "2001:db8:0:1::" + std::to_string(i + 1));
  }
  EXPECT_FALSE(Lets("anna", "2001:db8:0:1:ffff::9"));
  EXPECT_TRUE(Lets("anna", "2001:db8:0:2::1"));
  EXPECT_EQ(ClientNetwork("::ffff:192.0.2.1"), "192.0.2.1");
}

TEST_F(LoginGuardTest, ANameGuessedFromManyAddressesStillLetsItsOwnerIn) {
  for (int i = 0; i < limits::kLoginFailuresPerUserMax; ++i) {
    GuessOften(limits::kLoginFailuresSuspect, "anna", "203.0.113." + std::to_string(i));
  }
  EXPECT_FALSE(Lets("anna", "203.0.113.1"));
  EXPECT_TRUE(Lets("berta", "203.0.113.1")) << "the address itself has not failed that often";
  EXPECT_TRUE(Lets("anna", "192.0.2.1")) << "an address without failures";
  EXPECT_FALSE(Lets("anna", "203.0.113.99")) << "the same for a name that nobody has";
}

TEST_F(LoginGuardTest, FailuresAreNotHeldAgainstLoopbackAndFronts) {
  for (const char* address : {"127.0.0.1", "::1", "unix", "198.51.100.7", "::ffff:198.51.100.7"}) {
    GuessOften(10 * limits::kLoginFailuresPerUserMax, "anna", address);
    EXPECT_TRUE(Lets("anna", address)) << address;
  }
}

TEST_F(LoginGuardTest, WaitingChecksAreBoundedPerNameAndPerAddress) {
  for (std::size_t i = 0; i < limits::kAuthWaitingPerUserMax; ++i) {
    ASSERT_TRUE(guard_.Enter("anna", "127.0.0.1").ok());
  }
  EXPECT_TRUE(guard_.Enter("anna", "192.0.2.1").Is(Code::kUnavailable));
  for (std::size_t i = limits::kAuthWaitingPerUserMax; i < limits::kAuthWaitingPerAddressMax; ++i) {
    ASSERT_TRUE(guard_.Enter("user" + std::to_string(i), "127.0.0.1").ok());
  }
  EXPECT_TRUE(guard_.Enter("berta", "127.0.0.1").Is(Code::kUnavailable));
  EXPECT_TRUE(guard_.Enter("berta", "192.0.2.1").ok());
  guard_.Leave("anna", "127.0.0.1", false);
  EXPECT_TRUE(guard_.Enter("anna", "127.0.0.1").ok()) << "a place came free";
}

TEST_F(LoginGuardTest, LoginsWithoutANameAreHeldAgainstTheirAddressesAlone) {
  for (std::size_t i = 0; i < limits::kAuthWaitingPerUserMax; ++i) {
    ASSERT_TRUE(guard_.Enter("", "192.0.2.1").ok());
  }
  EXPECT_TRUE(guard_.Enter("", "198.51.100.1").ok());
  GuessOften(2 * limits::kLoginFailuresPerUserMax, "", "127.0.0.1");
  GuessOften(limits::kLoginFailuresSuspect, "", "203.0.113.9");
  EXPECT_TRUE(Lets("", "203.0.113.9"));
}

TEST_F(LoginGuardTest, WhatWaitedBehindTheGuessesIsNotCheckedEither) {
  const int waiting = 2 * limits::kLoginFailuresPerAddressMax;
  for (int i = 0; i < waiting; ++i) {
    ASSERT_TRUE(guard_.Enter("anna", "192.0.2.1").ok());
  }
  int checked = 0;
  for (int i = 0; i < waiting; ++i) {
    const bool check = Lets("anna", "192.0.2.1");
    checked += check ? 1 : 0;
    guard_.Leave("anna", "192.0.2.1", check);
  }
  EXPECT_EQ(checked, limits::kLoginFailuresPerAddressMax);
}

TEST(FailureCountsTest, AreBoundedAndDropTheKeyUnheardOfForLongest) {
  FailureCounts counts(3);
  const Instant now{1};
  for (const char* key : {"a", "b", "c", "a", "d"}) {
    counts.Add(key, now);
  }
  EXPECT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts.Of("b", now), 0);
  EXPECT_EQ(counts.Of("a", now), 2);
  EXPECT_EQ(counts.Of("d", now), 1);
}

}  // namespace
}  // namespace twinspool::auth
