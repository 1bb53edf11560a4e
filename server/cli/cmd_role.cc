// promote, switchover, demote, fence, solo, …: everything that changes a role.
#include <cstdio>

#include "common/json.h"
#include "server/cli/commands.h"

namespace twinspool::cli {
namespace {

constexpr std::uint32_t kDefaultTimeoutS = 30;

ExitCode Show(const Result<proto::RoleReply>& result, bool json) {
  if (!result.ok()) {
    return Fail(result.status(), json);
  }
  const proto::RoleReply& reply = *result;
  const bool ok = reply.outcome() == proto::DONE || reply.outcome() == proto::DONE_WRITES_BLOCKED;
  if (json) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", ok)
                            .Add("exit_code", static_cast<int>(reply.outcome()))
                            .Add("role", reply.role())
                            .Add("epoch", reply.epoch())
                            .Add("message", reply.message())
                            .Add("next", reply.next())
                            .Finish()
                            .c_str());
    return reply.outcome();
  }
  std::FILE* out = ok ? stdout : stderr;
  std::fprintf(out, "%s\n", reply.message().c_str());
  if (!reply.next().empty()) {
    std::fprintf(out, "next: %s\n", reply.next().c_str());
  }
  return reply.outcome();
}

/// Fills what all role requests share, calls, and shows the answer.
template <typename Request>
ExitCode Run(Client& client, const Arguments& arguments,
             Client::Method<Request, proto::RoleReply> method, Request request) {
  request.set_expect_epoch(arguments.Number("expect-epoch"));
  request.set_actor(Actor());
  const std::uint32_t timeout_s = arguments.Number("timeout", kDefaultTimeoutS);
  if constexpr (requires { request.set_timeout_ms(1u); }) {
    request.set_timeout_ms(timeout_s * 1000);
  }
  // The node itself keeps the time and says in which state it left things; ours is the safety net.
  return Show(client.Call(method, request, static_cast<int>(timeout_s) + 5), arguments.json);
}

}  // namespace

ExitCode RunPromote(Client& client, const Arguments& arguments) {
  proto::PromoteRequest request;
  request.set_peer_fenced(arguments.Has("peer-fenced"));
  request.set_peer_not_promoted(arguments.Has("peer-not-promoted"));
  request.set_allow_data_loss(arguments.Has("allow-data-loss"));
  return Run(client, arguments, &proto::Admin::Stub::Promote, request);
}

ExitCode RunDemote(Client& client, const Arguments& arguments) {
  return Run(client, arguments, &proto::Admin::Stub::Demote, proto::RoleRequest());
}

ExitCode RunUndemote(Client& client, const Arguments& arguments) {
  return Run(client, arguments, &proto::Admin::Stub::Undemote, proto::RoleRequest());
}

ExitCode RunSwitchover(Client& client, const Arguments& arguments) {
  return Run(client, arguments, &proto::Admin::Stub::Switchover, proto::RoleRequest());
}

ExitCode RunFence(Client& client, const Arguments& arguments) {
  return Run(client, arguments, &proto::Admin::Stub::Fence, proto::RoleRequest());
}

ExitCode RunSolo(Client& client, const Arguments& arguments) {
  proto::SoloRequest request;
  request.set_peer_fenced(arguments.Has("peer-fenced"));
  return Run(client, arguments, &proto::Admin::Stub::Solo, request);
}

ExitCode RunAcceptEpoch(Client& client, const Arguments& arguments) {
  proto::AcceptEpochRequest request;
  const std::string& text = arguments.positional[0];
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos ||
      text.size() > 5) {
    return Fail(InvalidArgument("accept-epoch: '" + text + "' is no epoch"), arguments.json);
  }
  request.set_epoch(static_cast<std::uint32_t>(std::stoul(text)));
  return Run(client, arguments, &proto::Admin::Stub::AcceptEpoch, request);
}

}  // namespace twinspool::cli
