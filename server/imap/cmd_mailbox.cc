// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 3501 §6.3).
#include <algorithm>

#include "server/imap/answers.h"
#include "server/imap/deleted_storage.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {

namespace {

/// What this session has done itself need not be told to it (RFC 5465 §5).
void NoteOwnName(Core& core, const Status& done, const std::string& name) {
  if (done.ok() && core.notifier() != nullptr) {
    core.notifier()->OwnName(name);
  }
}

/// DELETE. The session's own selected mailbox may be meant, under whatever name it has by now: its
/// state tells. It is then closed and the command succeeds; other sessions that have it selected
/// get BYE from their next sync, as RFC 2180 §3.1 allows.
class DeleteTask : public Task {
 public:
  using Task::Task;

  void Begin(const std::string& given) {
    const std::string name = NormalName(given);
    core().store().DeleteMailbox(
        core().user().id, name, Then<Unit>([this, name, given](const Result<Unit>& result) {
          if (result.status().Is(Code::kConflict)) {
            return core().No("[HASCHILDREN] " + std::string(result.status().message()));
          }
          if (!result.ok()) {
            return core().Fail(result.status());
          }
          NoteOwnName(core(), result.status(), name);
          if (core().rev2() && name != given) {
            AppendListLine(&core().out(), "\\NonExistent", name, given, true);
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

/// RENAME. With IMAP4rev2 the new name is told, and both that it had: the old one, and the one that
/// the client gave it (RFC 9051 §6.3.6, §6.3.9.7).
class RenameTask : public Task {
 public:
  RenameTask(Core& core, cmd::Rename command) : Task(core), command_(std::move(command)) {}

  void Begin() {
    core().store().RenameMailbox(core().user().id, NormalName(command_.from),
                                 NormalName(command_.to),
                                 Then<Unit>([this](const Result<Unit>& result) {
                                   NoteOwnName(core(), result.status(), NormalName(command_.to));
                                   if (!result.ok() || !core().rev2()) {
                                     return core().FinishWith(result.status(), kDone);
                                   }
                                   FindNew();
                                 }));
  }

 private:
  static constexpr const char* kDone = "RENAME completed";

  void FindNew() {
    core().store().FindMailbox(
        core().user().id, NormalName(command_.to),
        Then<MailboxState>([this](const Result<MailboxState>& state) {
          // Not there any more: another session was quick. The renaming is done all the same.
          if (state.ok()) {
            AppendListLine(&core().out(), "", state->name, NormalName(command_.from), true);
            if (state->name != command_.to) {
              AppendListLine(&core().out(), "", state->name, command_.to, true);
            }
          }
          core().Ok(kDone);
        }));
  }

  cmd::Rename command_;
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
      task->Then<MailboxState>([&core, given = command.mailbox](const Result<MailboxState>& made) {
        if (!made.ok()) {
          return core.Fail(made.status());
        }
        NoteOwnName(core, made.status(), made->name);
        if (core.rev2() && made->name != given) {
          AppendListLine(&core.out(), "", made->name, given, true);
        }
        core.Ok("[MAILBOXID (" + MailboxIdText(made->ref.id) + ")] CREATE completed");
      }));
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Delete& command) {
  auto task = std::make_unique<DeleteTask>(core);
  task->Begin(command.mailbox);
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Rename& command) {
  auto task = std::make_unique<RenameTask>(core, command);
  task->Begin();
  return task;
}

std::unique_ptr<Task> Run(Core& core, const cmd::Subscribe& command) {
  auto task = std::make_unique<Task>(core);
  const char* done = command.subscribed ? "SUBSCRIBE completed" : "UNSUBSCRIBE completed";
  core.store().Subscribe(core.user().id, NormalName(command.mailbox), command.subscribed,
                         task->Then<Unit>([&core, done, command](const Result<Unit>& result) {
                           NoteOwnName(core, result.status(), NormalName(command.mailbox));
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
