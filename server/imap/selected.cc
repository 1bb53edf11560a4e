// The frozen picture: runs of UIDs with the count of messages before each.
#include "server/imap/selected.h"

#include <algorithm>

#include "common/check.h"
#include "common/limits.h"

namespace twinspool::imap {

void SelectedView::Load(const UidBatch& batch) {
  if (seen_modseq_.value() == 0) {
    seen_modseq_ = batch.state.highest_modseq;
    keywords_ = batch.state.keywords;
    rights_ = batch.state.rights;
  }
  known_.Add(batch.uids);
  newest_ = std::max(newest_, known_.Max());
  Number();
  told_ = count_;
}

void SelectedView::Number() {
  before_.clear();
  before_.reserve(known_.ranges().size());
  count_ = 0;
  for (const UidRange& range : known_.ranges()) {
    before_.push_back(count_);
    count_ += range.last - range.first + 1;
  }
}

Uid SelectedView::UidAt(std::uint32_t number) const {
  TWINSPOOL_CHECK(number >= 1 && number <= count_, "sequence number outside the view");
  const auto it = std::upper_bound(before_.begin(), before_.end(), number - 1) - 1;
  const std::size_t index = static_cast<std::size_t>(it - before_.begin());
  return Uid(known_.ranges()[index].first + (number - 1 - *it));
}

std::uint32_t SelectedView::NumberOf(Uid uid) const {
  const std::vector<UidRange>& ranges = known_.ranges();
  const auto it = std::lower_bound(
      ranges.begin(), ranges.end(), uid.value(),
      [](const UidRange& range, std::uint32_t value) { return range.last < value; });
  if (it == ranges.end() || it->first > uid.value()) {
    return 0;
  }
  const std::size_t index = static_cast<std::size_t>(it - ranges.begin());
  const std::uint32_t number = before_[index] + (uid.value() - it->first) + 1;
  return number <= told_ ? number : 0;
}

Uid SelectedView::last_uid() const {
  return told_ == 0 ? Uid(0) : UidAt(told_);
}

UidSet SelectedView::ToldUids() const {
  return told_ == 0 ? UidSet() : known_.Intersect(UidSet::Of(1, last_uid().value()));
}

UidSet SelectedView::UidsAt(const UidSet& numbers) const {
  UidSet uids;
  std::size_t index = 0;
  for (const UidRange& wanted : numbers.ranges()) {
    std::uint32_t number = wanted.first;
    const std::uint32_t last = std::min(wanted.last, told_);
    // Walk runs and wanted ranges side by side: each is visited once.
    while (number <= last) {
      while (index + 1 < before_.size() && before_[index + 1] < number) {
        ++index;
      }
      const UidRange& run = known_.ranges()[index];
      const std::uint32_t first_uid = run.first + (number - 1 - before_[index]);
      const std::uint32_t take = std::min(last - number, run.last - first_uid);
      uids.Add(first_uid, first_uid + take);
      number += take + 1;
    }
  }
  return uids;
}

bool SelectedView::LearnKeywords(const std::shared_ptr<const std::vector<std::string>>& now) {
  if (now == keywords_ || *now == *keywords_) {
    return false;
  }
  // A view older than what was told before (another command's) shows a part of it.
  const bool older = now->size() < keywords_->size();
  keywords_ = older ? keywords_ : now;
  return !older;
}

std::size_t SelectedView::SliceEntries() const {
  constexpr std::size_t kPlainLineBytes = 128;
  std::size_t line = kPlainLineBytes;
  for (const std::string& keyword : *keywords_) {
    line += keyword.size() + 1;
  }
  return std::clamp<std::size_t>(limits::kIndexSliceBytes / line, 1, limits::kIndexSliceEntries);
}

IndexQuery SelectedView::NextQuery() const {
  IndexQuery query;
  query.since = seen_modseq_;
  query.from = sync_from_;
  return query;
}

void SelectedView::Learn(Uid uid) {
  newest_ = uid.value();
  const bool new_run = known_.Max() + 1 != uid.value() || known_.empty();
  known_.Add(uid);
  if (new_run) {
    before_.push_back(count_);
  }
  ++count_;
}

bool SelectedView::TakeRest(const IndexBatch& batch) {
  if (!sync_target_) {
    sync_target_ = batch.state.highest_modseq;
  }
  const UidSet gone = batch.vanished.Intersect(known_);
  if (!gone.empty()) {
    const bool first = gone_.empty();
    const UidSet told = gone.Intersect(ToldUids());
    if (first && !told.empty()) {
      told_modseq_ = seen_modseq_;
    }
    gone_.Add(told);
    // A message that came and went between two EXISTS never had a number.
    const UidSet untold = gone.Minus(told);
    if (!untold.empty()) {
      known_ = known_.Minus(untold);
      Number();
    }
  }
  if (batch.next) {
    sync_from_ = *batch.next;
    return true;
  }
  sync_from_ = Uid(1);
  seen_modseq_ = std::max(seen_modseq_, *sync_target_);
  sync_target_.reset();
  return false;
}

ExpungeNews SelectedView::TakeExpunges() {
  ExpungeNews news;
  if (gone_.empty()) {
    return news;
  }
  news.numbers.reserve(gone_.Count());
  gone_.ForEach([&](std::uint32_t uid) { news.numbers.push_back(NumberOf(Uid(uid))); });
  std::reverse(news.numbers.begin(), news.numbers.end());
  known_ = known_.Minus(gone_);
  told_ -= static_cast<std::uint32_t>(news.numbers.size());
  Number();
  news.uids = std::move(gone_);
  gone_ = UidSet();
  return news;
}

std::optional<std::uint32_t> SelectedView::TakeExists() {
  if (told_ == count_) {
    return std::nullopt;
  }
  told_ = count_;
  return told_;
}

}  // namespace twinspool::imap
