#include "server/store/changed_pages.h"

#include <algorithm>

#include "common/limits.h"

namespace twinspool::store {

ChangedPages::Known& ChangedPages::TakeLocked(const PageChange& change) {
  if (const auto found = young_.find(change.mailbox); found != young_.end()) {
    return found->second;
  }
  if (young_.size() >= limits::kChangedPagesMailboxes) {
    old_ = std::exchange(young_, {});
  }
  Known& known = young_[change.mailbox];
  if (auto before = old_.extract(change.mailbox)) {
    known = std::move(before.mapped());
  } else {
    known.floor = change.before;
  }
  return known;
}

void ChangedPages::Note(const PageChange& change) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Known& known = TakeLocked(change);
  for (const std::uint32_t page : change.pages) {
    if (!known.changes.empty() && known.changes.back().second == page) {
      known.changes.back().first = change.after;  // the same page again: one mark, the later one
    } else {
      known.changes.emplace_back(change.after, page);
    }
  }
  while (known.changes.size() > limits::kChangedPagesPerMailbox) {
    known.floor = std::max(known.floor, known.changes.front().first);
    known.changes.pop_front();
  }
}

std::optional<std::vector<std::uint32_t>> ChangedPages::Since(MailboxId mailbox, Modseq since) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto found = young_.find(mailbox);
  if (found == young_.end()) {
    found = old_.find(mailbox);
    if (found == old_.end()) {
      return std::nullopt;
    }
  }
  const Known& known = found->second;
  if (since < known.floor) {
    return std::nullopt;
  }
  std::vector<std::uint32_t> pages;
  for (const auto& [modseq, page] : known.changes) {
    if (modseq > since) {
      pages.push_back(page);
    }
  }
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

void ChangedPages::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  young_.clear();
  old_.clear();
}

}  // namespace twinspool::store
