// ChangedPages: which index pages of a mailbox changed lately, so that "what is new since a moment
// ago" reads those pages and not the mailbox.
//
// Only knowledge that makes reading cheaper: a mailbox or a moment that is not known here is read
// in full. Filled by the commit thread before a group becomes visible, so a reader of any view that
// includes a change finds the page named. Emptied when a time as primary begins or ends.
//
// Memory: at most limits::kChangedPagesMailboxes mailboxes twice, with kChangedPagesPerMailbox
// changes each. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/types.h"

namespace twinspool::store {

/// What one transaction changed in one mailbox.
struct PageChange {
  MailboxId mailbox;
  /// The mailbox's highest modseq before and after.
  Modseq before;
  Modseq after;
  std::vector<std::uint32_t> pages;
};

/// See the head of this file.
class ChangedPages {
 public:
  /// In the order of commits; every change there is.
  void Note(const PageChange& change);
  /// Every page that has an entry with a higher modseq, ascending (and perhaps some that have not);
  /// nothing: not known.
  std::optional<std::vector<std::uint32_t>> Since(MailboxId mailbox, Modseq since);
  void Clear();

 private:
  struct Known {
    Modseq floor;  // what changed later is listed
    std::deque<std::pair<Modseq, std::uint32_t>> changes;
  };
  using Mailboxes = std::unordered_map<MailboxId, Known>;

  Known& TakeLocked(const PageChange& change);

  std::mutex mutex_;
  Mailboxes young_;  // changed since `old_` was set aside
  Mailboxes old_;
};

}  // namespace twinspool::store
