// STORE and UID STORE, conditional or not (RFC 3501 §6.4.6, RFC 7162 §3.1.3).
//
// Messages that another session has expunged are skipped: the command succeeds for the others, and
// the client sees which were meant by the FETCH responses that it gets.
#include "server/imap/fetch_line.h"
#include "server/imap/messages.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

class StoreTask : public Task {
 public:
  StoreTask(Core& core, cmd::Store command, UidSet uids)
      : Task(core), command_(std::move(command)), uids_(std::move(uids)) {}

  void Begin() {
    StoreRequest request;
    request.uids = uids_.Minus(core().view()->gone());
    request.change = command_.change;
    request.flags = std::move(command_.flags);
    if (command_.unchanged_since) {
      request.unchanged_since = Modseq(*command_.unchanged_since);
    }
    request.known = core().view()->view_modseq();
    core().store().StoreFlags(
        core().view()->ref(), std::move(request),
        Then<StoreResult>([this](Result<StoreResult> result) { OnStored(std::move(result)); }));
  }

  void OnDrained() override {
    if (blocked_at_) {
      Echo(*std::exchange(blocked_at_, std::nullopt));
    }
  }

 private:
  void OnStored(Result<StoreResult> result) {
    if (!result.ok()) {
      return core().Fail(result.status());
    }
    result_ = std::move(*result);
    result_.missing.Add(uids_.Intersect(core().view()->gone()));
    if (command_.silent) {
      return End();
    }
    // The sync before the answer tells what was changed; what had its flags already is told here.
    unchanged_ = uids_.Minus(result_.missing).Minus(result_.modified);
    for (const auto& [uids, modseq] : result_.changed) {
      unchanged_ = unchanged_.Minus(uids);
    }
    if (unchanged_.empty()) {
      return End();
    }
    Echo(Uid(1));
  }

  void Echo(Uid from) {
    IndexQuery query;
    query.uids = unchanged_;
    query.from = from;
    query.limit = core().view()->SliceEntries();
    core().store().ReadIndex(
        core().view()->ref(), std::move(query),
        Then<IndexBatch>([this](const Result<IndexBatch>& batch) { OnEcho(batch); }));
  }

  void OnEcho(const Result<IndexBatch>& batch) {
    if (!batch.ok()) {
      return core().Fail(batch.status());
    }
    TellKeywords(core(), *core().view(), batch->state.keywords);
    const UpdateItems items{.uid = (command_.uid || core().qresync()) && !core().uid_only(),
                            .flags = true,
                            .modseq = core().condstore(),
                            .by_uid = core().uid_only()};
    for (const IndexEntry& entry : batch->entries) {
      AppendUpdate(&core().out(), core().view()->NumberOf(entry.uid), entry, *batch->state.keywords,
                   items);
    }
    if (!batch->next) {
      return End();
    }
    if (core().FlushAndCheckBlocked()) {
      blocked_at_ = batch->next;
    } else {
      Echo(*batch->next);
    }
  }

  void End() {
    SyncStyle style;
    style.uid = command_.uid;
    // What somebody else changed as well is told, silent or not (RFC 3501 §6.4.6).
    for (auto& [uids, modseq] : result_.changed) {
      style.own.emplace_back(uids.Minus(result_.news), modseq);
    }
    style.own_silent = command_.silent;
    core().set_sync_style(std::move(style));
    if (!result_.modified.empty()) {
      std::string text = "[MODIFIED ";
      AppendSet(&text, NumbersOf(*core().view(), result_.modified, command_.uid));
      return End(text + "] Some messages were changed before");
    }
    End(result_.missing.empty() ? "STORE completed"
                                : "[EXPUNGEISSUED] Some of the messages no longer exist");
  }

  void End(std::string text) {
    // A condition cannot hold for a message that is gone (RFC 7162 §3.1.3).
    const bool failed = command_.unchanged_since && !result_.missing.empty();
    core().Finish(failed ? Condition::kNo : Condition::kOk, std::move(text));
  }

  cmd::Store command_;
  UidSet uids_;
  StoreResult result_;
  UidSet unchanged_;
  std::optional<Uid> blocked_at_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Store command) {
  if (command.unchanged_since) {
    core.EnableCondstore();
  }
  if (core.view()->read_only()) {
    core.No("The mailbox is open for reading only");
    return nullptr;
  }
  Result<UidSet> uids = MessagesOf(*core.view(), command.set, command.uid);
  if (!uids.ok()) {
    core.Bad(std::string(uids.status().message()));
    return nullptr;
  }
  if (uids->empty()) {
    core.Ok("STORE completed: no such messages");
    return nullptr;
  }
  auto task = std::make_unique<StoreTask>(core, std::move(command), std::move(*uids));
  task->Begin();
  return task;
}

}  // namespace twinspool::imap
