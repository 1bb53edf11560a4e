// A standby that is behind, and what clients of its primary notice of it.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/replica/pair_fixture.h"

namespace twinspool::test {
namespace {

/// Pictures of a store; while the gate is closed no unit is made.
class GatedPictures : public replica::PictureSource {
 public:
  explicit GatedPictures(replica::PictureSource& source) : source_(source) {}
  ~GatedPictures() override { Open(); }

  void Open() { Set(true); }
  void Close() { Set(false); }
  void WaitUntilSomebodyReads() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }

  Result<std::unique_ptr<replica::Picture>> TakePicture() override {
    ASSIGN_OR_RETURN(auto picture, source_.TakePicture());
    return std::unique_ptr<replica::Picture>(new GatedPicture(*this, std::move(picture)));
  }

 private:
  class GatedPicture : public replica::Picture {
   public:
    GatedPicture(GatedPictures& gate, std::unique_ptr<replica::Picture> picture)
        : gate_(gate), picture_(std::move(picture)) {}
    EntryId position() const override { return picture_->position(); }
    Status StartSince(CommitSeq after) override { return picture_->StartSince(after); }
    Status StartUser(UserId user, std::vector<proto::BodyRef> have) override {
      return picture_->StartUser(user, std::move(have));
    }
    Status StartMailbox(MailboxId mailbox) override { return picture_->StartMailbox(mailbox); }
    Result<std::optional<proto::CatchUpUnit>> NextUnit(std::size_t bytes_max) override {
      gate_.Pass();
      return picture_->NextUnit(bytes_max);
    }
    Result<std::vector<proto::UserDigest>> Users() override { return picture_->Users(); }
    Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                             std::size_t limit) override {
      return picture_->MailboxDigests(after, limit);
    }

   private:
    GatedPictures& gate_;
    const std::unique_ptr<replica::Picture> picture_;
  };

  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    waiting_ = !open_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }

  replica::PictureSource& source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool waiting_ = false;
};

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
