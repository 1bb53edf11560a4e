// GrpcServer: a gRPC server of the node with services of its own: one on the Unix socket for local
// administration, one on peer-listen for the peer and remote administration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common/config.h"
#include "common/status.h"
#include "server/node/tls_files.h"

namespace twinspool::node {

using GrpcServices = std::vector<std::unique_ptr<grpc::Service>>;

class GrpcServer {
 public:
  /// On a Unix socket, mode 0660, group "twinspool" if there is one. A stale socket file is
  /// replaced.
  static Result<std::unique_ptr<GrpcServer>> OnSocket(const std::string& path,
                                                      GrpcServices services);
  /// On TCP with mutual TLS: clients may come without a certificate (joining); every service checks
  /// the names it needs.
  static Result<std::unique_ptr<GrpcServer>> OnTls(const ListenAddress& address,
                                                   const NodeCertificates& certificates,
                                                   GrpcServices services);
  ~GrpcServer();
  /// Refuses new calls and cancels those that are still there after a second. Idempotent.
  void Stop();

 private:
  GrpcServer() = default;
  twinspool::Status Start(grpc::ServerBuilder* builder, const std::string& where,
                          GrpcServices services);

  GrpcServices services_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace twinspool::node
