// A standby that is behind, and what clients of its primary notice of it.
#include <thread>

#include "tests/replica/gated_pictures.h"
#include "tests/replica/pair_fixture.h"

namespace twinspool::test {
namespace {

class PairCatchUpTest : public PairTest {
 protected:
  /// b was away while a wrote more than its ring holds; it is back, and a unit for it is being
  /// made.
  void LeaveBBehind(const std::function<void()>& while_away = [] {}) {
    before_start_ = [this] {
      a_->options.shipper.ring_bytes = 200;
      a_->adjust_ports = [this](replica::StorePorts* ports) {
        gate_ = std::make_unique<GatedPictures>(*ports->pictures);
        ports->pictures = gate_.get();
      };
    };
    StartPair();
    WaitWhole();
    ASSERT_TRUE(WriteOf(kOther));
    gate_->Close();
    b_->Stop();
    while_away();
    ASSERT_TRUE(a_->pair().WaitFor([](const auto& s) { return !s.state.link_up; }, 10'000).ok());
    ASSERT_EQ(a_->Run(replica::core::Solo{.peer_fenced = true}).code, Outcome::kDone);
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(a_->Append("message " + std::to_string(i)));
    }
    BringBackB();
    gate_->WaitUntilSomebodyReads();
  }
  bool WriteOf(UserId user) {
    std::promise<bool> acked;
    return a_->store.WriteMisc(user, "key", "value", [&](bool done) { acked.set_value(done); }) &&
           acked.get_future().get();
  }
  void BringBackB() {
    b_->Start();
    b_->Connect(link_->end(1));
    link_->Connect();
  }
  void TearDown() override {
    if (gate_ != nullptr) {
      gate_->Open();
    }
    PairTest::TearDown();
  }

  /// Nothing of this user is touched while b is away.
  const UserId kOther = UserId::FromBytes(std::string(UserId::kSize, 'o'));
  std::unique_ptr<GatedPictures> gate_;
};

// Nothing in the log speaks of him, and he must not be taken for whole because all else is.
TEST_F(PairCatchUpTest, AUserLeftHalfReplacedByAnEarlierCatchUpComesWhole) {
  LeaveBBehind([this] { b_->store.LeaveHalfReplaced(kOther); });
  gate_->Open();
  WaitWhole();
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
}

TEST_F(PairCatchUpTest, ClientsAreAnsweredWhileAPictureIsRead) {
  LeaveBBehind();
  EXPECT_TRUE(a_->Append("answered meanwhile"));
  gate_->Open();
  WaitWhole();
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
}

TEST_F(PairCatchUpTest, WhatWasReadForAStandbyThatWentAwayIsDropped) {
  LeaveBBehind();
  b_->Stop();
  ASSERT_TRUE(a_->pair().WaitFor([](const auto& s) { return !s.state.link_up; }, 10'000).ok());
  BringBackB();
  gate_->Open();
  WaitWhole();
  EXPECT_TRUE(a_->Append("and goes on"));
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
}

TEST_F(PairCatchUpTest, ANodeStopsWhileAPictureIsRead) {
  LeaveBBehind();
  std::thread opener([this] { gate_->Open(); });
  a_->Stop();
  opener.join();
}

}  // namespace
}  // namespace twinspool::test
