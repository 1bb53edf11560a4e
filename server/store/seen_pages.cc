#include "server/store/seen_pages.h"

#include <algorithm>

#include "common/codec.h"

namespace twinspool::store {

Result<SeenPage> SeenPage::Decode(std::string_view value) {
  Reader reader(value);
  SeenPage page;
  const std::uint64_t highest = reader.Varint();
  while (reader.ok() && !reader.AtEnd()) {
    const std::uint8_t low = reader.U8();
    const std::uint64_t packed = reader.Varint();
    if (packed / 2 > highest) {
      reader.Fail();
      break;
    }
    page.marks_[low] = {(packed & 1) != 0, Modseq(highest - packed / 2)};
  }
  if (!reader.ok()) {
    return DataLoss("a page of seen marks does not parse");
  }
  return page;
}

std::string SeenPage::Encode() const {
  const std::uint64_t highest = this->highest().value();
  std::string value;
  PutVarint(&value, highest);
  for (const auto& [low, mark] : marks_) {
    value += static_cast<char>(low);
    PutVarint(&value, (highest - mark.modseq.value()) * 2 + (mark.seen ? 1 : 0));
  }
  return value;
}

const SeenPage::Mark* SeenPage::Find(std::uint8_t uid_low) const {
  const auto it = marks_.find(uid_low);
  return it == marks_.end() ? nullptr : &it->second;
}

Modseq SeenPage::highest() const {
  Modseq highest;
  for (const auto& [low, mark] : marks_) {
    highest = std::max(highest, mark.modseq);
  }
  return highest;
}

std::string SeenPrefix(MailboxId mailbox, UserId viewer) {
  std::string key(mailbox.bytes());
  key.append(viewer.bytes());
  return key;
}

std::string SeenKey(MailboxId mailbox, UserId viewer, std::uint32_t page) {
  std::string key = SeenPrefix(mailbox, viewer);
  PutBe32(&key, page);
  return key;
}

ViewerSeen ViewerSeen::OfViewer() {
  ViewerSeen seen;
  seen.active_ = true;
  return seen;
}

Status ViewerSeen::Add(std::uint32_t page, const MiscRow& row) {
  if (row.deleted) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(SeenPage decoded, SeenPage::Decode(row.value));
  highest_ = std::max(highest_, decoded.highest());
  pages_.emplace(page, std::move(decoded));
  return OkStatus();
}

const SeenPage::Mark* ViewerSeen::Find(Uid uid) const {
  const auto page = pages_.find(uid.value() >> kPageBits);
  return page == pages_.end() ? nullptr
                              : page->second.Find(static_cast<std::uint8_t>(uid.value() & 0xff));
}

Modseq ViewerSeen::HighestOf(std::uint32_t page) const {
  const auto it = pages_.find(page);
  return it == pages_.end() ? Modseq() : it->second.highest();
}

std::vector<std::uint32_t> ViewerSeen::PagesSince(Modseq since) const {
  std::vector<std::uint32_t> pages;
  for (const auto& [number, page] : pages_) {
    if (page.highest() > since) {
      pages.push_back(number);
    }
  }
  return pages;
}

bool ViewerSeen::Seen(Uid uid) const {
  const SeenPage::Mark* mark = Find(uid);
  return mark != nullptr && mark->seen;
}

void ViewerSeen::Apply(Uid uid, SystemFlags* flags, Modseq* modseq) const {
  if (!active_) {
    return;
  }
  const SeenPage::Mark* mark = Find(uid);
  *flags = static_cast<SystemFlags>(*flags & ~kSeen);
  if (mark != nullptr) {
    *flags = static_cast<SystemFlags>(*flags | (mark->seen ? kSeen : 0));
    *modseq = std::max(*modseq, mark->modseq);
  }
}

}  // namespace twinspool::store
