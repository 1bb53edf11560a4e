// One node's conversation with its peer, message by message: the test is the peer.
#include "replica/conversation.h"

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_ports.h"
#include "tests/support/temp_dir.h"

namespace twinspool::test {
namespace {

class Control final : public replica::ControlStore {
 public:
  Status Save(const replica::core::Control&, const replica::core::EpochHistory&) override {
    return OkStatus();
  }
};

class Silent final : public replica::PairObserver {
  void OnLog(replica::Severity, const std::string&) override {}
  void OnTransition(const replica::core::Transition&) override {}
  void OnDigestMismatch(UserId, const std::string&) override {}
  void OnCatchUp(const std::string&) override {}
};

class ConversationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto salvage = replica::Salvage::Open({.data_dir = dir_.path(), .sync = false});
    ASSERT_TRUE(salvage.ok());
    salvage_ = *std::move(salvage);
    gate_ = std::make_unique<replica::CommitGate>(clock_, store_, [] {});
    store_.SetListener(gate_.get());
    replica::ConversationOptions options;
    options.pair_id = PairId::FromBytes(std::string(PairId::kSize, 'p'));
    options.node_id = NodeId::FromBytes(std::string(NodeId::kSize, 'a'));
    options.version = "test";
    talk_ = std::make_unique<replica::Conversation>(replica::ConversationParts{
        .options = options,
        .ports = store_.Ports(),
        .control = control_,
        .salvage = *salvage_,
        .clock = clock_,
        .gate = *gate_,
        .observer = observer_,
        .post = [this](std::function<void()> work) { posts_.push_back(std::move(work)); }});
    replica::core::Control stored = replica::core::NewSingle({});
    stored.grant = replica::core::Grant::kPeer;
    replica::core::EpochHistory history;
    history.Begin(stored.epoch, CommitSeq(1));
    talk_->Start(stored, history);
    talk_->OnLinkUp();
  }

  /// What this node says now, up to where it falls silent.
  std::vector<proto::PeerMessage> Hear() {
    std::vector<proto::PeerMessage> heard;
    for (int quiet = 0; quiet < 4;) {
      while (!posts_.empty()) {
        std::exchange(posts_.front(), {})();
        posts_.pop_front();
      }
      std::optional<proto::PeerMessage> message = talk_->NextOutgoing();
      quiet = message ? 0 : quiet + 1;
      if (message) {
        heard.push_back(*std::move(message));
      }
    }
    return heard;
  }

  /// The peer, a member of the pair in its first incarnation, says `message` under epoch 2.
  std::vector<proto::PeerMessage> Say(proto::PeerMessage message) {
    message.set_epoch(2);
    message.set_from_incarnation(1);
    message.set_to_incarnation(1);
    talk_->OnMessage(message);
    talk_->EndBatch();
    return Hear();
  }

  static proto::PeerMessage RewindingHello() {
    proto::PeerMessage message;
    proto::Hello* hello = message.mutable_hello();
    hello->set_protocol_version(1);
    hello->set_pair_id(std::string(PairId::kSize, 'p'));
    hello->set_node_id(std::string(NodeId::kSize, 'b'));
    hello->set_node_index(1);
    hello->mutable_last();
    hello->set_rewinding(true);
    hello->set_reply(true);
    hello->set_version("test");
    hello->set_mode("available");
    hello->set_role("catching-up");
    return message;
  }

  static bool Among(const std::vector<proto::PeerMessage>& heard,
                    bool (proto::PeerMessage::*has)() const) {
    return std::ranges::any_of(heard, [has](const auto& message) { return (message.*has)(); });
  }

  testing::TempDir dir_;
  ManualClock clock_;
  MemoryStore store_;
  Control control_;
  Silent observer_;
  std::unique_ptr<replica::Salvage> salvage_;
  std::unique_ptr<replica::CommitGate> gate_;
  std::deque<std::function<void()>> posts_;
  std::unique_ptr<replica::Conversation> talk_;
};

// An empty standby is filled, and a Hello that it sent before it knew arrives behind the end of the
// catch-up: taken for news, it made the standby rewind what it had just acknowledged.
TEST_F(ConversationTest, AHelloFromBeforeTheEndOfACatchUpAsksForNoRewind) {
  EXPECT_TRUE(Among(Say(RewindingHello()), &proto::PeerMessage::has_rewind_to));
  proto::PeerMessage rewound;
  rewound.mutable_rewind_done()->set_refill(true);
  rewound.mutable_rewind_done()->mutable_last();
  EXPECT_TRUE(Among(Say(rewound), &proto::PeerMessage::has_catch_up_begin));
  proto::PeerMessage ready;
  ready.mutable_catch_up_ready();
  Say(ready);
  proto::PeerMessage wanted;
  wanted.mutable_user_wanted()->set_all_sent(true);
  EXPECT_TRUE(Among(Say(wanted), &proto::PeerMessage::has_catch_up_end));

  EXPECT_FALSE(Among(Say(RewindingHello()), &proto::PeerMessage::has_rewind_to)) << "a late one";
  proto::PeerMessage ack;
  ack.mutable_ack();
  Say(ack);
  EXPECT_TRUE(Among(Say(RewindingHello()), &proto::PeerMessage::has_rewind_to))
      << "said behind the ack, it is news";
}

TEST_F(ConversationTest, ANextVersionThatSpeaksThisOneIsUnderstood) {
  proto::PeerMessage hello = RewindingHello();
  hello.mutable_hello()->set_protocol_version(replica::kProtocolVersion + 1);
  hello.mutable_hello()->set_oldest_version(replica::kProtocolVersion);
  for (const proto::PeerMessage& heard : Say(hello)) {
    EXPECT_EQ(heard.hello().refused(), "");
  }
  EXPECT_EQ(talk_->Snapshot().peer.refused, "");
  // What only the next version knows is let pass.
  proto::PeerMessage unknown;
  ASSERT_TRUE(unknown.MergeFromString("\xc2\x3e\x03new"));  // field 1000
  Say(unknown);
  EXPECT_FALSE(talk_->TakeDrop());
}

TEST_F(ConversationTest, AVersionThatDoesNotSpeakThisOneIsRefusedWithAReason) {
  for (const auto& [oldest, newest] :
       {std::pair(replica::kProtocolVersion + 1, replica::kProtocolVersion + 2),
        std::pair(0U, replica::kProtocolVersion + 1), std::pair(0U, 0U)}) {
    proto::PeerMessage hello = RewindingHello();
    hello.mutable_hello()->set_protocol_version(newest);
    hello.mutable_hello()->set_oldest_version(oldest);
    Say(hello);
    EXPECT_NE(talk_->Snapshot().peer.refused.find("update the older node"), std::string::npos);
    EXPECT_TRUE(talk_->TakeDrop());
    talk_->OnLinkDown(Unavailable("dropped"));
    talk_->OnLinkUp();
  }
}

}  // namespace
}  // namespace twinspool::test
