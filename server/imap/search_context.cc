#include "server/imap/search_context.h"

#include <algorithm>

#include "server/imap/core.h"
#include "server/imap/messages.h"
#include "server/imap/search_scan.h"
#include "server/imap/sort.h"
#include "server/imap/summary_reader.h"

namespace twinspool::imap {
namespace {

SearchKey Fixed(SearchKey key, const SelectedView& view) {
  if (key.set.saved || key.op == SearchOp::kSequence) {
    const bool uid = key.op == SearchOp::kUid;
    const UidSet uids = MessagesOf(view, key.set, uid).value();
    key.op = SearchOp::kUid;
    key.set = SequenceSet();
    for (const UidRange& range : uids.ranges()) {
      key.set.ranges.push_back({range.first, range.last});
    }
  }
  for (SearchKey& child : key.children) {
    child = Fixed(std::move(child), view);
  }
  return key;
}

/// What the passing of time alone changes cannot be told as it happens (RFC 5032).
bool Ages(const SearchKey& key) {
  return key.op == SearchOp::kOlder || key.op == SearchOp::kYounger ||
         std::any_of(key.children.begin(), key.children.end(), Ages);
}

/// Of a SEARCH the ranges are kept, of a SORT each message.
bool TooLarge(const SearchContext& context) {
  return context.found.ranges().size() > limits::kSearchContextRunsMax ||
         context.order.size() > limits::kSortContextMessagesMax;
}

void RefuseUpdate(std::string* out, const std::string& tag, std::string_view why) {
  AppendString(&(*out += "* NO [NOUPDATE "), tag);
  ((*out += "] ") += why) += "\r\n";
}

void BeginLine(const SearchContext& context, std::string* out) {
  AppendString(&(*out += "* ESEARCH (TAG "), context.tag);
  *out += context.search.uid ? ") UID" : ")";
}

std::uint32_t Named(const SearchContext& context, const SelectedView& view, std::uint32_t uid) {
  return context.search.uid ? uid : view.NumberOf(Uid(uid));
}

/// " REMOVEFROM (…)": of a SORT with the place of each, from the last to the first, so that a place
/// is right when its turn comes (RFC 5267 §4.3.4).
void AppendRemoved(const SearchContext& context, const SelectedView& view, const UidSet& removed,
                   std::string* out) {
  *out += " REMOVEFROM (";
  if (context.criteria.empty()) {
    AppendSet(&(*out += "0 "), NumbersOf(view, removed, context.search.uid));
    *out += ')';
    return;
  }
  std::string_view separator;
  for (std::size_t i = context.order.size(); i > 0; --i) {
    if (removed.Contains(context.order[i - 1])) {
      AppendNumber(&(*out += separator), i);
      AppendNumber(&(*out += ' '), Named(context, view, context.order[i - 1]));
      separator = " ";
    }
  }
  *out += ')';
}

/// " ADDTO (…)": of a SORT with the place of each run, in the order of places.
void AppendAdded(const SearchContext& context, const SelectedView& view, const UidSet& added,
                 std::string* out) {
  *out += " ADDTO (";
  if (context.criteria.empty()) {
    AppendSet(&(*out += "0 "), NumbersOf(view, added, context.search.uid));
    *out += ')';
    return;
  }
  std::string_view separator;
  for (std::size_t i = 0; i < context.order.size();) {
    std::vector<Uid> run;
    const std::size_t place = i + 1;
    for (; i < context.order.size() && added.Contains(context.order[i]); ++i) {
      run.emplace_back(Named(context, view, context.order[i]));
    }
    if (run.empty()) {
      ++i;
      continue;
    }
    AppendNumber(&(*out += separator), place);
    AppendNumbersInOrder(&(*out += ' '), run);
    separator = " ";
  }
  *out += ')';
}

void Remove(SearchContext* context, const UidSet& removed) {
  context->found = context->found.Minus(removed);
  std::erase_if(context->order, [&](std::uint32_t uid) { return removed.Contains(uid); });
}

}  // namespace

cmd::Search FixedSearch(cmd::Search command, const SelectedView& view) {
  command.program = Fixed(std::move(command.program), view);
  return command;
}

void AddContext(Core& core, cmd::Search command, std::vector<SortCriterion> criteria, UidSet found,
                std::vector<std::uint32_t> sorted) {
  const bool ages = Ages(command.program);
  SearchContext context{core.tag(), std::move(command), std::move(criteria), std::move(found),
                        std::move(sorted)};
  if (ages) {
    RefuseUpdate(&core.out(), context.tag, "What only grows older is not told");
  } else if (core.contexts().size() >= limits::kSearchContextsMax) {
    RefuseUpdate(&core.out(), context.tag, "Too many contexts; cancel another one");
  } else if (TooLarge(context)) {
    RefuseUpdate(&core.out(), context.tag, "Too many messages were found");
  } else {
    core.contexts().push_back(std::move(context));
  }
}

void TellGoneFromContexts(Core& core) {
  const SelectedView& view = *core.view();
  for (SearchContext& context : core.contexts()) {
    const UidSet gone = context.found.Intersect(view.gone());
    if (!gone.empty()) {
      BeginLine(context, &core.out());
      AppendRemoved(context, view, gone, &core.out());
      core.out() += "\r\n";
      Remove(&context, gone);
    }
  }
}

ContextUpdate::ContextUpdate(Task& task, Core& core) : task_(task), core_(core) {}

ContextUpdate::~ContextUpdate() = default;

void ContextUpdate::Begin(UidSet changed, UidSet fresh, std::function<void()> done) {
  changed_ = std::move(changed);
  fresh_ = std::move(fresh);
  done_ = std::move(done);
  Next();
}

void ContextUpdate::Next() {
  if (at_ >= core_.contexts().size() || (changed_.empty() && fresh_.empty())) {
    return done_();
  }
  Result<SearchProgram> program = SearchProgram::Prepare(
      core_.contexts()[at_].search, *core_.view(), core_.clock().WallSeconds());
  if (!program.ok()) {
    return GiveUp("The search cannot be repeated");
  }
  UidSet judged = changed_;
  judged.Add(fresh_);
  program->Restrict(judged);
  scan_ = std::make_unique<SearchScan>(task_, core_, *core_.view(), std::move(*program));
  scan_->Begin([this](const Status& status) {
    const bool sound = status.ok() && scan_->found().failure.ok();
    Later([this, sound] { OnFound(sound); });
  });
}

/// Outside of the scan or reader that calls: what follows makes another in its place.
void ContextUpdate::Later(std::function<void()> next) {
  task_.Then<Unit>([next = std::move(next)](const Result<Unit>&) { next(); })(Unit{});
}

void ContextUpdate::OnFound(bool sound) {
  if (!sound) {
    return GiveUp("Messages cannot be read");
  }
  SearchContext& context = core_.contexts()[at_];
  UidSet judged = changed_;
  judged.Add(fresh_);
  const UidSet before = context.found.Intersect(judged);
  const UidSet now = scan_->found().uids.Minus(core_.view()->gone());
  added_ = now.Minus(before);
  removed_ = before.Minus(now);
  if (added_.empty() && removed_.empty()) {
    ++at_;
    return Next();
  }
  if (context.criteria.empty() || added_.empty()) {
    return Tell({});
  }
  Order();
}

/// The order of all that is found by now, of which the old one is a part: what it compares of a
/// message never changes.
void ContextUpdate::Order() {
  const SearchContext& context = core_.contexts()[at_];
  UidSet all = context.found.Minus(removed_);
  all.Add(added_);
  if (all.Count() > limits::kSortContextMessagesMax) {
    return GiveUp("Too many messages were found");
  }
  table_ = std::make_shared<SortTable>(context.criteria);
  reader_ = std::make_unique<SummaryReader>(task_, core_, core_.view()->ref());
  reader_->Begin(
      std::move(all), NeedsSummary(context.criteria),
      [this](const FetchedMessage& message, const mime::SortSummaryView& summary) {
        table_->Add(message.uid.value(), message.record, summary);
      },
      [this](const Status& status) {
        if (!status.ok()) {
          return Later([this] { GiveUp("Messages cannot be read"); });
        }
        task_.Aside<std::vector<std::uint32_t>>(
            [table = table_] { return table->Sorted(); },
            [this](Result<std::vector<std::uint32_t>> order) { Tell(std::move(*order)); });
      });
}

void ContextUpdate::Tell(std::vector<std::uint32_t> order) {
  SearchContext& context = core_.contexts()[at_];
  const SelectedView& view = *core_.view();
  BeginLine(context, &lines_);
  if (!removed_.empty()) {
    AppendRemoved(context, view, removed_, &lines_);
    Remove(&context, removed_);
  }
  if (!added_.empty()) {
    context.found.Add(added_);
    context.order = std::move(order);
    AppendAdded(context, view, added_, &lines_);
  }
  lines_ += "\r\n";
  const UidSet fresh = added_.Intersect(fresh_);
  if (!context.search.update_items.empty() && !fresh.empty()) {
    wanted_.emplace_back(fresh, context.search.update_items);
  }
  if (TooLarge(context)) {
    return GiveUp("Too many messages were found");
  }
  ++at_;
  Next();
}

void ContextUpdate::GiveUp(const char* why) {
  RefuseUpdate(&lines_, core_.contexts()[at_].tag, why);
  core_.contexts().erase(core_.contexts().begin() + static_cast<std::ptrdiff_t>(at_));
  Next();
}

}  // namespace twinspool::imap
