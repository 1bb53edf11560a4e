// The pair's stream over loopback with real certificates.
#include "replica/grpc_link.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include <gtest/gtest.h>

#include "common/certificates.h"
#include "tests/support/pair_node.h"

namespace twinspool::replica {
namespace {

using test::PairNode;

const PairId kPair = PairId::FromBytes(std::string(PairId::kSize, 'p'));
const PairId kOther = PairId::FromBytes(std::string(PairId::kSize, 'x'));
const NodeId kMember = NodeId::FromBytes(std::string(NodeId::kSize, 'm'));
const NodeId kFormer = NodeId::FromBytes(std::string(NodeId::kSize, 'f'));
constexpr std::chrono::seconds kPatience(20);

/// Writes down what it is told.
class Recorder : public LinkListener {
 public:
  void OnLinkUp() override {
    Add([this] { ++ups; });
  }
  void OnMessage(proto::PeerMessage message) override {
    Add([&] { seqs.push_back(message.ack().durable_upto()); });
  }
  void OnLinkDown(const Status& reason) override {
    Add([&] {
      ++downs;
      why = reason.ToString();
    });
  }
  template <typename Condition>
  bool Wait(const Condition& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return condition(*this); });
  }

  int ups = 0;
  int downs = 0;
  std::deque<std::uint64_t> seqs;
  std::string why;

 private:
  template <typename Change>
  void Add(const Change& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
};

proto::PeerMessage Numbered(std::uint64_t n, std::size_t padding = 0) {
  proto::PeerMessage message;
  message.mutable_ack()->set_durable_upto(n);
  if (padding > 0) {
    message.mutable_frame_part()->set_octets(std::string(padding, 'x'));
  }
  return message;
}

class GrpcLinkTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto authority = MakeAuthority("test pair");
    ASSERT_TRUE(authority.ok()) << authority.status().ToString();
    shared_authority = new KeyAndCertificate(*authority);
  }
  static LinkCertificates Certificates(PairId pair, int index, NodeId node = kMember) {
    CertificateSpec spec;
    spec.common_name = "node";
    spec.dns_names = {kPeerDnsName};
    spec.uris = {NodeUri(pair, index), MemberUri(pair, node)};
    auto issued = IssueCertificate(*shared_authority, spec);
    EXPECT_TRUE(issued.ok()) << issued.status().ToString();
    return {shared_authority->certificate_pem, issued->certificate_pem, issued->key_pem};
  }
  void Serve(PairId pair = kPair, JoinHandler join = {}) {
    service_ = MakePeerService(
        pair, [this] { return has_member_ ? kMember : NodeId(); }, std::move(join));
    auto server = StartPeerServer("127.0.0.1:0", Certificates(pair, 0), {service_->service()});
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
  }
  std::unique_ptr<PeerLink> Dial(PairId certified = kPair, int index = 1, PairId expected = kPair) {
    return DialPeer("127.0.0.1:" + std::to_string(server_->port()), Certificates(certified, index),
                    expected, SystemRandom());
  }
  void TearDown() override {
    if (dialer_ != nullptr) {
      dialer_->Stop();
    }
    if (service_ != nullptr) {
      service_->Stop();
    }
    if (server_ != nullptr) {
      server_->Stop();
    }
  }
  static bool WaitForError(const PeerLink& link, const std::string& piece) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
      if (link.last_error().find(piece) != std::string::npos) {
        return true;
      }
      std::this_thread::yield();
    }
    return false;
  }

  static KeyAndCertificate* shared_authority;
  std::atomic<bool> has_member_{true};
  std::unique_ptr<PeerService> service_;
  std::unique_ptr<PeerServer> server_;
  std::unique_ptr<PeerLink> dialer_;
  Recorder at_server_;
  Recorder at_dialer_;
};

KeyAndCertificate* GrpcLinkTest::shared_authority = nullptr;

TEST_F(GrpcLinkTest, CarriesMessagesBothWaysInOrder) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial();
  EXPECT_FALSE(dialer_->Send(Numbered(0))) << "not connected yet";
  dialer_->Start(&at_dialer_);
  ASSERT_TRUE(at_server_.Wait([](const auto& r) { return r.ups == 1; }));
  ASSERT_TRUE(at_dialer_.Wait([](const auto& r) { return r.ups == 1; }));
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    ASSERT_TRUE(dialer_->Send(Numbered(i)));
    ASSERT_TRUE(service_->Send(Numbered(i)));
  }
  ASSERT_TRUE(at_server_.Wait([](const auto& r) { return r.seqs.size() == 1'000; }));
  ASSERT_TRUE(at_dialer_.Wait([](const auto& r) { return r.seqs.size() == 1'000; }));
  EXPECT_TRUE(std::is_sorted(at_server_.seqs.begin(), at_server_.seqs.end()));
  EXPECT_TRUE(std::is_sorted(at_dialer_.seqs.begin(), at_dialer_.seqs.end()));
  EXPECT_EQ(dialer_->last_error(), "");
}

TEST_F(GrpcLinkTest, ReconnectsAfterADropAtEitherEnd) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial();
  dialer_->Start(&at_dialer_);
  ASSERT_TRUE(at_server_.Wait([](const auto& r) { return r.ups == 1; }));
  service_->Drop(Timeout("silent"));
  ASSERT_TRUE(at_dialer_.Wait([](const auto& r) { return r.downs == 1 && r.ups == 2; }));
  EXPECT_NE(at_server_.why.find("silent"), std::string::npos);
  dialer_->Drop(Timeout("silent, too"));
  ASSERT_TRUE(at_server_.Wait([](const auto& r) { return r.downs == 2 && r.ups == 3; }));
}

TEST_F(GrpcLinkTest, DialsUntilTheOtherEndIsThere) {
  Serve();
  const int port = server_->port();
  server_->Stop();
  dialer_ =
      DialPeer("127.0.0.1:" + std::to_string(port), Certificates(kPair, 1), kPair, SystemRandom());
  dialer_->Start(&at_dialer_);
  ASSERT_TRUE(WaitForError(*dialer_, "127.0.0.1"));
  service_->Stop();
  service_ = MakePeerService(kPair, [] { return kMember; }, {});
  service_->Start(&at_server_);
  auto server = StartPeerServer("127.0.0.1:" + std::to_string(port), Certificates(kPair, 0),
                                {service_->service()});
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  server_ = std::move(server).value();
  EXPECT_TRUE(at_dialer_.Wait([](const auto& r) { return r.ups == 1; }));
}

TEST_F(GrpcLinkTest, WrongCertificateNamesAreRefusedByTheServer) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial(kOther, 1, kPair);
  dialer_->Start(&at_dialer_);
  EXPECT_TRUE(WaitForError(*dialer_, "certificate names " + NodeUri(kOther, 1)));
  EXPECT_TRUE(WaitForError(*service_, NodeUri(kPair, 1)));
  EXPECT_EQ(at_server_.ups, 0);
}

TEST_F(GrpcLinkTest, TwoNodesOfTheSameIndexDoNotTalk) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial(kPair, 0);
  dialer_->Start(&at_dialer_);
  EXPECT_TRUE(WaitForError(*service_, "refused a connection"));
  EXPECT_EQ(at_server_.ups, 0);
}

TEST_F(GrpcLinkTest, ANodeThatLeftThePairDoesNotDisplaceTheOneThatJoined) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial();
  dialer_->Start(&at_dialer_);
  ASSERT_TRUE(at_dialer_.Wait([](const auto& r) { return r.ups == 1; }));
  Recorder at_former;
  const auto former = DialPeer("127.0.0.1:" + std::to_string(server_->port()),
                               Certificates(kPair, 1, kFormer), kPair, SystemRandom());
  former->Start(&at_former);
  EXPECT_TRUE(WaitForError(*former, MemberUri(kPair, kMember)));
  EXPECT_EQ(at_former.ups + at_dialer_.downs, 0);
  has_member_ = false;
  dialer_->Drop(Unavailable("the pair was dissolved"));
  EXPECT_TRUE(WaitForError(*dialer_, "no second node"));
  former->Stop();
}

TEST_F(GrpcLinkTest, WrongCertificateNamesAreRefusedByTheDialer) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial(kPair, 1, kOther);
  dialer_->Start(&at_dialer_);
  EXPECT_TRUE(WaitForError(*dialer_, "and not " + NodeUri(kOther, 0)));
  EXPECT_EQ(at_dialer_.ups, 0);
}

TEST_F(GrpcLinkTest, ANewerConnectionReplacesTheOlder) {
  Serve();
  service_->Start(&at_server_);
  dialer_ = Dial();
  dialer_->Start(&at_dialer_);
  ASSERT_TRUE(at_server_.Wait([](const auto& r) { return r.ups == 1; }));
  Recorder second;
  const std::unique_ptr<PeerLink> newer = Dial();
  newer->Start(&second);
  EXPECT_TRUE(at_server_.Wait([](const auto& r) { return r.ups >= 2 && r.downs >= 1; }));
  EXPECT_TRUE(at_dialer_.Wait([](const auto& r) { return r.downs >= 1; }));
  newer->Stop();
}

TEST_F(GrpcLinkTest, AFullWindowBlocksSendUntilTheLinkIsDropped) {
  // A listener that takes nothing: back-pressure reaches the sender.
  class Stuck : public Recorder {
   public:
    void OnMessage(proto::PeerMessage message) override {
      std::unique_lock lock(gate_);
      opened_.wait(lock, [this] { return open_; });
      Recorder::OnMessage(std::move(message));
    }
    void Open() {
      {
        const std::lock_guard lock(gate_);
        open_ = true;
      }
      opened_.notify_all();
    }

   private:
    std::mutex gate_;
    std::condition_variable opened_;
    bool open_ = false;
  } stuck;
  Serve();
  service_->Start(&stuck);
  dialer_ = Dial();
  dialer_->Start(&at_dialer_);
  ASSERT_TRUE(at_dialer_.Wait([](const auto& r) { return r.ups == 1; }));
  std::thread sender([&] {
    while (dialer_->Send(Numbered(1, 1u << 20))) {
    }
  });
  dialer_->Drop(Timeout("the test is over"));
  sender.join();
  stuck.Open();
  service_->Stop();  // nothing reaches the listener any more when it goes
}

TEST_F(GrpcLinkTest, APairOverGrpcReplicatesAndFailsOver) {
  const std::filesystem::path dir =
      std::filesystem::path(testing::TempDir()) / ("grpc-pair-" + std::to_string(getpid()));
  Serve();
  PairNode a(0, dir / "a");
  PairNode b(1, dir / "b");
  MakeJoined(&a, &b);
  a.Start();
  b.Start();
  dialer_ = Dial();
  a.Connect(*service_);
  b.Connect(*dialer_);
  ASSERT_TRUE(b.WaitFor(core::Role::kStandby));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(a.Append("message " + std::to_string(i)));
  }
  ASSERT_TRUE(a.Append(std::string(9u << 20, 'x'))) << "nine parts";
  EXPECT_EQ(a.store.Digest(), b.store.Digest());
  EXPECT_EQ(a.Run(core::Switchover{}).code, core::Outcome::kDone);
  ASSERT_TRUE(b.WaitFor(core::Role::kPrimary));
  EXPECT_TRUE(b.Append("on the other"));
  ASSERT_TRUE(a.WaitFor(core::Role::kStandby));
  a.Stop();
  b.Stop();
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace twinspool::replica
