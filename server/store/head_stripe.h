// The inside of a stripe of HeadState; for head.cc and head_edit.cc only.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "server/store/engine.h"
#include "server/store/head.h"
#include "server/store/head_cache.h"
#include "server/store/page.h"

namespace twinspool::store {

using PagePlace = std::pair<MailboxId, std::uint32_t>;

/// A row that is queued and not durable yet; nothing: it is deleted.
struct QueuedRow {
  std::optional<std::string> value;
  std::uint64_t ticket = 0;
};

struct HeadState::Stripe {
  std::mutex mutex;
  std::uint64_t last_ticket = 0;
  PinnedCache<std::unordered_map, UserId, HeadUser> users;
  PinnedCache<std::unordered_map, MailboxId, HeadMailbox> mailboxes;
  PinnedCache<std::map, PagePlace, Page> pages;  // an empty page: known to have no row
  /// Key: family as one byte, then the row's key.
  std::map<std::string, QueuedRow, std::less<>> rows;
  std::deque<std::pair<std::uint64_t, std::string>> row_order;
  std::atomic<bool> has_rows{false};

  /// Forgets queued rows up to `durable`: the engine has them.
  void Trim(std::uint64_t durable);
};

}  // namespace twinspool::store
