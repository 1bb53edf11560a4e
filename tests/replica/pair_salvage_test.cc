// What only a lost primary had accepted: saved, given back, erased with its user.
#include "tests/replica/pair_fixture.h"

namespace twinspool::test {
namespace {

/// b is switched off and a goes solo; then a is lost with messages that b never got, b is forced,
/// and a comes back.
class PairSalvageTest : public PairTest {
 protected:
  void GoSoloWithoutB() {
    b_->Stop();
    ASSERT_TRUE(a_->pair().WaitFor([](const auto& s) { return !s.state.link_up; }, 10'000).ok());
    ASSERT_EQ(a_->Run(replica::core::Solo{.peer_fenced = true}).code, Outcome::kDone);
  }
  void LoseAAndForceB() {
    a_->Stop();
    b_->Start();
    b_->Connect(link_->end(1));
    const replica::OrderResult forced =
        b_->Run(replica::core::Promote{.peer_fenced = true, .allow_data_loss = true});
    ASSERT_EQ(forced.code, Outcome::kDone) << forced.text;
  }
  void BringBackA() {
    a_->Start();
    a_->Connect(link_->end(0));
    link_->Connect();
    ASSERT_TRUE(a_->WaitFor(Role::kStandby)) << a_->pair().Snapshot().advice;
  }
  void WaitPending(std::uint64_t count) {
    const auto left = [count](const auto& s) { return s.salvage_pending == count; };
    ASSERT_TRUE(a_->pair().WaitFor(left, 20'000).ok());
  }
};

TEST_F(PairSalvageTest, WhatOnlyTheOldPrimaryAcceptedIsGivenBack) {
  StartPair();
  WaitWhole();
  ASSERT_TRUE(a_->Append("on both"));
  GoSoloWithoutB();
  ASSERT_TRUE(a_->Append("only on a"));
  LoseAAndForceB();
  EXPECT_EQ(b_->store.CountMessages("only on a"), 0U);
  BringBackA();
  WaitPending(0);
  EXPECT_EQ(b_->store.CountMessages("only on a"), 1U);
  EXPECT_EQ(b_->store.CountMessages("on both"), 1U);
}

TEST_F(PairSalvageTest, SalvageOfADeletedUserIsErasedOnBothNodes) {
  StartPair();
  WaitWhole();
  GoSoloWithoutB();
  ASSERT_TRUE(a_->Append("given back"));
  ASSERT_TRUE(a_->Append("refused"));
  b_->store.RefuseToTake("refused");
  LoseAAndForceB();
  BringBackA();
  WaitPending(1);
  const auto salvaged = a_->pair().ListSalvage();
  ASSERT_FALSE(salvaged.empty());
  const UserId user = UserId::FromBytes(salvaged[0].item.user_id());
  for (PairNode* node : {a_.get(), b_.get()}) {
    node->store.MarkForgotten(user);
    const auto settled = [&](const auto&) { return node->store.Forgotten()->empty(); };
    ASSERT_TRUE(node->pair().WaitFor(settled, 20'000).ok());
    EXPECT_TRUE(node->pair().ListSalvage().empty());
    EXPECT_EQ(node->pair().Snapshot().salvage_pending, 0U);
  }
}

TEST_F(PairSalvageTest, AMessageThatCannotBeTakenBackDoesNotHoldUpTheOthers) {
  StartPair();
  WaitWhole();
  GoSoloWithoutB();
  for (const char* octets : {"first", "second", "third"}) {
    ASSERT_TRUE(a_->Append(octets));
  }
  b_->store.RefuseToTake("first");
  LoseAAndForceB();
  BringBackA();
  WaitPending(1);
  EXPECT_EQ(b_->store.CountMessages("first"), 0U);
  EXPECT_EQ(b_->store.CountMessages("second"), 1U);
  EXPECT_EQ(b_->store.CountMessages("third"), 1U);
}

TEST_F(PairSalvageTest, WhatHasNoLogAnyMoreIsSavedBeforeItsUserIsReplaced) {
  StartPair(Mode::kAvailable, 500);
  WaitWhole();
  ASSERT_TRUE(a_->Append("on both"));
  GoSoloWithoutB();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a_->Append("only on a " + std::to_string(i)));
  }
  // The outbox passes its bound and is dropped: a rewind finds nothing to undo.
  ASSERT_TRUE(
      a_->pair().WaitFor([&](const auto&) { return a_->store.bytes() <= 500; }, 20'000).ok());
  LoseAAndForceB();
  ASSERT_TRUE(b_->Append("after the promotion"));
  BringBackA();
  WaitPending(0);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(b_->store.CountMessages("only on a " + std::to_string(i)), 1U) << i;
  }
  EXPECT_EQ(b_->store.CountMessages("on both"), 1U);
  EXPECT_EQ(b_->store.CountMessages("after the promotion"), 1U);
}

}  // namespace
}  // namespace twinspool::test
