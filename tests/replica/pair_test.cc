// The pair with its threads, over stores and a link in memory.
#include "replica/pair.h"

#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "tests/replica/pair_fixture.h"

namespace twinspool::test {
namespace {

TEST_F(PairTest, SingleNodeAcknowledgesAtOnceWithoutAnybody) {
  PairNode node(0, std::filesystem::path(testing::TempDir()) / "single");
  ASSERT_TRUE(node.control.Save(replica::core::NewSingle(node.options.settings), {}).ok());
  node.Start();
  ASSERT_TRUE(node.WaitFor(Role::kPrimary));
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(node.Write("key " + std::to_string(i)));
  }
  EXPECT_EQ(node.pair().Snapshot().role_detail, "single");
  EXPECT_EQ(node.store.entries(), 0U) << "single keeps no outbox";
}

TEST_F(PairTest, WritesReachTheStandbyBeforeTheyAreAcknowledged) {
  StartPair();
  WaitWhole();
  for (int i = 0; i < 200; ++i) {
    const std::string key = "key " + std::to_string(i);
    ASSERT_TRUE(a_->Write(key));
    EXPECT_TRUE(b_->store.HasMisc(UserId::FromBytes(std::string(16, 'u')), key)) << key;
  }
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  const replica::PairStatus status = a_->pair().Snapshot();
  EXPECT_EQ(status.role_detail, "replicated");
  EXPECT_EQ(status.lag_records, 0U);
  EXPECT_TRUE(status.peer.connected);
}

TEST_F(PairTest, PrimaryBlocksWithoutItsPeerAndGoesOnWhenItIsBack) {
  StartPair();
  WaitWhole();
  link_->Cut();
  ASSERT_TRUE(a_->pair()
                  .WaitFor([](const auto& s) { return !s.serving.writes_refused.empty(); }, 10'000)
                  .ok());
  EXPECT_FALSE(a_->Write("refused"));
  EXPECT_TRUE(a_->store.serves_reads());
  link_->Connect();
  WaitWhole();
  EXPECT_TRUE(a_->Write("taken"));
}

TEST_F(PairTest, PromotionAfterADeathKeepsEverythingAndTheOldPrimaryRejoins) {
  StartPair();
  WaitWhole();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a_->Append("message " + std::to_string(i)));
  }
  a_->Stop();
  ASSERT_TRUE(b_->pair().WaitFor([](const auto& s) { return !s.state.link_up; }, 10'000).ok());
  const replica::OrderResult promoted = b_->Run(replica::core::Promote{.peer_fenced = true});
  EXPECT_EQ(promoted.code, Outcome::kDone) << promoted.text;
  EXPECT_TRUE(b_->Append("after the promotion"));
  a_->Start();
  a_->Connect(link_->end(0));
  link_->Connect();
  ASSERT_TRUE(a_->WaitFor(Role::kStandby));
  EXPECT_TRUE(b_->Append("with both again"));
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  EXPECT_EQ(a_->store.CountMessages("message 7"), 1U);
}

TEST_F(PairTest, TheFullDiskOfANodeThatIsGoneBindsNobody) {
  StartPair();
  a_->store.free_bytes = 17;
  WaitWhole();
  const auto wait_for = [&](std::uint64_t bytes) {
    return b_->pair()
        .WaitFor([&](const auto&) { return b_->store.peer_free_bytes == bytes; }, 10'000)
        .ok();
  };
  ASSERT_TRUE(wait_for(17));
  a_->Stop();
  ASSERT_TRUE(wait_for(UINT64_MAX)) << "the link is lost";
  ASSERT_EQ(b_->Run(replica::core::Promote{.peer_fenced = true}).code, Outcome::kDone);
  EXPECT_EQ(b_->store.peer_free_bytes, UINT64_MAX);
  a_->Start();
  a_->Connect(link_->end(0));
  link_->Connect();
  EXPECT_TRUE(wait_for(17)) << "once its acks are waited for again";
}

TEST_F(PairTest, SwitchoverUnderLoadLosesNothing) {
  StartPair();
  WaitWhole();
  std::atomic<bool> stop{false};
  std::vector<std::string> acked;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string key = "load " + std::to_string(i);
      if (a_->Write(key)) {
        acked.push_back(key);
      } else {
        std::this_thread::yield();
      }
    }
  });
  const replica::OrderResult done = a_->Run(replica::core::Switchover{});
  EXPECT_EQ(done.code, Outcome::kDone) << done.text;
  EXPECT_TRUE(b_->WaitFor(Role::kPrimary));
  stop = true;
  writer.join();
  for (const std::string& key : acked) {
    EXPECT_TRUE(b_->store.HasMisc(UserId::FromBytes(std::string(16, 'u')), key)) << key;
  }
  EXPECT_TRUE(a_->WaitFor(Role::kStandby));
  EXPECT_TRUE(b_->Write("after"));
}

TEST_F(PairTest, WhatBecomesDurableDuringAFenceIsServedAfterUndemote) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Write("before"));
  const UserId user = UserId::FromBytes(std::string(16, 'u'));
  a_->store.BeforeClosing([&] {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(a_->store.WriteMisc(user, "late " + std::to_string(i), "value", {}));
    }
  });
  ASSERT_EQ(a_->Run(replica::core::Fence{}).code, Outcome::kDone);
  EXPECT_EQ(a_->pair().Snapshot().state.log_end, a_->store.End().seq);
  ASSERT_EQ(a_->Run(replica::core::Undemote{}).code, Outcome::kDone);
  WaitWhole();
  ASSERT_TRUE(a_->Write("after"));
  const replica::PairStatus status = a_->pair().Snapshot();
  EXPECT_EQ(status.state.visible, a_->store.End().seq);
  EXPECT_EQ(a_->store.End().seq, CommitSeq(5));
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
}

TEST_F(PairTest, AFenceGoesBeforeAHandoverThatWaits) {
  StartPair();
  WaitWhole();
  // The standby never gets it, so the switchover waits for its ack.
  const UserId user = UserId::FromBytes(std::string(16, 'u'));
  link_->LoseFrames(true);
  ASSERT_TRUE(a_->store.WriteMisc(user, "on its way", "value", {}));
  std::promise<replica::OrderResult> handed;
  a_->pair().Submit(
      {replica::core::Switchover{}, Epoch(), "test"}, 60'000,
      [&handed](replica::OrderResult result) { handed.set_value(std::move(result)); });
  EXPECT_EQ(a_->Run(replica::core::Fence{}, 5'000).code, Outcome::kDone);
  EXPECT_EQ(handed.get_future().get().code, Outcome::kTimeoutUnchanged);
  EXPECT_TRUE(a_->pair().Snapshot().state.control.held_down);
}

TEST_F(PairTest, TheStandbyTellsHowFarItIsBehind) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Write("on both"));
  link_->LoseFrames(true);
  const UserId user = UserId::FromBytes(std::string(16, 'u'));
  ASSERT_TRUE(a_->store.WriteMisc(user, "only on a", "value", {}));
  ASSERT_TRUE(
      b_->pair()
          .WaitFor([](const auto& s) { return s.lag_records == 1 && s.lag_bytes > 0; }, 10'000)
          .ok());
  EXPECT_EQ(b_->pair().Snapshot().peer.role, "primary");
  // … and the primary learns with the next heartbeat that it is one.
  EXPECT_TRUE(
      a_->pair().WaitFor([](const auto& s) { return s.peer.role == "standby"; }, 10'000).ok());
}

TEST_F(PairTest, AStoreThatServedBeforeIsClosedAtTheStartOfAMember) {
  PairNode node(1, std::filesystem::path(testing::TempDir()) / "member");
  replica::ServingState alone;
  alone.primary = alone.reads = true;
  node.store.SetServing(alone);
  ASSERT_TRUE(node.control.Save(replica::core::NewMember(), {}).ok());
  node.Start();
  EXPECT_FALSE(node.store.primary());
}

TEST_F(PairTest, APrimaryAloneTellsItsLagAfterARestart) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Write("on both"));
  ASSERT_EQ(b_->Run(replica::core::StopGracefully{}).code, Outcome::kDone);
  ASSERT_TRUE(
      a_->pair().WaitFor([](const auto& s) { return s.role_detail == "solo"; }, 10'000).ok());
  b_->Stop();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(a_->Write("alone " + std::to_string(i)));
  }
  a_->Stop();
  a_->Start();
  ASSERT_EQ(a_->Run(replica::core::Solo{}).code, Outcome::kDone);
  ASSERT_TRUE(a_->WaitFor(Role::kPrimary));
  const replica::PairStatus status = a_->pair().Snapshot();
  EXPECT_GE(status.lag_records, 5U);
  EXPECT_LE(status.lag_records, a_->store.entries());
  EXPECT_TRUE(a_->pair().WaitFor([](const auto& s) { return s.lag_seconds > 0; }, 10'000).ok());
}

// The last word once stayed behind when the link's reader was sending at that moment.
TEST_F(PairTest, AStandbyThatStopsRightAfterItsAnswerHasSteppedBack) {
  StartPair();
  for (int round = 0; round < 20; ++round) {
    WaitWhole();
    ASSERT_TRUE(a_->Write("on both " + std::to_string(round)));
    ASSERT_EQ(b_->Run(replica::core::StopGracefully{}).code, Outcome::kDone);
    b_->Stop();
    const auto solo = [](const auto& s) { return s.role_detail == "solo"; };
    ASSERT_TRUE(a_->pair().WaitFor(solo, 10'000).ok()) << "round " << round;
    b_->Start();
    b_->Connect(link_->end(1));
    link_->Connect();
  }
}

TEST_F(PairTest, GracefulStopOfTheStandbyCostsNoPause) {
  StartPair();
  WaitWhole();
  ASSERT_EQ(b_->Run(replica::core::StopGracefully{}).code, Outcome::kDone);
  ASSERT_TRUE(
      a_->pair().WaitFor([](const auto& s) { return s.role_detail == "solo"; }, 10'000).ok());
  b_->Stop();
  EXPECT_TRUE(a_->Write("alone"));
}

TEST_F(PairTest, VerifyComparesAtOneEntryAndNamesWhatDiffers) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Append("first"));
  ASSERT_TRUE(a_->Append("second"));
  replica::VerifyResult same = Verify(*a_);
  EXPECT_TRUE(same.status.ok()) << same.status.ToString();
  EXPECT_EQ(same.different, 0U);
  EXPECT_EQ(same.compared, 1U);
  ASSERT_TRUE(b_->store.Rot(0));
  const replica::VerifyResult other = Verify(*a_);
  EXPECT_TRUE(other.status.ok()) << other.status.ToString();
  ASSERT_EQ(other.different, 1U);
  EXPECT_NE(other.differences[0].here, other.differences[0].there);
}

TEST_F(PairTest, VerifyNamesAUserWhoseOwnRowsDiffer) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Append("message"));
  ASSERT_TRUE(a_->Write("subscription"));
  EXPECT_EQ(Verify(*a_).different, 0U);
  ASSERT_EQ(b_->store.Rot(1), "subscription");
  const replica::VerifyResult result = Verify(*a_);
  EXPECT_TRUE(result.status.ok()) << result.status.ToString();
  ASSERT_EQ(result.different, 1U);
  EXPECT_EQ(result.differences[0].user, UserId::FromBytes(std::string(16, 'u')));
  EXPECT_TRUE(result.differences[0].mailbox.nil());
  EXPECT_NE(result.differences[0].here, result.differences[0].there);
}

TEST_F(PairTest, DamageOnTheStandbyIsFoundByTheNextWriteAndRepaired) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Append("first"));
  ASSERT_TRUE(b_->store.Rot(0));
  EXPECT_TRUE(a_->Append("second")) << "after the repair, or once the standby gave up its rights";
  ASSERT_TRUE(
      b_->pair()
          .WaitFor([](const auto& s) { return s.digest_mismatches == 1 && s.state.eligible; },
                   20'000)
          .ok());
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  EXPECT_TRUE(a_->WaitFor(Role::kPrimary));
}

TEST_F(PairTest, AUnitThatDoesNotFitBringsItsUserWholeAndTheStreamGoesOn) {
  StartPair();
  WaitWhole();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a_->Append("message " + std::to_string(i)));  // several units
  }
  ASSERT_TRUE(b_->store.Rot(0));
  b_->store.SpoilNextUnit();
  EXPECT_TRUE(a_->Append("one more"));
  ASSERT_TRUE(
      b_->pair()
          .WaitFor([](const auto& s) { return s.digest_mismatches == 2 && s.state.eligible; },
                   20'000)
          .ok());
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  EXPECT_TRUE(a_->Append("and another"));
}

TEST_F(PairTest, ManyDifferingUsersAreAskedForAFewAtATime) {
  StartPair(Mode::kAvailable, 500);
  WaitWhole();
  b_->Stop();
  ASSERT_TRUE(a_->pair().WaitFor([](const auto& s) { return !s.state.link_up; }, 10'000).ok());
  ASSERT_EQ(a_->Run(replica::core::Solo{.peer_fenced = true}).code, Outcome::kDone);
  for (char user = 'a'; user <= 'z'; ++user) {
    std::promise<bool> acked;
    ASSERT_TRUE(a_->store.WriteMisc(UserId::FromBytes(std::string(UserId::kSize, user)), "k", "v",
                                    [&acked](bool done) { acked.set_value(done); }));
    ASSERT_TRUE(acked.get_future().get());
  }
  // The outbox passes its bound and is dropped: users are compared.
  ASSERT_TRUE(
      a_->pair().WaitFor([&](const auto&) { return a_->store.bytes() <= 500; }, 20'000).ok());
  b_->Start();
  b_->Connect(link_->end(1));
  link_->Connect();
  WaitWhole();
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  EXPECT_GE(b_->store.asked_most(), 1U);
  EXPECT_LE(b_->store.asked_most(), limits::kUsersAskedAtOnce);
}

// The disk would refuse even that, and a refused write ends the process.
TEST_F(PairTest, NothingIsTidiedUpOnTheLastOctetsOfADisk) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Append("first"));
  const auto trimmed = [this](const auto&) { return a_->store.low_water() == a_->store.End().seq; };
  ASSERT_TRUE(a_->pair().WaitFor(trimmed, 20'000).ok());
  a_->store.free_bytes = limits::kDiskLastBytes - 1;
  ASSERT_TRUE(a_->Append("second"));
  a_->store.MarkForgotten(UserId::FromBytes(std::string(UserId::kSize, 'f')));
  a_->store.free_bytes = limits::kDiskLastBytes - 2;
  const auto told = [this](const auto&) {  // so a tick has passed
    return b_->store.peer_free_bytes == limits::kDiskLastBytes - 2;
  };
  ASSERT_TRUE(b_->pair().WaitFor(told, 20'000).ok());
  EXPECT_LT(a_->store.low_water(), a_->store.End().seq);
  EXPECT_FALSE(a_->store.Forgotten()->empty()) << "that he is settled was not written";
  a_->store.free_bytes = 1u << 30;
  EXPECT_TRUE(a_->pair().WaitFor(trimmed, 20'000).ok());
  const auto settled = [this](const auto&) { return a_->store.Forgotten()->empty(); };
  EXPECT_TRUE(a_->pair().WaitFor(settled, 20'000).ok());
}

TEST_F(PairTest, PeerOfAnotherPairIsRefusedOnBothSides) {
  StartPair();
  a_->Stop();
  b_->Stop();
  b_->options.pair_id = PairId::FromBytes(std::string(PairId::kSize, 'x'));
  StartBoth();
  const auto refused = [](const replica::PairStatus& s) { return !s.peer.refused.empty(); };
  for (PairNode* node : {a_.get(), b_.get()}) {
    ASSERT_EQ(node->pair().WaitFor([](const auto& s) { return s.state.link_up; }, 10'000).code(),
              Code::kOk);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!refused(node->pair().Snapshot()) && std::chrono::steady_clock::now() < until) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(refused(node->pair().Snapshot()));
  }
}

TEST_F(PairTest, AsyncAnswersWithoutTheStandby) {
  StartPair(Mode::kAsync);
  WaitWhole();
  ASSERT_TRUE(a_->Write("with it"));
  link_->Cut();
  EXPECT_TRUE(a_->Write("without it"));
  link_->Connect();
  ASSERT_TRUE(
      b_->pair().WaitFor([](const auto& s) { return s.state.log_end.value() == 2; }, 20'000).ok());
}

TEST_F(PairTest, ASecondOrderWaitsAndAllAreAnswered) {
  StartPair();
  WaitWhole();
  std::atomic<int> answered{0};
  for (int i = 0; i < 10; ++i) {
    b_->pair().Submit({replica::core::Undemote{}, Epoch(), "test"}, 5'000,
                      [&answered](const replica::OrderResult&) { ++answered; });
  }
  EXPECT_EQ(b_->Run(replica::core::Undemote{}).code, Outcome::kDone);
  EXPECT_EQ(answered, 10);
  const replica::OrderResult refused =
      b_->pair().Run({replica::core::Promote{}, Epoch(77), "test"}, 5'000);
  EXPECT_NE(refused.code, Outcome::kDone);
  EXPECT_FALSE(refused.text.empty());
}

}  // namespace
}  // namespace twinspool::test
