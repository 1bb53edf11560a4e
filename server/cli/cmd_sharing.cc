// user quota, acl set, acl list.
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"
#include "server/cli/commands.h"

namespace twinspool::cli {
namespace {

/// "10G", "500M", "64K", "1000"; "none" is 0.
std::optional<std::uint64_t> ParseAmount(std::string_view text) {
  if (text == "none") {
    return 0;
  }
  int shift = 0;
  constexpr std::string_view kUnits = "KMGT";
  if (const std::size_t unit = text.empty() ? kUnits.npos : kUnits.find(text.back());
      unit != kUnits.npos) {
    shift = 10 * (static_cast<int>(unit) + 1);
    text.remove_suffix(1);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > UINT64_MAX >> shift ||
      number == 0) {
    return std::nullopt;
  }
  return number << shift;
}

}  // namespace

ExitCode RunUserQuota(Client& client, const Arguments& arguments) {
  proto::UserQuotaRequest request;
  request.set_name(arguments.positional[0]);
  request.set_actor(Actor());
  request.set_use_default(arguments.Has("default"));
  for (const char* option : {"storage", "messages"}) {
    if (!arguments.Has(option)) {
      continue;
    }
    const auto amount = ParseAmount(arguments.Get(option));
    if (!amount) {
      return Fail(InvalidArgument("--" + std::string(option) +
                                  " takes a number above 0 with K, M, G or T behind it, or none"),
                  arguments.json);
    }
    if (option == std::string_view("storage")) {
      request.set_bytes_max(*amount);
    } else {
      request.set_messages_max(*amount);
    }
  }
  if (request.use_default() == (request.has_bytes_max() || request.has_messages_max())) {
    return Fail(InvalidArgument("say --storage or --messages, or --default alone"), arguments.json);
  }
  return Show(client.Call(&proto::Admin::Stub::UserQuota, request), arguments);
}

ExitCode RunAclSet(Client& client, const Arguments& arguments) {
  proto::AclSetRequest request;
  request.set_user(arguments.positional[0]);
  request.set_mailbox(arguments.positional[1]);
  request.set_identifier(arguments.positional[2]);
  request.set_rights(arguments.positional.size() > 3 ? arguments.positional[3] : "");
  request.set_actor(Actor());
  return Show(client.Call(&proto::Admin::Stub::AclSet, request), arguments);
}

ExitCode RunAclList(Client& client, const Arguments& arguments) {
  proto::AclListRequest request;
  request.set_user(arguments.positional[0]);
  request.set_mailbox(arguments.positional[1]);
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const auto stream = client.stub().AclList(&context, request);
  proto::AclInfo line;
  while (stream->Read(&line)) {
    if (arguments.json) {
      std::printf("%s\n", JsonWriter::Object()
                              .Add("identifier", line.identifier())
                              .Add("rights", line.rights())
                              .Finish()
                              .c_str());
    } else {
      std::printf("%-40s %s\n", line.identifier().c_str(), line.rights().c_str());
    }
  }
  const grpc::Status status = stream->Finish();
  return status.ok() ? static_cast<ExitCode>(proto::DONE)
                     : Fail(client.Translate(status), arguments.json);
}

}  // namespace twinspool::cli
