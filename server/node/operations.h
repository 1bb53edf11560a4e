// Operations: all that an operator can ask of a node, by whatever way (Unix socket, mutual TLS,
// HTTP). Implemented by Node; AdminService and the HTTP pages only translate.
#pragma once

#include <functional>
#include <string>

#include "proto/admin.pb.h"

namespace twinspool::node {

/// Every call may be made from any thread and may block up to its request's timeout.
class Operations {
 public:
  virtual ~Operations() = default;

  virtual proto::NodeStatus Status() = 0;
  /// As of the last change of role, or the last tick; never waits for anything.
  virtual proto::NodeStatus LastStatus() = 0;

  virtual proto::RoleReply Promote(const proto::PromoteRequest& request) = 0;
  virtual proto::RoleReply Demote(const proto::RoleRequest& request) = 0;
  virtual proto::RoleReply Undemote(const proto::RoleRequest& request) = 0;
  virtual proto::RoleReply Switchover(const proto::RoleRequest& request) = 0;
  virtual proto::RoleReply Fence(const proto::RoleRequest& request) = 0;
  virtual proto::RoleReply Solo(const proto::SoloRequest& request) = 0;
  virtual proto::RoleReply AcceptEpoch(const proto::AcceptEpochRequest& request) = 0;

  virtual proto::PairReply PairInit(const proto::PairInitRequest& request) = 0;
  virtual proto::PairReply PairInvite(const proto::PairInviteRequest& request) = 0;
  virtual proto::PairReply PairJoin(const proto::PairJoinRequest& request) = 0;
  virtual proto::RoleReply PairDissolve(const proto::PairDissolveRequest& request) = 0;

  /// Called with progress, at last with `finished`; answering false stops.
  using VerifyProgress = std::function<bool(const proto::VerifyProgress&)>;
  virtual void VerifyPair(const proto::VerifyRequest& request, const VerifyProgress& progress) = 0;

  virtual proto::UserReply UserAdd(const proto::UserRequest& request) = 0;
  virtual proto::UserReply UserPassword(const proto::UserRequest& request) = 0;
  virtual proto::UserReply UserDelete(const proto::UserRequest& request) = 0;
  virtual proto::UserReply ExpungedList(
      const proto::ExpungedListRequest& request,
      const std::function<bool(const proto::ExpungedInfo&)>& sink) = 0;
  virtual proto::UserReply ExpungedRestore(const proto::RestoreRequest& request) = 0;
  virtual proto::UserReply MailboxDeleted(
      const proto::MailboxListRequest& request,
      const std::function<bool(const proto::DeletedInfo&)>& sink) = 0;
  virtual proto::UserReply MailboxRestore(const proto::RestoreRequest& request) = 0;
  virtual proto::UserReply UserQuota(const proto::UserQuotaRequest& request) = 0;
  virtual proto::UserReply AclSet(const proto::AclSetRequest& request) = 0;
  virtual proto::UserReply AclList(const proto::AclListRequest& request,
                                   const std::function<bool(const proto::AclInfo&)>& sink) = 0;
  /// `sink` answers false to stop.
  virtual proto::UserReply UserList(const proto::UserListRequest& request,
                                    const std::function<bool(const proto::UserInfo&)>& sink) = 0;
  virtual proto::UserReply MailboxList(
      const proto::MailboxListRequest& request,
      const std::function<bool(const proto::MailboxInfo&)>& sink) = 0;

  /// An outcome other than DONE: nothing, or not all, went to the sink.
  virtual proto::SalvageReply SalvageList(
      const proto::SalvageListRequest& request,
      const std::function<bool(const proto::SalvageInfo&)>& sink) = 0;
  virtual proto::SalvageReply SalvageRead(
      const proto::SalvageReadRequest& request,
      const std::function<bool(const proto::SalvagePiece&)>& sink) = 0;
  virtual proto::SalvageReply SalvageReinject(const proto::SalvageRequest& request) = 0;
  virtual proto::SalvageReply SalvageDiscard(const proto::SalvageRequest& request) = 0;

  virtual proto::UserReply AppPasswordAdd(const proto::AppPasswordRequest& request) = 0;
  virtual proto::UserReply AppPasswordRemove(const proto::AppPasswordRequest& request) = 0;
  virtual proto::UserReply AppPasswordList(
      const proto::AppPasswordRequest& request,
      const std::function<bool(const proto::AppPasswordInfo&)>& sink) = 0;
  virtual proto::UserReply Reload(const proto::ReloadRequest& request) = 0;

  /// Prometheus text.
  virtual std::string Metrics() = 0;
};

}  // namespace twinspool::node
