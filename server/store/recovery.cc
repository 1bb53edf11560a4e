#include "server/store/recovery.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/names.h"
#include "server/store/page.h"
#include "server/store/row_view.h"
#include "server/store/visibility.h"
#include "server/store/write_calls.h"

namespace twinspool::store {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

Status NothingVisible() {
  return Unavailable("this node has nothing to show yet: it waits for the other one");
}

Result<proto::RecordHeader> ReadRecord(StoreTxn& txn, const MailboxRef& mailbox, Uid uid) {
  ASSIGN_OR_RETURN(const auto row,
                   txn.edit().Row(mailbox.owner, Family::kRecords, RecordKey(mailbox.id, uid)));
  proto::RecordHeader record;
  if (!row || !record.ParseFromString(*row)) {
    return DataLoss("the record of message " + std::to_string(uid.value()) + " in mailbox " +
                    mailbox.id.ToHex() + " is missing or does not parse");
  }
  return record;
}

/// One part of a restoration: expunged messages get new UIDs at the end of their mailbox.
class Restoring {
 public:
  Restoring(StoreTxn& txn, const MailboxRef& mailbox, const std::optional<UidSet>& uids)
      : txn_(txn), mailbox_(mailbox), uids_(uids) {}

  Result<std::optional<Uid>> Part(Uid from, std::uint64_t* restored) {
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn_, mailbox_));
    TRY(FindLive());
    std::vector<std::pair<Uid, PageEntry>> gone;
    ASSIGN_OR_RETURN(const auto next, ForEntries(txn_.edit(), mailbox_, uids_ ? &*uids_ : nullptr,
                                                 from, [&](Uid uid, const PageEntry& entry) {
                                                   if (!entry.expunged()) {
                                                     return true;
                                                   }
                                                   if (gone.size() >= limits::kMessagesPerWrite) {
                                                     return false;
                                                   }
                                                   gone.emplace_back(uid, entry);
                                                   return true;
                                                 }));
    TRY(txn_.CheckUidDistance(mailbox_.owner, mailbox_.id, gone.size()));
    ASSIGN_OR_RETURN(mailbox, LiveMailbox(txn_, mailbox_));
    std::uint32_t uid = mailbox->row.uid_next;
    for (const auto& [old, entry] : gone) {
      ASSIGN_OR_RETURN(const bool added, Add(old, entry, uid));
      uid += added ? 1 : 0;
      *restored += added ? 1 : 0;
    }
    return next;
  }

 private:
  /// What the mailbox holds: nothing of it comes back a second time.
  Status FindLive() {
    Status status;
    TRY(ForEntries(txn_.edit(), mailbox_, nullptr, Uid(1), [&](Uid uid, const PageEntry& entry) {
          if (!entry.expunged()) {
            const Result<proto::RecordHeader> record = ReadRecord(txn_, mailbox_, uid);
            status = record.status();
            live_.insert(record.ok() ? record->guid() : "");
          }
          return status.ok();
        }).status());
    return status;
  }

  Result<bool> Add(Uid old, const PageEntry& entry, std::uint32_t uid) {
    ASSIGN_OR_RETURN(proto::RecordHeader record, ReadRecord(txn_, mailbox_, old));
    if (!live_.insert(record.guid()).second) {
      return false;
    }
    ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(mailbox_.owner));
    record.set_created_modseq(modseq.value());
    record.set_save_date_ns(txn_.now_ns());
    proto::RecordItem* item = txn_.Add(mailbox_.owner)->mutable_record();
    item->set_mailbox_id(std::string(mailbox_.id.bytes()));
    item->set_uid(uid);
    item->set_record(record.SerializeAsString());
    item->set_modseq(modseq.value());
    item->mutable_entry()->set_flags(static_cast<SystemFlags>(entry.flags & ~kDeleted));
    item->mutable_entry()->set_keywords(entry.keywords);
    item->mutable_entry()->set_updated_s(txn_.now_s());
    return true;
  }

  StoreTxn& txn_;
  const MailboxRef mailbox_;
  const std::optional<UidSet>& uids_;
  std::set<std::string> live_;  // GUIDs
};

}  // namespace

Result<std::vector<ExpungedMessage>> Recovery::ListExpunged(const MailboxRef& mailbox, Uid from) {
  const auto view = path_.visibility.view();
  if (view == nullptr) {
    return NothingVisible();
  }
  std::vector<ExpungedMessage> found;
  RowIterator it = path_.engine.Iterate(
      Family::kIndex,
      {PageKey(mailbox.id, from.value() >> kPageBits), PrefixEnd(mailbox.id.bytes())},
      view->snapshot.get());
  for (it.SeekToFirst(); it.Valid() && found.size() < limits::kExpungedListedMax; it.Next()) {
    const std::uint32_t page = PageOfPageKey(it.key()).value_or(0);
    PageScanner scanner(it.value());
    EntryView entry;
    while (scanner.Next(&entry)) {
      const Uid uid(page << kPageBits | entry.uid_low);
      if (entry.expunged() && uid >= from) {
        found.push_back({uid, entry.updated_s, {}});
      }
    }
    TRY(scanner.status());
  }
  TRY(it.status());
  for (ExpungedMessage& message : found) {
    ASSIGN_OR_RETURN(const auto row,
                     path_.engine.Get(Family::kRecords, RecordKey(mailbox.id, message.uid),
                                      view->snapshot.get()));
    proto::RecordHeader record;
    if (row && record.ParseFromString(*row)) {
      message.record.guid = Guid::FromBytes(record.guid());
      message.record.size = record.size();
      message.record.internal_date = record.internal_date_ns() / kNsPerSecond;
      message.record.body = BodyNo(record.body_no());
    }
  }
  return found;
}

void Recovery::RestoreExpunged(const MailboxRef& mailbox, const std::optional<UidSet>& uids,
                               const Done<std::uint64_t>& done) {
  PartedWrite<std::uint64_t> write;
  write.user = mailbox.owner;
  write.part = [&](StoreTxn& txn, Uid from, std::uint64_t* restored) {
    return Restoring(txn, mailbox, uids).Part(from, restored);
  };
  write.Run(path_, 0, done);
}

Result<std::vector<DeletedMailbox>> Recovery::ListDeleted(UserId user) {
  const auto view = path_.visibility.view();
  if (view == nullptr) {
    return NothingVisible();
  }
  const RowView rows(path_.engine, view->snapshot.get());
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, rows.MailboxesOf(user));
  std::vector<DeletedMailbox> found;
  for (const MailboxId id : mailboxes) {
    ASSIGN_OR_RETURN(const auto header, rows.MailboxHeader(user, id));
    proto::MailboxHeader decoded;
    if (header && decoded.ParseFromString(header->bytes) && decoded.deleted_modseq() != 0) {
      ASSIGN_OR_RETURN(const auto row, rows.MailboxRowOf(id));
      found.push_back(
          {id, decoded.name(), decoded.deleted_ns() / kNsPerSecond, row ? row->exists : 0});
    }
  }
  std::sort(found.begin(), found.end(), [](const DeletedMailbox& a, const DeletedMailbox& b) {
    return std::tie(a.name, a.deleted_s) < std::tie(b.name, b.deleted_s);
  });
  return found;
}

void Recovery::RestoreMailbox(UserId user, MailboxId mailbox, const std::string& name,
                              const Done<Unit>& done) {
  RunTxn<Unit>(path_, user, Admission::kSmall, done, [&](StoreTxn& txn) -> Result<Unit> {
    TRY(MailboxWriter(txn, path_.random, user).Undelete(mailbox, name));
    return Unit{};
  });
}

}  // namespace twinspool::store
