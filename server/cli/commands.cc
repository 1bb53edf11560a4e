#include "server/cli/commands.h"

#include <unistd.h>

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
       "twinspoolctl status --json | jq -r .advice",
       {},
       0,
       0,
       RunStatus},
      {"is-primary",
       "",
       "exit 0 if the node is primary, 10 if not",
       "twinspoolctl is-primary && deliver-the-queue",
       {},
       0,
       0,
       RunIsPrimary},
      {"is-standby",
       "",
       "exit 0 if the node is a standby, 10 if not",
       "twinspoolctl is-standby && run-the-backup",
       {},
       0,
       0,
       RunIsStandby},
      {"is-eligible",
       "",
       "exit 0 if the node may be promoted without loss, 10 if not",
       "twinspoolctl is-eligible || page-somebody",
       {},
       0,
       0,
       RunIsEligible},
      {"wait",
       "",
       "wait until the node has a role: primary, standby, eligible, serving",
       "twinspoolctl wait --role eligible --timeout 600",
       {{"role", "ROLE", "what to wait for"}, kTimeout},
       0,
       0,
       RunWait},
      {"reload",
       "",
       "read certificates and keys for clients again; sessions go on",
       "twinspoolctl reload   (after the certificate was renewed)",
       {},
       0,
       0,
       RunReload},
  };
}

std::vector<CommandInfo> RoleCommands() {
  return {
      {"promote",
       "",
       "make this node the primary",
       "twinspoolctl promote --peer-fenced --expect-epoch 4",
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
       "twinspoolctl switchover && systemctl restart twinspool",
       {kExpectEpoch, kTimeout},
       0,
       0,
       RunSwitchover},
      {"demote",
       "",
       "resign and stay down until undemote",
       "twinspoolctl demote --expect-epoch 4",
       {kExpectEpoch, kTimeout},
       0,
       0,
       RunDemote},
      {"undemote",
       "",
       "take demote or fence back",
       "twinspoolctl undemote",
       {kExpectEpoch},
       0,
       0,
       RunUndemote},
      {"fence",
       "",
       "stop serving at once and stay down until undemote",
       "twinspoolctl fence",
       {kExpectEpoch},
       0,
       0,
       RunFence},
      {"solo",
       "",
       "let a blocked primary go on without its peer",
       "twinspoolctl solo --peer-fenced --expect-epoch 4",
       {{"peer-fenced", nullptr, "I made sure that the other node is off"}, kExpectEpoch, kTimeout},
       0,
       0,
       RunSolo},
      {"accept-epoch",
       "N",
       "believe a peer whose epoch is more than 256 ahead",
       "twinspoolctl accept-epoch 770",
       {kExpectEpoch},
       1,
       1,
       RunAcceptEpoch},
  };
}

std::vector<CommandInfo> PairCommands() {
  return {
      {"pair init",
       "",
       "give a single node the identity and the certificates of a new pair",
       "twinspoolctl pair init",
       {},
       0,
       0,
       RunPairInit},
      {"pair invite",
       "ADDRESS",
       "print a one-time string for the other node; ADDRESS is where it reaches this one",
       "twinspoolctl pair invite mail-a.example.org:4190",
       {},
       1,
       1,
       RunPairInvite},
      {"pair join",
       "STRING|-",
       "become the second node of the pair that invited; - reads the string from standard input",
       "twinspoolctl pair join \"$(ssh mail-a twinspoolctl pair invite mail-a.example.org:4190 | "
       "tail -n 1)\"",
       {kExpectEpoch},
       1,
       1,
       RunPairJoin},
      {"pair dissolve",
       "",
       "go back to a single node; the other one is expelled",
       "twinspoolctl pair dissolve --expect-epoch 4",
       {{"peer-never-returns", nullptr, "that disk never starts as a member again"}, kExpectEpoch},
       0,
       0,
       RunPairDissolve},
      {"verify-pair",
       "",
       "compare both copies; exit 11 and every differing mailbox or user if they differ",
       "twinspoolctl verify-pair --deep --json",
       {{"deep", nullptr,
         "first read everything on both nodes, bodies too, and heal what is damaged; exit 11 if "
         "damage is left"},
        kTimeout},
       0,
       0,
       RunVerifyPair},
  };
}

std::vector<CommandInfo> UserCommands() {
  return {
      {"user add",
       "NAME",
       "add a user with the usual folders; the password comes on standard input",
       "echo 'secret' | twinspoolctl user add anna@example.org",
       {{"password", "TEXT", "the password itself (visible to others: for trials)"},
        {"shared", nullptr,
         "a namespace that belongs to nobody and has no login: its mailboxes are below Shared/NAME "
         "for whom acl set gives rights"},
        {"no-password", nullptr, "none: the user logs in by token or certificate only"},
        {"if-missing", nullptr, "success if the user is there already"}},
       1,
       1,
       RunUserAdd},
      {"user passwd",
       "NAME",
       "set a password; it comes on standard input",
       "twinspoolctl user passwd anna@example.org < new-password",
       {{"password", "TEXT", "the password itself (visible to others: for trials)"}},
       1,
       1,
       RunUserPassword},
      {"user delete",
       "NAME",
       "delete a user with all mail",
       "twinspoolctl user delete anna@example.org",
       {},
       1,
       1,
       RunUserDelete},
      {"user list",
       "[PREFIX]",
       "users with the size of their mail",
       "twinspoolctl user list --json | jq -r .name",
       {},
       0,
       1,
       RunUserList},
      {"user quota",
       "NAME",
       "limit what the mailboxes of a user may hold together",
       "twinspoolctl user quota anna@example.org --storage 10G",
       {{"storage", "SIZE", "octets: a number with K, M, G or T, or none"},
        {"messages", "COUNT", "messages: a number, or none"},
        {"default", nullptr, "back to quota-bytes and quota-messages of the configuration"}},
       1,
       1,
       RunUserQuota},
  };
}

std::vector<CommandInfo> AppPasswordCommands() {
  return {
      {"user app-password add",
       "NAME",
       "make a password for one device or program and print it, this once",
       "twinspoolctl user app-password add anna@example.org --label 'mobile phone'",
       {{"label", "TEXT", "what it is for; removed by this name"}},
       1,
       1,
       RunAppPasswordAdd},
      {"user app-password list",
       "NAME",
       "labels of a user's app passwords and when they were made",
       "twinspoolctl user app-password list anna@example.org",
       {},
       1,
       1,
       RunAppPasswordList},
      {"user app-password remove",
       "NAME",
       "take one back: it lets nobody in any more",
       "twinspoolctl user app-password remove anna@example.org --label 'mobile phone'",
       {{"label", "TEXT", "which one"}},
       1,
       1,
       RunAppPasswordRemove},
  };
}

std::vector<CommandInfo> MailboxCommands() {
  return {
      {"acl set",
       "USER MAILBOX WHO [RIGHTS]",
       "set (+ adds, - takes away) what WHO may do with a mailbox of USER, or of a shared "
       "namespace: letters of lrswipkxtea; WHO is a user or anyone, -WHO what he shall not; no "
       "letters: nothing; behind --, arguments may begin with -",
       "twinspoolctl acl set team INBOX anna@example.org lrswite",
       {},
       3,
       4,
       RunAclSet},
      {"acl list",
       "USER MAILBOX",
       "who has which rights to a mailbox, its owner aside",
       "twinspoolctl acl list team INBOX",
       {},
       2,
       2,
       RunAclList},
      {"mailbox list",
       "USER",
       "mailboxes of a user with their ids and counts",
       "twinspoolctl mailbox list anna@example.org",
       {},
       1,
       1,
       RunMailboxList},
      {"expunged list",
       "USER MAILBOX",
       "messages that were expunged and are still kept (expunged-retention-h)",
       "twinspoolctl expunged list anna@example.org INBOX",
       {},
       2,
       2,
       RunExpungedList},
      {"expunged restore",
       "USER MAILBOX [UIDS]",
       "bring expunged messages back, under new UIDs; what the mailbox holds already stays away",
       "twinspoolctl expunged restore anna@example.org INBOX 17:25,40",
       {{"all", nullptr, "every one that is still kept"}},
       2,
       3,
       RunExpungedRestore},
      {"mailbox deleted",
       "USER",
       "mailboxes that were deleted and are still kept",
       "twinspoolctl mailbox deleted anna@example.org",
       {},
       1,
       1,
       RunMailboxDeleted},
      {"mailbox restore",
       "USER ID [NAME]",
       "bring a deleted mailbox back with its mail, under its name or another one",
       "twinspoolctl mailbox restore anna@example.org F5d0c3a1fb2e94d7c8a6b0e1f2d3c4b5a",
       {},
       2,
       3,
       RunMailboxRestore},
  };
}

std::vector<CommandInfo> SalvageCommands() {
  return {
      {"salvage list",
       "",
       "what this node had accepted alone and undid when it rejoined, and what came of it",
       "twinspoolctl salvage list --state conflict",
       {{"state", "STATE", "only waiting, given-back, conflict, discarded or kept"}},
       0,
       0,
       RunSalvageList},
      {"salvage show",
       "NAME",
       "one item with the header of its message; NAME as listed, or the beginning of it",
       "twinspoolctl salvage show 3fa9",
       {},
       1,
       1,
       RunSalvageShow},
      {"salvage export",
       "DIR",
       "every message as a file NAME.eml, and index.jsonl with all items",
       "twinspoolctl salvage export /root/salvage-of-mail-a",
       {},
       1,
       1,
       RunSalvageExport},
      {"salvage reinject",
       "NAME",
       "give a message back once more, whatever became of it; repeating stores nothing twice",
       "twinspoolctl salvage reinject 3fa9 --mailbox Recovered",
       {{"mailbox", "NAME", "into this mailbox of its user instead of its own"}},
       1,
       1,
       RunSalvageReinject},
      {"salvage discard",
       "[NAME...]",
       "drop items nobody wants: their octets are wiped",
       "twinspoolctl salvage discard --settled",
       {{"settled", nullptr, "whole rewinds of which nothing waits and nothing is in conflict"},
        {"all", nullptr, "everything"}},
       0,
       1000,
       RunSalvageDiscard},
  };
}

}  // namespace

const std::vector<CommandInfo>& Commands() {
  static const auto* const kCommands = [] {
    auto* all = new std::vector<CommandInfo>(LookingCommands());
    for (const auto& family : {RoleCommands(), PairCommands(), UserCommands(),
                               AppPasswordCommands(), MailboxCommands(), SalvageCommands()}) {
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

std::string Actor() {
  const char* user = getenv("SUDO_USER");
  if (user == nullptr) {
    user = getenv("USER");
  }
  return std::string(user == nullptr ? "uid " + std::to_string(getuid()) : user) +
         " (twinspoolctl)";
}

namespace {

ExitCode CodeFor(const Status& status) {
  switch (status.code()) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kPermissionDenied:
      return proto::BAD_REQUEST;
    case Code::kFenced:
      return proto::NOT_ELIGIBLE;
    case Code::kUnavailable:
      return proto::NOT_REACHABLE;
    case Code::kTimeout:
    case Code::kOutcomeUnknown:
      return proto::TIMEOUT_UNKNOWN;
    default:
      return proto::INTERNAL_ERROR;
  }
}

}  // namespace

ExitCode Fail(const Status& status, bool json) {
  return Fail(status, CodeFor(status), json);
}

ExitCode Fail(const Status& status, ExitCode code, bool json) {
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
