// The search for damage between two running nodes: who begins it, who asks and answers, and what an
// operator gets to see. The stores' own searches are stand-ins.
#include "replica/scrubber.h"

#include <future>

#include <gmock/gmock.h>

#include "tests/replica/gated_pictures.h"
#include "tests/replica/pair_fixture.h"

namespace twinspool::test {
namespace {

using ::testing::HasSubstr;

const UserId kUser = UserId::FromBytes(std::string(UserId::kSize, 'u'));

/// A store whose pass does what the test says.
class FakeScrub final : public replica::ScrubStore {
 public:
  using Work = std::function<Status(replica::ScrubHost&)>;

  replica::ScrubMemory Memory() override {
    const std::lock_guard lock(mutex_);
    return memory_;
  }
  Status Pass(replica::ScrubHost& host, bool whole) override {
    Work work;
    {
      const std::lock_guard lock(mutex_);
      ++passes_;
      whole_ = whole;
      memory_.under_way = true;
      work = work_;
    }
    changed_.notify_all();
    const Status ended = work ? work(host) : OkStatus();
    const std::lock_guard lock(mutex_);
    if (ended.ok()) {
      memory_.under_way = false;
      memory_.ended_ns = SystemClock().WallNs();
    }
    ++ended_;
    changed_.notify_all();
    return ended;
  }
  std::vector<proto::ObjectReply> Answer(const proto::ObjectRequest& request) override {
    std::vector<proto::ObjectReply> replies(3);
    for (std::uint32_t i = 0; i < replies.size(); ++i) {
      replies[i].set_part(i);
      replies[i].set_digest(request.user_id());
    }
    replies.back().set_last(true);
    return replies;
  }
  proto::BodyReply Answer(const proto::BodyRequest& request) override {
    proto::BodyReply reply;
    reply.set_octets("chunk " + std::to_string(request.chunk()));
    return reply;
  }

  void Do(Work work) {
    const std::lock_guard lock(mutex_);
    work_ = std::move(work);
  }
  bool WaitPasses(int begun, int ended) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return passes_ >= begun && ended_ >= ended; });
  }
  int passes() {
    const std::lock_guard lock(mutex_);
    return passes_;
  }
  bool whole() {
    const std::lock_guard lock(mutex_);
    return whole_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  replica::ScrubMemory memory_;
  Work work_;
  int passes_ = 0;
  int ended_ = 0;
  bool whole_ = false;
};

proto::Damage Damage(const std::string& kind, bool healed) {
  proto::Damage damage;
  damage.set_kind(kind);
  damage.set_user_id(std::string(kUser.bytes()));
  damage.set_what("a row of " + kind);
  damage.set_healed(healed);
  return damage;
}

class ScrubberTest : public PairTest {
 protected:
  /// `settings` of both nodes.
  void StartSearching(replica::core::ScrubSettings settings = {}) {
    before_start_ = [this, settings] {
      a_->scrub = &here_;
      b_->scrub = &there_;
      a_->scrub_settings = b_->scrub_settings = settings;
      a_->adjust_ports = [this](replica::StorePorts* ports) {
        gate_ = std::make_unique<GatedPictures>(*ports->pictures);
        ports->pictures = gate_.get();
      };
    };
    StartPair();
    WaitWhole();
  }
  replica::DeepResult RunDeep(PairNode& node) {
    auto promise = std::make_shared<std::promise<replica::DeepResult>>();
    auto future = promise->get_future();
    node.pair().VerifyDeep(
        [promise](replica::DeepResult result) { promise->set_value(std::move(result)); });
    return future.get();
  }

  void TearDown() override {
    if (gate_ != nullptr) {
      gate_->Open();
    }
    PairTest::TearDown();
  }

  std::unique_ptr<GatedPictures> gate_;  // of the primary
  FakeScrub here_;                       // of the primary
  FakeScrub there_;                      // of the standby
};

TEST_F(ScrubberTest, APassThatIsDueBeginsByItselfAndOneThatIsNotDoesNot) {
  StartSearching({.mib_per_second = 1000, .interval_h = 1});
  EXPECT_TRUE(here_.WaitPasses(1, 1));
  EXPECT_TRUE(there_.WaitPasses(1, 1));
  EXPECT_TRUE(here_.whole());
  // An operator's comes after it, on the same thread.
  EXPECT_TRUE(RunDeep(*a_).status.ok());
  EXPECT_GT(a_->pair().Snapshot().scrub.ended_ns, 0);
  EXPECT_EQ(here_.passes(), 2);
}

TEST_F(ScrubberTest, WhereItIsOffOnlyAnOperatorBeginsOneOnBothNodes) {
  StartSearching();
  ASSERT_TRUE(a_->Write("one"));
  EXPECT_EQ(here_.passes(), 0);
  here_.Do([](replica::ScrubHost& host) {
    host.Checked(2, 5);
    host.Found(Damage("mailbox", true));
    return OkStatus();
  });
  there_.Do([](replica::ScrubHost& host) {
    host.Checked(2, 4);
    host.Found(Damage("body", false));
    return OkStatus();
  });
  const replica::DeepResult result = RunDeep(*a_);
  ASSERT_TRUE(result.status.ok()) << result.status.ToString();
  EXPECT_TRUE(there_.whole());
  EXPECT_EQ(result.mailboxes, 4U);
  EXPECT_EQ(result.bodies, 9U);
  EXPECT_EQ(result.found, 2U);
  EXPECT_EQ(result.healed, 1U);
  ASSERT_EQ(result.damage.size(), 2U);
  EXPECT_FALSE(result.damage[0].peer);
  EXPECT_TRUE(result.damage[1].peer);
  EXPECT_EQ(result.damage[1].damage.kind(), "body");
  EXPECT_TRUE(result.verified.status.ok());
  EXPECT_EQ(result.verified.different, 0U);
  const replica::ScrubStatus standby = b_->pair().Snapshot().scrub;
  EXPECT_EQ(standby.unrepaired, 1U);
  EXPECT_EQ(standby.unrepaired_first.at(0).kind(), "body");
  EXPECT_EQ(a_->pair().Snapshot().scrub.unrepaired, 0U);
}

TEST_F(ScrubberTest, WhatIsNotFoundAnyMoreIsNotUnrepairedAnyMore) {
  StartSearching();
  here_.Do([](replica::ScrubHost& host) {
    host.Found(Damage("body", false));
    return OkStatus();
  });
  RunDeep(*a_);
  EXPECT_EQ(a_->pair().Snapshot().scrub.unrepaired, 1U);
  here_.Do(nullptr);
  RunDeep(*a_);
  EXPECT_EQ(a_->pair().Snapshot().scrub.unrepaired, 0U);
  EXPECT_EQ(a_->pair().Snapshot().scrub.found, 1U);
}

// The link takes what was to be sent with it: whether the copies are equal only they can tell.
TEST_F(ScrubberTest, ADifferenceIsNotHealedBecauseTheLinkIsGone) {
  StartSearching();
  ASSERT_TRUE(a_->Write("one"));
  ASSERT_TRUE(b_->store.Rot(0));
  gate_->Close();
  auto deep = std::async(std::launch::async, [this] { return RunDeep(*a_); });
  gate_->WaitUntilSomebodyReads();
  link_->Cut();
  ASSERT_TRUE(a_->pair().WaitFor([](const auto& s) { return !s.state.link_up; }, 10'000).ok());
  const replica::VerifyResult verified = deep.get().verified;
  const bool equal = verified.status.ok() && verified.different == 0;
  EXPECT_EQ(a_->pair().Snapshot().scrub.unrepaired == 0, equal) << verified.status.ToString();
  gate_->Open();
  link_->Connect();
  WaitWhole();
  EXPECT_EQ(RunDeep(*a_).verified.different, 0U);
  EXPECT_EQ(a_->pair().Snapshot().scrub.unrepaired, 0U);
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
}

TEST_F(ScrubberTest, BothNodesAskAndAnswerAtTheSameTime) {
  StartSearching();
  const auto ask = [](replica::ScrubHost& host) -> Status {
    for (int i = 0; i < 50; ++i) {
      proto::ObjectRequest request;
      request.set_user_id("of question " + std::to_string(i));
      ASSIGN_OR_RETURN(const auto replies, host.Ask(request));
      proto::BodyRequest body;
      body.set_chunk(static_cast<std::uint32_t>(i));
      ASSIGN_OR_RETURN(const proto::BodyReply octets, host.Ask(body));
      if (replies.size() != 3 || replies[2].part() != 2 ||
          replies[0].digest() != request.user_id() ||
          octets.octets() != "chunk " + std::to_string(i)) {
        return Internal("another answer");
      }
    }
    return OkStatus();
  };
  here_.Do(ask);
  there_.Do(ask);
  const replica::DeepResult result = RunDeep(*a_);
  EXPECT_TRUE(result.status.ok()) << result.status.ToString();
}

TEST_F(ScrubberTest, APeerThatIsAwayIsNotWaitedFor) {
  StartSearching();
  link_->Cut();
  Status asked;
  here_.Do([&](replica::ScrubHost& host) {
    asked = host.Ask(proto::ObjectRequest()).status();
    return OkStatus();
  });
  const replica::DeepResult result = RunDeep(*a_);
  EXPECT_TRUE(asked.Is(Code::kUnavailable)) << asked.ToString();
  EXPECT_TRUE(result.status.Is(Code::kUnavailable));
  EXPECT_EQ(here_.passes(), 1);
}

TEST_F(ScrubberTest, AQuestionEndsWithTheLink) {
  StartSearching();
  std::promise<Status> asked;
  here_.Do([&](replica::ScrubHost& host) {
    asked.set_value(host.Ask(proto::ObjectRequest()).status());
    return OkStatus();
  });
  // The standby's thread is at work in its own pass, so that it does not answer.
  std::promise<void> release;
  there_.Do([&](replica::ScrubHost&) {
    release.get_future().wait();
    return OkStatus();
  });
  auto deep = std::async(std::launch::async, [this] { return RunDeep(*a_); });
  ASSERT_TRUE(there_.WaitPasses(1, 0));
  link_->Cut();
  EXPECT_TRUE(asked.get_future().get().Is(Code::kUnavailable));
  EXPECT_FALSE(deep.get().status.ok());
  release.set_value();
}

TEST_F(ScrubberTest, APassThatWasDueMakesWayForAnOperatorsAndGoesOnLater) {
  std::promise<void> cut;
  std::atomic<int> rounds{0};
  here_.Do([&](replica::ScrubHost& host) {
    if (rounds++ == 0) {
      while (host.Read(1)) {
      }
      cut.set_value();
      return Unavailable("the pass is to end");
    }
    return OkStatus();
  });
  StartSearching({.mib_per_second = 1000, .interval_h = 1});
  ASSERT_TRUE(here_.WaitPasses(1, 0));
  EXPECT_TRUE(RunDeep(*a_).status.ok());
  cut.get_future().wait();
  EXPECT_GE(here_.passes(), 2);
}

TEST_F(ScrubberTest, AStandbyIsNoPlaceToAskForIt) {
  StartSearching();
  EXPECT_THAT(std::string(RunDeep(*b_).status.message()), HasSubstr("not primary"));
}

TEST_F(ScrubberTest, RepairsRunAloneOnEitherNode) {
  StartSearching();
  std::atomic<int> ran{0};
  const auto write = [&](replica::ScrubHost& host) {
    return host.Alone([&] {
      ++ran;
      return OkStatus();
    });
  };
  here_.Do(write);
  there_.Do(write);
  EXPECT_TRUE(RunDeep(*a_).status.ok());
  EXPECT_EQ(ran, 2);
}

TEST_F(ScrubberTest, ARepairFailsAsItsWriteFails) {
  StartSearching();
  here_.Do(
      [&](replica::ScrubHost& host) { return host.Alone([] { return Conflict("it changed"); }); });
  EXPECT_TRUE(RunDeep(*a_).status.Is(Code::kConflict));
}

TEST_F(ScrubberTest, AStandbyHasReplacedWhatItCannotHealAndStandsAgain) {
  StartSearching();
  ASSERT_TRUE(a_->Write("one"));
  ASSERT_TRUE(a_->Write("two"));
  ASSERT_TRUE(b_->store.Rot(0));
  ASSERT_NE(a_->store.Digest(), b_->store.Digest());
  there_.Do([](replica::ScrubHost& host) { return host.Replace({}, {kUser}); });
  const replica::DeepResult result = RunDeep(*a_);
  EXPECT_TRUE(result.status.ok()) << result.status.ToString();
  EXPECT_EQ(result.found, 0U) << "no difference was left to be found";
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  EXPECT_TRUE(b_->WaitFor(Role::kStandby));
  EXPECT_TRUE(a_->Write("three"));
}

TEST_F(ScrubberTest, CopiesThatDifferAreMadeEqualByThePrimarys) {
  StartSearching();
  ASSERT_TRUE(a_->Write("one"));
  ASSERT_TRUE(a_->Write("two"));
  ASSERT_TRUE(b_->store.Rot(0));
  const replica::DeepResult result = RunDeep(*a_);
  EXPECT_TRUE(result.status.ok()) << result.status.ToString();
  EXPECT_EQ(result.verified.different, 0U);
  EXPECT_EQ(a_->store.Digest(), b_->store.Digest());
  EXPECT_EQ(a_->pair().Snapshot().scrub.healed, 1U);
}

TEST_F(ScrubberTest, WhatIsDamagedOnThePrimaryIsNoExample) {
  StartSearching();
  ASSERT_TRUE(a_->Write("one"));
  ASSERT_TRUE(a_->store.Rot(0));
  here_.Do([](replica::ScrubHost& host) {
    host.Found(Damage("user", false));
    return OkStatus();
  });
  const std::string there = b_->store.Digest();
  const replica::DeepResult result = RunDeep(*a_);
  EXPECT_GT(result.verified.different, 0U);
  EXPECT_EQ(b_->store.Digest(), there);
}

TEST_F(ScrubberTest, ANodeStopsInTheMiddleOfAPass) {
  StartSearching();
  here_.Do([](replica::ScrubHost& host) {
    while (host.Read(1)) {
    }
    return Unavailable("the pass is to end");
  });
  auto deep = std::async(std::launch::async, [this] { return RunDeep(*a_); });
  ASSERT_TRUE(here_.WaitPasses(1, 0));
  a_->Stop();
  EXPECT_FALSE(deep.get().status.ok());
}

}  // namespace
}  // namespace twinspool::test
