// The verbs of twinspoolctl as a table: name, help, options, function.
//
// Adding a command: write a function in the cmd_*.cc file of its family, declare it here, add its
// line to the table in commands.cc. Exit codes are those of proto::Outcome, listed in --help.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/admin.pb.h"

#include "server/cli/client.h"

namespace twinspool::cli {

/// What was typed behind the verb.
struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::string> options;  // name without dashes -> value ("yes" for flags)
  bool json = false;

  bool Has(const std::string& name) const { return options.contains(name); }
  std::string Get(const std::string& name, const std::string& fallback = "") const;
  /// A whole number; `fallback` when absent. Checked when the command line was read.
  std::uint32_t Number(const std::string& name, std::uint32_t fallback = 0) const;
};

/// Exit code of a command: proto::Outcome.
using ExitCode = int;

struct CommandOption {
  const char* name;
  const char* value;  // nullptr: a flag; otherwise what to call it in help ("N", "S", "ROLE")
  const char* help;
};

struct CommandInfo {
  const char* name;  // "promote", "pair init"
  const char* synopsis;
  const char* help;
  const char* example;
  std::vector<CommandOption> options;
  std::size_t positional_min;
  std::size_t positional_max;
  ExitCode (*run)(Client&, const Arguments&);
};

const std::vector<CommandInfo>& Commands();

/// Who types, for the audit line of the node: the user behind sudo, the user, or the uid.
std::string Actor();

/// Prints what a change of a user, or the like, came to.
ExitCode Show(const Result<proto::UserReply>& reply, const Arguments& arguments);

/// Prints a failure on standard error (or as JSON) and answers its exit code.
ExitCode Fail(const Status& status, bool json);
/// The same with a code that the status alone does not tell.
ExitCode Fail(const Status& status, ExitCode code, bool json);

// Families.
ExitCode RunStatus(Client& client, const Arguments& arguments);
ExitCode RunIsPrimary(Client& client, const Arguments& arguments);
ExitCode RunIsStandby(Client& client, const Arguments& arguments);
ExitCode RunIsEligible(Client& client, const Arguments& arguments);
ExitCode RunWait(Client& client, const Arguments& arguments);

ExitCode RunPromote(Client& client, const Arguments& arguments);
ExitCode RunDemote(Client& client, const Arguments& arguments);
ExitCode RunUndemote(Client& client, const Arguments& arguments);
ExitCode RunSwitchover(Client& client, const Arguments& arguments);
ExitCode RunFence(Client& client, const Arguments& arguments);
ExitCode RunSolo(Client& client, const Arguments& arguments);
ExitCode RunAcceptEpoch(Client& client, const Arguments& arguments);

ExitCode RunPairInit(Client& client, const Arguments& arguments);
ExitCode RunPairInvite(Client& client, const Arguments& arguments);
ExitCode RunPairJoin(Client& client, const Arguments& arguments);
ExitCode RunPairDissolve(Client& client, const Arguments& arguments);
ExitCode RunVerifyPair(Client& client, const Arguments& arguments);

ExitCode RunUserAdd(Client& client, const Arguments& arguments);
ExitCode RunUserPassword(Client& client, const Arguments& arguments);
ExitCode RunUserDelete(Client& client, const Arguments& arguments);
ExitCode RunUserList(Client& client, const Arguments& arguments);
ExitCode RunExpungedList(Client& client, const Arguments& arguments);
ExitCode RunExpungedRestore(Client& client, const Arguments& arguments);
ExitCode RunMailboxDeleted(Client& client, const Arguments& arguments);
ExitCode RunMailboxRestore(Client& client, const Arguments& arguments);
ExitCode RunUserQuota(Client& client, const Arguments& arguments);
ExitCode RunAclSet(Client& client, const Arguments& arguments);
ExitCode RunAclList(Client& client, const Arguments& arguments);
ExitCode RunAppPasswordAdd(Client& client, const Arguments& arguments);
ExitCode RunAppPasswordRemove(Client& client, const Arguments& arguments);
ExitCode RunAppPasswordList(Client& client, const Arguments& arguments);
ExitCode RunReload(Client& client, const Arguments& arguments);
ExitCode RunMailboxList(Client& client, const Arguments& arguments);

ExitCode RunSalvageList(Client& client, const Arguments& arguments);
ExitCode RunSalvageShow(Client& client, const Arguments& arguments);
ExitCode RunSalvageExport(Client& client, const Arguments& arguments);
ExitCode RunSalvageReinject(Client& client, const Arguments& arguments);
ExitCode RunSalvageDiscard(Client& client, const Arguments& arguments);

}  // namespace twinspool::cli
