// One sync: batches of changes from the index into the view and, as responses, to the client.
#include "server/imap/sync.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "server/imap/core.h"
#include "server/imap/fetch_line.h"
#include "server/imap/fetch_run.h"
#include "server/imap/search_context.h"

namespace twinspool::imap {
namespace {

class SyncTask : public Task {
 public:
  SyncTask(Core& core, SyncStyle style, bool tell_expunges, std::function<void(Status)> done)
      : Task(core),
        style_(std::move(style)),
        tell_expunges_(tell_expunges),
        done_(std::move(done)),
        view_(*core.view()),
        last_told_(view_.last_uid()),
        before_(view_.view_modseq()) {}

  void Read() {
    IndexQuery query = view_.NextQuery();
    // Keywords that came meanwhile are known after the first read only.
    query.limit = std::exchange(first_, false) ? limits::kSyncFirstEntries : view_.SliceEntries();
    core().store().ReadIndex(
        view_.ref(), std::move(query),
        Then<IndexBatch>([this](const Result<IndexBatch>& batch) { OnBatch(batch); }));
  }

  void OnDrained() override {
    if (waiting_) {
      waiting_ = false;
      Read();
    }
    if (run_) {
      run_->OnDrained();
    }
  }

 private:
  void OnBatch(const Result<IndexBatch>& batch) {
    if (!batch.ok()) {
      return done_(batch.status());
    }
    TellKeywords(core(), view_, batch->state.keywords);
    const bool more = view_.Take(*batch, [&](std::uint32_t number, const IndexEntry& entry) {
      TellChange(number, entry, *batch->state.keywords);
      if (!core().contexts().empty()) {
        changed_.Add(entry.uid);
      }
    });
    if (more && core().FlushAndCheckBlocked()) {
      waiting_ = true;
      return;
    }
    if (more) {
      return Read();
    }
    TellGoneFromContexts(core());
    if (tell_expunges_) {
      TellExpunges();
    }
    if (const std::optional<std::uint32_t> exists = view_.TakeExists()) {
      AppendNumber(&(core().out() += "* "), *exists);
      core().out() += " EXISTS\r\n";
      fresh_ = view_.ToldUids();
      if (last_told_.value() > 0) {
        fresh_ = fresh_.Minus(UidSet::Of(1, last_told_.value()));
      }
    }
    UpdateContexts();
  }

  // --- searches that are kept up to date, and items of new messages

  void UpdateContexts() {
    const UidSet own = core().TakeOwn();
    if (core().contexts().empty() && (fresh_.empty() || core().selected_events().items.empty())) {
      return done_(OkStatus());
    }
    update_.emplace(*this, core());
    update_->Begin(changed_.Minus(view_.gone()), fresh_, [this, own] {
      for (const auto& [uids, items] : update_->wanted()) {
        Want(uids, items);
      }
      Want(fresh_.Minus(own), core().selected_events().items);
      FetchNext();
    });
  }

  /// Each message is told once, with all that anybody asks of it.
  void Want(const UidSet& uids, const std::vector<FetchItem>& items) {
    if (items.empty()) {
      return;
    }
    uids.ForEach([&](std::uint32_t uid) {
      std::vector<const std::vector<FetchItem>*>& asked = wanted_[uid];
      asked.push_back(&items);
    });
  }

  /// Runs of messages of which the same is asked, one run after the other; then the contexts speak.
  void FetchNext() {
    if (wanted_.empty()) {
      core().out() += update_->lines();
      return done_(OkStatus());
    }
    const auto asked = wanted_.begin()->second;
    UidSet uids;
    while (!wanted_.empty() && wanted_.begin()->second == asked) {
      uids.Add(wanted_.begin()->first);
      wanted_.erase(wanted_.begin());
    }
    items_.clear();
    for (const std::vector<FetchItem>* some : asked) {
      AddItems(*some);
    }
    plan_ = PlanFetch(items_, !core().uid_only());
    plan_.by_uid = core().uid_only();
    run_.emplace(*this, core(), items_, plan_);
    run_->Begin(std::move(uids), [this](const Status& status) {
      if (!status.ok()) {
        core().out() += update_->lines();  // they are true all the same, and told once
        return done_(status);
      }
      // Not from within the run that ends here.
      Then<Unit>([this](const Result<Unit>&) { FetchNext(); })(Unit{});
    });
  }

  void AddItems(const std::vector<FetchItem>& more) {
    for (FetchItem item : more) {
      item.peek = true;
      if (std::find(items_.begin(), items_.end(), item) == items_.end()) {
        items_.push_back(std::move(item));
      }
    }
  }

  void TellChange(std::uint32_t number, const IndexEntry& entry, const KeywordTable& keywords) {
    if (!style_.flags && !Own(entry)) {
      return view_.HoldModseq(before_);
    }
    UpdateItems items;
    items.uid =
        (style_.uid || core().qresync() || core().notifier() != nullptr) && !core().uid_only();
    items.modseq = core().condstore();
    items.by_uid = core().uid_only();
    items.flags = !style_.own_silent || !Own(entry);
    if (items.flags || items.modseq) {
      AppendUpdate(&core().out(), number, entry, keywords, items);
    }
  }

  bool Own(const IndexEntry& entry) const {
    return std::any_of(style_.own.begin(), style_.own.end(), [&](const auto& part) {
      return part.second == entry.modseq && part.first.Contains(entry.uid);
    });
  }

  void TellExpunges() {
    const ExpungeNews news = view_.TakeExpunges();
    std::string& out = core().out();
    if ((core().qresync() || core().uid_only()) && !news.uids.empty()) {
      AppendSet(&(out += "* VANISHED "), news.uids);
      out += "\r\n";
      return;
    }
    for (const std::uint32_t number : news.numbers) {
      AppendNumber(&(out += "* "), number);
      out += " EXPUNGE\r\n";
    }
  }

  SyncStyle style_;
  bool tell_expunges_;
  std::function<void(Status)> done_;
  SelectedView& view_;
  const Uid last_told_;  // before this sync
  const Modseq before_;
  UidSet changed_;
  UidSet fresh_;
  std::optional<ContextUpdate> update_;
  std::map<std::uint32_t, std::vector<const std::vector<FetchItem>*>> wanted_;  // by UID
  std::vector<FetchItem> items_;
  FetchPlan plan_;
  std::optional<FetchRun> run_;
  bool first_ = true;
  bool waiting_ = false;
};

}  // namespace

void TellKeywords(Core& core, SelectedView& view, const std::shared_ptr<const KeywordTable>& now) {
  if (!view.LearnKeywords(now)) {
    return;
  }
  AppendFlagTable(&(core.out() += "* FLAGS "), *now);
  core.out() += "\r\n";
  if (!view.read_only()) {
    AppendPermanentFlags(&(core.out() += "* OK [PERMANENTFLAGS "), *now, view.rights());
    core.out() += "] Keywords were added\r\n";
  }
}

std::unique_ptr<Task> StartSync(Core& core, SyncStyle style, bool tell_expunges,
                                std::function<void(Status)> done) {
  auto task = std::make_unique<SyncTask>(core, std::move(style), tell_expunges, std::move(done));
  task->Read();
  return task;
}

}  // namespace twinspool::imap
