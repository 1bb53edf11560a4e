#include "server/cli/commands.h"

#include <cstdio>
#include <cstdlib>

#include "common/json.h"

namespace twinspool::cli {
namespace {

const CommandOption kExpectEpoch = {"expect-epoch", "N",
                                    "refuse unless the node is at epoch N, so that two racing "
                                    "scripts cannot both act"};
const CommandOption kTimeout = {"timeout", "S", "give up after S seconds"};

std::vector<CommandInfo> LookingCommands() {
  return {
      {"status",
       "",
       "role, epoch, lag, disk, what a promotion would lose, the command that helps",
       {},
       0,
       0,
       RunStatus},
      {"is-primary", "", "exit 0 if the node is primary, 10 if not", {}, 0, 0, RunIsPrimary},
      {"is-standby", "", "exit 0 if the node is a standby, 10 if not", {}, 0, 0, RunIsStandby},
      {"is-eligible",
       "",
       "exit 0 if the node may be promoted without loss, 10 if not",
       {},
       0,
       0,
       RunIsEligible},
      {"wait",
       "",
       "wait until the node has a role: primary, standby, eligible, serving",
       {{"role", "ROLE", "what to wait for"}, kTimeout},
       0,
       0,
       RunWait},
  };
}

std::vector<CommandInfo> RoleCommands() {
  return {
      {"promote",
       "",
       "make this node the primary",
       {{"peer-fenced", nullptr, "I made sure that the other node is off: writes flow at once"},
        {"peer-not-promoted", nullptr,
         "the other node resigned and was not promoted since (used after a restart)"},
        {"allow-data-loss", nullptr,
         "with --peer-fenced: promote even if acknowledged mail is missing here"},
        kExpectEpoch,
        kTimeout},
       0,
       0,
       RunPromote},
      {"switchover",
       "",
       "swap the roles: the primary resigns, the standby takes over; no loss",
       {kExpectEpoch, kTimeout},
       0,
       0,
       RunSwitchover},
      {"demote",
       "",
       "resign and stay down until undemote",
       {kExpectEpoch, kTimeout},
       0,
       0,
       RunDemote},
      {"undemote", "", "take demote or fence back", {kExpectEpoch}, 0, 0, RunUndemote},
      {"fence",
       "",
       "stop serving at once and stay down until undemote",
       {kExpectEpoch},
       0,
       0,
       RunFence},
      {"solo",
       "",
       "let a blocked primary go on without its peer",
       {{"peer-fenced", nullptr, "I made sure that the other node is off"}, kExpectEpoch, kTimeout},
       0,
       0,
       RunSolo},
      {"accept-epoch",
       "N",
       "believe a peer whose epoch is more than 256 ahead",
       {kExpectEpoch},
       1,
       1,
       RunAcceptEpoch},
  };
}

std::vector<CommandInfo> PairAndUserCommands() {
  return {
      {"pair init",
       "",
       "give a single node the identity and the certificates of a new pair",
       {{"name", "NAME", "name of the node"}},
       0,
       0,
       RunPairInit},
      {"pair invite",
       "ADDRESS",
       "print a one-time string for the other node; ADDRESS is where it reaches this one",
       {},
       1,
       1,
       RunPairInvite},
      {"pair join",
       "STRING",
       "become the second node of the pair that invited",
       {},
       1,
       1,
       RunPairJoin},
      {"pair dissolve",
       "",
       "go back to a single node; the other one is expelled",
       {{"peer-never-returns", nullptr, "that disk never starts as a member again"}, kExpectEpoch},
       0,
       0,
       RunPairDissolve},
      {"verify-pair",
       "",
       "compare both copies; exit 11 and every differing mailbox or user if they differ",
       {kTimeout},
       0,
       0,
       RunVerifyPair},
      {"user add",
       "NAME",
       "add a user with the usual folders; the password comes on standard input",
       {{"password", "TEXT", "the password itself (visible to others: for trials)"},
        {"if-missing", nullptr, "success if the user is there already"}},
       1,
       1,
       RunUserAdd},
      {"user passwd",
       "NAME",
       "set a password; it comes on standard input",
       {{"password", "TEXT", "the password itself (visible to others: for trials)"}},
       1,
       1,
       RunUserPassword},
      {"user delete", "NAME", "delete a user with all mail", {}, 1, 1, RunUserDelete},
      {"user list", "[PREFIX]", "users with the size of their mail", {}, 0, 1, RunUserList},
      {"mailbox list",
       "USER",
       "mailboxes of a user with their ids and counts",
       {},
       1,
       1,
       RunMailboxList},
  };
}

}  // namespace

const std::vector<CommandInfo>& Commands() {
  static const auto* const kCommands = [] {
    auto* all = new std::vector<CommandInfo>(LookingCommands());
    for (const auto& family : {RoleCommands(), PairAndUserCommands()}) {
      all->insert(all->end(), family.begin(), family.end());
    }
    return all;
  }();
  return *kCommands;
}

std::string Arguments::Get(const std::string& name, const std::string& fallback) const {
  const auto it = options.find(name);
  return it == options.end() ? fallback : it->second;
}

std::uint32_t Arguments::Number(const std::string& name, std::uint32_t fallback) const {
  const auto it = options.find(name);
  return it == options.end()
             ? fallback
             : static_cast<std::uint32_t>(std::strtoul(it->second.c_str(), nullptr, 10));
}

ExitCode Fail(const Status& status, bool json) {
  ExitCode code = proto::INTERNAL_ERROR;
  switch (status.code()) {
    case Code::kInvalidArgument:
      code = proto::BAD_REQUEST;
      break;
    case Code::kUnavailable:
      code = proto::NOT_REACHABLE;
      break;
    case Code::kTimeout:
      code = proto::TIMEOUT_UNKNOWN;
      break;
    default:
      break;
  }
  if (json) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", false)
                            .Add("exit_code", code)
                            .Add("error", CodeName(status.code()))
                            .Add("message", status.message())
                            .Finish()
                            .c_str());
  } else {
    std::fprintf(stderr, "twinspoolctl: %s\n", std::string(status.message()).c_str());
  }
  return code;
}

}  // namespace twinspool::cli
