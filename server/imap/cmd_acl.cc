// SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
#include "server/imap/answers.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// From a name to a mailbox, then on.
template <typename Then>
std::unique_ptr<Task> WithMailbox(Core& core, const std::string& name, Then then) {
  auto task = std::make_unique<Task>(core);
  Task* self = task.get();
  core.store().FindMailbox(core.user().id, NormalName(name),
                           task->Then<MailboxState>([&core, self, then = std::move(then)](
                                                        const Result<MailboxState>& state) {
                             if (!state.ok()) {
                               return core.Fail(state.status());
                             }
                             then(*self, *state);
                           }));
  return task;
}

void TellAcl(Core& core, const std::string& mailbox, const std::vector<AclEntry>& entries) {
  std::string& out = core.out();
  AppendMailbox(&(out += "* ACL "), mailbox, core.utf8());
  for (const AclEntry& entry : entries) {
    AppendAstring(&(out += " "), entry.identifier);
    out += " " + RightsText(entry.rights, true);
  }
  out += "\r\n";
}

/// The name of the mailbox's owner.
std::string_view OwnerOf(const Core& core, const MailboxState& state) {
  if (state.ref.own()) {
    return core.user().name;
  }
  // "Other Users/NAME/…"
  std::string_view name = state.name;
  name.remove_prefix(name.find('/') + 1);
  return name.substr(0, name.find('/'));
}

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::SetAcl command) {
  const std::string name = command.mailbox;
  return WithMailbox(
      core, name, [&core, command = std::move(command)](Task& task, const MailboxState& state) {
        const char* done = command.erase ? "DELETEACL completed" : "SETACL completed";
        core.store().SetAcl(state.ref, command.identifier, command.change, command.rights,
                            task.Then<Unit>([&core, done](const Result<Unit>& result) {
                              core.FinishWith(result.status(), done);
                            }));
      });
}

std::unique_ptr<Task> Run(Core& core, const cmd::GetAcl& command) {
  return WithMailbox(core, command.mailbox, [&core](Task& task, const MailboxState& state) {
    const std::string owner(OwnerOf(core, state));
    const bool shared = !state.ref.own() && state.name.starts_with("Shared/");
    core.store().GetAcl(
        state.ref, task.Then<std::vector<AclEntry>>([&core, name = state.name, owner,
                                                     shared](Result<std::vector<AclEntry>> all) {
          if (!all.ok()) {
            return core.Fail(all.status());
          }
          if (!shared) {
            all->insert(all->begin(), {owner, kRightsAll});
          }
          TellAcl(core, name, *all);
          core.Ok("GETACL completed");
        }));
  });
}

std::unique_ptr<Task> Run(Core& core, const cmd::ListRights& command) {
  return WithMailbox(core, command.mailbox,
                     [&core, identifier = command.identifier](Task&, const MailboxState& state) {
                       if ((state.rights & kRightAdminister) == 0) {
                         return core.No("[NOPERM] This takes the right \"a\" to the mailbox");
                       }
                       std::string& out = core.out();
                       AppendMailbox(&(out += "* LISTRIGHTS "), state.name, core.utf8());
                       AppendAstring(&(out += " "), identifier);
                       if (identifier == OwnerOf(core, state)) {
                         out += " " + RightsText(kRightsAll, true);  // always, all of them
                       } else {
                         out += " \"\" l r s w i p k x t e a c d";  // none always, each by itself
                       }
                       out += "\r\n";
                       core.Ok("LISTRIGHTS completed");
                     });
}

std::unique_ptr<Task> Run(Core& core, const cmd::MyRights& command) {
  return WithMailbox(core, command.mailbox, [&core](Task&, const MailboxState& state) {
    AppendMyRights(&core.out(), state.name, state.rights, core.utf8());
    core.Ok("MYRIGHTS completed");
  });
}

}  // namespace twinspool::imap
