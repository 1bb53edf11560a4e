// The cache of successful logins.
#include "server/auth/login_cache.h"

#include <gtest/gtest.h>

#include "common/env.h"

namespace twinspool::auth {
namespace {

class LoginCacheTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  SeededRandom random_{1};
  LoginCache cache_{clock_, random_, 3, 1000};
};

TEST_F(LoginCacheTest, KnowsExactlyWhatItWasTold) {
  EXPECT_FALSE(cache_.Knows("anna", "pw", "h"));
  cache_.Remember("anna", "pw", "h");
  EXPECT_TRUE(cache_.Knows("anna", "pw", "h"));
  EXPECT_FALSE(cache_.Knows("anna", "other", "h"));
  EXPECT_FALSE(cache_.Knows("bert", "pw", "h"));
  EXPECT_FALSE(cache_.Knows("ann", "apw", "h"));
}

TEST_F(LoginCacheTest, ChangedCredentialIsNotKnown) {
  cache_.Remember("anna", "pw", "old hash");
  EXPECT_FALSE(cache_.Knows("anna", "pw", "new hash"));
}

TEST_F(LoginCacheTest, Forgets) {
  cache_.Remember("anna", "pw", "h");
  cache_.Forget("anna");
  cache_.Forget("nobody");
  EXPECT_FALSE(cache_.Knows("anna", "pw", "h"));
  cache_.Remember("anna", "pw", "h");
  cache_.Clear();
  EXPECT_FALSE(cache_.Knows("anna", "pw", "h"));
}

TEST_F(LoginCacheTest, EntriesExpire) {
  cache_.Remember("anna", "pw", "h");
  clock_.AdvanceMs(999);
  EXPECT_TRUE(cache_.Knows("anna", "pw", "h"));
  clock_.AdvanceMs(999);
  EXPECT_TRUE(cache_.Knows("anna", "pw", "h")) << "used meanwhile";
  EXPECT_FALSE(cache_.Knows("anna", "guess", "h")) << "a guess keeps nothing alive";
  clock_.AdvanceMs(1000);
  EXPECT_FALSE(cache_.Knows("anna", "pw", "h"));
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(LoginCacheTest, IsBoundedAndDropsTheOldest) {
  for (const char* user : {"a", "b", "c", "a", "d"}) {
    cache_.Remember(user, "pw", "h");
  }
  EXPECT_EQ(cache_.size(), 3u);
  EXPECT_FALSE(cache_.Knows("b", "pw", "h"));
  EXPECT_TRUE(cache_.Knows("a", "pw", "h"));
  EXPECT_TRUE(cache_.Knows("d", "pw", "h"));
}

}  // namespace
}  // namespace twinspool::auth
