#include "server/node/admin_service.h"

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grpc/grpc_security_constants.h>
#include <sys/stat.h>

#include "proto/admin.grpc.pb.h"

#include "common/log.h"

namespace twinspool::node {
namespace {

bool IsLocal(const grpc::ServerContext& context) {
  return context.peer().starts_with("unix:");
}

/// Who asks, for audit and status: from afar the name in the certificate, which was checked; on the
/// socket, which the group alone may use, what the client says.
std::string Who(const grpc::ServerContext& context, const std::string& says) {
  if (IsLocal(context)) {
    return says.empty() ? "somebody on the socket" : says;
  }
  const auto identity = context.auth_context();
  const auto names = identity == nullptr ? std::vector<grpc::string_ref>()
                                         : identity->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  const std::string name =
      names.empty() ? "no certificate"
                    : "certificate '" + std::string(names[0].data(), names[0].size()) + "'";
  return says.empty() ? name : name + ", " + says;
}

/// What an order is about, when it names something.
template <typename Request>
std::string Subject(const Request& request) {
  if constexpr (requires { request.uids(); }) {
    return request.user() + "/" + request.mailbox() + " " + request.uids();
  } else if constexpr (requires { request.identifier(); }) {
    return request.user() + "/" + request.mailbox() + " " + request.identifier() + " " +
           request.rights();
  } else if constexpr (requires { request.name(); }) {
    return request.name();
  } else if constexpr (requires { request.names(); }) {
    return request.names_size() == 1 ? request.names(0) : std::to_string(request.names_size());
  } else {
    return "";
  }
}

/// One line for every order of an operator, whatever came of it.
void Audit(const char* command, const std::string& subject, const std::string& actor,
           proto::Outcome outcome, const std::string& text) {
  LogInfo("operator_order", {{"command", command},
                             {"subject", subject},
                             {"actor", actor},
                             {"outcome", proto::Outcome_Name(outcome)},
                             {"text", text}});
}

class AdminService final : public proto::Admin::Service {
 public:
  AdminService(Operations& operations, std::string admin_uri)
      : operations_(operations), admin_uri_(std::move(admin_uri)) {}

  grpc::Status Status(grpc::ServerContext* context, const proto::StatusRequest*,
                      proto::NodeStatus* reply) override {
    return Guard(*context, "status", [&] { *reply = operations_.Status(); });
  }

#define TWINSPOOL_ADMIN_CALL(Method, Request, Reply)                                     \
  grpc::Status Method(grpc::ServerContext* context, const proto::Request* request,       \
                      proto::Reply* reply) override {                                    \
    proto::Request named = *request;                                                     \
    named.set_actor(Who(*context, request->actor()));                                    \
    return Guard(*context, #Method, [&] {                                                \
      *reply = operations_.Method(named);                                                \
      Audit(#Method, Subject(named), named.actor(), reply->outcome(), reply->message()); \
    });                                                                                  \
  }
  TWINSPOOL_ADMIN_CALL(Promote, PromoteRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(Demote, RoleRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(Undemote, RoleRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(Switchover, RoleRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(Fence, RoleRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(Solo, SoloRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(AcceptEpoch, AcceptEpochRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(PairInvite, PairInviteRequest, PairReply)
  TWINSPOOL_ADMIN_CALL(PairJoin, PairJoinRequest, PairReply)
  TWINSPOOL_ADMIN_CALL(PairDissolve, PairDissolveRequest, RoleReply)
  TWINSPOOL_ADMIN_CALL(UserAdd, UserRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(UserPassword, UserRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(UserDelete, UserRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(ExpungedRestore, RestoreRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(MailboxRestore, RestoreRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(UserQuota, UserQuotaRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(AclSet, AclSetRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(AppPasswordAdd, AppPasswordRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(AppPasswordRemove, AppPasswordRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(Reload, ReloadRequest, UserReply)
  TWINSPOOL_ADMIN_CALL(SalvageReinject, SalvageRequest, SalvageReply)
  TWINSPOOL_ADMIN_CALL(SalvageDiscard, SalvageRequest, SalvageReply)
#undef TWINSPOOL_ADMIN_CALL

  /// Replaces the very server that a call from afar would come through.
  grpc::Status PairInit(grpc::ServerContext* context, const proto::PairInitRequest* request,
                        proto::PairReply* reply) override {
    const std::string actor = Who(*context, request->actor());
    if (!IsLocal(*context)) {
      Audit("PairInit", "", actor, proto::NOT_ELIGIBLE, "only on the node itself");
      return {grpc::StatusCode::PERMISSION_DENIED,
              "pair init makes new certificates: type it on the node itself"};
    }
    *reply = operations_.PairInit(*request);
    Audit("PairInit", "", actor, reply->outcome(), reply->message());
    return grpc::Status::OK;
  }

  grpc::Status VerifyPair(grpc::ServerContext* context, const proto::VerifyRequest* request,
                          grpc::ServerWriter<proto::VerifyProgress>* writer) override {
    return Guard(*context, "VerifyPair", [&] {
      operations_.VerifyPair(*request, [&](const proto::VerifyProgress& progress) {
        return !context->IsCancelled() && writer->Write(progress);
      });
    });
  }

  grpc::Status UserList(grpc::ServerContext* context, const proto::UserListRequest* request,
                        grpc::ServerWriter<proto::UserInfo>* writer) override {
    return List(*context, "UserList", [&] {
      return operations_.UserList(*request,
                                  [&](const proto::UserInfo& user) { return writer->Write(user); });
    });
  }

  grpc::Status AppPasswordList(grpc::ServerContext* context,
                               const proto::AppPasswordRequest* request,
                               grpc::ServerWriter<proto::AppPasswordInfo>* writer) override {
    return List(*context, "AppPasswordList", [&] {
      return operations_.AppPasswordList(
          *request, [&](const proto::AppPasswordInfo& one) { return writer->Write(one); });
    });
  }

  grpc::Status MailboxList(grpc::ServerContext* context, const proto::MailboxListRequest* request,
                           grpc::ServerWriter<proto::MailboxInfo>* writer) override {
    return List(*context, "MailboxList", [&] {
      return operations_.MailboxList(
          *request, [&](const proto::MailboxInfo& mailbox) { return writer->Write(mailbox); });
    });
  }

  grpc::Status ExpungedList(grpc::ServerContext* context, const proto::ExpungedListRequest* request,
                            grpc::ServerWriter<proto::ExpungedInfo>* writer) override {
    return List(*context, "ExpungedList", [&] {
      return operations_.ExpungedList(
          *request, [&](const proto::ExpungedInfo& message) { return writer->Write(message); });
    });
  }

  grpc::Status MailboxDeleted(grpc::ServerContext* context,
                              const proto::MailboxListRequest* request,
                              grpc::ServerWriter<proto::DeletedInfo>* writer) override {
    return List(*context, "MailboxDeleted", [&] {
      return operations_.MailboxDeleted(
          *request, [&](const proto::DeletedInfo& mailbox) { return writer->Write(mailbox); });
    });
  }

  grpc::Status AclList(grpc::ServerContext* context, const proto::AclListRequest* request,
                       grpc::ServerWriter<proto::AclInfo>* writer) override {
    return List(*context, "AclList", [&] {
      return operations_.AclList(*request,
                                 [&](const proto::AclInfo& line) { return writer->Write(line); });
    });
  }

  grpc::Status SalvageList(grpc::ServerContext* context, const proto::SalvageListRequest* request,
                           grpc::ServerWriter<proto::SalvageInfo>* writer) override {
    return List(*context, "SalvageList", [&] {
      return operations_.SalvageList(
          *request, [&](const proto::SalvageInfo& item) { return writer->Write(item); });
    });
  }

  grpc::Status SalvageRead(grpc::ServerContext* context, const proto::SalvageReadRequest* request,
                           grpc::ServerWriter<proto::SalvagePiece>* writer) override {
    return List(*context, "SalvageRead", [&] {
      return operations_.SalvageRead(
          *request, [&](const proto::SalvagePiece& piece) { return writer->Write(piece); });
    });
  }

 private:
  bool Allowed(const grpc::ServerContext& context) const {
    if (IsLocal(context)) {
      return true;
    }
    const auto identity = context.auth_context();
    if (admin_uri_.empty() || identity == nullptr || !identity->IsPeerAuthenticated()) {
      return false;
    }
    const auto names = identity->FindPropertyValues("x509_subject_alternative_name");
    return std::any_of(names.begin(), names.end(), [&](const grpc::string_ref& name) {
      return name == grpc::string_ref(admin_uri_.data(), admin_uri_.size());
    });
  }

  template <typename Work>
  grpc::Status Guard(const grpc::ServerContext& context, const char* what, Work&& work) {
    if (!Allowed(context)) {
      LogWarn("admin_refused",
              {{"command", what}, {"actor", Who(context, "")}, {"peer", context.peer()}});
      return {grpc::StatusCode::PERMISSION_DENIED,
              "this needs a certificate with the pair's admin role"};
    }
    work();
    return grpc::Status::OK;
  }

  /// For streams whose refusal cannot be a message of the stream.
  template <typename Work>
  grpc::Status List(const grpc::ServerContext& context, const char* what, Work&& work) {
    decltype(work()) outcome;
    grpc::Status guarded = Guard(context, what, [&] { outcome = work(); });
    if (!guarded.ok() || outcome.outcome() == proto::DONE) {
      return guarded;
    }
    return {outcome.outcome() == proto::BAD_REQUEST ? grpc::StatusCode::NOT_FOUND
                                                    : grpc::StatusCode::FAILED_PRECONDITION,
            outcome.message()};
  }

  Operations& operations_;
  const std::string admin_uri_;
};

std::optional<gid_t> GroupNamed(const char* name) {
  group entry{};
  group* found = nullptr;
  char room[16384];  // for the names of its members
  getgrnam_r(name, &entry, room, sizeof room, &found);
  return found != nullptr ? std::optional(entry.gr_gid) : std::nullopt;
}

}  // namespace

std::unique_ptr<grpc::Service> MakeAdminService(Operations& operations, std::string admin_uri) {
  return std::make_unique<AdminService>(operations, std::move(admin_uri));
}

Result<std::unique_ptr<AdminSocket>> AdminSocket::Open(const std::string& path,
                                                       Operations& operations) {
  unlink(path.c_str());
  std::unique_ptr<AdminSocket> socket(new AdminSocket());
  socket->service_ = MakeAdminService(operations, "");
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  builder.RegisterService(socket->service_.get());
  socket->server_ = builder.BuildAndStart();
  if (socket->server_ == nullptr) {
    return IoError("cannot listen on the administration socket " + path +
                   ": its directory must exist and be writable here (option admin-socket)");
  }
  if (const std::optional<gid_t> owners = GroupNamed("twinspool");
      owners && chown(path.c_str(), static_cast<uid_t>(-1), *owners) != 0) {
    LogWarn("admin_socket_group", {{"path", path}, {"what", "cannot give it to group twinspool"}});
  }
  if (chmod(path.c_str(), 0660) != 0) {
    return IoError("cannot set the mode of " + path);
  }
  return socket;
}

void AdminSocket::Stop() {
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    server_->Wait();
    server_ = nullptr;
  }
}

AdminSocket::~AdminSocket() {
  Stop();
}

}  // namespace twinspool::node
