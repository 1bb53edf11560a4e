// AdminService: proto::Admin over gRPC. Checks who asks, then hands the request to Operations.
//
// Callers on the Unix socket are trusted (the socket is 0660, group twinspool). Callers over the
// network need a certificate with the pair's admin role.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/service_type.h>

#include "common/status.h"
#include "server/node/operations.h"

namespace twinspool::node {

/// `admin_uri`: what a remote caller's certificate must carry; empty: nobody remote is let in. Both
/// outlive the service; every request is answered on a thread of gRPC.
std::unique_ptr<grpc::Service> MakeAdminService(Operations& operations, std::string admin_uri);

/// The Unix socket for local administration: mode 0660, group "twinspool" if there is one.
class AdminSocket {
 public:
  /// A stale socket file is replaced: the data directory's lock has shown that nobody lives here.
  static Result<std::unique_ptr<AdminSocket>> Open(const std::string& path, Operations& operations);
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;
  ~AdminSocket();
  /// Refuses new calls and cancels those that are still there after a second. Idempotent.
  void Stop();

 private:
  AdminSocket() = default;

  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace twinspool::node
