// Commands about the session itself: CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE,
// UNAUTHENTICATE.
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

namespace {

/// What ENABLE can switch on: whether it is on, and how it goes on.
struct Switch {
  std::string_view name;
  bool (*is_on)(const Core& core);
  void (*turn_on)(Core& core);
};
constexpr Switch kSwitches[] = {
    {"CONDSTORE", [](const Core& core) { return core.condstore(); },
     [](Core& core) { core.EnableCondstore(); }},
    {"QRESYNC", [](const Core& core) { return core.qresync(); },
     [](Core& core) { core.EnableQresync(); }},
    {"UTF8=ACCEPT", [](const Core& core) { return core.utf8(); },
     [](Core& core) { core.EnableUtf8(); }},
    {"IMAP4REV2", [](const Core& core) { return core.rev2(); },
     [](Core& core) { core.EnableRev2(); }},
    {"UIDONLY", [](const Core& core) { return core.uid_only(); },
     [](Core& core) { core.EnableUidOnly(); }},
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, const cmd::Enable& command) {
  std::string enabled;
  for (const std::string& extension : command.extensions) {
    for (const Switch& one : kSwitches) {
      // Each name at most once, and only what was not in force before (RFC 5161 §3.2).
      if (one.name == extension && !one.is_on(core)) {
        one.turn_on(core);
        enabled += ' ';
        enabled += one.name == "IMAP4REV2" ? "IMAP4rev2" : one.name;
      }
    }
  }
  core.Untagged("ENABLED" + enabled);
  core.Ok("ENABLE completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Compress& command) {
  if (command.mechanism != "DEFLATE") {
    core.No("[CANNOT] DEFLATE is the only way of compressing here");
  } else if (core.host().compressed()) {
    core.No("[COMPRESSIONACTIVE] The connection is compressed already");
  } else {
    core.SkipSync();
    core.Ok("Compressed from here on");
    core.CompressAfterReply();
  }
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Unauthenticate) {
  core.SkipSync();
  core.LoggedOut();
  core.Ok("[CAPABILITY " + core.Capabilities() + "] Log in again");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Namespace) {
  core.Untagged("NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))");
  core.Ok("NAMESPACE completed");
  return nullptr;
}

}  // namespace twinspool::imap
