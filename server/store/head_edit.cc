// HeadEdit: reads fall through own changes, the stripe's state, the engine; changes are copies of
// the objects, swapped in as a whole by Publish.
#include <algorithm>
#include <bitset>

#include "common/limits.h"
#include "server/store/changed_pages.h"
#include "server/store/engine.h"
#include "server/store/head.h"
#include "server/store/head_stripe.h"
#include "server/store/row_batch.h"

namespace twinspool::store {
namespace {

std::string OverlayKey(Family family, std::string_view key) {
  std::string out(1, static_cast<char>(family));
  out.append(key);
  return out;
}

/// A value read and, once edited, the copy that replaces it.
template <typename T>
struct Slot {
  UserId owner;
  std::shared_ptr<const T> before;
  std::shared_ptr<T> after;
  const T* now() const { return after ? after.get() : before.get(); }
};

struct PageSlot : Slot<Page> {
  std::bitset<256> changed;
  bool whole = false;
};

struct RowSlot {
  UserId owner;
  std::optional<std::string> value;
};

}  // namespace

struct HeadEdit::Work {
  std::unordered_map<UserId, Slot<HeadUser>> users;
  std::unordered_map<MailboxId, Slot<HeadMailbox>> mailboxes;
  std::map<PagePlace, PageSlot> pages;
  std::map<std::string, RowSlot, std::less<>> rows;
};

HeadEdit::HeadEdit(const StripeLock& lock) : lock_(lock), work_(std::make_unique<Work>()) {}
HeadEdit::~HeadEdit() = default;

HeadState::Stripe& HeadEdit::StripeFor(UserId user) {
  TWINSPOOL_CHECK(lock_.Holds(user), "a user's state is used without his stripe's lock");
  return (*lock_.head().stripes_)[HeadState::StripeOf(user)];
}

Result<std::optional<std::string>> HeadEdit::FromEngine(Family family, const std::string& key) {
  Engine& engine = lock_.head().engine_;
  if (lock_.effort() == Effort::kWait) {
    return engine.Get(family, key);
  }
  ASSIGN_OR_RETURN(auto cached, engine.GetCached(family, key));
  if (!cached) {
    return Timeout("a row is not in memory");
  }
  return *std::move(cached);
}

RowIterator HeadEdit::IterateEngine(Family family, const KeyRange& range) {
  return lock_.head().engine_.Iterate(family, range, nullptr, lock_.effort() == Effort::kInMemory);
}

// --- users and mailboxes

Result<const HeadUser*> HeadEdit::User(UserId user) {
  Slot<HeadUser>& slot = work_->users[user];
  if (slot.now() != nullptr) {
    return slot.now();
  }
  HeadState::Stripe& stripe = StripeFor(user);
  slot.owner = user;
  slot.before = stripe.users.Find(user);
  if (slot.before != nullptr) {
    return slot.now();
  }
  auto loaded = std::make_shared<HeadUser>();
  loaded->id = user;
  ASSIGN_OR_RETURN(const auto header, FromEngine(Family::kUsers, UserKey(user)));
  ASSIGN_OR_RETURN(const auto state, FromEngine(Family::kUsers, UserStateKey(user)));
  if (header) {
    ASSIGN_OR_RETURN(VersionedBytes versioned, DecodeVersioned(*header));
    loaded->modseq = versioned.modseq;
    ASSIGN_OR_RETURN(loaded->header, ParseUserHeader(std::move(versioned.bytes)));
  }
  if (state) {
    ASSIGN_OR_RETURN(loaded->state, DecodeUserState(*state));
  }
  slot.before = loaded;
  stripe.users.Store(user, slot.before, 0);
  return slot.now();
}

Result<const HeadMailbox*> HeadEdit::Mailbox(UserId owner, MailboxId mailbox) {
  Slot<HeadMailbox>& slot = work_->mailboxes[mailbox];
  if (slot.now() == nullptr) {
    HeadState::Stripe& stripe = StripeFor(owner);
    slot.owner = owner;
    slot.before = stripe.mailboxes.Find(mailbox);
    if (slot.before == nullptr) {
      auto loaded = std::make_shared<HeadMailbox>();
      loaded->id = mailbox;
      loaded->row.owner = owner;
      ASSIGN_OR_RETURN(const auto header,
                       FromEngine(Family::kMailboxes, MailboxKey(owner, mailbox)));
      ASSIGN_OR_RETURN(const auto state, FromEngine(Family::kMailboxes, MailboxStateKey(mailbox)));
      if (header && state) {
        ASSIGN_OR_RETURN(VersionedBytes versioned, DecodeVersioned(*header));
        loaded->modseq = versioned.modseq;
        ASSIGN_OR_RETURN(loaded->header, ParseMailboxHeader(std::move(versioned.bytes)));
        ASSIGN_OR_RETURN(loaded->row, DecodeMailboxRow(*state));
      }
      slot.before = loaded;
      if (loaded->header != nullptr) {
        stripe.mailboxes.Store(mailbox, slot.before, 0);
      }
    }
  }
  if (slot.now()->row.owner != owner) {
    return DataLoss("mailbox " + mailbox.ToHex() + " belongs to another user than " +
                    owner.ToHex());
  }
  return slot.now();
}

Result<HeadUser*> HeadEdit::EditUser(UserId user) {
  TRY(User(user).status());
  Slot<HeadUser>& slot = work_->users[user];
  if (slot.after == nullptr) {
    slot.after = std::make_shared<HeadUser>(*slot.before);
  }
  return slot.after.get();
}

Result<HeadMailbox*> HeadEdit::EditMailbox(UserId owner, MailboxId mailbox) {
  TRY(Mailbox(owner, mailbox).status());
  Slot<HeadMailbox>& slot = work_->mailboxes[mailbox];
  if (slot.after == nullptr) {
    slot.after = std::make_shared<HeadMailbox>(*slot.before);
  }
  return slot.after.get();
}

// --- pages

Result<const Page*> HeadEdit::ReadPage(UserId owner, MailboxId mailbox, std::uint32_t page) {
  PageSlot& slot = work_->pages[{mailbox, page}];
  if (slot.now() != nullptr) {
    return slot.now();
  }
  HeadState::Stripe& stripe = StripeFor(owner);
  slot.owner = owner;
  slot.before = stripe.pages.Find({mailbox, page});
  if (slot.before != nullptr) {
    return slot.now();
  }
  auto loaded = std::make_shared<Page>();
  ASSIGN_OR_RETURN(const auto row, FromEngine(Family::kIndex, PageKey(mailbox, page)));
  if (row) {
    ASSIGN_OR_RETURN(*loaded, Page::Decode(*row));
  }
  slot.before = loaded;
  stripe.pages.Store({mailbox, page}, slot.before, 0);
  return slot.now();
}

Result<Page*> HeadEdit::EditPage(UserId owner, MailboxId mailbox, std::uint32_t page) {
  TRY(ReadPage(owner, mailbox, page).status());
  PageSlot& slot = work_->pages[{mailbox, page}];
  if (slot.after == nullptr) {
    slot.after = std::make_shared<Page>(*slot.before);
  }
  return slot.after.get();
}

void HeadEdit::NoteEntry(MailboxId mailbox, Uid uid) {
  work_->pages[{mailbox, uid.value() >> kPageBits}].changed.set(uid.value() & 0xff);
}

void HeadEdit::NoteWhole(MailboxId mailbox, std::uint32_t page) {
  work_->pages[{mailbox, page}].whole = true;
}

Result<std::vector<std::uint32_t>> HeadEdit::Pages(UserId owner, MailboxId mailbox,
                                                   std::uint32_t first, std::uint32_t last) {
  std::map<std::uint32_t, bool> found;  // page -> has entries
  RowIterator it =
      IterateEngine(Family::kIndex, {PageKey(mailbox, first), PrefixEnd(PageKey(mailbox, last))});
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    if (const auto page = PageOfPageKey(it.key())) {
      found[*page] = true;
    }
  }
  TRY(it.status());
  StripeFor(owner).pages.From({mailbox, first}, [&](const PagePlace& place, const Page& page) {
    if (place.first != mailbox || place.second > last) {
      return false;
    }
    found[place.second] = !page.empty();
    return true;
  });
  for (auto slot = work_->pages.lower_bound({mailbox, first});
       slot != work_->pages.end() && slot->first.first == mailbox && slot->first.second <= last;
       ++slot) {
    if (slot->second.now() != nullptr) {
      found[slot->first.second] = !slot->second.now()->empty();
    }
  }
  std::vector<std::uint32_t> pages;
  for (const auto& [page, has_entries] : found) {
    if (has_entries) {
      pages.push_back(page);
    }
  }
  return pages;
}

// --- other rows

Result<std::optional<std::string>> HeadEdit::Row(UserId owner, Family family,
                                                 const std::string& key) {
  const std::string overlay_key = OverlayKey(family, key);
  if (auto own = work_->rows.find(overlay_key); own != work_->rows.end()) {
    return own->second.value;
  }
  HeadState::Stripe& stripe = StripeFor(owner);
  if (auto queued = stripe.rows.find(overlay_key); queued != stripe.rows.end()) {
    return queued->second.value;
  }
  return FromEngine(family, key);
}

Status HeadEdit::ScanRows(
    UserId owner, Family family, std::string_view prefix,
    const std::function<bool(std::string_view key, std::string_view value)>& fn) {
  // Rows that are not in the engine yet hide those that are; few, so they are gathered first.
  std::map<std::string, const std::optional<std::string>*, std::less<>> newer;
  const std::string begin = OverlayKey(family, prefix);
  const auto gather = [&](const auto& rows) {
    for (auto it = rows.lower_bound(begin); it != rows.end() && it->first.starts_with(begin);
         ++it) {
      newer[it->first.substr(1)] = &it->second.value;
    }
  };
  gather(StripeFor(owner).rows);
  gather(work_->rows);
  RowIterator it = IterateEngine(family, KeyRange::Prefix(prefix));
  it.SeekToFirst();
  auto next = newer.begin();
  while (it.Valid() || next != newer.end()) {
    if (!it.Valid()) {
      TRY(it.status());  // what is not known may come before the rest of `newer`
    }
    if (next != newer.end() && (!it.Valid() || next->first <= it.key())) {
      if (it.Valid() && next->first == it.key()) {
        it.Next();
      }
      if (next->second->has_value() && !fn(next->first, **next->second)) {
        return OkStatus();
      }
      ++next;
    } else {
      if (!fn(it.key(), it.value())) {
        return OkStatus();
      }
      it.Next();
    }
  }
  return it.status();
}

void HeadEdit::Put(UserId owner, Family family, std::string_view key, std::string value) {
  work_->rows.insert_or_assign(OverlayKey(family, key), RowSlot{owner, std::move(value)});
}

void HeadEdit::Delete(UserId owner, Family family, std::string_view key) {
  work_->rows.insert_or_assign(OverlayKey(family, key), RowSlot{owner, std::nullopt});
}

// --- the end of a transaction

namespace {

void AppendUser(const HeadUser& before, const HeadUser& user, RowBatch* batch) {
  if (user.header == nullptr && before.header != nullptr) {
    batch->Delete(Family::kUsers, UserKey(user.id));
    batch->Delete(Family::kUsers, UserStateKey(user.id));
    return;
  }
  if (user.header != before.header) {
    batch->Put(Family::kUsers, UserKey(user.id), EncodeVersioned(user.modseq, user.header->bytes));
  }
  if (user.header != nullptr || !(user.state == UserState())) {
    batch->Put(Family::kUsers, UserStateKey(user.id), EncodeUserState(user.state));
  }
}

void AppendMailbox(UserId owner, const HeadMailbox& before, const HeadMailbox& mailbox,
                   RowBatch* batch) {
  if (mailbox.header == nullptr) {
    if (before.header != nullptr) {
      batch->Delete(Family::kMailboxes, MailboxKey(owner, mailbox.id));
      batch->Delete(Family::kMailboxes, MailboxStateKey(mailbox.id));
    }
    return;
  }
  if (mailbox.header != before.header) {
    batch->Put(Family::kMailboxes, MailboxKey(owner, mailbox.id),
               EncodeVersioned(mailbox.modseq, mailbox.header->bytes));
  }
  batch->Put(Family::kMailboxes, MailboxStateKey(mailbox.id), EncodeMailboxRow(mailbox.row));
}

void AppendPage(const PagePlace& place, PageSlot* slot, RowBatch* batch) {
  const auto count = static_cast<std::uint32_t>(slot->changed.count());
  if (slot->after == nullptr || (count == 0 && !slot->whole)) {
    return;
  }
  Page& page = *slot->after;
  std::string key = PageKey(place.first, place.second);
  if (page.empty()) {
    batch->Delete(Family::kIndex, std::move(key));
    return;
  }
  if (slot->whole || count >= limits::kPageWholeWriteEntries ||
      page.changed() + count >= limits::kPageOperandsMax) {
    page.ResetChanged();
    batch->Put(Family::kIndex, std::move(key), page.Encode());
    return;
  }
  page.AddChanged(count);
  std::string operand;
  for (std::size_t low = 0; low < slot->changed.size(); ++low) {
    if (slot->changed.test(low)) {
      AppendEntry(page.Find(static_cast<std::uint8_t>(low))->view(), &operand);
    }
  }
  batch->MergePage(std::move(key), std::move(operand));
}

}  // namespace

void HeadEdit::AppendRows(RowBatch* batch) {
  for (auto& [id, slot] : work_->users) {
    if (slot.after == nullptr) {
      continue;
    }
    AppendUser(*slot.before, *slot.after, batch);
  }
  for (auto& [id, slot] : work_->mailboxes) {
    if (slot.after != nullptr) {
      AppendMailbox(slot.owner, *slot.before, *slot.after, batch);
    }
  }
  for (auto& [place, slot] : work_->pages) {
    AppendPage(place, &slot, batch);
  }
  for (const auto& [key, row] : work_->rows) {
    const auto family = static_cast<Family>(key.front());
    if (row.value) {
      batch->Put(family, key.substr(1), *row.value);
    } else {
      batch->Delete(family, key.substr(1));
    }
  }
}

std::vector<PageChange> HeadEdit::PageChanges() const {
  std::vector<PageChange> changes;
  for (const auto& [place, slot] : work_->pages) {
    if (slot.after == nullptr) {
      continue;
    }
    const auto mailbox = work_->mailboxes.find(place.first);
    TWINSPOOL_CHECK(mailbox != work_->mailboxes.end(), "a page is changed without its mailbox");
    if (changes.empty() || changes.back().mailbox != place.first) {
      changes.push_back({.mailbox = place.first,
                         .before = mailbox->second.before->row.highest_modseq,
                         .after = mailbox->second.now()->row.highest_modseq,
                         .pages = {}});
    }
    changes.back().pages.push_back(place.second);
  }
  return changes;
}

void HeadEdit::Publish(Ticket ticket) {
  const std::uint64_t number = ticket.value();
  for (const std::size_t index : lock_.stripes_) {
    HeadState::Stripe& stripe = (*lock_.head().stripes_)[index];
    stripe.last_ticket = std::max(stripe.last_ticket, number);
  }
  for (auto& [id, slot] : work_->users) {
    if (slot.after != nullptr) {
      StripeFor(id).users.Store(id, std::move(slot.after), number);
    }
  }
  for (auto& [id, slot] : work_->mailboxes) {
    // One that was forgotten is kept as unknown, pinned: the engine may still show it.
    const bool known = slot.after != nullptr && (slot.after->header || slot.before->header);
    if (known) {
      if (slot.after->row.uid_next != slot.before->row.uid_next) {
        slot.after->last_append = ticket;
      }
      StripeFor(slot.owner).mailboxes.Store(id, std::move(slot.after), number);
    }
  }
  for (auto& [place, slot] : work_->pages) {
    if (slot.after != nullptr) {
      StripeFor(slot.owner).pages.Store(place, std::move(slot.after), number);
    }
  }
  for (auto& [key, row] : work_->rows) {
    HeadState::Stripe& stripe = StripeFor(row.owner);
    stripe.row_order.emplace_back(number, key);
    stripe.rows.insert_or_assign(key, QueuedRow{std::move(row.value), number});
    stripe.has_rows.store(true, std::memory_order_relaxed);
  }
  work_ = std::make_unique<Work>();
}

}  // namespace twinspool::store
