#include "server/store/page.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "common/codec.h"

namespace twinspool::store {
namespace {

constexpr std::uint32_t kEntriesMax = 1u << 8;
constexpr std::uint8_t kSeenBit = 1;  // \Seen in SystemFlags

Status Malformed(std::string_view what) {
  return DataLoss("index page: " + std::string(what));
}

bool ReadEntry(Reader* reader, EntryView* entry) {
  Reader body(reader->String());
  if (!reader->ok()) {
    return false;
  }
  entry->uid_low = body.U8();
  entry->state = body.U8();
  entry->flags = body.U8();
  entry->modseq = Modseq(body.Varint());
  entry->updated_s = static_cast<std::int64_t>(body.Varint());
  entry->keywords = body.String();
  entry->tail = body.rest();
  return body.ok();
}

constexpr std::size_t kHeaderBytesMax = 40;

void AppendHeader(const PageHeader& head, std::string* out) {
  out->push_back('\0');
  PutVarint(out, head.changed);
  PutVarint(out, head.live);
  PutVarint(out, head.entries);
  PutVarint(out, head.highest_modseq.value());
  PutVarint(out, head.highest_expunge.value());
}

bool ReadCount(Reader* reader, std::uint32_t* out) {
  const std::uint64_t value = reader->Varint();
  *out = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
  return reader->ok();
}

/// Reads the header and leaves the reader at the first entry.
Status ReadHeader(Reader* reader, PageHeader* header) {
  if (reader->U8() != 0) {
    return Malformed("does not start with its marker");
  }
  ReadCount(reader, &header->changed);
  ReadCount(reader, &header->live);
  ReadCount(reader, &header->entries);
  header->highest_modseq = Modseq(reader->Varint());
  header->highest_expunge = Modseq(reader->Varint());
  if (!reader->ok()) {
    return Malformed("header is cut short");
  }
  if (header->entries > kEntriesMax || header->live > header->entries) {
    return Malformed("header counts more entries than a page holds");
  }
  return OkStatus();
}

/// A page as the octets of its entries: merging copies them and decodes no strings. Every read of a
/// page with operands goes through here.
class RawPage {
 public:
  /// Entries of a whole page.
  Status Read(std::string_view page) {
    Reader reader(page);
    PageHeader header;
    TRY(ReadHeader(&reader, &header));
    entries_.fill({});
    changed_ = header.changed;
    int previous = -1;
    for (std::uint32_t i = 0; i < header.entries; ++i) {
      ASSIGN_OR_RETURN(const std::uint8_t low, ReadOne(&reader));
      if (low <= previous) {
        return Malformed("entries are out of order");
      }
      previous = low;
    }
    return reader.AtEnd() ? OkStatus() : Malformed("octets after its last entry");
  }

  Status Apply(std::string_view operand) {
    if (IsWholePage(operand)) {
      return Read(operand);
    }
    for (Reader reader(operand); !reader.AtEnd(); ++changed_) {
      TRY(ReadOne(&reader).status());
    }
    return OkStatus();
  }

  std::string Encode() const {
    PageHeader head;
    std::size_t bytes = 0;
    for (const Raw& entry : entries_) {
      if (entry.octets.empty()) {
        continue;
      }
      ++head.entries;
      bytes += entry.octets.size();
      head.highest_modseq = std::max(head.highest_modseq, entry.modseq);
      if (entry.expunged) {
        head.highest_expunge = std::max(head.highest_expunge, entry.modseq);
      } else {
        ++head.live;
      }
    }
    head.changed = changed_;
    std::string out;
    out.reserve(kHeaderBytesMax + bytes);
    AppendHeader(head, &out);
    for (const Raw& entry : entries_) {
      out += entry.octets;
    }
    return out;
  }

 private:
  struct Raw {
    std::string_view octets;  // with its length; empty: no such entry
    Modseq modseq;
    bool expunged = false;
  };

  Result<std::uint8_t> ReadOne(Reader* reader) {
    const std::string_view before = reader->rest();
    EntryView entry;
    if (!ReadEntry(reader, &entry)) {
      return Malformed("entry is cut short");
    }
    entries_[entry.uid_low] = {before.substr(0, before.size() - reader->rest().size()),
                               entry.modseq, entry.expunged()};
    return entry.uid_low;
  }

  std::array<Raw, kEntriesMax> entries_;
  std::uint32_t changed_ = 0;
};

}  // namespace

PageEntry ToEntry(const EntryView& view) {
  return {view.uid_low,          view.state,     view.flags,
          view.modseq,           view.updated_s, std::string(view.keywords),
          std::string(view.tail)};
}

Result<PageHeader> ReadPageHeader(std::string_view page) {
  Reader reader(page);
  PageHeader header;
  TRY(ReadHeader(&reader, &header));
  return header;
}

Result<LiveEntries> ReadLiveEntries(std::string_view page, bool find_unseen) {
  Reader reader(page);
  PageHeader header;
  TRY(ReadHeader(&reader, &header));
  LiveEntries found;
  if (header.live == kEntriesMax && !find_unseen) {
    found.live.set();
    return found;
  }
  for (std::uint32_t i = 0; i < header.entries; ++i) {
    Reader entry(reader.String());
    const std::uint8_t low = entry.U8();
    const std::uint8_t state = entry.U8();
    const std::uint8_t flags = entry.U8();
    if (!reader.ok() || !entry.ok()) {
      return Malformed("entry is cut short");
    }
    if ((state & kStateExpunged) != 0) {
      continue;
    }
    found.live.set(low);
    if (found.first_unseen < 0 && find_unseen && (flags & kSeenBit) == 0) {
      found.first_unseen = low;
      if (header.live == kEntriesMax) {
        found.live.set();
        return found;
      }
    }
  }
  return found;
}

PageScanner::PageScanner(std::string_view page) {
  Reader reader(page);
  status_ = ReadHeader(&reader, &header_);
  rest_ = reader.rest();
}

bool PageScanner::Next(EntryView* entry) {
  if (!status_.ok()) {
    return false;
  }
  if (seen_ == header_.entries) {
    if (!rest_.empty()) {
      status_ = Malformed("octets after its last entry");
    }
    return false;
  }
  Reader reader(rest_);
  if (!ReadEntry(&reader, entry)) {
    status_ = Malformed("entry is cut short");
    return false;
  }
  if (entry->uid_low <= previous_low_) {
    status_ = Malformed("entries are out of order");
    return false;
  }
  previous_low_ = entry->uid_low;
  rest_ = reader.rest();
  ++seen_;
  return true;
}

bool PageScanner::NextLive(std::uint8_t with, std::uint8_t without, EntryView* entry) {
  const auto looked_at = static_cast<std::uint8_t>(with | without);
  do {
    while (PassOver(with, looked_at)) {
    }
    if (!Next(entry)) {
      return false;
    }
  } while (entry->expunged() || (entry->flags & looked_at) != with);
  return true;
}

/// Whether the next entry could be passed over by its first octets. One that is long or malformed
/// is left to Next().
bool PageScanner::PassOver(std::uint8_t with, std::uint8_t looked_at) {
  constexpr std::uint8_t kOneOctetLength = 0x7f;
  if (!status_.ok() || seen_ == header_.entries || rest_.size() < 4) {
    return false;
  }
  const auto at = [this](std::size_t i) { return static_cast<std::uint8_t>(rest_[i]); };
  const std::uint8_t length = at(0);
  const bool fits = length >= 3 && length <= kOneOctetLength && length < rest_.size();
  const bool wanted = (at(2) & kStateExpunged) == 0 && (at(3) & looked_at) == with;
  if (!fits || wanted || at(1) <= previous_low_) {
    return false;
  }
  previous_low_ = at(1);
  rest_.remove_prefix(std::size_t{length} + 1);
  ++seen_;
  return true;
}

Result<Page> Page::Decode(std::string_view octets) {
  PageScanner scanner(octets);
  Page page;
  page.changed_ = scanner.header().changed;
  if (scanner.status().ok()) {
    page.entries_.reserve(scanner.header().entries);
  }
  EntryView entry;
  while (scanner.Next(&entry)) {
    page.entries_.push_back(ToEntry(entry));
  }
  TRY(scanner.status());
  return page;
}

std::string Page::Encode() const {
  const PageHeader head = header();
  std::string out;
  out.reserve(kHeaderBytesMax + entries_.size() * 20);
  AppendHeader(head, &out);
  for (const PageEntry& entry : entries_) {
    AppendEntry(entry.view(), &out);
  }
  return out;
}

const PageEntry* Page::Find(std::uint8_t uid_low) const {
  const auto it = std::ranges::lower_bound(entries_, uid_low, {}, &PageEntry::uid_low);
  return it != entries_.end() && it->uid_low == uid_low ? &*it : nullptr;
}

void Page::Upsert(PageEntry entry) {
  const auto it = std::ranges::lower_bound(entries_, entry.uid_low, {}, &PageEntry::uid_low);
  if (it != entries_.end() && it->uid_low == entry.uid_low) {
    *it = std::move(entry);
  } else {
    entries_.insert(it, std::move(entry));
  }
}

bool Page::Erase(std::uint8_t uid_low) {
  const auto it = std::ranges::lower_bound(entries_, uid_low, {}, &PageEntry::uid_low);
  if (it == entries_.end() || it->uid_low != uid_low) {
    return false;
  }
  entries_.erase(it);
  return true;
}

PageHeader Page::header() const {
  PageHeader head;
  head.changed = changed_;
  head.entries = static_cast<std::uint32_t>(entries_.size());
  for (const PageEntry& entry : entries_) {
    head.highest_modseq = std::max(head.highest_modseq, entry.modseq);
    if (entry.expunged()) {
      head.highest_expunge = std::max(head.highest_expunge, entry.modseq);
    } else {
      ++head.live;
    }
  }
  return head;
}

void AppendEntry(const EntryView& entry, std::string* operand) {
  std::string body;
  body.reserve(24 + entry.keywords.size() + entry.tail.size());
  body.push_back(static_cast<char>(entry.uid_low));
  body.push_back(static_cast<char>(entry.state));
  body.push_back(static_cast<char>(entry.flags));
  PutVarint(&body, entry.modseq.value());
  PutVarint(&body, static_cast<std::uint64_t>(entry.updated_s));
  PutString(&body, entry.keywords);
  body += entry.tail;
  PutString(operand, body);
}

Result<std::string> MergePage(std::optional<std::string_view> page,
                              const std::vector<std::string_view>& operands) {
  RawPage merged;
  if (page) {
    TRY(merged.Read(*page));
  }
  for (const std::string_view operand : operands) {
    TRY(merged.Apply(operand));
  }
  return merged.Encode();
}

Result<std::string> MergeOperands(std::string_view left, std::string_view right) {
  TRY(CheckOperand(right));
  if (IsWholePage(right)) {
    return std::string(right);
  }
  if (IsWholePage(left)) {
    return MergePage(left, {right});
  }
  TRY(CheckOperand(left));
  std::string both(left);
  both += right;
  return both;
}

Status CheckOperand(std::string_view operand) {
  RawPage scratch;
  return scratch.Apply(operand);
}

}  // namespace twinspool::store
