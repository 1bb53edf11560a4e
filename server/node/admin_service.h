// AdminService: proto::Admin over gRPC. Checks who asks, then hands the request to Operations.
//
// Callers on the Unix socket are trusted (the socket is 0660, group twinspool). Callers over the
// network need a certificate with the pair's admin role.
#pragma once

#include <memory>

#include <grpcpp/grpcpp.h>

#include "server/node/operations.h"

namespace twinspool::node {

/// `admin_uri`: what a remote caller's certificate must carry; empty: nobody remote is let in. Both
/// outlive the service; every request is answered on a thread of gRPC.
std::unique_ptr<grpc::Service> MakeAdminService(Operations& operations, std::string admin_uri);

}  // namespace twinspool::node
