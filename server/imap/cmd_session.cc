// Commands about the session itself: CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE.
#include <string_view>

#include "server/imap/response.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {

std::unique_ptr<Task> Run(Core& core, cmd::Capability) {
  core.Untagged("CAPABILITY " + core.Capabilities());
  core.Ok("CAPABILITY completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Noop) {
  core.Ok("NOOP completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Check) {
  core.Ok("CHECK completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Logout) {
  core.SkipSync();
  core.Untagged("BYE Logging out");
  core.Ok("LOGOUT completed");
  core.CloseAfterReply();
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Id&) {
  std::string line = "ID (\"name\" ";
  AppendString(&line, core.options().product);
  line += " \"version\" ";
  AppendString(&line, core.options().version);
  core.Untagged(line + ")");
  core.Ok("ID completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Enable& command) {
  std::string enabled;
  for (const std::string& extension : command.extensions) {
    // Each name at most once, and only what was not in force before (RFC 5161 §3.2).
    if (extension == "QRESYNC" && !core.qresync()) {
      core.EnableQresync();
      enabled += " QRESYNC";
    } else if (extension == "CONDSTORE" && !core.condstore()) {
      core.EnableCondstore();
      enabled += " CONDSTORE";
    }
  }
  core.Untagged("ENABLED" + enabled);
  core.Ok("ENABLE completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Namespace) {
  core.Untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
  core.Ok("NAMESPACE completed");
  return nullptr;
}

}  // namespace twinspool::imap
