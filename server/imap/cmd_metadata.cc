// GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes, and of the server for a user.
//
// The server's own /shared entries are the administrator's: users read them (there are none yet)
// and may not write them.
#include <algorithm>

#include "server/imap/answers.h"
#include "server/imap/metadata.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// What both have in common: from a name to a mailbox, "" being the server (a nil id).
class MetadataTask : public Task {
 public:
  using Task::Task;

  void Begin(const std::string& name) {
    if (name.empty()) {
      return Go({core().user().id, MailboxId()});
    }
    core().store().FindMailbox(core().user().id, NormalName(name),
                               Then<MailboxState>([this](const Result<MailboxState>& state) {
                                 if (!state.ok()) {
                                   return core().Fail(state.status());
                                 }
                                 name_ = state->name;
                                 Go(state->ref);
                               }));
  }

 protected:
  virtual void Go(const MailboxRef& mailbox) = 0;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

class GetTask : public MetadataTask {
 public:
  GetTask(Core& core, cmd::GetMetadata command)
      : MetadataTask(core), command_(std::move(command)) {}

 private:
  void Go(const MailboxRef& mailbox) override {
    core().store().GetAnnotations(
        mailbox, Then<std::vector<Annotation>>(
                     [this](const Result<std::vector<Annotation>>& all) { Tell(all); }));
  }

  void Tell(const Result<std::vector<Annotation>>& all) {
    if (!all.ok()) {
      return core().Fail(all.status());
    }
    const MetadataAnswer answer =
        SelectMetadata(*all, command_.entries, command_.depth, command_.size_max);
    AppendMetadata(&core().out(), name(), core().utf8(), answer.entries);
    std::string code;
    if (answer.longest > 0) {
      AppendNumber(&(code = "[METADATA LONGENTRIES "), answer.longest);
      code += "] ";
    }
    core().Ok(code + "GETMETADATA completed");
  }

  cmd::GetMetadata command_;
};

class SetTask : public MetadataTask {
 public:
  SetTask(Core& core, cmd::SetMetadata command)
      : MetadataTask(core), command_(std::move(command)) {}

 private:
  void Go(const MailboxRef& mailbox) override {
    const bool admin =
        std::any_of(command_.changes.begin(), command_.changes.end(),
                    [](auto& change) { return change.entry.starts_with("/shared/"); });
    const bool use =
        std::any_of(command_.changes.begin(), command_.changes.end(),
                    [](auto& change) { return change.entry == "/private/specialuse"; });
    if (use) {
      // RFC 6154 §4 ties it to the mailbox's special use, which is given when it is made.
      return core().No("[CANNOT] A special use is given by CREATE with USE here");
    }
    if (mailbox.id.nil() && admin) {
      return core().No("[NOPERM] Shared entries of the server are the administrator's");
    }
    core().store().SetAnnotations(
        mailbox, std::move(command_.changes), Then<Unit>([this](const Result<Unit>& done) {
          if (done.status().Is(Code::kLimit)) {
            return core().No("[METADATA TOOMANY] " + std::string(done.status().message()));
          }
          core().FinishWith(done.status(), "SETMETADATA completed");
        }));
  }

  cmd::SetMetadata command_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::GetMetadata command) {
  const std::string name = command.mailbox;
  auto task = std::make_unique<GetTask>(core, std::move(command));
  task->Begin(name);
  return task;
}

std::unique_ptr<Task> Run(Core& core, cmd::SetMetadata command) {
  for (const Annotation& change : command.changes) {
    if (change.value && change.value->size() > limits::kAnnotationBytesMax) {
      std::string code = "[METADATA MAXSIZE ";
      AppendNumber(&code, limits::kAnnotationBytesMax);
      core.No(code + "] A value is larger than that");
      return nullptr;
    }
  }
  const std::string name = command.mailbox;
  auto task = std::make_unique<SetTask>(core, std::move(command));
  task->Begin(name);
  return task;
}

}  // namespace twinspool::imap
