// Undo::ReadForSalvage and ReadDoomed: what undoing the newest entry, or replacing a user, would
// lose, in words and octets that people and the new primary can use. Reading only.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/uid_set.h"
#include "server/store/engine.h"
#include "server/store/last_login.h"
#include "server/store/message_ops.h"
#include "server/store/page.h"
#include "server/store/row_view.h"
#include "server/store/undo.h"

namespace twinspool::store {
namespace {

using replica::SalvageRecord;

proto::EntryState StateOf(const EntryView& entry) {
  proto::EntryState state;
  state.set_flags(entry.flags);
  state.set_state(entry.state);
  state.set_keywords(std::string(entry.keywords));
  state.set_updated_s(entry.updated_s);
  state.set_tail(std::string(entry.tail));
  return state;
}

/// Turns the items of one entry into records.
class SalvageReader {
 public:
  SalvageReader(const RowView& view, const EntryId& id) : view_(view), id_(id) {}

  Status Add(const proto::OutboxItem& item) {
    switch (item.kind()) {
      case proto::OutboxItem::RECORD:
      case proto::OutboxItem::ENTRY:
        return AddMessages(item);
      case proto::OutboxItem::USER:
        return AddHeader(item, "user", Family::kUsers, UserKey(UserId::FromBytes(item.user_id())));
      case proto::OutboxItem::MAILBOX:
        return AddHeader(
            item, "mailbox", Family::kMailboxes,
            MailboxKey(UserId::FromBytes(item.user_id()), MailboxId::FromBytes(item.mailbox_id())));
      case proto::OutboxItem::MISC:
        return IsLastLogin(item.key()) ? OkStatus() : AddSmallRow(item);
      case proto::OutboxItem::PURGE: {
        ASSIGN_OR_RETURN(SalvageRecord record, Start(item, "purge"));
        record.header = item.uids();
        records_.push_back(std::move(record));
        return OkStatus();
      }
      case proto::OutboxItem::BODY:
        return AddBody(item);
      default:
        return OkStatus();  // Remembered results and collected bodies: nothing that is missed.
    }
  }
  std::vector<SalvageRecord> Take() {
    LinkMoves();
    return std::move(records_);
  }

 private:
  Result<SalvageRecord> Start(const proto::OutboxItem& item, std::string kind) {
    SalvageRecord record;
    record.entry = id_;
    record.kind = std::move(kind);
    record.user = UserId::FromBytes(item.user_id());
    ASSIGN_OR_RETURN(const auto user, view_.UserHeader(record.user));
    proto::UserHeader user_header;
    if (user && user_header.ParseFromString(user->bytes)) {
      record.user_name = user_header.name();
    }
    record.mailbox = MailboxId::FromBytes(item.mailbox_id());
    keywords_.clear();
    if (!record.mailbox.nil()) {
      ASSIGN_OR_RETURN(const auto mailbox, view_.MailboxHeader(record.user, record.mailbox));
      proto::MailboxHeader header;
      if (mailbox && header.ParseFromString(mailbox->bytes)) {
        record.mailbox_name = header.name();
        keywords_.assign(header.keywords().begin(), header.keywords().end());
      }
    }
    return record;
  }

  /// Headers of users and mailboxes: without the modseq before them.
  Status AddHeader(const proto::OutboxItem& item, std::string kind, Family family,
                   const std::string& key) {
    ASSIGN_OR_RETURN(SalvageRecord record, Start(item, std::move(kind)));
    ASSIGN_OR_RETURN(const auto row, view_.engine().Get(family, key, view_.snapshot()));
    if (row) {
      ASSIGN_OR_RETURN(VersionedBytes now, DecodeVersioned(*row));
      record.header = std::move(now.bytes);
    }
    if (item.existed()) {
      ASSIGN_OR_RETURN(VersionedBytes before, DecodeVersioned(item.previous()));
      record.previous_header = std::move(before.bytes);
      record.base_modseq = before.modseq;
    }
    records_.push_back(std::move(record));
    return OkStatus();
  }

  Status AddSmallRow(const proto::OutboxItem& item) {
    ASSIGN_OR_RETURN(SalvageRecord record, Start(item, "misc"));
    record.key = item.key();
    ASSIGN_OR_RETURN(
        auto row, view_.engine().Get(Family::kMisc, item.user_id() + item.key(), view_.snapshot()));
    record.header = row.value_or("");
    if (item.existed()) {
      ASSIGN_OR_RETURN(const MiscRow before, DecodeMiscRow(item.previous()));
      record.previous_header = item.previous();
      record.base_modseq = before.modseq;
    }
    records_.push_back(std::move(record));
    return OkStatus();
  }

  Status AddBody(const proto::OutboxItem& item) {
    ASSIGN_OR_RETURN(SalvageRecord record, Start(item, "body"));
    ASSIGN_OR_RETURN(const auto pooled, view_.Pooled(record.user, BodyNo(item.body_no())));
    if (!pooled || pooled->entry.chunks != item.chunk() + 1) {
      return OkStatus();  // Half a message is not worth keeping.
    }
    record.record.set_guid(std::string(pooled->guid.bytes()));
    record.record.set_body_no(item.body_no());
    record.record.set_size(pooled->entry.size);
    record.has_body = true;
    records_.push_back(std::move(record));
    return OkStatus();
  }

  Status AddMessages(const proto::OutboxItem& item) {
    const bool append = item.kind() == proto::OutboxItem::RECORD;
    ASSIGN_OR_RETURN(const SalvageRecord start, Start(item, append ? "append" : "flags"));
    ASSIGN_OR_RETURN(const UidSet uids, UidSet::Decode(item.uids()));
    std::vector<std::pair<UidSet, const proto::PreviousEntry*>> before;
    for (const proto::PreviousEntry& line : item.previous_entries()) {
      ASSIGN_OR_RETURN(UidSet set, UidSet::Decode(line.uids()));
      before.emplace_back(std::move(set), &line);
    }
    Status status;
    uids.ForEach([&](std::uint32_t uid) {
      if (!status.ok()) {
        return;
      }
      SalvageRecord record = start;
      record.uid = Uid(uid);
      for (const auto& [set, line] : before) {
        if (set.Contains(uid)) {
          record.previous = line->entry();
          record.previous_keywords = KeywordNames(line->entry().keywords(), keywords_);
          record.base_modseq = Modseq(line->modseq());
        }
      }
      status = AddMessage(std::move(record));
    });
    return status;
  }

  Status AddMessage(SalvageRecord record) {
    const std::string key = RecordKey(record.mailbox, record.uid);
    ASSIGN_OR_RETURN(const auto row, view_.engine().Get(Family::kRecords, key, view_.snapshot()));
    if (!row || !record.record.ParseFromString(*row)) {
      return OkStatus();  // Purged since; that entry, undone before, has said so.
    }
    TRY(AddState(&record));
    record.has_body = record.kind == "append";
    if (record.kind == "flags" && (record.entry_state.state() & kStateExpunged) != 0 &&
        (record.previous.state() & kStateExpunged) == 0) {
      record.kind = "expunge";
    }
    records_.push_back(std::move(record));
    return OkStatus();
  }

  Status AddState(SalvageRecord* record) {
    const std::uint32_t page = record->uid.value() >> kPageBits;
    if (record->mailbox != page_mailbox_ || page != page_number_ || page_.empty()) {
      ASSIGN_OR_RETURN(
          const auto octets,
          view_.engine().Get(Family::kIndex, PageKey(record->mailbox, page), view_.snapshot()));
      page_ = Page();
      if (octets) {
        ASSIGN_OR_RETURN(page_, Page::Decode(*octets));
      }
      page_mailbox_ = record->mailbox;
      page_number_ = page;
    }
    const PageEntry* entry = page_.Find(static_cast<std::uint8_t>(record->uid.value() & 0xff));
    if (entry == nullptr) {
      return OkStatus();
    }
    record->entry_state = StateOf(entry->view());
    record->keywords = KeywordNames(entry->keywords, keywords_);
    return OkStatus();
  }

  /// A copy whose original, with the same content, goes in the same entry was moved.
  void LinkMoves() {
    std::multimap<std::string, const SalvageRecord*> gone;
    for (const SalvageRecord& record : records_) {
      if (record.kind == "expunge") {
        gone.emplace(std::string(record.user.bytes()) + record.record.guid(), &record);
      }
    }
    for (SalvageRecord& record : records_) {
      if (record.kind != "append" || record.record.origin() != proto::ORIGIN_COPY) {
        continue;
      }
      const auto found = gone.find(std::string(record.user.bytes()) + record.record.guid());
      if (found != gone.end()) {
        record.from_mailbox = found->second->mailbox;
        record.from_uid = found->second->uid;
        gone.erase(found);
      }
    }
  }

  const RowView& view_;
  const EntryId id_;
  std::vector<SalvageRecord> records_;
  std::vector<std::string> keywords_;  // of the mailbox last started
  MailboxId page_mailbox_;
  std::uint32_t page_number_ = 0;
  Page page_;
};

/// First UID of this mailbox that the peer may lack; nothing: it is not one whose messages are
/// missed. A user whose copy broke off has mailboxes without a header or a state.
Result<std::optional<Uid>> FirstUnshared(const RowView& view, UserId user, MailboxId mailbox) {
  ASSIGN_OR_RETURN(const auto row, view.MailboxRowOf(mailbox));
  ASSIGN_OR_RETURN(const auto versioned, view.MailboxHeader(user, mailbox));
  proto::MailboxHeader header;
  if (!row || !versioned || !header.ParseFromString(versioned->bytes) ||
      header.deleted_modseq() != 0) {
    return std::optional<Uid>();
  }
  return std::optional(Uid(row->uid_peer));
}

/// At most `max` live UIDs from `from` on.
Result<UidSet> LiveFrom(const RowView& view, MailboxId mailbox, Uid from, std::size_t max) {
  UidSet live;
  std::size_t count = 0;
  RowIterator it = view.engine().Iterate(
      Family::kIndex, {PageKey(mailbox, from.value() >> kPageBits), PrefixEnd(mailbox.bytes())},
      view.snapshot());
  for (it.SeekToFirst(); it.Valid() && count < max; it.Next()) {
    const std::uint32_t page = PageOfPageKey(it.key()).value_or(0);
    PageScanner scanner(it.value());
    EntryView entry;
    while (count < max && scanner.Next(&entry)) {
      const std::uint32_t uid = page << kPageBits | entry.uid_low;
      if (uid >= from.value() && !entry.expunged()) {
        live.Add(uid);
        ++count;
      }
    }
    TRY(scanner.status());
  }
  TRY(it.status());
  return live;
}

}  // namespace

Result<std::vector<SalvageRecord>> Undo::ReadDoomed(UserId user, MailboxId after_mailbox,
                                                    Uid after_uid) {
  const RowView view(engine_);
  SalvageReader reader(view, EntryId());
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user));
  std::size_t room = limits::kDoomedPerRead;
  for (const MailboxId mailbox : mailboxes) {
    if (mailbox < after_mailbox || room == 0) {
      continue;
    }
    ASSIGN_OR_RETURN(std::optional<Uid> from, FirstUnshared(view, user, mailbox));
    if (!from) {
      continue;
    }
    if (mailbox == after_mailbox) {
      from = std::max(*from, Uid(after_uid.value() + 1));
    }
    ASSIGN_OR_RETURN(const UidSet live, LiveFrom(view, mailbox, *from, room));
    room -= live.Count();
    proto::OutboxItem item;
    item.set_kind(proto::OutboxItem::RECORD);
    item.set_user_id(std::string(user.bytes()));
    item.set_mailbox_id(std::string(mailbox.bytes()));
    live.Encode(item.mutable_uids());
    TRY(reader.Add(item));
  }
  return reader.Take();
}

Result<std::vector<SalvageRecord>> Undo::ReadForSalvage() {
  const EntryId last = log_.last();
  ASSIGN_OR_RETURN(const proto::OutboxEntry entry, log_.Read(last.seq));
  const RowView view(engine_);
  SalvageReader reader(view, last);
  for (const proto::OutboxItem& item : entry.items()) {
    TRY(reader.Add(item));
  }
  return reader.Take();
}

}  // namespace twinspool::store
