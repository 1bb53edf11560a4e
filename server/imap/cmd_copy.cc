// COPY, MOVE and EXPUNGE with their UID forms (RFC 3501 §6.4, RFC 4315, RFC 6851).
//
// Expunges of our own, too, are told by the sync before the tagged answer: as EXPUNGE, or as
// VANISHED under QRESYNC.
#include "server/imap/answers.h"
#include "server/imap/messages.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// "COPYUID 38505 304,319 3956:3957"
std::string CopyUid(const CopyResult& result) {
  std::vector<Uid> from;
  std::vector<Uid> to;
  from.reserve(result.pairs.size());
  to.reserve(result.pairs.size());
  for (const auto& [source, target] : result.pairs) {
    from.push_back(source);
    to.push_back(target);
  }
  std::string text = "[COPYUID ";
  AppendNumber(&text, result.uid_validity.value());
  text += ' ';
  AppendNumbersInOrder(&text, from);
  text += ' ';
  AppendNumbersInOrder(&text, to);
  return text + "] ";
}

class CopyTask : public Task {
 public:
  CopyTask(Core& core, cmd::Copy command, UidSet uids)
      : Task(core), command_(std::move(command)), uids_(std::move(uids)) {}

  void Begin() {
    core().store().FindMailbox(core().user().id, NormalName(command_.mailbox),
                               Then<MailboxState>([this](const Result<MailboxState>& target) {
                                 if (!target.ok()) {
                                   return core().Fail(target.status(), Missing::kTryCreate);
                                 }
                                 Go(target->ref);
                               }));
  }

 private:
  void Go(const MailboxRef& target) {
    target_ = target;
    UidSet uids = uids_.Minus(core().view()->gone());
    auto done = Then<CopyResult>([this](const Result<CopyResult>& result) { OnDone(result); });
    if (command_.move) {
      core().store().Move(core().view()->ref(), std::move(uids), target, std::move(done));
    } else {
      core().store().Copy(core().view()->ref(), std::move(uids), target, std::move(done));
    }
  }

  void OnDone(const Result<CopyResult>& result) {
    if (!result.ok()) {
      return core().Fail(result.status(), Missing::kTryCreate);
    }
    UidSet made;
    for (const auto& [from, to] : result->pairs) {
      made.Add(to);
    }
    core().NoteOwn(target_, made);
    const bool all = result->pairs.size() == uids_.Count();
    const std::string_view text = all ? "completed" : "completed; some messages no longer exist";
    if (result->pairs.empty()) {
      return core().No("[EXPUNGEISSUED] None of the messages exists any longer");
    }
    if (!command_.move) {
      return core().Ok(CopyUid(*result) + "COPY " + std::string(text));
    }
    // Before the EXPUNGEs, so that the client knows where each message went (RFC 6851 §4.3).
    core().Untagged("OK " + CopyUid(*result) + "Moved");
    core().OkLater(
        [&core = core(), text] { return HighestCode(core) + "MOVE " + std::string(text); });
  }

 public:
  /// "[HIGHESTMODSEQ n] " once the client keeps modseqs (RFC 7162 §3.2.7); after the sync.
  static std::string HighestCode(Core& core) {
    std::string code;
    if (core.condstore()) {
      AppendNumber(&(code = "[HIGHESTMODSEQ "), core.view()->told_modseq().value());
      code += "] ";
    }
    return code;
  }

 private:
  cmd::Copy command_;
  UidSet uids_;
  MailboxRef target_;
};

bool Writable(Core& core) {
  if (core.view()->read_only()) {
    core.No("The mailbox is open for reading only");
    return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Copy command) {
  if (command.move && !Writable(core)) {
    return nullptr;
  }
  Result<UidSet> uids = MessagesOf(*core.view(), command.set, command.uid);
  if (!uids.ok()) {
    core.Bad(std::string(uids.status().message()));
    return nullptr;
  }
  if (uids->empty()) {
    core.Ok(std::string(command.move ? "MOVE" : "COPY") + " completed: no such messages");
    return nullptr;
  }
  if (!command.move && uids->Count() > limits::kAtomicMessagesMax) {
    core.No(TooManyMessages());
    return nullptr;
  }
  auto task = std::make_unique<CopyTask>(core, std::move(command), std::move(*uids));
  task->Begin();
  return task;
}

std::unique_ptr<Task> Run(Core& core, cmd::Expunge command) {
  if (!Writable(core)) {
    return nullptr;
  }
  std::optional<UidSet> uids;
  if (command.uids) {
    uids = *MessagesOf(*core.view(), *command.uids, true);
  }
  auto task = std::make_unique<Task>(core);
  core.store().Expunge(
      core.view()->ref(), std::move(uids),
      task->Then<ExpungeResult>([&core](const Result<ExpungeResult>& result) {
        if (!result.ok()) {
          return core.Fail(result.status());
        }
        core.OkLater([&core] { return CopyTask::HighestCode(core) + "EXPUNGE completed"; });
      }));
  return task;
}

}  // namespace twinspool::imap
