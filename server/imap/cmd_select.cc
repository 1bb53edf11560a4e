// SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 §6.3, RFC 9051 §6.3, RFC 3691), with CONDSTORE and
// QRESYNC (RFC 7162).
#include "server/imap/answers.h"
#include "server/imap/fetch_line.h"
#include "server/imap/tasks.h"
#include "server/imap/view_loader.h"

namespace twinspool::imap {
namespace {

class SelectTask : public Task {
 public:
  SelectTask(Core& core, cmd::Select command) : Task(core), command_(std::move(command)) {}

  void Begin() {
    core().store().FindMailbox(core().user().id, NormalName(command_.mailbox),
                               Then<MailboxState>([this](const Result<MailboxState>& state) {
                                 if (!state.ok()) {
                                   return core().Fail(state.status());
                                 }
                                 Open(*state);
                               }));
  }

 private:
  void Open(const MailboxState& state) {
    const bool read_only = command_.examine || !WritableWith(state.rights);
    // The watch comes before the first read: what changes in between wakes us and is synced.
    core().StartWatch(state.ref);
    loader_.Load(state.ref, read_only, [this](const Status& status) {
      if (!status.ok()) {
        core().Unselect();
        return core().Fail(status);
      }
      view_ = loader_.TakeView();
      Tell();
    });
  }

  void Tell() {
    const MailboxState& state = loader_.state();
    std::string& out = core().out();
    AppendFlagTable(&(out += "* FLAGS "), *state.keywords);
    out += "\r\n* ";
    AppendNumber(&out, view_->exists());
    out += core().rev2() ? " EXISTS\r\n" : " EXISTS\r\n* 0 RECENT\r\n";
    if (core().rev2()) {
      // The name that the client gave it, where that is another (RFC 9051 §6.3.9.7).
      AppendListLine(&out, "", state.name, state.name == command_.mailbox ? "" : command_.mailbox,
                     true);
    }
    if (loader_.first_unseen() != 0 && !core().rev2() && !core().uid_only()) {
      AppendNumber(&(out += "* OK [UNSEEN "), loader_.first_unseen());
      out += "] First unseen\r\n";
    }
    if (view_->read_only()) {
      out += "* OK [PERMANENTFLAGS ()] Read-only\r\n";
    } else {
      AppendPermanentFlags(&(out += "* OK [PERMANENTFLAGS "), *state.keywords, state.rights);
      out += "] Flags are kept\r\n";
    }
    AppendNumber(&(out += "* OK [UIDVALIDITY "), state.uid_validity.value());
    AppendNumber(&(out += "] UIDs are valid\r\n* OK [UIDNEXT "), state.uid_next.value());
    AppendNumber(&(out += "] Next UID\r\n* OK [HIGHESTMODSEQ "), view_->told_modseq().value());
    out += "] Highest\r\n* OK [MAILBOXID (" + MailboxIdText(state.ref.id) + ")] Id\r\n";
    if (command_.qresync && command_.qresync->uid_validity == state.uid_validity) {
      matched_uid_ = MatchedUid(*command_.qresync);
      return ReadChanges(Uid(1));
    }
    Finish();
  }

  // --- QRESYNC

  /// The last UID at which the client's sequence match data agree with our numbers (RFC 7162
  /// §3.2.5.2): as many messages up to there with it as with us, so none of them has vanished. 0:
  /// nothing is known to agree.
  std::uint32_t MatchedUid(const cmd::Qresync& qresync) const {
    const UidSet ours = view_->UidsAt(qresync.match_sequence);
    const std::vector<UidRange>& ranges = qresync.match_uids.ranges();
    auto range = ranges.begin();
    std::uint32_t theirs = qresync.match_uids.Min();
    std::uint32_t matched = 0;
    // The sets are equally long, but numbers that we do not have are left out at the end of ours.
    ours.ForEach([&](std::uint32_t uid) {
      matched = uid == theirs ? uid : matched;
      if (theirs++ == range->last && ++range != ranges.end()) {
        theirs = range->first;
      }
    });
    return matched;
  }

  void ReadChanges(Uid from) {
    IndexQuery query;
    query.since = command_.qresync->modseq;
    query.uids = command_.qresync->known_uids;
    query.from = from;
    query.limit = view_->SliceEntries();
    core().store().ReadIndex(
        view_->ref(), std::move(query),
        Then<IndexBatch>([this](const Result<IndexBatch>& batch) { OnChanges(batch); }));
  }

  void OnChanges(const Result<IndexBatch>& batch) {
    if (!batch.ok()) {
      core().Unselect();
      return core().Fail(batch.status());
    }
    std::string& out = core().out();
    // What this view still counts is told as gone by a later sync, not as gone earlier.
    UidSet vanished = batch->vanished.Minus(view_->ToldUids());
    if (matched_uid_ > 0) {
      vanished = vanished.Minus(UidSet::Of(1, matched_uid_));
    }
    if (!vanished.empty()) {
      AppendSet(&(out += "* VANISHED (EARLIER) "), vanished);
      out += "\r\n";
    }
    TellKeywords(core(), *view_, batch->state.keywords);
    for (const IndexEntry& entry : batch->entries) {
      if (const std::uint32_t number = view_->NumberOf(entry.uid); number != 0) {
        AppendUpdate(&out, number, entry, *batch->state.keywords,
                     {.uid = !core().uid_only(),
                      .flags = true,
                      .modseq = true,
                      .by_uid = core().uid_only()});
      }
    }
    if (!batch->next) {
      return Finish();
    }
    if (core().FlushAndCheckBlocked()) {
      blocked_at_ = batch->next;
    } else {
      ReadChanges(*batch->next);
    }
  }

  void OnDrained() override {
    // The client may also catch up while a read is under way.
    if (const std::optional<Uid> next = std::exchange(blocked_at_, std::nullopt)) {
      ReadChanges(*next);
    }
  }

  void Finish() {
    const bool read_only = view_->read_only();
    core().Select(std::move(view_));
    core().SkipSync();
    core().Ok(std::string(read_only ? "[READ-ONLY] " : "[READ-WRITE] ") +
              (command_.examine ? "EXAMINE completed" : "SELECT completed"));
  }

  cmd::Select command_;
  std::unique_ptr<SelectedView> view_;
  ViewLoader loader_{*this, core()};
  std::uint32_t matched_uid_ = 0;
  std::optional<Uid> blocked_at_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Select command) {
  if (command.qresync && !core.qresync()) {
    core.Bad("ENABLE QRESYNC comes first");
    return nullptr;
  }
  if (command.qresync && !command.qresync->match_sequence.empty() && core.uid_only()) {
    core.Bad("[UIDREQUIRED] Sequence match data are for sessions without UIDONLY");
    return nullptr;
  }
  if (core.view() != nullptr) {
    // Whatever becomes of the new mailbox, the old one is closed (RFC 3501 §6.3.1).
    core.Unselect();
    core.Untagged("OK [CLOSED] The mailbox before is closed");
  }
  if (command.condstore || command.qresync) {
    core.EnableCondstore();
  }
  auto task = std::make_unique<SelectTask>(core, std::move(command));
  task->Begin();
  return task;
}

std::unique_ptr<Task> Run(Core& core, cmd::Unselect) {
  core.Unselect();
  core.Ok("UNSELECT completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Close) {
  core.SkipSync();
  if (core.view()->read_only() || (core.view()->rights() & kRightExpunge) == 0) {
    core.Unselect();
    core.Ok("CLOSE completed");
    return nullptr;
  }
  auto task = std::make_unique<Task>(core);
  // Only what this session has seen may go: a message that came since is not its to expunge.
  core.store().Expunge(core.view()->ref(), core.view()->ToldUids(),
                       task->Then<ExpungeResult>([&core](const Result<ExpungeResult>& result) {
                         if (result.ok()) {
                           core.Unselect();
                         }
                         core.FinishWith(result.status(), "CLOSE completed");
                       }));
  return task;
}

}  // namespace twinspool::imap
