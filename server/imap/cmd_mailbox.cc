// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 3501 §6.3).
#include <algorithm>

#include "server/imap/answers.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {

namespace {

/// DELETE. The session's own selected mailbox may be meant, under whatever name it has by now: its
/// state tells. It is then closed and the command succeeds; other sessions that have it selected
/// get BYE from their next sync, as RFC 2180 §3.1 allows.
class DeleteTask : public Task {
 public:
  using Task::Task;

  void Begin(const std::string& name) {
    core().store().DeleteMailbox(core().user().id, name,
                                 Then<Unit>([this](const Result<Unit>& result) {
                                   if (!result.ok()) {
                                     return core().Fail(result.status());
                                   }
                                   LookAtSelected();
                                 }));
  }

 private:
  void LookAtSelected() {
    if (core().view() == nullptr) {
      return core().Ok("DELETE completed");
    }
    core().store().GetState(core().view()->ref(),
                            Then<MailboxState>([this](const Result<MailboxState>& state) {
                              if (state.status().Is(Code::kNotFound)) {
                                core().Unselect();
                                core().Untagged("OK [CLOSED] The selected mailbox was deleted");
                              }
                              core().Ok("DELETE completed");
                            }));
  }
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, const cmd::Create& command) {
  if (command.unknown_use) {
    // RFC 6154 §3: a special use that is not supported.
    core.No("[USEATTR] Special uses here are All Archive Drafts Flagged Junk Sent Trash");
    return nullptr;
  }
  auto task = std::make_unique<Task>(core);
  core.store().CreateMailbox(
      core.user().id, NormalName(command.mailbox), command.use,
      task->Then<MailboxState>([&core](const Result<MailboxState>& made) {
        if (!made.ok()) {
          return core.Fail(made.status());
        }
        core.Ok("[MAILBOXID (" + MailboxIdText(made->ref.id) + ")] CREATE completed");
      }));
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Delete& command) {
  auto task = std::make_unique<DeleteTask>(core);
  task->Begin(NormalName(command.mailbox));
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Rename& command) {
  auto task = std::make_unique<Task>(core);
  core.store().RenameMailbox(core.user().id, NormalName(command.from), NormalName(command.to),
                             task->Then<Unit>([&core](const Result<Unit>& result) {
                               core.FinishWith(result.status(), "RENAME completed");
                             }));
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Subscribe& command) {
  auto task = std::make_unique<Task>(core);
  const char* done = command.subscribed ? "SUBSCRIBE completed" : "UNSUBSCRIBE completed";
  core.store().Subscribe(core.user().id, NormalName(command.mailbox), command.subscribed,
                         task->Then<Unit>([&core, done](const Result<Unit>& result) {
                           core.FinishWith(result.status(), done);
                         }));
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Status& command) {
  if ((command.items & kStatusHighestModseq) != 0) {
    core.EnableCondstore();
  }
  auto task = std::make_unique<Task>(core);
  core.store().FindMailbox(
      core.user().id, NormalName(command.mailbox),
      task->Then<MailboxState>([&core, items = command.items](const Result<MailboxState>& state) {
        if (!state.ok()) {
          return core.Fail(state.status());
        }
        AppendStatusData(&core.out(), *state, items, core.TellableModseq(*state),
                         core.store().message_bytes_max(), core.utf8());
        core.Ok("STATUS completed");
      }));
  return task;
}

}  // namespace twinspool::imap
