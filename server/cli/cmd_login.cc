// user app-password and reload.
#include <cstdio>

#include "common/json.h"
#include "server/cli/commands.h"
#include "server/cli/status_text.h"

namespace twinspool::cli {
namespace {

ExitCode RunLabelled(Client& client, const Arguments& arguments,
                     Client::Method<proto::AppPasswordRequest, proto::UserReply> method) {
  if (!arguments.Has("label")) {
    return Fail(InvalidArgument("--label TEXT is needed: it says which app password is meant"),
                arguments.json);
  }
  proto::AppPasswordRequest request;
  request.set_name(arguments.positional[0]);
  request.set_label(arguments.Get("label"));
  request.set_actor(Actor());
  return Show(client.Call(method, request), arguments);
}

}  // namespace

ExitCode RunAppPasswordAdd(Client& client, const Arguments& arguments) {
  return RunLabelled(client, arguments, &proto::Admin::Stub::AppPasswordAdd);
}

ExitCode RunAppPasswordRemove(Client& client, const Arguments& arguments) {
  return RunLabelled(client, arguments, &proto::Admin::Stub::AppPasswordRemove);
}

ExitCode RunAppPasswordList(Client& client, const Arguments& arguments) {
  proto::AppPasswordRequest request;
  request.set_name(arguments.positional[0]);
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const auto stream = client.stub().AppPasswordList(&context, request);
  proto::AppPasswordInfo one;
  while (stream->Read(&one)) {
    if (arguments.json) {
      std::printf("%s\n", JsonWriter::Object()
                              .Add("label", one.label())
                              .Add("created", std::int64_t{one.created_s()})
                              .Finish()
                              .c_str());
    } else {
      std::printf("%-40s made %s\n", one.label().c_str(),
                  WallTime(one.created_s() * 1'000'000'000).c_str());
    }
  }
  const grpc::Status status = stream->Finish();
  return status.ok() ? static_cast<ExitCode>(proto::DONE)
                     : Fail(client.Translate(status), arguments.json);
}

ExitCode RunReload(Client& client, const Arguments& arguments) {
  proto::ReloadRequest request;
  request.set_actor(Actor());
  return Show(client.Call(&proto::Admin::Stub::Reload, request), arguments);
}

}  // namespace twinspool::cli
