// pair init/invite/join/dissolve and verify-pair.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "common/json.h"
#include "server/cli/commands.h"
#include "server/cli/status_text.h"

namespace twinspool::cli {
namespace {

constexpr std::uint32_t kVerifyTimeoutS = 3600;
constexpr std::uint32_t kDeepTimeoutS = 48 * 3600;

ExitCode Show(const Result<proto::PairReply>& result, bool json) {
  if (!result.ok()) {
    return Fail(result.status(), json);
  }
  const proto::PairReply& reply = *result;
  const bool ok = reply.outcome() == proto::DONE;
  if (json) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", ok)
                            .Add("exit_code", static_cast<int>(reply.outcome()))
                            .Add("message", reply.message())
                            .Add("join_string", reply.join_string())
                            .Add("pair_id", reply.pair_id())
                            .Add("node_index", reply.node_index())
                            .Add("next", reply.next())
                            .Finish()
                            .c_str());
    return reply.outcome();
  }
  std::fprintf(ok ? stdout : stderr, "%s\n", reply.message().c_str());
  if (!reply.join_string().empty()) {
    std::printf("%s\n", reply.join_string().c_str());
  }
  if (!reply.next().empty()) {
    std::fprintf(ok ? stdout : stderr, "next: %s\n", reply.next().c_str());
  }
  return reply.outcome();
}

std::string DifferencesJson(const proto::VerifyProgress& progress) {
  JsonWriter list = JsonWriter::Array();
  for (const proto::Difference& d : progress.differences()) {
    list.AddRaw(JsonWriter::Object()
                    .Add("user", d.user())
                    .Add("mailbox", d.mailbox())
                    .Add("mailbox_id", d.mailbox_id())
                    .Add("here", d.here())
                    .Add("there", d.there())
                    .Finish());
  }
  return list.Finish();
}

std::string DamageListJson(const proto::VerifyProgress& progress) {
  JsonWriter list = JsonWriter::Array();
  for (const proto::DamageInfo& d : progress.damage()) {
    list.AddRaw(DamageJson(d));
  }
  return list.Finish();
}

void ShowVerified(const proto::VerifyProgress& progress, bool json) {
  if (json) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", progress.outcome() == proto::DONE)
                            .Add("exit_code", static_cast<int>(progress.outcome()))
                            .Add("mailboxes", std::uint64_t{progress.mailboxes_compared()})
                            .Add("seq", std::uint64_t{progress.seq()})
                            .Add("message", progress.message())
                            .AddRaw("differences", DifferencesJson(progress))
                            .Add("mailboxes_read", std::uint64_t{progress.mailboxes_read()})
                            .Add("bodies_read", std::uint64_t{progress.bodies_read()})
                            .Add("damage_found", std::uint64_t{progress.damage_found()})
                            .Add("damage_healed", std::uint64_t{progress.damage_healed()})
                            .AddRaw("damage", DamageListJson(progress))
                            .Finish()
                            .c_str());
    return;
  }
  std::printf("%s\n", progress.message().c_str());
  for (const proto::DamageInfo& d : progress.damage()) {
    std::printf("  %s\n", DamageText(d).c_str());
  }
  for (const proto::Difference& d : progress.differences()) {
    std::printf("  %s  %s  (%s): here %s, there %s\n", d.user().c_str(), d.mailbox().c_str(),
                d.mailbox_id().c_str(), d.here().c_str(), d.there().c_str());
  }
}

}  // namespace

ExitCode RunPairInit(Client& client, const Arguments& arguments) {
  proto::PairInitRequest request;
  request.set_actor(Actor());
  return Show(client.Call(&proto::Admin::Stub::PairInit, request), arguments.json);
}

ExitCode RunPairInvite(Client& client, const Arguments& arguments) {
  proto::PairInviteRequest request;
  request.set_address(arguments.positional[0]);
  request.set_actor(Actor());
  return Show(client.Call(&proto::Admin::Stub::PairInvite, request), arguments.json);
}

ExitCode RunPairJoin(Client& client, const Arguments& arguments) {
  proto::PairJoinRequest request;
  std::string join_string = arguments.positional[0];
  if (join_string == "-") {
    std::getline(std::cin, join_string);  // other users see command lines
  }
  request.set_join_string(join_string);
  request.set_expect_epoch(arguments.Number("expect-epoch"));
  request.set_actor(Actor());
  return Show(client.Call(&proto::Admin::Stub::PairJoin, request), arguments.json);
}

ExitCode RunPairDissolve(Client& client, const Arguments& arguments) {
  proto::PairDissolveRequest request;
  request.set_expect_epoch(arguments.Number("expect-epoch"));
  request.set_peer_never_returns(arguments.Has("peer-never-returns"));
  request.set_actor(Actor());
  const auto reply = client.Call(&proto::Admin::Stub::PairDissolve, request);
  if (!reply.ok()) {
    return Fail(reply.status(), arguments.json);
  }
  proto::PairReply shown;
  shown.set_outcome(reply->outcome());
  shown.set_message(reply->message());
  shown.set_next(reply->next());
  return Show(shown, arguments.json);
}

ExitCode RunVerifyPair(Client& client, const Arguments& arguments) {
  proto::VerifyRequest request;
  request.set_deep(arguments.Has("deep"));
  grpc::ClientContext context;
  const std::uint32_t most_s = request.deep() ? kDeepTimeoutS : kVerifyTimeoutS;
  client.SetDeadline(&context, static_cast<int>(arguments.Number("timeout", most_s)));
  const auto stream = client.stub().VerifyPair(&context, request);
  const bool terminal = isatty(STDERR_FILENO) == 1;
  proto::VerifyProgress progress;
  bool finished = false;
  while (stream->Read(&progress)) {
    finished = progress.finished();
    if (terminal && !finished) {
      std::fprintf(stderr, "\rread %llu mailboxes, %llu bodies here",
                   static_cast<unsigned long long>(progress.mailboxes_read()),
                   static_cast<unsigned long long>(progress.bodies_read()));
    }
  }
  if (terminal) {
    std::fprintf(stderr, "\r\033[K");
  }
  if (const grpc::Status status = stream->Finish(); !status.ok()) {
    return Fail(client.Translate(status), arguments.json);
  }
  if (!finished) {
    return Fail(Internal("the node ended the comparison without a result"), arguments.json);
  }
  ShowVerified(progress, arguments.json);
  return progress.outcome();
}

}  // namespace twinspool::cli
