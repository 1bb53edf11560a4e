// Index pages: up to 256 index entries of one mailbox packed into one row, and how rows of pages
// change by merge operands.
//
// A page is
//
//   0x00 · varint changed · varint live · varint entries · varint highest modseq
//        · varint highest expunge modseq · entries in UID order
//
// and an entry is
//
//   varint length of what follows · uid low byte · state · flags · varint modseq
//        · varint updated (seconds) · varint length + keyword bitmap · tail (octets of a newer
//        version)
//
// A merge operand is a sequence of entries, each replacing the entry of its UID whatever the
// modseqs are (who writes has decided already); or a whole page, replacing all. No entry has length
// 0, so the first octet tells them apart. `changed` counts entries merged since the page was
// written whole: it is bookkeeping of one node, the only octets of a page that may differ between
// the two.
//
// Everything here is pure and total: malformed octets are kDataLoss, never a crash.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"

namespace twinspool::store {

/// Bits of an entry's state (EntryState.state of proto/types.proto).
inline constexpr std::uint8_t kStateExpunged = 1;
inline constexpr std::uint8_t kStateUnlinked = 2;
inline constexpr std::uint8_t kStateArchived = 4;
inline constexpr std::uint8_t kStateSnoozed = 8;
inline constexpr std::uint8_t kStateSilent = 16;

/// One entry, pointing into the page's octets.
struct EntryView {
  std::uint8_t uid_low = 0;
  std::uint8_t state = 0;
  std::uint8_t flags = 0;
  Modseq modseq;
  std::int64_t updated_s = 0;
  std::string_view keywords;  // bitmap, little-endian octets, no trailing zero octet
  std::string_view tail;

  bool expunged() const { return (state & kStateExpunged) != 0; }
};

/// One entry that owns its octets.
struct PageEntry {
  std::uint8_t uid_low = 0;
  std::uint8_t state = 0;
  std::uint8_t flags = 0;
  Modseq modseq;
  std::int64_t updated_s = 0;
  std::string keywords;
  std::string tail;

  bool expunged() const { return (state & kStateExpunged) != 0; }
  EntryView view() const { return {uid_low, state, flags, modseq, updated_s, keywords, tail}; }
  bool operator==(const PageEntry&) const = default;
};
PageEntry ToEntry(const EntryView& view);

/// What a reader needs to skip a page.
struct PageHeader {
  std::uint32_t changed = 0;  // entries merged since the page was written whole
  std::uint32_t live = 0;     // not expunged
  std::uint32_t entries = 0;  // expunged ones included
  Modseq highest_modseq;
  Modseq highest_expunge;  // 0: no entry is expunged
};

/// The header alone, without looking at the entries.
Result<PageHeader> ReadPageHeader(std::string_view page);

/// Who is alive on a page.
struct LiveEntries {
  std::bitset<256> live;  // by low byte of the UID
  int first_unseen = -1;  // low byte of the first one without \Seen; looked for when asked
};

/// Looks at as little as it can: at the header alone when all 256 live and nothing unseen is looked
/// for, else at the first octets of each entry.
Result<LiveEntries> ReadLiveEntries(std::string_view page, bool find_unseen);

/// Reads a page without allocating: Next() until it answers false, then status().
class PageScanner {
 public:
  explicit PageScanner(std::string_view page);
  const PageHeader& header() const { return header_; }
  /// False at the end and on malformed octets. The view is valid as long as the page's octets.
  bool Next(EntryView* entry);
  /// The same for live entries with all flags of `with` and none of `without`. What is passed over
  /// is hardly looked at.
  bool NextLive(std::uint8_t with, std::uint8_t without, EntryView* entry);
  const Status& status() const { return status_; }

 private:
  bool PassOver(std::uint8_t with, std::uint8_t looked_at);

  std::string_view rest_;
  PageHeader header_;
  std::uint32_t seen_ = 0;
  int previous_low_ = -1;
  Status status_;
};

/// A page in memory, for those who change it. Plain value; entries are kept sorted.
class Page {
 public:
  static Result<Page> Decode(std::string_view octets);
  /// Whole, with `changed` as it stands (see ResetChanged).
  std::string Encode() const;

  const std::vector<PageEntry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  const PageEntry* Find(std::uint8_t uid_low) const;
  void Upsert(PageEntry entry);
  /// False when there is none.
  bool Erase(std::uint8_t uid_low);

  /// Counted from the entries, but for `changed`.
  PageHeader header() const;
  std::uint32_t changed() const { return changed_; }
  /// Before the page is written whole.
  void ResetChanged() { changed_ = 0; }
  /// After `count` entries went out as operands.
  void AddChanged(std::uint32_t count) { changed_ += count; }

  bool operator==(const Page& other) const { return entries_ == other.entries_; }

 private:
  std::vector<PageEntry> entries_;
  std::uint32_t changed_ = 0;
};

/// Appends one encoded entry: a piece of a merge operand.
void AppendEntry(const EntryView& entry, std::string* operand);

/// True if the octets are a whole page (as against a sequence of entries).
inline bool IsWholePage(std::string_view octets) {
  return !octets.empty() && octets.front() == '\0';
}

/// Applies operands in order to a page (nullopt: none yet).
Result<std::string> MergePage(std::optional<std::string_view> page,
                              const std::vector<std::string_view>& operands);

/// One operand that does what `left` and then `right` do.
Result<std::string> MergeOperands(std::string_view left, std::string_view right);

/// True if the octets are what MergePage takes as an operand.
Status CheckOperand(std::string_view operand);

}  // namespace twinspool::store
