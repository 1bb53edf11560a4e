// Node: the whole of twinspoold. Builds every part in order, wires them, and takes them down in
// reverse.
//
//   control file → store → pair (role machine, conversation) → administration (Unix socket) → peer
//   link and remote administration (once there are certificates) → doors for clients
//
// Clients are greeted from the start; who is not primary says BYE. Stop() hands over first.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/env.h"
#include "common/metrics.h"
#include "common/status.h"
#include "common/tls.h"
#include "replica/grpc_link.h"
#include "replica/pair.h"
#include "server/net/http_client.h"
#include "server/node/admin_service.h"
#include "server/node/control.h"
#include "server/node/credentials.h"
#include "server/node/listeners.h"
#include "server/node/observer.h"
#include "server/node/operations.h"
#include "server/node/pairing.h"
#include "server/node/tls_files.h"
#include "server/store/store.h"

namespace twinspool::node {

class Node final : public Operations {
 public:
  /// Everything runs when this returns. Errors name what could not be had and what to do; nothing
  /// on disk was overwritten then.
  static Result<std::unique_ptr<Node>> Start(const NodeConfig& config);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() override;

  /// Graceful: a primary resigns to its standby, a standby steps back, clients are told goodbye.
  void Stop();
  /// Reads certificates and keys for clients again; nothing changes if any of them is broken.
  /// Sessions go on with what they have.
  twinspool::Status Reload();
  /// A line for the service manager; never waits.
  std::string StatusLine();
  /// Writes the control file and reads the store: returns only if the disk still does both.
  twinspool::Status Probe();

  proto::NodeStatus Status() override;
  proto::NodeStatus LastStatus() override;
  proto::RoleReply Promote(const proto::PromoteRequest& request) override;
  proto::RoleReply Demote(const proto::RoleRequest& request) override;
  proto::RoleReply Undemote(const proto::RoleRequest& request) override;
  proto::RoleReply Switchover(const proto::RoleRequest& request) override;
  proto::RoleReply Fence(const proto::RoleRequest& request) override;
  proto::RoleReply Solo(const proto::SoloRequest& request) override;
  proto::RoleReply AcceptEpoch(const proto::AcceptEpochRequest& request) override;
  proto::PairReply PairInit(const proto::PairInitRequest& request) override;
  proto::PairReply PairInvite(const proto::PairInviteRequest& request) override;
  proto::PairReply PairJoin(const proto::PairJoinRequest& request) override;
  proto::RoleReply PairDissolve(const proto::PairDissolveRequest& request) override;
  void VerifyPair(const proto::VerifyRequest& request, const VerifyProgress& progress) override;
  proto::UserReply UserAdd(const proto::UserRequest& request) override;
  proto::UserReply UserPassword(const proto::UserRequest& request) override;
  proto::UserReply UserDelete(const proto::UserRequest& request) override;
  proto::UserReply UserList(const proto::UserListRequest& request,
                            const std::function<bool(const proto::UserInfo&)>& sink) override;
  proto::UserReply ExpungedList(
      const proto::ExpungedListRequest& request,
      const std::function<bool(const proto::ExpungedInfo&)>& sink) override;
  proto::UserReply ExpungedRestore(const proto::RestoreRequest& request) override;
  proto::UserReply MailboxDeleted(
      const proto::MailboxListRequest& request,
      const std::function<bool(const proto::DeletedInfo&)>& sink) override;
  proto::UserReply MailboxRestore(const proto::RestoreRequest& request) override;
  proto::UserReply UserQuota(const proto::UserQuotaRequest& request) override;
  proto::UserReply AclSet(const proto::AclSetRequest& request) override;
  proto::UserReply AclList(const proto::AclListRequest& request,
                           const std::function<bool(const proto::AclInfo&)>& sink) override;
  proto::UserReply MailboxList(const proto::MailboxListRequest& request,
                               const std::function<bool(const proto::MailboxInfo&)>& sink) override;
  proto::SalvageReply SalvageList(
      const proto::SalvageListRequest& request,
      const std::function<bool(const proto::SalvageInfo&)>& sink) override;
  proto::SalvageReply SalvageRead(
      const proto::SalvageReadRequest& request,
      const std::function<bool(const proto::SalvagePiece&)>& sink) override;
  proto::SalvageReply SalvageReinject(const proto::SalvageRequest& request) override;
  proto::SalvageReply SalvageDiscard(const proto::SalvageRequest& request) override;
  proto::UserReply AppPasswordAdd(const proto::AppPasswordRequest& request) override;
  proto::UserReply AppPasswordRemove(const proto::AppPasswordRequest& request) override;
  proto::UserReply AppPasswordList(
      const proto::AppPasswordRequest& request,
      const std::function<bool(const proto::AppPasswordInfo&)>& sink) override;
  proto::UserReply Reload(const proto::ReloadRequest& request) override;
  std::string Metrics() override;

 private:
  explicit Node(const NodeConfig& config);
  twinspool::Status Build();
  /// What tokens of OAuth 2.0 are checked by.
  twinspool::Status OpenTokens();
  twinspool::Status OpenStore();
  twinspool::Status StartPair();
  /// Peer link and peer-listen, as far as this node has certificates.
  twinspool::Status OpenPeer();
  twinspool::Status OpenDoors();
  /// What decoys of logins are made from, the same on both nodes.
  twinspool::Status LoadLoginSecret();
  void StopPair();
  /// Clients must look for the new primary.
  void CloseSessions();
  replica::PairPlace Place() const;
  proto::NodeStatus StatusFrom(const replica::PairStatus& pair);
  void FillVerified(const replica::VerifyResult& result, proto::VerifyProgress* last);
  void FillDeep(const replica::DeepResult& result, proto::VerifyProgress* last);
  /// With the names that user and mailbox have here now.
  proto::DamageInfo Named(proto::DamageInfo info, const proto::Damage& damage);
  /// The answer, progress being told meanwhile; nothing when nobody listens any more.
  template <typename Result>
  std::optional<Result> AwaitWith(const std::function<void(std::function<void(Result)>)>& begin,
                                  const VerifyProgress& progress);
  /// No connection of the pair's former second node any more.
  void ClosePeer();
  proto::JoinReply AcceptJoin(const proto::JoinRequest& request);
  proto::RoleReply Order(replica::core::Order order, std::uint32_t timeout_ms);
  proto::RoleReply PlainOrder(replica::core::Order order, const proto::RoleRequest& request);
  std::shared_ptr<replica::Pair> pair() const;

  const NodeConfig config_;
  const TlsFiles tls_files_;
  std::unique_ptr<net::HttpClient> introspection_;
  NodeCredentials credentials_;
  twinspool::Metrics metrics_;
  std::unique_ptr<NodeControl> control_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Pairing> pairing_;
  std::unique_ptr<NodeObserver> observer_;

  std::atomic<std::int64_t> certificate_expires_ns_{0};  // of this node; 0: none
  std::mutex pairing_mutex_;                             // one change of identity at a time
  mutable std::mutex pair_mutex_;
  std::shared_ptr<replica::Pair> pair_;  // guarded by pair_mutex_; replaced by `pair join` only
  /// Node 0: the service whose streams are the link, there as soon as the node has certificates.
  std::unique_ptr<replica::PeerService> peer_service_;
  /// Node 1: the end that dials.
  std::unique_ptr<replica::PeerLink> dialler_;

  std::shared_ptr<TlsSource> mail_tls_;
  std::unique_ptr<AdminSocket> admin_socket_;
  std::unique_ptr<grpc::Service> remote_admin_;
  std::unique_ptr<replica::PeerServer> peer_server_;
  std::unique_ptr<Listeners> listeners_;
  std::atomic<Listeners*> open_doors_{nullptr};  // what the observer may close sessions of
  bool stopped_ = false;
};

}  // namespace twinspool::node
