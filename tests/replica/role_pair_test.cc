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

// --- questions said again -----------------------------------------------------------------------

template <typename Body>
std::uint32_t CfgnoOf(const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* send = std::get_if<SendMessage>(&action)) {
      if (const auto* body = std::get_if<Body>(&send->message.body)) {
        return body->cfgno;
      }
    }
  }
  return 0;
}

Message From(const Rig& rig, std::size_t who, const MessageBody& body) {
  return {rig.control(who).epoch, rig.control(who).incarnation, rig.control(1 - who).incarnation,
          body};
}

// An answer that takes longer than a tick must still be the one to the newest question.
TEST(Questions, ARevocationSaidAgainKeepsItsNumber) {
  Rig rig;
  const std::uint32_t asked = CfgnoOf<Revoke>(rig.Feed(0, PeerBehind{}));
  rig.wire().clear();  // it was on its way when it was said again
  ASSERT_NE(asked, 0u);
  EXPECT_EQ(CfgnoOf<Revoke>(rig.Feed(0, Tick{})), asked);
  rig.wire().clear();
  EXPECT_EQ(CfgnoOf<Revoked>(rig.Feed(1, From(rig, 0, Revoke{asked}))), asked);
  EXPECT_EQ(CfgnoOf<Revoked>(rig.Feed(1, From(rig, 0, Revoke{asked}))), asked) << "a repetition";
  EXPECT_FALSE(rig.at(1).eligible);
  rig.wire().clear();
  rig.Feed(0, From(rig, 1, Revoked{asked}));
  EXPECT_EQ(rig.control(0).grant, Grant::kPeer);
  const std::uint32_t in_sync = rig.at(0).cfgno + 1;
  rig.Feed(1, From(rig, 0, InSync{in_sync, rig.at(1).log_end}));
  rig.Feed(1, From(rig, 0, Revoke{asked}));
  EXPECT_TRUE(rig.at(1).eligible) << "an old question undoes nothing newer";
}

TEST(Questions, AnExpulsionSaidAgainKeepsItsNumber) {
  Rig rig;
  const std::uint32_t asked = CfgnoOf<Expel>(rig.Feed(0, Order{Dissolve{}, Epoch(), "tester"}));
  rig.wire().clear();
  ASSERT_NE(asked, 0u);
  EXPECT_EQ(CfgnoOf<Expel>(rig.Feed(0, Tick{})), asked);
  rig.wire().clear();
  EXPECT_EQ(CfgnoOf<Expelled>(rig.Feed(1, From(rig, 0, Expel{asked}))), asked);
  EXPECT_EQ(CfgnoOf<Expelled>(rig.Feed(1, From(rig, 0, Expel{asked}))), asked);
  rig.wire().clear();
  rig.Feed(0, From(rig, 1, Expelled{asked}));
  EXPECT_TRUE(IsSingle(rig.at(0)));
}

}  // namespace
}  // namespace twinspool::replica::core
