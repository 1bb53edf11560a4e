// The role machine, rule by rule: acknowledging, starts, epochs, eligibility, resignation.
#include "replica/core/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "replica/core/ack_tracker.h"
#include "tests/replica/role_rig.h"

namespace twinspool::replica::core {
namespace {

// --- acknowledging ---------------------------------------------------------------------------

TEST(AckTracker, NeedsWhatThePolicySays) {
  const AckPositions p{CommitSeq(10), CommitSeq(7), CommitSeq(8)};
  EXPECT_EQ(AckedUpTo(AckPolicy::kPeer, p), CommitSeq(7));
  EXPECT_EQ(AckedUpTo(AckPolicy::kOwn, p), CommitSeq(10));
  EXPECT_EQ(AckedUpTo(AckPolicy::kOwnAfterWaiting, p), CommitSeq(8));
  const AckPositions ahead{CommitSeq(5), CommitSeq(7), CommitSeq(9)};
  EXPECT_EQ(AckedUpTo(AckPolicy::kPeer, ahead), CommitSeq(5));
  EXPECT_EQ(AckedUpTo(AckPolicy::kOwnAfterWaiting, ahead), CommitSeq(5));
}

TEST(Role, APairInSyncServesAndAcksWithThePeersCopy) {
  Rig rig;
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0));
  EXPECT_TRUE(rig.at(1).eligible);
  EXPECT_EQ(RoleDetail(rig.settings(0), rig.at(0)), "replicated");
  const Actions committed = rig.Feed(0, Committed{CommitSeq(1)});
  EXPECT_EQ(Find<AdvanceVisible>(committed), nullptr);
  const Actions acked = rig.Feed(0, Message{Epoch(2), rig.at(0).peer_incarnation,
                                            rig.control(0).incarnation, Ack{CommitSeq(1)}});
  ASSERT_NE(Find<AdvanceVisible>(acked), nullptr);
  EXPECT_EQ(Find<AdvanceVisible>(acked)->seq, CommitSeq(1));
  EXPECT_EQ(Find<PeerDurable>(acked)->seq, CommitSeq(1));
}

TEST(Role, AnAckBeyondTheOwnLogProvesNothing) {
  Rig rig;
  rig.Feed(0, Committed{CommitSeq(1)});
  rig.Feed(0, Message{Epoch(2), rig.at(0).peer_incarnation, rig.control(0).incarnation,
                      Ack{CommitSeq(2)}});
  EXPECT_EQ(rig.at(0).visible, CommitSeq(0));
}

TEST(Role, PeerAwayBlocksWritesButNotReads) {
  Rig rig;
  rig.Cut();
  EXPECT_TRUE(rig.Reads(0));
  EXPECT_FALSE(rig.Writes(0));
  EXPECT_THAT(rig.AdviceAt(0), testing::HasSubstr("solo --peer-fenced"));
  rig.Mend();
  EXPECT_TRUE(rig.Writes(0));
}

TEST(Role, AsyncAnswersAloneAndWaitsIfToldTo) {
  Rig rig(Mode::kAsync);
  EXPECT_NE(Find<AdvanceVisible>(rig.Feed(0, Committed{CommitSeq(1)})), nullptr);
  rig.settings(0).async_waits = true;
  EXPECT_EQ(Find<AdvanceVisible>(rig.Feed(0, Committed{CommitSeq(2)})), nullptr);
  const Actions waited = rig.Feed(0, WaitOver{CommitSeq(2)});
  ASSERT_NE(Find<AdvanceVisible>(waited), nullptr);
  EXPECT_EQ(Find<AdvanceVisible>(waited)->seq, CommitSeq(2));
  rig.Cut();
  EXPECT_TRUE(rig.Writes(0));
}

// --- starts: {primary, standby, both} x {peer reachable, not} ---------------------------------

TEST(RoleStart, PrimaryWithPeerResumesAtTheSameEpoch) {
  Rig rig;
  rig.Write(0);
  rig.Power(0);
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_EQ(rig.control(0).epoch, Epoch(2));
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0));
  EXPECT_EQ(rig.at(0).visible, CommitSeq(1));
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(RoleStart, PrimaryWithoutPeerServesNothing) {
  Rig rig;
  rig.Power(0);
  rig.Do(0, Tick{});
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  EXPECT_FALSE(rig.Reads(0) || rig.Writes(0));
  EXPECT_THAT(rig.AdviceAt(0), testing::HasSubstr("Bring it back"));
}

TEST(RoleStart, StandbyWithPeerFollowsAndIsReadmitted) {
  Rig rig;
  rig.Write(0);
  rig.Power(1);
  EXPECT_FALSE(rig.at(1).eligible);
  rig.Mend();
  EXPECT_EQ(rig.at(1).role, Role::kStandby);
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(RoleStart, StandbyWithoutPeerStaysFenced) {
  Rig rig;
  rig.Power(1);
  rig.Do(1, Tick{});
  EXPECT_EQ(rig.at(1).role, Role::kFenced);
  EXPECT_FALSE(rig.at(1).eligible);
}

TEST(RoleStart, BothResumeByThemselves) {
  Rig rig;
  rig.Write(0);
  rig.Power(0);
  rig.Power(1);
  rig.Mend();
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0));
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(RoleStart, BothWithoutEachOtherServeNothing) {
  Rig rig;
  rig.Power(0);
  rig.Power(1);
  EXPECT_FALSE(rig.Reads(0) || rig.Reads(1) || rig.Writes(0) || rig.Writes(1));
}

TEST(RoleStart, ReadsWaitUntilThePeerHasTheWholeLog) {
  Rig rig;
  rig.Cut();
  rig.Write(0);
  rig.Power(0);
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_FALSE(rig.Reads(0));
  rig.Apply(1, 1);
  EXPECT_TRUE(rig.Reads(0));
  EXPECT_EQ(rig.at(0).visible, CommitSeq(1));
}

TEST(RoleStart, ASingleNodeNeedsNobody) {
  Control stored = NewSingle(Settings{});
  const Started started = Start(Settings{}, stored, CommitSeq(3));
  EXPECT_EQ(started.state.role, Role::kPrimary);
  EXPECT_EQ(IndexOf<Persist>(started.actions), 0);
  ASSERT_NE(Find<AdvanceVisible>(started.actions), nullptr);
  EXPECT_EQ(Find<AdvanceVisible>(started.actions)->seq, CommitSeq(3));
  EXPECT_TRUE(Find<Serving>(started.actions)->single);
  EXPECT_EQ(started.state.control.incarnation, Incarnation(1));
}

TEST(RoleStart, APersistedGrantCountsAgainOnlyOnContact) {
  Rig rig;
  rig.Cut();
  rig.Give(0, Solo{.peer_fenced = true});
  rig.Write(0);
  rig.Power(0);
  EXPECT_FALSE(rig.Reads(0));
  EXPECT_THAT(rig.AdviceAt(0), testing::HasSubstr("splits the mail"));
  rig.Power(1);
  rig.wire().clear();
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_TRUE(rig.Reads(0));
}

// --- epochs and incarnations -----------------------------------------------------------------

TEST(RoleEpoch, AHigherEpochIsDurableBeforeAnythingElseAndEndsServing) {
  Rig rig;
  const Actions actions = rig.Feed(0, Message{Epoch(3), rig.at(0).peer_incarnation,
                                              rig.control(0).incarnation, Hello{true, false}});
  EXPECT_EQ(IndexOf<Serving>(actions), 0);
  EXPECT_FALSE(Find<Serving>(actions)->primary);
  EXPECT_EQ(IndexOf<Persist>(actions), 1);
  EXPECT_LT(IndexOf<Persist>(actions), IndexOf<SendMessage>(actions));
  EXPECT_NE(Find<StartRewind>(actions), nullptr);
  EXPECT_EQ(rig.at(0).role, Role::kCatchingUp);
  EXPECT_TRUE(rig.control(0).rewinding);
  EXPECT_FALSE(rig.control(0).last_primary);
}

TEST(RoleEpoch, StepsAboveTheLimitNeedAcceptEpoch) {
  Rig rig;
  const Epoch far(2 + limits::kEpochStepMax + 1);
  const Message hello{far, rig.at(0).peer_incarnation, Incarnation(), Hello{true, false}};
  rig.Feed(0, hello);
  EXPECT_EQ(rig.control(0).epoch, Epoch(2));
  EXPECT_THAT(rig.AdviceAt(0), testing::HasSubstr("accept-epoch 259"));
  rig.Give(0, Solo{.peer_fenced = true});
  EXPECT_EQ(rig.refused->code, Outcome::kPeerReachable);
  rig.Feed(0, Order{AcceptEpoch{far}, {}, "tester"});
  rig.Feed(0, hello);
  EXPECT_EQ(rig.control(0).epoch, far);
  rig.Feed(0, Message{Epoch(8193), rig.at(0).peer_incarnation, Incarnation(), Hello{}});
  EXPECT_EQ(rig.control(0).epoch, far);
}

TEST(RoleEpoch, ExactlyTheLimitIsBelieved) {
  Rig rig;
  rig.Feed(0, Message{Epoch(2 + limits::kEpochStepMax), rig.at(0).peer_incarnation, Incarnation(),
                      Hello{true, false}});
  EXPECT_EQ(rig.control(0).epoch, Epoch(258));
}

TEST(RoleEpoch, ALowerEpochIsAnsweredButNotObeyed) {
  Rig rig;
  rig.Cut();
  rig.Give(1, Promote{.peer_fenced = true});
  ASSERT_EQ(rig.control(1).epoch, Epoch(3));
  const Incarnation peer = rig.at(1).peer_incarnation;
  const Actions actions =
      rig.Feed(1, Message{Epoch(2), peer, rig.control(1).incarnation, Revoke{99}});
  EXPECT_TRUE(actions.empty());
  const Actions hello = rig.Feed(1, Message{Epoch(2), peer, Incarnation(), Hello{true, false}});
  ASSERT_NE(Find<SendMessage>(hello), nullptr);
  EXPECT_EQ(Find<SendMessage>(hello)->message.epoch, Epoch(3));
  EXPECT_EQ(rig.at(1).role, Role::kPrimary);
}

TEST(RoleEpoch, MessagesOfAnotherLifeAreIgnored) {
  Rig rig;
  const RoleState before = rig.at(0);
  const Incarnation peer = before.peer_incarnation;
  rig.Feed(0, Message{Epoch(2), Incarnation(peer.value() + 1), before.control.incarnation,
                      Revoked{before.cfgno}});
  rig.Feed(0, Message{Epoch(2), peer, before.control.incarnation.Next(), Revoked{before.cfgno}});
  rig.Feed(0, Message{Epoch(3), peer, before.control.incarnation.Next(), Ack{}});
  rig.Feed(0, Message{Epoch(9), Incarnation(), Incarnation(), Hello{true, false}});
  EXPECT_EQ(rig.at(0), before);
}

TEST(RoleEpoch, AReplyToAnEarlierLifeDoesNotResume) {
  Rig rig;
  rig.Power(0);
  const Incarnation old(rig.control(0).incarnation.value() - 1);
  rig.Feed(0, Message{Epoch(2), Incarnation(1), old, Hello{false, true}});
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  rig.Feed(0, Message{Epoch(2), Incarnation(1), rig.control(0).incarnation, Hello{false, true}});
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
}

// --- eligibility and grants ------------------------------------------------------------------

TEST(RoleGrant, OnlyTheNewestRevokedGrants) {
  Rig rig;
  rig.Feed(0, PeerBehind{});
  const std::uint32_t first = rig.at(0).cfgno;
  rig.Cut();
  rig.Mend();  // in sync again: what was asked before is void
  rig.Feed(0, PeerBehind{});
  rig.wire().clear();
  const auto revoked = [&](std::uint32_t cfgno) {
    rig.Feed(0, Message{Epoch(2), rig.at(0).peer_incarnation, rig.control(0).incarnation,
                        Revoked{cfgno}});
  };
  revoked(first);
  EXPECT_EQ(rig.control(0).grant, Grant::kNone);
  revoked(rig.at(0).cfgno);
  EXPECT_EQ(rig.control(0).grant, Grant::kPeer);
  EXPECT_TRUE(rig.Writes(0));
}

TEST(RoleGrant, ALateInSyncDoesNotUndoARevoke) {
  Rig rig;
  const auto tell = [&](const MessageBody& body) {
    rig.Feed(1, Message{Epoch(2), rig.at(1).peer_incarnation, rig.control(1).incarnation, body});
    rig.wire().clear();
  };
  tell(Revoke{10});
  EXPECT_FALSE(rig.at(1).eligible);
  tell(InSync{9, CommitSeq(0)});
  EXPECT_FALSE(rig.at(1).eligible);
  tell(InSync{11, CommitSeq(1)});  // longer than our log
  EXPECT_FALSE(rig.at(1).eligible);
  tell(InSync{12, CommitSeq(0)});
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(RoleGrant, ReadmissionClearsTheGrantDurablyBeforeItTellsThePeer) {
  Rig rig;
  rig.Do(0, PeerBehind{});
  ASSERT_EQ(rig.control(0).grant, Grant::kPeer);
  rig.Feed(1, Applied{CommitSeq(0)});
  const auto [to, ack] = rig.wire().front();
  rig.wire().clear();
  const Actions actions = rig.Feed(0, ack);
  ASSERT_NE(Find<Persist>(actions), nullptr);
  EXPECT_EQ(Find<Persist>(actions)->control.grant, Grant::kNone);
  EXPECT_LT(IndexOf<Persist>(actions), IndexOf<SendMessage>(actions));
  rig.Settle();
  EXPECT_TRUE(rig.at(1).eligible);
}

TEST(RoleGrant, ABusyPrimaryReadmitsWithoutAPause) {
  Rig rig;
  rig.Do(0, PeerBehind{});
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    rig.Feed(0, Committed{CommitSeq(seq)});
  }
  EXPECT_EQ(rig.at(0).visible, CommitSeq(5));
  const auto ack = [&](std::uint64_t upto) {
    return rig.Feed(0, Message{Epoch(2), rig.at(0).peer_incarnation, rig.control(0).incarnation,
                               Ack{CommitSeq(upto)}});
  };
  ack(3);  // near: the grant goes out of use, but stays on disk
  EXPECT_FALSE(GrantInUse(rig.at(0)));
  EXPECT_EQ(rig.disk(0).grant, Grant::kPeer);
  rig.Feed(0, Committed{CommitSeq(6)});
  EXPECT_EQ(rig.at(0).visible, CommitSeq(5));
  ack(5);  // everything that was ever acknowledged
  EXPECT_EQ(rig.disk(0).grant, Grant::kNone);
  ack(6);
  EXPECT_EQ(rig.at(0).visible, CommitSeq(6));
}

TEST(RoleGrant, ReadmissionThatFailsGoesOnAlone) {
  Rig rig;
  rig.Do(0, PeerBehind{});
  rig.Feed(0, Committed{CommitSeq(1)});
  rig.Feed(0, Message{Epoch(2), rig.at(0).peer_incarnation, rig.control(0).incarnation,
                      Ack{CommitSeq(0)}});
  rig.Feed(0, Committed{CommitSeq(2)});
  EXPECT_EQ(rig.at(0).visible, CommitSeq(1));
  const Actions down = rig.Feed(0, LinkDown{});
  ASSERT_NE(Find<AdvanceVisible>(down), nullptr);
  EXPECT_EQ(Find<AdvanceVisible>(down)->seq, CommitSeq(2));
}

TEST(RoleGrant, AFarBehindPeerIsNotReadmittedYet) {
  Rig rig;
  rig.Do(0, PeerBehind{});
  rig.Feed(0, Committed{CommitSeq(limits::kReadmitLagEntries + 1)});
  rig.Feed(0, Message{Epoch(2), rig.at(0).peer_incarnation, rig.control(0).incarnation, Ack{}});
  EXPECT_TRUE(GrantInUse(rig.at(0)));
}

// --- resignation -----------------------------------------------------------------------------

void ResignAndStop(Rig& rig) {
  rig.Give(0, StopGracefully{});
  rig.Do(0, Drained{});
}

TEST(RoleResign, AGracefulStopIsHeldByThePeerAndTakenBackOnContact) {
  Rig rig;
  rig.Write(0);
  ResignAndStop(rig);
  EXPECT_TRUE(rig.done.has_value());
  EXPECT_TRUE(rig.disk(0).resigned);
  EXPECT_TRUE(rig.disk(1).held_resignation);
  rig.Power(0);
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  EXPECT_FALSE(rig.disk(0).resigned);
  EXPECT_FALSE(rig.disk(1).held_resignation);
  EXPECT_TRUE(rig.Reads(0) && rig.Writes(0) && rig.at(1).eligible);
}

TEST(RoleResign, ItWaitsForTheLastWrites) {
  Rig rig;
  rig.Feed(0, Committed{CommitSeq(1)});
  rig.Give(0, StopGracefully{});
  EXPECT_FALSE(rig.Writes(0));
  rig.Do(0, Drained{});
  EXPECT_EQ(rig.at(0).role, Role::kPrimary);
  rig.Apply(1, 1);
  EXPECT_EQ(rig.at(0).role, Role::kFenced);
  EXPECT_TRUE(rig.disk(1).held_resignation);
}

TEST(RoleResign, TheHolderPromotesWithoutFencing) {
  Rig rig;
  ResignAndStop(rig);
  rig.Cut();
  rig.Give(1, Promote{});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_EQ(rig.control(1).grant, Grant::kResign);
  EXPECT_TRUE(rig.Reads(1) && rig.Writes(1));
}

TEST(RoleResign, ARestartedHolderNeedsContactOrTheClaim) {
  Rig rig;
  ResignAndStop(rig);
  rig.Power(1);
  rig.Give(1, Promote{});
  EXPECT_EQ(rig.refused->code, Outcome::kDataLoss);
  EXPECT_EQ(rig.refused->next, "twinspoolctl promote --peer-not-promoted");
  rig.Give(1, Promote{.peer_not_promoted = true});
  EXPECT_EQ(rig.done->code, Outcome::kDone);
  EXPECT_TRUE(rig.Writes(1));
}

TEST(RoleResign, AReclaimAndAPromotionThatCrossEndWithOnePrimary) {
  Rig rig;
  ResignAndStop(rig);
  rig.Power(0);
  rig.Mend();  // Reclaim has been answered
  rig.Cut();
  rig.Give(1, Promote{});
  EXPECT_TRUE(rig.done.has_value());  // eligible again: blocked until the other follows
  EXPECT_EQ(rig.done->code, Outcome::kWritesBlocked);
  EXPECT_FALSE(rig.Reads(1));
  rig.Mend();
  EXPECT_EQ(rig.at(0).role, Role::kCatchingUp);
  rig.Rewind(0, 0);
  EXPECT_TRUE(rig.Reads(1));
  EXPECT_FALSE(rig.Reads(0));
}

TEST(RoleResign, AReclaimedAnswerOfAnEarlierAskingIsIgnored) {
  Rig rig;
  ResignAndStop(rig);
  rig.Power(0);
  rig.Mend();
  Rig again;
  ResignAndStop(again);
  again.Power(0);
  again.at(0).link_up = true;
  again.Feed(0,
             Message{Epoch(2), Incarnation(1), again.control(0).incarnation, Hello{false, true}});
  again.Feed(0,
             Message{Epoch(2), Incarnation(1), again.control(0).incarnation, Hello{false, true}});
  EXPECT_EQ(again.at(0).cfgno, 2u);
  again.Feed(0, Message{Epoch(2), Incarnation(1), again.control(0).incarnation, Reclaimed{1}});
  EXPECT_TRUE(again.control(0).resigned);
  again.Feed(0, Message{Epoch(2), Incarnation(1), again.control(0).incarnation, Reclaimed{2}});
  EXPECT_FALSE(again.control(0).resigned);
}

TEST(RoleResign, AHigherEpochForgetsAHeldResignation) {
  Rig rig;
  ResignAndStop(rig);
  rig.Feed(1, Message{Epoch(4), rig.at(1).peer_incarnation, Incarnation(), Hello{true, false}});
  EXPECT_FALSE(rig.disk(1).held_resignation);
}

}  // namespace
}  // namespace twinspool::replica::core
