// The connection of twinspoolctl to a node: its Unix socket, or mutual TLS from afar.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "proto/admin.grpc.pb.h"

#include "common/status.h"

namespace twinspool::cli {

/// Where the node is and how to prove who asks; from the command line and the environment.
struct Target {
  std::string socket;   // path of admin.sock; used unless `address` is given
  std::string address;  // host:port of a node's peer-listen
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  int timeout_s = 30;
};

/// One node. Every call has a deadline of Target::timeout_s unless it says otherwise. One thread.
class Client {
 public:
  /// kInvalidArgument when certificate files are missing or unreadable; connects lazily.
  static Result<std::unique_ptr<Client>> Make(const Target& target);

  template <typename Request, typename Reply>
  using Method = grpc::Status (proto::Admin::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

  /// Unary call; kUnavailable when the node cannot be reached (with the address in the text),
  /// kTimeout when it did not answer in time.
  template <typename Request, typename Reply>
  Result<Reply> Call(Method<Request, Reply> method, const Request& request, int timeout_s = 0) {
    grpc::ClientContext context;
    SetDeadline(&context, timeout_s);
    Reply reply;
    const grpc::Status status = ((*stub_).*method)(&context, request, &reply);
    if (!status.ok()) {
      return Translate(status);
    }
    return reply;
  }

  proto::Admin::Stub& stub() { return *stub_; }
  void SetDeadline(grpc::ClientContext* context, int timeout_s) const;
  Status Translate(const grpc::Status& status) const;

 private:
  Client(Target target, std::unique_ptr<proto::Admin::Stub> stub)
      : target_(std::move(target)), stub_(std::move(stub)) {}

  const Target target_;
  const std::unique_ptr<proto::Admin::Stub> stub_;
};

}  // namespace twinspool::cli
