// What the conversation of the nodes leaves behind: metrics, the control file, a goodbye to
// clients.
#include "server/node/observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace twinspool::node {
namespace {

using replica::core::Failover;
using replica::core::Role;
using ::testing::HasSubstr;
using ::testing::Not;

class ObserverTest : public ::testing::Test {
 protected:
  ObserverTest() : control_(*NodeControl::Open(dir_.path(), SystemRandom(), true)) {}

  testing::TempDir dir_;
  Metrics metrics_;
  std::unique_ptr<NodeControl> control_;
  int goodbyes_ = 0;
  NodeObserver observer_{metrics_, *control_, SystemClock(), [this] { ++goodbyes_; }};
};

// The reason is for people: whatever it says, it is not what is counted.
TEST_F(ObserverTest, CountsAFailoverByItsKind) {
  observer_.OnTransition({Role::kStandby, Role::kPrimary, Epoch(3), Failover::kSwitchover,
                          "forced promotion? no", "op"});
  EXPECT_THAT(metrics_.Expose(), HasSubstr("twinspool_failovers_total{kind=\"switchover\"} 1"));
  ASSERT_EQ(control_->transitions().size(), 1u);
  EXPECT_EQ(control_->transitions()[0].failover, Failover::kSwitchover);
}

TEST_F(ObserverTest, ATransitionThatOpensNoEpochIsNoFailover) {
  observer_.OnTransition(
      {Role::kFenced, Role::kPrimary, Epoch(2), Failover::kNone, "promoted long ago", ""});
  EXPECT_THAT(metrics_.Expose(), Not(HasSubstr("twinspool_failovers_total")));
  EXPECT_EQ(goodbyes_, 0);
}

TEST_F(ObserverTest, ClientsAreToldWhenThisNodeIsNoLongerPrimary) {
  observer_.OnTransition({Role::kPrimary, Role::kFenced, Epoch(2), Failover::kNone, "fence", ""});
  EXPECT_EQ(goodbyes_, 1);
}

}  // namespace
}  // namespace twinspool::node
