// GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). A quota root is a user: all his mailboxes together.
#include "server/imap/answers.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// "* QUOTA root (STORAGE 10 512 MESSAGE 3 1000)": usage and limit of what is limited; storage in
/// units of 1024 octets (RFC 9208 §5.1), what is used rounded up.
void TellQuota(Core& core, const QuotaState& quota) {
  std::string& out = core.out();
  AppendAstring(&(out += "* QUOTA "), quota.root);
  out += " (";
  if (quota.bytes_max) {
    AppendNumber(&(out += "STORAGE "), (quota.bytes + 1023) / 1024);
    AppendNumber(&(out += " "), *quota.bytes_max / 1024);
  }
  if (quota.messages_max) {
    out += quota.bytes_max ? " " : "";
    AppendNumber(&(out += "MESSAGE "), quota.messages);
    AppendNumber(&(out += " "), *quota.messages_max);
  }
  out += ")\r\n";
}

bool Limited(const QuotaState& quota) {
  return quota.bytes_max || quota.messages_max;
}

/// Asks for a user's quota, then goes on.
void AskQuota(Core& core, Task& task, UserId owner, std::function<void(const QuotaState&)> then) {
  core.store().GetQuota(
      owner,
      task.Then<QuotaState>([&core, then = std::move(then)](const Result<QuotaState>& quota) {
        if (!quota.ok()) {
          return core.Fail(quota.status());
        }
        then(*quota);
      }));
}

}  // namespace

std::unique_ptr<Task> Run(Core& core, const cmd::GetQuota& command) {
  auto task = std::make_unique<Task>(core);
  AskQuota(core, *task, core.user().id, [&core, root = command.root](const QuotaState& quota) {
    if (root != quota.root || !Limited(quota)) {
      return core.No("[NONEXISTENT] There is no quota root of this name for you");
    }
    TellQuota(core, quota);
    core.Ok("GETQUOTA completed");
  });
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::GetQuotaRoot& command) {
  auto task = std::make_unique<Task>(core);
  Task* self = task.get();
  core.store().FindMailbox(
      core.user().id, NormalName(command.mailbox),
      task->Then<MailboxState>([&core, self](const Result<MailboxState>& state) {
        if (!state.ok()) {
          return core.Fail(state.status());
        }
        if ((state->rights & kRightRead) == 0) {
          return core.No("[NOPERM] This takes the right \"r\" to the mailbox");
        }
        AskQuota(core, *self, state->ref.owner, [&core, name = state->name](const auto& quota) {
          AppendMailbox(&(core.out() += "* QUOTAROOT "), name, core.utf8());
          if (Limited(quota)) {
            AppendAstring(&(core.out() += " "), quota.root);
          }
          core.out() += "\r\n";
          if (Limited(quota)) {
            TellQuota(core, quota);
          }
          core.Ok("GETQUOTAROOT completed");
        });
      }));
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::SetQuota&) {
  core.No("[NOPERM] Quotas are set by the administrator");
  return nullptr;
}

}  // namespace twinspool::imap
