// What operators order: who is obeyed, with which exit code, and what they are told to type next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/replica/role_rig.h"

namespace twinspool::replica::core {
namespace {

using testing::HasSubstr;

constexpr char kForce[] = "twinspoolctl promote --allow-data-loss --peer-fenced";

// A refusal changes nothing but what the order's own guards may not.
void ExpectRefused(Rig& rig, std::size_t who, const decltype(Order::what)& what, Outcome code,
                   const std::string& next) {
  const RoleState before = rig.at(who);
  rig.refused.reset();
  rig.Give(who, what);
  ASSERT_TRUE(rig.refused.has_value());
  EXPECT_EQ(rig.refused->code, code) << rig.refused->text;
  EXPECT_EQ(rig.refused->next, next) << rig.refused->text;
  EXPECT_EQ(rig.at(who), before);
}

// --- promote in every state -------------------------------------------------------------------

TEST(Promote, PeerFencedPromotesAndGrantsInOneStep) {
  Rig rig;
  rig.Write(0);
  rig.Cut();
  EXPECT_THAT(rig.AdviceAt(1), HasSubstr("`twinspoolctl promote --peer-fenced`"));
  const Actions actions = rig.Give(1, Promote{.peer_fenced = true});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_EQ(rig.control(1).epoch, Epoch(3));
  EXPECT_EQ(rig.control(1).grant, Grant::kFence);
  EXPECT_EQ(IndexOf<Persist>(actions), 0);
  EXPECT_LT(IndexOf<Persist>(actions), IndexOf<Serving>(actions));
  EXPECT_EQ(Find<AdvanceVisible>(actions)->seq, CommitSeq(1));
  EXPECT_EQ(Find<Transition>(actions)->actor, "tester");
}

TEST(Failover, EachWayToAnEpochHasItsKind) {
  Rig rig;
  rig.Give(0, Switchover{});
  rig.Do(0, Drained{});
  EXPECT_EQ(rig.failover, Failover::kSwitchover);
  Rig alone;
  alone.Cut();
  alone.Give(0, Solo{.peer_fenced = true});
  EXPECT_EQ(alone.failover, Failover::kSolo);
  Rig promoted;
  promoted.Cut();
  promoted.Give(1, Promote{});
  EXPECT_EQ(promoted.failover, Failover::kPromote);
  Rig forced;
  forced.Power(1);
  forced.Give(1, Promote{.peer_fenced = true, .allow_data_loss = true});
  EXPECT_EQ(forced.failover, Failover::kForced);
}

TEST(Failover, FollowingAndResumingOpenNoEpoch) {
  Rig rig;
  rig.Power(0);
  rig.Power(1);
  rig.Mend();
  ASSERT_TRUE(rig.Writes(0));
  rig.Give(1, Demote{});
  rig.Give(0, Fence{});
  EXPECT_EQ(rig.failover, Failover::kNone);
}

TEST(Promote, PlainBlocksAndSaysWhatComesNext) {
  Rig rig;
  rig.Cut();
  rig.Give(1, Promote{});
  EXPECT_EQ(rig.done->code, Outcome::kWritesBlocked);
  EXPECT_EQ(rig.done->next, "twinspoolctl solo --peer-fenced");
  EXPECT_FALSE(rig.Reads(1) || rig.Writes(1));
  rig.Give(1, Promote{.peer_fenced = true});  // typed again: fences, in a new epoch
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_EQ(rig.control(1).epoch, Epoch(5));
  EXPECT_TRUE(rig.Reads(1) && rig.Writes(1));
}

TEST(Promote, RefusedWhileThePrimaryAnswers) {
  Rig rig;
  const std::string next = "on the peer: twinspoolctl switchover";
  ExpectRefused(rig, 1, Promote{}, Outcome::kPeerReachable, next);
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kPeerReachable, next);
  ExpectRefused(rig, 1, Promote{.peer_fenced = true, .allow_data_loss = true},
                Outcome::kPeerReachable, next);
}

TEST(Promote, ForceNeedsTheFencingClaim) {
  Rig rig;
  rig.Cut();
  ExpectRefused(rig, 1, Promote{.allow_data_loss = true}, Outcome::kBadRequest, kForce);
}

TEST(Promote, RefusedWhenNotEligible) {
  Rig rig;
  rig.Power(1);
  ExpectRefused(rig, 1, Promote{}, Outcome::kDataLoss, kForce);
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kDataLoss, kForce);
}

TEST(Promote, RefusedEvenByForceWithAMark) {
  for (const bool rewinding : {false, true}) {
    Rig rig;
    rig.Power(1);
    rig.at(1).control.rewinding = rewinding;
    rig.at(1).control.incomplete = !rewinding;
    ExpectRefused(rig, 1, Promote{}, Outcome::kNotEligible, "");
    ExpectRefused(rig, 1, Promote{.peer_fenced = true, .allow_data_loss = true},
                  Outcome::kNotEligible, "");
  }
}

TEST(Promote, RefusedOnTheLastPrimary) {
  Rig rig;
  rig.Power(0);
  ExpectRefused(rig, 0, Promote{}, Outcome::kDataLoss, kForce);
  ExpectRefused(rig, 0, Promote{.peer_fenced = true}, Outcome::kDataLoss, kForce);
}

TEST(Promote, RefusedOnTheLastPrimaryWithAGrant) {
  Rig rig;
  rig.Cut();
  rig.Give(0, Solo{.peer_fenced = true});
  rig.Power(0);
  ExpectRefused(rig, 0, Promote{}, Outcome::kDataLoss, "twinspoolctl solo");
  ExpectRefused(rig, 0, Solo{.peer_fenced = true}, Outcome::kDataLoss, "twinspoolctl solo");
}

TEST(Promote, RefusedOnTheResignedNode) {
  Rig rig;
  rig.Give(0, StopGracefully{});
  rig.Do(0, Drained{});
  rig.Power(0);
  ExpectRefused(rig, 0, Promote{}, Outcome::kDataLoss,
                "on the peer: twinspoolctl promote --peer-fenced");
  EXPECT_THAT(rig.AdviceAt(0), HasSubstr("takes it back by itself"));
}

TEST(Promote, RefusedWhileHeldDownUntilUndemote) {
  Rig rig;
  rig.Give(1, Fence{});
  rig.Cut();
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kNotEligible,
                "twinspoolctl undemote");
  ExpectRefused(rig, 1, Promote{.peer_fenced = true, .allow_data_loss = true},
                Outcome::kNotEligible, "twinspoolctl undemote");
  rig.Give(1, Undemote{});
  rig.Give(1, Promote{.peer_fenced = true});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
}

TEST(Promote, AlreadyPrimaryIsDone) {
  Rig rig;
  rig.Give(0, Promote{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_EQ(rig.control(0).epoch, Epoch(2));
}

TEST(Promote, ExpectEpochLetsOnlyOneScriptAct) {
  Rig rig;
  rig.Cut();
  rig.Do(1, Order{Promote{.peer_fenced = true}, Epoch(4), "late script"});
  EXPECT_EQ(rig.refused->code, Outcome::kNotEligible);
  rig.Do(1, Order{Promote{.peer_fenced = true}, Epoch(2), "script"});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
}

TEST(Promote, RefusesPastTheLastEpoch) {
  Rig rig;
  rig.at(1).control.epoch = Epoch(8191);
  rig.at(1).eligible = true;
  rig.at(1).link_up = false;
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kNotEligible, "");
  rig.at(1).control.epoch = Epoch(8189);
  rig.Give(1, Promote{.peer_fenced = true});
  EXPECT_EQ(rig.control(1).epoch, Epoch(8191));
}

TEST(Promote, InAsyncNobodyIsEligible) {
  Rig rig(Mode::kAsync);
  EXPECT_FALSE(rig.at(1).eligible);
  rig.Cut();
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kDataLoss, kForce);
  EXPECT_THAT(LossIfPromoted(rig.settings(1), rig.at(1)), HasSubstr("last moments"));
  rig.Mend();
  rig.Give(0, Switchover{});
  rig.Do(0, Drained{});
  EXPECT_EQ(rig.at(1).role, Role::kPrimary);  // a resignation is
}

// The standby was made eligible by a primary in mode available; that one comes back in async and
// answers alone: a promotion must not look free of loss.
TEST(Promote, NobodyIsEligibleWhileTheModesDiffer) {
  Rig rig;
  ASSERT_TRUE(rig.at(1).eligible);
  rig.settings(0).mode = Mode::kAsync;
  rig.Power(0);
  rig.Mend();
  rig.Write(0);
  rig.Do(0, Tick{});
  EXPECT_TRUE(rig.Writes(0));
  EXPECT_FALSE(rig.at(1).eligible);
  for (const std::size_t who : {0u, 1u}) {
    EXPECT_THAT(rig.AdviceAt(who), HasSubstr("different modes"));
  }
  rig.Cut();
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kDataLoss, kForce);
  rig.settings(0).mode = Mode::kAvailable;
  rig.Power(0);
  rig.Mend();
  EXPECT_TRUE(rig.at(1).eligible);
  EXPECT_EQ(rig.AdviceAt(1), "");
}

// --- force -----------------------------------------------------------------------------------

TEST(Force, LeapsOwesAUidJumpAndServesOnlyAfterIt) {
  Rig rig;
  rig.Power(1);
  const Actions actions = rig.Give(1, Promote{.peer_fenced = true, .allow_data_loss = true});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_GE(rig.control(1).epoch.value(), 2 + limits::kForcedEpochLeap);
  EXPECT_EQ(rig.control(1).epoch.value() % 2, 1u);
  ASSERT_NE(Find<JumpUids>(actions), nullptr);
  EXPECT_FALSE(Find<JumpUids>(actions)->renumber);
  EXPECT_FALSE(rig.Reads(1) || rig.Writes(1));
  const Actions jumped = rig.Do(1, UidsJumped{});
  EXPECT_NE(Find<Persist>(jumped), nullptr);
  EXPECT_NE(Find<AdvanceVisible>(jumped), nullptr);
  EXPECT_TRUE(rig.Reads(1) && rig.Writes(1));
}

TEST(Force, TheLastPrimaryRenumbersItsUnprovenTail) {
  Rig rig;
  rig.Power(0);
  const Actions actions = rig.Give(0, Promote{.peer_fenced = true, .allow_data_loss = true});
  ASSERT_NE(Find<JumpUids>(actions), nullptr);
  EXPECT_TRUE(Find<JumpUids>(actions)->renumber);
  EXPECT_EQ(rig.control(0).epoch, Epoch(68));
}

TEST(Force, AJumpCutShortIsAskedForAgain) {
  Rig rig;
  rig.Power(1);
  rig.Give(1, Promote{.peer_fenced = true, .allow_data_loss = true});
  rig.Power(1);
  EXPECT_FALSE(rig.Reads(1));
  const Actions solo = rig.Give(1, Solo{});
  EXPECT_NE(Find<JumpUids>(solo), nullptr);
  EXPECT_FALSE(rig.Reads(1));
  rig.Do(1, UidsJumped{});
  EXPECT_TRUE(rig.Reads(1));
}

TEST(Force, IsNotUsedWhereLessWillDo) {
  Rig rig;
  rig.Cut();
  const Actions actions = rig.Give(1, Promote{.peer_fenced = true, .allow_data_loss = true});
  EXPECT_EQ(Find<JumpUids>(actions), nullptr);
  EXPECT_EQ(rig.control(1).epoch, Epoch(3));
}

TEST(Force, TheOldNodeNeitherServesNorAcksBeforeItMetTheNewEpoch) {
  Rig rig;
  rig.Power(0);
  rig.Power(1);
  rig.Give(1, Promote{.peer_fenced = true, .allow_data_loss = true});
  rig.Do(1, UidsJumped{});
  EXPECT_FALSE(rig.Reads(0) || rig.Writes(0));
  rig.Mend();
  EXPECT_EQ(rig.control(0).epoch, rig.control(1).epoch);
  EXPECT_EQ(rig.at(0).role, Role::kCatchingUp);
  rig.Rewind(0, 0);
  EXPECT_TRUE(rig.at(0).eligible);
}

// --- solo ------------------------------------------------------------------------------------

TEST(Solo, ByFencingOpensANewEpoch) {
  Rig rig;
  ExpectRefused(rig, 0, Solo{.peer_fenced = true}, Outcome::kPeerReachable, "twinspoolctl status");
  rig.Cut();
  ExpectRefused(rig, 0, Solo{}, Outcome::kNotEligible, "twinspoolctl solo --peer-fenced");
  rig.Give(0, Solo{.peer_fenced = true});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_EQ(rig.control(0).epoch, Epoch(4));
  EXPECT_EQ(RoleDetail(rig.settings(0), rig.at(0)), "solo");
  rig.Give(0, Solo{});
  EXPECT_EQ(rig.control(0).epoch, Epoch(4));
}

TEST(Solo, AfterARestartNeedsThePersistedGrant) {
  Rig rig;
  rig.Power(0);
  ExpectRefused(rig, 0, Solo{}, Outcome::kDataLoss, kForce);
  Rig granted;
  granted.Cut();
  granted.Give(0, Solo{.peer_fenced = true});
  granted.Power(0);
  granted.Give(0, Solo{});
  EXPECT_EQ(granted.done->code, Outcome::kDone);
  EXPECT_TRUE(granted.Reads(0) && granted.Writes(0));
  EXPECT_FALSE(granted.at(0).complete);
}

TEST(Solo, OnAStandbySaysPromote) {
  Rig rig;
  rig.Cut();
  ExpectRefused(rig, 1, Solo{}, Outcome::kNotEligible, "twinspoolctl promote --peer-fenced");
}

TEST(Solo, StrictGrantsSleepUntilTheWordAtEachStart) {
  Rig rig(Mode::kStrict);
  rig.Give(1, StopGracefully{});
  rig.Cut();
  EXPECT_EQ(rig.control(0).grant, Grant::kPeer);
  EXPECT_FALSE(rig.Writes(0));
  rig.Give(0, Solo{});
  EXPECT_TRUE(rig.Writes(0));
  rig.Power(0);
  rig.Power(1);
  rig.at(1).control.rewinding = true;  // cannot be readmitted at once
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_FALSE(rig.Writes(0) || rig.Reads(0));
  rig.Give(0, Solo{});
  EXPECT_TRUE(rig.Writes(0) && rig.Reads(0));
}

TEST(Solo, StrictPromotionByResignationWaitsForTheWord) {
  Rig rig(Mode::kStrict);
  rig.Give(0, StopGracefully{});
  rig.Do(0, Drained{});
  rig.Cut();
  rig.Give(1, Promote{});
  EXPECT_EQ(rig.done->code, Outcome::kWritesBlocked);
  EXPECT_EQ(rig.done->next, "twinspoolctl solo");
  rig.Give(1, Solo{});
  EXPECT_TRUE(rig.Writes(1));
}

// --- handing over ----------------------------------------------------------------------------

TEST(Switchover, ChangesPlacesInOneOrder) {
  Rig rig;
  rig.Write(0);
  rig.Give(0, Switchover{});
  rig.Do(0, Drained{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_EQ(rig.at(1).role, Role::kPrimary);
  EXPECT_EQ(rig.control(1).epoch, Epoch(3));
  EXPECT_TRUE(rig.Reads(1) && rig.Writes(1));
  EXPECT_EQ(rig.at(0).role, Role::kCatchingUp);
  rig.Rewind(0, 1);
  EXPECT_EQ(rig.at(0).role, Role::kStandby);
  EXPECT_TRUE(rig.at(0).eligible);
}

TEST(Switchover, WithoutAStandbyOrNotPrimaryIsRefused) {
  Rig rig;
  ExpectRefused(rig, 1, Switchover{}, Outcome::kNotEligible,
                "on the peer: twinspoolctl switchover");
  rig.Cut();
  ExpectRefused(rig, 0, Switchover{}, Outcome::kNotReachable, "twinspoolctl status");
}

TEST(Switchover, ThatTimesOutBeforeResigningGoesOn) {
  Rig rig;
  rig.Give(0, Switchover{});
  EXPECT_FALSE(rig.Writes(0));
  rig.Do(0, OrderTimedOut{});
  EXPECT_EQ(rig.refused->code, Outcome::kTimeoutUnchanged);
  EXPECT_TRUE(rig.Writes(0));
}

TEST(Switchover, WhosePeerGoesAwayIsUnknownAndHealsOnContact) {
  Rig rig;
  rig.Give(0, Switchover{});
  rig.Feed(0, Drained{});
  rig.Cut();  // Resign is lost
  EXPECT_EQ(rig.refused->code, Outcome::kTimeoutUnknown);
  EXPECT_TRUE(rig.disk(0).resigned);
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0) && rig.at(1).eligible);
}

TEST(Switchover, ToAStandbyThatIsHeldDownIsCalledOff) {
  Rig rig;
  rig.Give(1, Fence{});
  rig.Give(0, Switchover{});
  rig.Do(0, Drained{});
  EXPECT_EQ(rig.refused->code, Outcome::kNotEligible);
  EXPECT_EQ(rig.refused->next, "on the peer: twinspoolctl undemote");
  rig.Do(0, Tick{});
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0));
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(Switchover, AnotherOrderMeanwhileIsRefused) {
  Rig rig;
  rig.Give(0, Switchover{});
  ExpectRefused(rig, 0, Demote{}, Outcome::kTimeoutUnchanged, "twinspoolctl status");
}

TEST(Stop, OfTheStandbyLetsThePrimaryGoOnWithoutAPause) {
  Rig rig;
  rig.Give(1, StopGracefully{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_TRUE(rig.at(1).stopping);
  EXPECT_EQ(rig.control(0).grant, Grant::kPeer);
  rig.Cut();
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0));
  rig.Power(1);
  rig.Mend();
  EXPECT_TRUE(rig.at(1).eligible);
  EXPECT_EQ(rig.control(0).grant, Grant::kNone);
}

TEST(Stop, OfALonePrimaryNeedsNobody) {
  Rig rig;
  rig.Cut();
  rig.Give(0, StopGracefully{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_FALSE(rig.disk(0).resigned);
  EXPECT_FALSE(rig.Reads(0));
  EXPECT_TRUE(rig.Feed(0, Tick{}).empty());
}

TEST(Demote, ResignsAndStaysDownUntilUndemote) {
  Rig rig;
  rig.Give(0, Demote{});
  rig.Do(0, Drained{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_TRUE(rig.disk(0).held_down && rig.disk(0).resigned);
  rig.Do(0, Tick{});
  rig.Power(0);
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  rig.Give(0, Undemote{});
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_TRUE(rig.Writes(0));
}

TEST(Demote, WithoutAPeerSaysFence) {
  Rig rig;
  rig.Cut();
  ExpectRefused(rig, 0, Demote{}, Outcome::kNotReachable, "twinspoolctl fence");
  rig.Give(0, Fence{});
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  ExpectRefused(rig, 0, Solo{}, Outcome::kNotEligible, "twinspoolctl undemote");
  rig.Give(0, Undemote{});
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(Fence, ThePeerHearsOfItAndMayBePromoted) {
  Rig rig;
  rig.Write(0);
  rig.Give(0, Fence{});
  EXPECT_THAT(rig.AdviceAt(1), HasSubstr("`twinspoolctl promote`"));
  ExpectRefused(rig, 1, Promote{.peer_fenced = true}, Outcome::kPeerReachable,
                "twinspoolctl promote");
  rig.Give(1, Promote{});
  EXPECT_EQ(rig.done->code, Outcome::kWritesBlocked);
  rig.Rewind(0, 1);
  EXPECT_EQ(rig.at(0).role, Role::kStandby);
  EXPECT_TRUE(rig.Reads(1) && rig.Writes(1));
}

TEST(Advice, EveryStateHasAWordOrNeedsNone) {
  Rig rig;
  EXPECT_EQ(rig.AdviceAt(0), "");
  EXPECT_EQ(rig.AdviceAt(1), "");
  EXPECT_EQ(LossIfPromoted(rig.settings(1), rig.at(1)),
            "Nothing: every acknowledged write is here.");
  rig.Power(1);
  EXPECT_THAT(rig.AdviceAt(1), HasSubstr(kForce));
  rig.Give(1, Fence{});
  EXPECT_THAT(rig.AdviceAt(1), HasSubstr("undemote"));
}

}  // namespace
}  // namespace twinspool::replica::core
