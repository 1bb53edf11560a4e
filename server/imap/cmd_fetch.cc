// FETCH and UID FETCH (RFC 3501 §6.4.5), with CHANGEDSINCE and VANISHED (RFC 7162 §3.1.4, §3.2.6).
//
// The index is read where it is enough (flags alone) or says which (what changed since); FetchRun
// does the rest. \Seen comes last, as one write for the whole command: when writes are blocked the
// data is given all the same.
#include <algorithm>

#include "server/imap/fetch_line.h"
#include "server/imap/fetch_plan.h"
#include "server/imap/fetch_run.h"
#include "server/imap/messages.h"
#include "server/imap/sequence.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

class FetchTask : public Task {
 public:
  FetchTask(Core& core, cmd::Fetch command, UidSet uids)
      : Task(core),
        command_(std::move(command)),
        uids_(std::move(uids)),
        plan_(PlanFetch(command_.items, command_.uid && !core.uid_only())),
        run_(*this, core, command_.items, plan_) {
    plan_.by_uid = core.uid_only();
    plan_.modseq = plan_.modseq || command_.changed_since.has_value();
    if (command_.changed_since && !plan_.index_only) {
      AddModseqItem();
    }
  }

  void Begin() {
    expected_ = uids_.Count();
    if (command_.changed_since || plan_.index_only) {
      return ReadIndex(Uid(1));
    }
    rest_ = uids_;
    FetchOn();
  }

  void OnDrained() override {
    if (resume_) {
      const std::function<void()> resume = std::exchange(resume_, nullptr);
      resume();
    }
    run_.OnDrained();
  }

 private:
  void AddModseqItem() {
    const bool there = std::any_of(command_.items.begin(), command_.items.end(), [](auto& item) {
      return item.attribute == FetchAttribute::kModseq;
    });
    if (!there) {
      command_.items.emplace_back().attribute = FetchAttribute::kModseq;
    }
  }

  /// Goes on now, or when the client has taken what it was given.
  void WhenDrained(std::function<void()> next) {
    if (core().FlushAndCheckBlocked()) {
      resume_ = std::move(next);
    } else {
      next();
    }
  }

  // --- the index

  /// UIDs that the client asks about, those included that have gone.
  UidSet Asked() const {
    if (command_.partial) {
      // Between the first and the last that it gets, or it would hear of all the others.
      return uids_.empty() ? UidSet() : UidSet::Of(uids_.Min(), uids_.Max());
    }
    // What has vanished may lie above every message that is left: there '*' has no bound.
    return ResolveUids(command_.set, Uid(UINT32_MAX));
  }

  void ReadIndex(Uid from) {
    IndexQuery query;
    query.uids = uids_;
    query.from = from;
    query.limit = core().view()->SliceEntries();
    if (command_.changed_since) {
      // Clients send 0 after a server gained CONDSTORE; modseqs begin at 1.
      query.since = Modseq(std::max<std::uint64_t>(*command_.changed_since, 1));
      if (command_.vanished) {
        query.uids->Add(Asked());
      }
    }
    core().store().ReadIndex(
        core().view()->ref(), std::move(query),
        Then<IndexBatch>([this](Result<IndexBatch> batch) { OnIndex(std::move(batch)); }));
  }

  void OnIndex(Result<IndexBatch> batch) {
    if (!batch.ok()) {
      return core().Fail(batch.status());
    }
    std::string& out = core().out();
    SelectedView& view = *core().view();
    if (command_.vanished) {
      // What the client still counts is told as gone by a later sync, not as gone earlier.
      const UidSet vanished = batch->vanished.Minus(view.ToldUids());
      if (!vanished.empty()) {
        AppendSet(&(out += "* VANISHED (EARLIER) "), vanished);
        out += "\r\n";
      }
    }
    if (plan_.index_only) {
      TellKeywords(core(), view, batch->state.keywords);
    }
    const UpdateItems items{
        .uid = plan_.uid, .flags = plan_.flags, .modseq = plan_.modseq, .by_uid = plan_.by_uid};
    for (const IndexEntry& entry : batch->entries) {
      const std::uint32_t number = view.NumberOf(entry.uid);
      if (number == 0) {
        continue;
      }
      if (plan_.index_only) {
        ++answered_;
        AppendUpdate(&out, number, entry, *batch->state.keywords, items);
      } else {
        rest_.Add(entry.uid);
      }
    }
    WhenDrained([this, next = batch->next] {
      if (next) {
        ReadIndex(*next);
      } else if (plan_.index_only || rest_.empty()) {
        End();
      } else {
        FetchOn();
      }
    });
  }

  // --- messages

  void FetchOn() {
    run_.Begin(rest_, [this](const Status& status) {
      answered_ += run_.answered();
      if (!status.ok()) {
        return core().Fail(status);
      }
      End();
    });
  }

  // --- the end

  void End() {
    if (run_.unseen().empty() || core().view()->read_only() ||
        (core().view()->rights() & kRightSeen) == 0) {
      return Done(OkStatus());
    }
    stores_ = true;
    StoreRequest request;
    request.uids = run_.unseen();
    request.change = FlagChange::kAdd;
    request.flags.system = kSeen;
    core().store().StoreFlags(
        core().view()->ref(), std::move(request),
        Then<StoreResult>([this](const Result<StoreResult>& result) { Done(result.status()); }));
  }

  void Done(const Status& status) {
    if (status.Is(Code::kOutcomeUnknown) || status.Is(Code::kFenced)) {
      return core().Fail(status);
    }
    core().RequestSyncIf(stores_ && status.ok());
    core().set_sync_uid(command_.uid);
    if (!run_.failure().ok()) {
      return core().Fail(run_.failure());
    }
    if (run_.unknown_encoding()) {
      return core().No("[UNKNOWN-CTE] A part has a transfer encoding that is not known here");
    }
    const bool all = command_.uid || command_.changed_since || answered_ == expected_;
    core().Ok(all ? "FETCH completed" : "[EXPUNGEISSUED] Some of the messages no longer exist");
  }

  cmd::Fetch command_;
  UidSet uids_;
  FetchPlan plan_;
  std::uint64_t expected_ = 0;
  std::uint64_t answered_ = 0;
  UidSet rest_;
  FetchRun run_;
  bool stores_ = false;
  std::function<void()> resume_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Fetch command) {
  const bool modseq = std::any_of(command.items.begin(), command.items.end(), [](auto& item) {
    return item.attribute == FetchAttribute::kModseq;
  });
  if (modseq || command.changed_since) {
    core.EnableCondstore();
  }
  if (command.vanished && !core.qresync()) {
    core.Bad("ENABLE QRESYNC comes before VANISHED");
    return nullptr;
  }
  Result<UidSet> uids = MessagesOf(*core.view(), command.set, command.uid);
  if (!uids.ok()) {
    core.Bad(std::string(uids.status().message()));
    return nullptr;
  }
  if (command.partial) {
    uids = PartOf(*uids, *command.partial);
  }
  if (uids->empty() && !command.vanished) {
    core.Ok("FETCH completed: no such messages");
    return nullptr;
  }
  auto task = std::make_unique<FetchTask>(core, std::move(command), std::move(*uids));
  task->Begin();
  return task;
}

}  // namespace twinspool::imap
