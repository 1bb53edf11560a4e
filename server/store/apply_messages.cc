// Records, index entries and their purge.
#include <algorithm>

#include "server/mail_store.h"
#include "server/store/applier.h"
#include "server/store/entry_state.h"

namespace twinspool::store {
namespace {

/// Gathers what entries were before: neighbours with the same state and modseq share one line.
class Previous {
 public:
  explicit Previous(proto::OutboxItem* note) : note_(note) {}
  ~Previous() { Flush(); }
  Previous(const Previous&) = delete;
  Previous& operator=(const Previous&) = delete;

  void Add(Uid uid, const PageEntry& entry) {
    all_.Add(uid);
    PageEntry key = entry;
    key.uid_low = 0;
    if (!uids_.empty() && key != entry_) {
      Flush();
    }
    entry_ = std::move(key);
    uids_.Add(uid);
  }
  const UidSet& all() const { return all_; }

 private:
  void Flush() {
    if (uids_.empty()) {
      return;
    }
    proto::PreviousEntry* line = note_->add_previous_entries();
    uids_.Encode(line->mutable_uids());
    *line->mutable_entry() = ToState(entry_);
    line->set_modseq(entry_.modseq.value());
    uids_ = UidSet();
  }
  proto::OutboxItem* note_;
  PageEntry entry_;
  UidSet uids_;
  UidSet all_;
};

}  // namespace

Result<HeadMailbox*> Applier::KnownMailbox(const std::string& id) {
  ASSIGN_OR_RETURN(HeadMailbox * mailbox, edit_.EditMailbox(user_id_, MailboxId::FromBytes(id)));
  if (mailbox->header == nullptr) {
    return DataLoss("a change names mailbox " + mailbox->id.ToHex() + ", which is not known here");
  }
  return mailbox;
}

Status Applier::RenameKeywords(HeadMailbox* mailbox, const MailboxHeaderPart& next) {
  const std::vector<std::string>& before = mailbox->header->folded;
  const std::size_t both = std::min(before.size(), next.folded.size());
  const auto same = static_cast<std::ptrdiff_t>(both);
  if (std::equal(before.begin(), before.begin() + same, next.folded.begin())) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<std::uint32_t> pages,
                   edit_.Pages(user_id_, mailbox->id, 0, UINT32_MAX >> kPageBits));
  for (const std::uint32_t number : pages) {
    ASSIGN_OR_RETURN(const Page* page, edit_.ReadPage(user_id_, mailbox->id, number));
    for (const PageEntry& entry : page->entries()) {
      const Uid uid(number << kPageBits | entry.uid_low);
      ChangeDigest(&mailbox->row.digest, TermOf(*mailbox, uid, entry),
                   TermOf(mailbox->id, next, uid, entry));
    }
  }
  return OkStatus();
}

Digest128 Applier::TermOf(MailboxId mailbox, const MailboxHeaderPart& header, Uid uid,
                          const PageEntry& entry) {
  EntryDigestInput input;
  input.mailbox = mailbox;
  input.uid = uid;
  input.state = entry.state;
  input.flags = entry.flags;
  input.modseq = entry.modseq;
  input.updated_s = entry.updated_s;
  input.tail = entry.tail;
  const std::vector<std::string>& names = header.folded;
  for (std::size_t bit = 0; bit < 8 * entry.keywords.size() && bit < names.size(); ++bit) {
    if ((static_cast<unsigned char>(entry.keywords[bit / 8]) >> (bit % 8) & 1) != 0) {
      input.keywords.push_back(names[bit]);
    }
  }
  std::sort(input.keywords.begin(), input.keywords.end());
  return EntryTerm(input);
}

Result<std::uint64_t> Applier::SizeOf(MailboxId mailbox, Uid uid) {
  if (auto known = sizes_.find({mailbox, uid}); known != sizes_.end()) {
    return known->second;
  }
  ASSIGN_OR_RETURN(const auto row, edit_.Row(user_id_, Family::kRecords, RecordKey(mailbox, uid)));
  proto::RecordHeader record;
  if (!row || !record.ParseFromString(*row)) {
    return DataLoss("the record of message " + std::to_string(uid.value()) + " in mailbox " +
                    mailbox.ToHex() + " is missing or does not parse");
  }
  return record.size();
}

Status Applier::CountEntry(HeadMailbox* mailbox, Uid uid, const PageEntry& entry, int sign) {
  if (entry.expunged()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const std::uint64_t size, SizeOf(mailbox->id, uid));
  const std::uint32_t unseen = (entry.flags & kSeen) == 0 ? 1 : 0;
  const std::uint32_t deleted = (entry.flags & kDeleted) != 0 ? 1 : 0;
  // Unsigned arithmetic wraps, so adding the two's complement takes away.
  const auto by = [sign](std::uint64_t n) { return sign > 0 ? n : ~n + 1; };
  MailboxRow& row = mailbox->row;
  row.exists += static_cast<std::uint32_t>(by(1));
  row.unseen += static_cast<std::uint32_t>(by(unseen));
  row.deleted += static_cast<std::uint32_t>(by(deleted));
  row.bytes += by(size);
  if (mailbox->exists()) {
    ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
    user->state.messages += by(1);
    user->state.bytes += by(size);
  }
  return OkStatus();
}

Status Applier::ChangeEntry(HeadMailbox* mailbox, Uid uid, const PageEntry* before,
                            PageEntry after) {
  const bool live_stays_live = before != nullptr && !before->expunged() && !after.expunged();
  if (live_stays_live) {
    // The common case, a flag change, needs no size and so no record.
    const auto moved = [&](SystemFlags bit) {
      return (after.flags & bit) != 0 ? ((before->flags & bit) != 0 ? 0 : 1)
                                      : ((before->flags & bit) != 0 ? -1 : 0);
    };
    mailbox->row.unseen -= static_cast<std::uint32_t>(moved(kSeen));
    mailbox->row.deleted += static_cast<std::uint32_t>(moved(kDeleted));
  } else {
    if (before != nullptr) {
      TRY(CountEntry(mailbox, uid, *before, -1));
    }
    TRY(CountEntry(mailbox, uid, after, 1));
  }
  if (before == nullptr) {
    mailbox->row.entries += 1;
  }
  ChangeDigest(&mailbox->row.digest,
               before != nullptr ? TermOf(*mailbox, uid, *before) : Digest128(),
               TermOf(*mailbox, uid, after));
  mailbox->row.highest_modseq = std::max(mailbox->row.highest_modseq, after.modseq);
  ASSIGN_OR_RETURN(Page * page, edit_.EditPage(user_id_, mailbox->id, uid.value() >> kPageBits));
  page->Upsert(std::move(after));
  edit_.NoteEntry(mailbox->id, uid);
  return OkStatus();
}

Status Applier::ApplyRecord(const proto::RecordItem& item) {
  Seen(item.modseq());
  ASSIGN_OR_RETURN(HeadMailbox * mailbox, KnownMailbox(item.mailbox_id()));
  const Uid uid(item.uid());
  if (uid == Uid()) {
    return DataLoss("a record without a UID");
  }
  std::optional<std::string> stored;
  if (item.uid() < mailbox->row.uid_next) {
    ASSIGN_OR_RETURN(stored, edit_.Row(user_id_, Family::kRecords, RecordKey(mailbox->id, uid)));
  }
  if (!stored) {
    return AddRecord(mailbox, item);
  }
  proto::RecordHeader have;
  proto::RecordHeader come;
  if (!have.ParseFromString(*stored) || !come.ParseFromString(item.record())) {
    return DataLoss("a record does not parse");
  }
  if (have.guid() != come.guid()) {
    return DataLoss("guid mismatch: message " + std::to_string(item.uid()) + " of mailbox " +
                    mailbox->id.ToHex() + " is " + Guid::FromBytes(have.guid()).ToHex() +
                    " here and " + Guid::FromBytes(come.guid()).ToHex() +
                    " in the change; nothing was overwritten");
  }
  proto::EntryItem entry;
  entry.set_mailbox_id(item.mailbox_id());
  UidSet::Of(uid).Encode(entry.mutable_uids());
  *entry.mutable_entry() = item.entry();
  entry.set_modseq(item.modseq());
  return ApplyEntries(entry);
}

Status Applier::AddRecord(HeadMailbox* mailbox, const proto::RecordItem& item) {
  const Uid uid(item.uid());
  proto::RecordHeader record;
  if (!record.ParseFromString(item.record())) {
    return DataLoss("a record does not parse");
  }
  const Guid guid = Guid::FromBytes(record.guid());
  const BodyNo body(record.body_no());
  ASSIGN_OR_RETURN(const auto pooled, InPool(user_id_, guid));
  if (!pooled || pooled->body != body) {
    return DataLoss("message " + std::to_string(item.uid()) + " of mailbox " + mailbox->id.ToHex() +
                    " names body " + guid.ToHex() + ", which is not here");
  }
  edit_.Put(user_id_, Family::kRecords, RecordKey(mailbox->id, uid), item.record());
  edit_.Put(user_id_, Family::kRefs, RefKey(user_id_, body, mailbox->id, uid), "");
  TRY(Refer(body));
  Seen(record.created_modseq());
  sizes_[{mailbox->id, uid}] = record.size();
  ChangeDigest(&mailbox->row.digest, Digest128(), RecordTerm(mailbox->id, uid, item.record()));
  mailbox->row.uid_next = std::max(mailbox->row.uid_next, item.uid() + 1);
  if (options_.from_peer) {
    mailbox->row.uid_peer = mailbox->row.uid_next;
  }
  TRY(ChangeEntry(mailbox, uid, nullptr, ToPageEntry(uid, item.entry(), item.modseq())));
  proto::OutboxItem note = NewNote(proto::OutboxItem::RECORD, item.modseq());
  note.set_mailbox_id(item.mailbox_id());
  UidSet::Of(uid).Encode(note.mutable_uids());
  Note(note);
  return OkStatus();
}

template <typename Fn>
Status Applier::ForExisting(const HeadMailbox& mailbox, const UidSet& uids, Fn&& fn) {
  if (uids.empty()) {
    return OkStatus();
  }
  // A long range may be almost empty: walk the pages that exist rather than the numbers.
  std::vector<std::uint32_t> pages;
  if (uids.Max() - uids.Min() < (1u << kPageBits)) {
    for (std::uint32_t page = uids.Min() >> kPageBits; page <= uids.Max() >> kPageBits; ++page) {
      pages.push_back(page);
    }
  } else {
    ASSIGN_OR_RETURN(
        pages, edit_.Pages(user_id_, mailbox.id, uids.Min() >> kPageBits, uids.Max() >> kPageBits));
  }
  for (const std::uint32_t number : pages) {
    const std::uint32_t first = number << kPageBits;
    const UidSet here = uids.Intersect(UidSet::Of(std::max(first, 1u), first + 0xff));
    if (here.empty()) {
      continue;
    }
    ASSIGN_OR_RETURN(const Page* page, edit_.ReadPage(user_id_, mailbox.id, number));
    std::vector<Uid> existing;
    here.ForEach([&](std::uint32_t uid) {
      if (page->Find(static_cast<std::uint8_t>(uid & 0xff)) != nullptr) {
        existing.emplace_back(uid);
      }
    });
    for (const Uid uid : existing) {
      TRY(fn(number, uid));
    }
  }
  return OkStatus();
}

Status Applier::ApplyEntries(const proto::EntryItem& item) {
  Seen(item.modseq());
  ASSIGN_OR_RETURN(HeadMailbox * mailbox, KnownMailbox(item.mailbox_id()));
  ASSIGN_OR_RETURN(const UidSet uids, UidSet::Decode(item.uids()));
  proto::OutboxItem note = NewNote(proto::OutboxItem::ENTRY, item.modseq());
  note.set_mailbox_id(item.mailbox_id());
  {
    Previous previous(&note);
    TRY(ForExisting(*mailbox, uids, [&](std::uint32_t number, Uid uid) -> Status {
      ASSIGN_OR_RETURN(const Page* page, edit_.ReadPage(user_id_, mailbox->id, number));
      const PageEntry* stored = page->Find(static_cast<std::uint8_t>(uid.value() & 0xff));
      if (stored->modseq >= Modseq(item.modseq())) {
        return OkStatus();
      }
      const PageEntry before = *stored;
      previous.Add(uid, before);
      return ChangeEntry(mailbox, uid, &before, ToPageEntry(uid, item.entry(), item.modseq()));
    }));
    previous.all().Encode(note.mutable_uids());
  }
  if (note.previous_entries_size() > 0) {
    Note(note);
  }
  return OkStatus();
}

Status Applier::ApplyPurge(const proto::PurgeItem& item) {
  Seen(item.modseq());
  ASSIGN_OR_RETURN(HeadMailbox * mailbox, KnownMailbox(item.mailbox_id()));
  ASSIGN_OR_RETURN(const UidSet uids, UidSet::Decode(item.uids()));
  UidSet purged;
  TRY(ForExisting(*mailbox, uids, [&](std::uint32_t number, Uid uid) -> Status {
    ASSIGN_OR_RETURN(Page * page, edit_.EditPage(user_id_, mailbox->id, number));
    const PageEntry* stored = page->Find(static_cast<std::uint8_t>(uid.value() & 0xff));
    if (stored->modseq > Modseq(item.modseq())) {
      return OkStatus();
    }
    purged.Add(uid);
    edit_.NoteWhole(mailbox->id, number);
    return PurgeOne(mailbox, page, uid);
  }));
  // What was appended and purged before it came here still used up its numbers.
  MailboxRow& row = mailbox->row;
  row.uid_next = std::max(row.uid_next, uids.Max() + 1);
  row.purge_floor = std::max(row.purge_floor, Modseq(item.floor()));
  row.highest_modseq = std::max(row.highest_modseq, row.purge_floor);
  proto::OutboxItem note = NewNote(proto::OutboxItem::PURGE, item.modseq());
  note.set_mailbox_id(item.mailbox_id());
  purged.Encode(note.mutable_uids());
  Note(note);
  return OkStatus();
}

Status Applier::PurgeOne(HeadMailbox* mailbox, Page* page, Uid uid) {
  const auto low = static_cast<std::uint8_t>(uid.value() & 0xff);
  const PageEntry entry = *page->Find(low);
  std::string key = RecordKey(mailbox->id, uid);
  ASSIGN_OR_RETURN(const auto row, edit_.Row(user_id_, Family::kRecords, key));
  proto::RecordHeader record;
  if (!row || !record.ParseFromString(*row)) {
    return DataLoss("the record of message " + std::to_string(uid.value()) + " in mailbox " +
                    mailbox->id.ToHex() + " is missing or does not parse");
  }
  TRY(CountEntry(mailbox, uid, entry, -1));
  Digest128 gone = RecordTerm(mailbox->id, uid, *row);
  gone.Add(TermOf(*mailbox, uid, entry));
  ChangeDigest(&mailbox->row.digest, gone, Digest128());
  mailbox->row.entries -= 1;
  page->Erase(low);
  const BodyNo body(record.body_no());
  edit_.Delete(user_id_, Family::kRecords, std::move(key));
  edit_.Delete(user_id_, Family::kRefs, RefKey(user_id_, body, mailbox->id, uid));
  return Unrefer(body, Guid::FromBytes(record.guid()));
}

}  // namespace twinspool::store
