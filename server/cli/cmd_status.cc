// status, is-*, wait: looking at a node.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <thread>

#include "common/json.h"
#include "server/cli/commands.h"
#include "server/cli/status_text.h"

namespace twinspool::cli {
namespace {

Result<proto::NodeStatus> Ask(Client& client, int timeout_s = 0) {
  return client.Call(&proto::Admin::Stub::Status, proto::StatusRequest(), timeout_s);
}

ExitCode Answer(Client& client, const Arguments& arguments,
                bool (*question)(const proto::NodeStatus&)) {
  const auto status = Ask(client);
  if (!status.ok()) {
    return Fail(status.status(), arguments.json);
  }
  const bool yes = question(*status);
  if (arguments.json) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", true)
                            .Add("answer", yes)
                            .Add("exit_code", yes ? 0 : static_cast<int>(proto::NO))
                            .Add("role", status->role())
                            .Add("epoch", status->epoch())
                            .Finish()
                            .c_str());
  } else {
    std::printf("%s (%s, epoch %" PRIu32 ")\n", yes ? "yes" : "no", status->role().c_str(),
                status->epoch());
  }
  return yes ? proto::DONE : proto::NO;
}

bool HasRole(const proto::NodeStatus& status, const std::string& role) {
  if (role == "eligible") {
    return status.eligible();
  }
  if (role == "serving") {
    return status.serves_reads() && status.serves_writes();
  }
  return status.role() == role;
}

}  // namespace

ExitCode RunStatus(Client& client, const Arguments& arguments) {
  const auto status = Ask(client);
  if (!status.ok()) {
    return Fail(status.status(), arguments.json);
  }
  const std::string text = arguments.json ? StatusJson(*status) + "\n" : StatusText(*status);
  std::fputs(text.c_str(), stdout);
  return proto::DONE;
}

ExitCode RunIsPrimary(Client& client, const Arguments& arguments) {
  return Answer(client, arguments,
                [](const proto::NodeStatus& s) { return s.role() == "primary"; });
}

ExitCode RunIsStandby(Client& client, const Arguments& arguments) {
  return Answer(client, arguments,
                [](const proto::NodeStatus& s) { return s.role() == "standby"; });
}

ExitCode RunIsEligible(Client& client, const Arguments& arguments) {
  return Answer(client, arguments, [](const proto::NodeStatus& s) { return s.eligible(); });
}

ExitCode RunWait(Client& client, const Arguments& arguments) {
  const std::string role = arguments.Get("role");
  if (role != "primary" && role != "standby" && role != "eligible" && role != "serving") {
    return Fail(InvalidArgument("wait: --role must be primary, standby, eligible or serving"),
                arguments.json);
  }
  using Clock = std::chrono::steady_clock;
  const auto give_up = Clock::now() + std::chrono::seconds(arguments.Number("timeout", 30));
  while (true) {
    // A node that hangs must not make us wait longer than we were told to.
    const auto left = std::chrono::ceil<std::chrono::seconds>(give_up - Clock::now()).count();
    const auto status = Ask(client, std::max(1, static_cast<int>(left)));
    if (status.ok() && HasRole(*status, role)) {
      return Answer(client, arguments, [](const proto::NodeStatus&) { return true; });
    }
    if (Clock::now() >= give_up) {
      const std::string now = status.ok() ? status->role() : std::string(status.status().message());
      return Fail(Timeout("still not " + role + ": " + now), proto::TIMEOUT_UNCHANGED,
                  arguments.json);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace twinspool::cli
