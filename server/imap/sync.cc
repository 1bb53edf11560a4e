// One sync: batches of changes from the index into the view and, as responses, to the client.
#include "server/imap/sync.h"

#include <algorithm>
#include <utility>

#include "server/imap/core.h"
#include "server/imap/fetch_line.h"

namespace twinspool::imap {
namespace {

class SyncTask : public Task {
 public:
  SyncTask(Core& core, SyncStyle style, bool tell_expunges, std::function<void(Status)> done)
      : Task(core),
        style_(std::move(style)),
        tell_expunges_(tell_expunges),
        done_(std::move(done)),
        view_(*core.view()) {}

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
  }

 private:
  void OnBatch(const Result<IndexBatch>& batch) {
    if (!batch.ok()) {
      return done_(batch.status());
    }
    TellKeywords(core(), view_, batch->state.keywords);
    const bool more = view_.Take(*batch, [&](std::uint32_t number, const IndexEntry& entry) {
      TellChange(number, entry, *batch->state.keywords);
    });
    if (more && core().FlushAndCheckBlocked()) {
      waiting_ = true;
      return;
    }
    if (more) {
      return Read();
    }
    if (tell_expunges_) {
      TellExpunges();
    }
    if (const std::optional<std::uint32_t> exists = view_.TakeExists()) {
      AppendNumber(&(core().out() += "* "), *exists);
      core().out() += " EXISTS\r\n";
    }
    done_(OkStatus());
  }

  void TellChange(std::uint32_t number, const IndexEntry& entry, const KeywordTable& keywords) {
    UpdateItems items;
    items.uid = (style_.uid || core().qresync()) && !core().uid_only();
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
