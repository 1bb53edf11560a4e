// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 3501 §6.3).
#include <algorithm>

#include "server/imap/answers.h"
#include "server/imap/deleted_storage.h"
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
                                   if (result.status().Is(Code::kConflict)) {
                                     return core().No("[HASCHILDREN] " +
                                                      std::string(result.status().message()));
                                   }
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

namespace {

class StatusTask : public Task {
 public:
  StatusTask(Core& core, StatusItems items) : Task(core), items_(items) {}

  void Begin(const std::string& name) {
    core().store().FindMailbox(
        core().user().id, name,
        Then<MailboxState>([this](const Result<MailboxState>& state) { OnState(state); }));
  }

 private:
  void OnState(const Result<MailboxState>& state) {
    if (!state.ok()) {
      return core().Fail(state.status());
    }
    if ((state->rights & kRightRead) == 0) {
      return core().No("[NOPERM] This takes the right \"r\" to the mailbox");
    }
    if ((items_ & kStatusDeletedStorage) == 0) {
      return Tell(*state, 0);
    }
    CountDeletedBytes(*this, core(), *state, [this, state = *state](Result<std::uint64_t> bytes) {
      return bytes.ok() ? Tell(state, *bytes) : core().Fail(bytes.status());
    });
  }

  void Tell(const MailboxState& state, std::uint64_t deleted_bytes) {
    AppendStatusData(&core().out(), state, items_, core().TellableModseq(state),
                     core().store().message_bytes_max(), core().utf8(), deleted_bytes);
    core().Ok("STATUS completed");
  }

  const StatusItems items_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, const cmd::Status& command) {
  if ((command.items & kStatusHighestModseq) != 0) {
    core.EnableCondstore();
  }
  auto task = std::make_unique<StatusTask>(core, command.items);
  task->Begin(NormalName(command.mailbox));
  return task;
}

}  // namespace twinspool::imap
