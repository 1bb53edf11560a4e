// TextPages: what searches read, derived from messages and kept beside them.
//
// The text of a body is made when it arrives, on either node, and kept in a row of its own. Once
// all UIDs of an index page have been given out, the texts of its messages are packed into a few
// rows (server/mime/text_page.h), records and sort fields into one more (fact_page.h), and the rows
// of single bodies go. So each text is written twice, and a search of a large mailbox reads few
// rows. Pages that are missing are made when a search has met them.
//
// A cache: it is in no log, frame or digest, each node makes its own, and losing it costs time
// only. Records and bodies are the truth; what goes with them says derived.h. Nothing is written
// while new mail is refused for want of room.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/executor.h"
#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/schema.h"
#include "server/store/summaries.h"

namespace twinspool::store {

class DiskPolicy;
class Engine;

/// Thread-safe.
class TextPages {
 public:
  /// One thread of its own makes what is made later. All outlive this.
  TextPages(Engine& engine, DiskPolicy& disk, SummaryCache& summaries);
  /// Leaves undone what waits.
  void Stop();
  /// Waits until what waits now is made.
  void Settle();

  SummaryCache& summaries() { return summaries_; }

  // --- reading
  /// Columns of a page, as `kinds` names them; nothing when one is not there. Whether they can be
  /// used, their readers say.
  std::optional<std::vector<std::string>> Read(MailboxId mailbox, std::uint32_t page,
                                               std::string_view kinds);
  /// The kept text of a body, made by this version; nothing: make it.
  std::optional<std::string> TextOf(UserId user, BodyNo body);
  /// Whether a page can be packed: no more UIDs of it will be given out.
  static bool Complete(std::uint32_t page, Uid uid_next) {
    return uid_next.value() >> kPageBits > page;
  }

  // --- making
  /// Keeps texts made by a search, unless something was removed since `removals`.
  void Keep(UserId user, const std::vector<std::pair<BodyNo, std::string>>& texts,
            std::uint64_t removals);
  /// A body has arrived: makes its summary and text in the background, and packs pages that are
  /// complete now. Forgotten when too many wait: it is then made when it is asked for.
  void Arrived(UserId user, BodyNo body);
  /// A search has missed this page, which is complete.
  void PackLater(MailboxId mailbox, std::uint32_t page);
  /// Now, on this thread; nothing happens when it is not complete.
  Status Pack(MailboxId mailbox, std::uint32_t page);

 private:
  bool Later(std::function<void()> work);
  void MakeOf(UserId user, BodyNo body);
  void PackBefore(MailboxId mailbox, std::uint32_t page);
  bool MayWrite();

  Engine& engine_;
  DiskPolicy& disk_;
  SummaryCache& summaries_;
  std::mutex mutex_;
  std::set<std::pair<MailboxId, std::uint32_t>> waiting_;  // for PackLater; guarded by mutex_
  /// By mailbox: all complete pages below have been looked after. Used by the one thread.
  std::map<MailboxId, std::uint32_t> packed_;
  std::atomic<bool> stopping_{false};
  Executor pool_;
};

}  // namespace twinspool::store
