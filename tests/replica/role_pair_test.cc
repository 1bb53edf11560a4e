// The role machine, rule by rule: rewind and catch-up, making and ending a pair.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replica/role_rig.h"

namespace twinspool::replica::core {
namespace {

// --- rewind and catch-up ---------------------------------------------------------------------

TEST(RoleCatchUp, TheMarkIsDurableAndEligibilityGone) {
  Rig rig;
  const Actions actions = rig.Feed(1, CatchUpStarted{Epoch(2), CommitSeq(9)});
  EXPECT_EQ(IndexOf<Persist>(actions), 0);
  EXPECT_FALSE(rig.at(1).eligible);
  EXPECT_FALSE(
      MayApply(rig.at(1), Epoch(2), rig.at(1).peer_incarnation, rig.control(1).incarnation));
  rig.Do(1, CatchUpFinished{Epoch(2), CommitSeq(8)});
  EXPECT_TRUE(rig.control(1).incomplete);
  rig.Do(1, CatchUpFinished{Epoch(2), CommitSeq(9)});
  EXPECT_EQ(rig.at(1).role, Role::kStandby);
  EXPECT_EQ(rig.at(1).log_end, CommitSeq(9));
}

TEST(RoleCatchUp, WhatBeganUnderAnOlderEpochEndsNothing) {
  Rig rig;
  rig.Feed(1, CatchUpStarted{Epoch(2), CommitSeq(9)});
  rig.Feed(1, Message{Epoch(4), rig.at(1).peer_incarnation, Incarnation(), Hello{true, false}});
  rig.Feed(1, CatchUpFinished{Epoch(2), CommitSeq(9)});
  EXPECT_TRUE(rig.control(1).incomplete && rig.control(1).rewinding);
  rig.Feed(1, RewindFinished{Epoch(4), CommitSeq(5)});
  EXPECT_TRUE(rig.control(1).rewinding);  // a mix of times cannot be undone to a prefix
  rig.Feed(1, CatchUpStarted{Epoch(4), CommitSeq(6)});
  rig.Feed(1, CatchUpFinished{Epoch(4), CommitSeq(6)});
  EXPECT_FALSE(rig.control(1).incomplete || rig.control(1).rewinding);
}

TEST(RoleCatchUp, APrimaryWhosePeerIsBehindGoesOnAloneButNotInStrict) {
  Rig rig;
  rig.Do(0, PeerBehind{});
  EXPECT_TRUE(rig.Writes(0));
  EXPECT_FALSE(rig.at(1).eligible);
  Rig strict(Mode::kStrict);
  strict.Do(0, PeerBehind{});
  EXPECT_FALSE(strict.Writes(0));
}

// --- single, join, dissolve ------------------------------------------------------------------

TEST(RolePair, ASingleNodeJoinsAndServesThroughTheCopy) {
  Rig rig;
  rig.disk(0) = NewSingle(rig.settings(0));
  rig.disk(1) = NewMember();
  rig.Power(0);
  rig.Power(1);
  ASSERT_TRUE(rig.Writes(0));
  rig.Give(0, Join{});
  EXPECT_EQ(rig.disk(0).grant, Grant::kPeer);
  EXPECT_TRUE(rig.Writes(0));
  rig.Mend();
  EXPECT_EQ(rig.at(1).role, Role::kCatchingUp);
  EXPECT_TRUE(rig.Writes(0));
  rig.Do(1, CatchUpStarted{Epoch(2), CommitSeq(0)});
  rig.Do(1, CatchUpFinished{Epoch(2), CommitSeq(0)});
  EXPECT_TRUE(rig.at(1).eligible);
  EXPECT_EQ(rig.disk(0).grant, Grant::kNone);
  rig.Give(0, Join{});
  EXPECT_EQ(rig.refused->code, Outcome::kNotEligible);
}

TEST(RolePair, DissolvingExpelsTheOtherForGood) {
  Rig rig;
  rig.Give(0, Dissolve{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_TRUE(IsSingle(rig.at(0)));
  EXPECT_TRUE(rig.disk(1).expelled);
  rig.Power(1);
  rig.Give(1, Promote{.peer_fenced = true, .allow_data_loss = true});
  EXPECT_EQ(rig.refused->code, Outcome::kNotEligible);
  EXPECT_THAT(rig.refused->next, testing::HasSubstr("pair join"));
}

TEST(RolePair, DissolvingAloneNeedsAGrantAndTheClaim) {
  Rig rig;
  rig.Cut();
  rig.Give(0, Dissolve{});
  EXPECT_EQ(rig.refused->code, Outcome::kNotReachable);
  rig.Give(0, Dissolve{.peer_never_returns = true});
  EXPECT_EQ(rig.refused->next, "twinspoolctl solo --peer-fenced");
  rig.Give(0, Solo{.peer_fenced = true});
  rig.Give(0, Dissolve{.peer_never_returns = true});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_TRUE(IsSingle(rig.at(0)));
}

}  // namespace
}  // namespace twinspool::replica::core
