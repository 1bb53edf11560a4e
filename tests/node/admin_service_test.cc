// Who may administer a node from afar: only a certificate with the pair's admin role.
#include "server/node/admin_service.h"

#include <chrono>
#include <optional>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "proto/admin.grpc.pb.h"

#include "common/certificates.h"
#include "replica/grpc_link.h"

namespace twinspool::node {
namespace {

/// Answers every question with nothing, and counts.
class Obedient : public Operations {
 public:
  proto::NodeStatus LastStatus() override { return {}; }
  proto::NodeStatus Status() override { return Count(proto::NodeStatus()); }
  proto::RoleReply Promote(const proto::PromoteRequest&) override { return Role(); }
  proto::RoleReply Demote(const proto::RoleRequest&) override { return Role(); }
  proto::RoleReply Undemote(const proto::RoleRequest&) override { return Role(); }
  proto::RoleReply Switchover(const proto::RoleRequest&) override { return Role(); }
  proto::RoleReply Fence(const proto::RoleRequest&) override { return Role(); }
  proto::RoleReply Solo(const proto::SoloRequest&) override { return Role(); }
  proto::RoleReply AcceptEpoch(const proto::AcceptEpochRequest&) override { return Role(); }
  proto::PairReply PairInit(const proto::PairInitRequest&) override { return Pair(); }
  proto::PairReply PairInvite(const proto::PairInviteRequest&) override { return Pair(); }
  proto::PairReply PairJoin(const proto::PairJoinRequest&) override { return Pair(); }
  proto::RoleReply PairDissolve(const proto::PairDissolveRequest&) override { return Role(); }
  void VerifyPair(const proto::VerifyRequest&, const VerifyProgress&) override { ++calls_; }
  proto::UserReply UserAdd(const proto::UserRequest&) override { return User(); }
  proto::UserReply UserPassword(const proto::UserRequest&) override { return User(); }
  proto::UserReply UserDelete(const proto::UserRequest&) override { return User(); }
  proto::UserReply UserList(const proto::UserListRequest&,
                            const std::function<bool(const proto::UserInfo&)>&) override {
    return User();
  }
  proto::UserReply ExpungedList(const proto::ExpungedListRequest&,
                                const std::function<bool(const proto::ExpungedInfo&)>&) override {
    return User();
  }
  proto::UserReply ExpungedRestore(const proto::RestoreRequest&) override { return User(); }
  proto::UserReply MailboxDeleted(const proto::MailboxListRequest&,
                                  const std::function<bool(const proto::DeletedInfo&)>&) override {
    return User();
  }
  proto::UserReply MailboxRestore(const proto::RestoreRequest&) override { return User(); }
  proto::UserReply UserQuota(const proto::UserQuotaRequest&) override { return User(); }
  proto::UserReply AclSet(const proto::AclSetRequest&) override { return User(); }
  proto::UserReply AclList(const proto::AclListRequest&,
                           const std::function<bool(const proto::AclInfo&)>&) override {
    return User();
  }
  proto::UserReply AppPasswordAdd(const proto::AppPasswordRequest&) override { return User(); }
  proto::UserReply AppPasswordRemove(const proto::AppPasswordRequest&) override { return User(); }
  proto::UserReply AppPasswordList(
      const proto::AppPasswordRequest&,
      const std::function<bool(const proto::AppPasswordInfo&)>&) override {
    return User();
  }
  proto::UserReply Reload(const proto::ReloadRequest&) override { return User(); }
  proto::UserReply MailboxList(const proto::MailboxListRequest&,
                               const std::function<bool(const proto::MailboxInfo&)>&) override {
    return User();
  }
  proto::SalvageReply SalvageList(const proto::SalvageListRequest&,
                                  const std::function<bool(const proto::SalvageInfo&)>&) override {
    return Salvage();
  }
  proto::SalvageReply SalvageRead(const proto::SalvageReadRequest&,
                                  const std::function<bool(const proto::SalvagePiece&)>&) override {
    return Salvage();
  }
  proto::SalvageReply SalvageReinject(const proto::SalvageRequest&) override { return Salvage(); }
  proto::SalvageReply SalvageDiscard(const proto::SalvageRequest&) override { return Salvage(); }
  std::string Metrics() override { return ""; }

  int calls() const { return calls_; }

 private:
  template <typename Reply>
  Reply Count(Reply reply) {
    ++calls_;
    return reply;
  }
  proto::RoleReply Role() { return Count(proto::RoleReply()); }
  proto::PairReply Pair() { return Count(proto::PairReply()); }
  proto::UserReply User() { return Count(proto::UserReply()); }
  proto::SalvageReply Salvage() { return Count(proto::SalvageReply()); }

  int calls_ = 0;
};

const PairId kPair = PairId::FromBytes(std::string(PairId::kSize, 'p'));
const PairId kOther = PairId::FromBytes(std::string(PairId::kSize, 'x'));

class RemoteAdminTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto authority = MakeAuthority("test pair");
    ASSERT_TRUE(authority.ok());
    authority_ = *authority;
    const KeyAndCertificate own = Issue(NodeUri(kPair, 0));
    auto server = replica::StartPeerServer(
        "127.0.0.1:0", {authority_.certificate_pem, own.certificate_pem, own.key_pem},
        {service_.get()});
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
  }
  void TearDown() override { server_->Stop(); }

  KeyAndCertificate Issue(const std::string& uri) {
    CertificateSpec spec;
    spec.common_name = "someone";
    spec.dns_names = {replica::kPeerDnsName};
    spec.uris = {uri};
    auto issued = IssueCertificate(authority_, spec);
    EXPECT_TRUE(issued.ok());
    return *issued;
  }
  /// A client that shows a certificate with this name, or none.
  std::unique_ptr<proto::Admin::Stub> Client(const std::optional<std::string>& uri) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority_.certificate_pem;
    if (uri) {
      const KeyAndCertificate shown = Issue(*uri);
      options.pem_cert_chain = shown.certificate_pem;
      options.pem_private_key = shown.key_pem;
    }
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(replica::kPeerDnsName);
    return proto::Admin::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(server_->port()), grpc::SslCredentials(options), arguments));
  }
  template <typename Request, typename Reply>
  static grpc::Status Call(proto::Admin::Stub& stub,
                           grpc::Status (proto::Admin::Stub::*method)(grpc::ClientContext*,
                                                                      const Request&, Reply*)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    Reply reply;
    return (stub.*method)(&context, Request(), &reply);
  }

  KeyAndCertificate authority_;
  Obedient operations_;
  std::unique_ptr<grpc::Service> service_ = MakeAdminService(operations_, AdminUri(kPair));
  std::unique_ptr<replica::PeerServer> server_;
};

TEST_F(RemoteAdminTest, TheAdministratorIsObeyed) {
  const auto stub = Client(AdminUri(kPair));
  EXPECT_TRUE(Call(*stub, &proto::Admin::Stub::Status).ok());
  EXPECT_TRUE(Call(*stub, &proto::Admin::Stub::Switchover).ok());
  EXPECT_EQ(operations_.calls(), 2);
  EXPECT_EQ(Call(*stub, &proto::Admin::Stub::PairInit).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(operations_.calls(), 2);
}

TEST_F(RemoteAdminTest, NobodyElseIs) {
  for (const std::optional<std::string>& uri :
       {std::optional<std::string>(), std::optional(NodeUri(kPair, 1)),
        std::optional(FrontUri(kPair)), std::optional(AdminUri(kOther))}) {
    const auto stub = Client(uri);
    for (const grpc::Status& status :
         {Call(*stub, &proto::Admin::Stub::Status), Call(*stub, &proto::Admin::Stub::Promote),
          Call(*stub, &proto::Admin::Stub::PairDissolve),
          Call(*stub, &proto::Admin::Stub::PairInit), Call(*stub, &proto::Admin::Stub::UserDelete),
          Call(*stub, &proto::Admin::Stub::SalvageReinject),
          Call(*stub, &proto::Admin::Stub::SalvageDiscard)}) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED)
          << uri.value_or("no certificate") << ": " << status.error_message();
    }
  }
  EXPECT_EQ(operations_.calls(), 0);
}

}  // namespace
}  // namespace twinspool::node
