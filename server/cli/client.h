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

  /// Unary call; kUnavailable when the node cannot be reached (with the address in the text): it
  /// was asked nothing. kOutcomeUnknown when the connection broke before the answer came, kTimeout
  /// when no answer came in time.
  template <typename Request, typename Reply>
  Result<Reply> Call(Method<Request, Reply> method, const Request& request, int timeout_s = 0) {
    grpc::ClientContext context;
    SetDeadline(&context, timeout_s);
    const bool asked = Connected(context.deadline());
    Reply reply;
    const grpc::Status status = ((*stub_).*method)(&context, request, &reply);
    if (!status.ok()) {
      return Translate(status, asked);
    }
    return reply;
  }

  proto::Admin::Stub& stub() { return *stub_; }
  void SetDeadline(grpc::ClientContext* context, int timeout_s) const;
  /// `asked`: the connection stood, so the node may have acted on the call.
  Status Translate(const grpc::Status& status, bool asked = false) const;

 private:
  Client(Target target, std::shared_ptr<grpc::Channel> channel)
      : target_(std::move(target)),
        channel_(std::move(channel)),
        stub_(proto::Admin::NewStub(channel_)) {}

  bool Connected(std::chrono::system_clock::time_point deadline) const;

  const Target target_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<proto::Admin::Stub> stub_;
};

}  // namespace twinspool::cli
