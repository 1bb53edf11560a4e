#include "server/store/undo.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/uid_set.h"
#include "server/store/engine.h"
#include "server/store/page.h"
#include "server/store/recount.h"
#include "server/store/row_batch.h"
#include "server/store/row_view.h"

namespace twinspool::store {
namespace {

/// The inverse of one entry's items, over an overlay of the rows.
class Inverse {
 public:
  Inverse(HeadEdit& edit, std::int64_t now_s) : edit_(edit), now_s_(now_s) {}

  Status Run(const proto::OutboxEntry& entry) {
    for (int i = entry.items_size(); i-- > 0;) {
      TRY(One(entry.items(i)));
    }
    return OkStatus();
  }

 private:
  Status One(const proto::OutboxItem& item) {
    const UserId user = UserId::FromBytes(item.user_id());
    edit_.Put(user, Family::kMeta, RecountUserKey(user), "");
    if (!item.mailbox_id().empty()) {
      edit_.Put(user, Family::kMeta, RecountKey(MailboxId::FromBytes(item.mailbox_id())), "");
    }
    switch (item.kind()) {
      case proto::OutboxItem::USER:
        return UndoUser(user, item);
      case proto::OutboxItem::MAILBOX:
        return UndoMailbox(user, item);
      case proto::OutboxItem::RECORD:
        return UndoRecord(user, item);
      case proto::OutboxItem::ENTRY:
        return UndoEntries(user, item);
      case proto::OutboxItem::BODY:
        return UndoBody(user, item);
      case proto::OutboxItem::MISC:
        return UndoRow(user, Family::kMisc, item);
      case proto::OutboxItem::TOKEN:
        return UndoRow(user, Family::kTokens, item);
      case proto::OutboxItem::PURGE: {
        ASSIGN_OR_RETURN(const UidSet uids, UidSet::Decode(item.uids()));
        if (!uids.empty()) {
          edit_.Put(user, Family::kMeta, IncompleteKey(user), "");
        }
        return OkStatus();
      }
      case proto::OutboxItem::FORGET:
        return UndoForget(user, item);
      case proto::OutboxItem::COLLECT:
      default:
        edit_.Put(user, Family::kMeta, IncompleteKey(user), "");
        return OkStatus();
    }
  }

  Status UndoForget(UserId user, const proto::OutboxItem& item) {
    if (!item.key().empty()) {
      return UndoRow(user, Family::kMisc, item);
    }
    edit_.Put(user, Family::kMeta, IncompleteKey(user), "");
    edit_.Delete(user, Family::kMeta, ForgottenKey(user));
    return OkStatus();
  }

  /// A name row goes if it still leads to `id`.
  Status DropName(UserId user, Family family, const std::string& key, std::string_view id) {
    ASSIGN_OR_RETURN(const auto holder, edit_.Row(user, family, key));
    if (holder && *holder == id) {
      edit_.Delete(user, family, key);
    }
    return OkStatus();
  }

  Status UndoUser(UserId user, const proto::OutboxItem& item) {
    ASSIGN_OR_RETURN(const auto now, edit_.Row(user, Family::kUsers, UserKey(user)));
    if (now) {
      ASSIGN_OR_RETURN(const VersionedBytes header, DecodeVersioned(*now));
      ASSIGN_OR_RETURN(const auto part, ParseUserHeader(header.bytes));
      TRY(DropName(user, Family::kUsers, UserNameKey(part->decoded.name()), user.bytes()));
    }
    if (!item.existed()) {
      edit_.Delete(user, Family::kUsers, UserKey(user));
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const VersionedBytes before, DecodeVersioned(item.previous()));
    ASSIGN_OR_RETURN(const auto part, ParseUserHeader(before.bytes));
    if (part->decoded.deleted_ns() == 0) {
      edit_.Put(user, Family::kUsers, UserNameKey(part->decoded.name()), std::string(user.bytes()));
    }
    edit_.Put(user, Family::kUsers, UserKey(user), item.previous());
    return OkStatus();
  }

  Status UndoMailbox(UserId user, const proto::OutboxItem& item) {
    const MailboxId mailbox = MailboxId::FromBytes(item.mailbox_id());
    const std::string key = MailboxKey(user, mailbox);
    ASSIGN_OR_RETURN(const auto now, edit_.Row(user, Family::kMailboxes, key));
    if (now) {
      ASSIGN_OR_RETURN(const VersionedBytes header, DecodeVersioned(*now));
      ASSIGN_OR_RETURN(const auto part, ParseMailboxHeader(header.bytes));
      TRY(DropName(user, Family::kMailboxes, MailboxNameKey(user, part->decoded.name()),
                   mailbox.bytes()));
    }
    if (!item.existed()) {
      edit_.Delete(user, Family::kMailboxes, key);
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const VersionedBytes before, DecodeVersioned(item.previous()));
    ASSIGN_OR_RETURN(const auto part, ParseMailboxHeader(before.bytes));
    if (part->decoded.deleted_modseq() == 0) {
      edit_.Put(user, Family::kMailboxes, MailboxNameKey(user, part->decoded.name()),
                std::string(mailbox.bytes()));
    }
    edit_.Put(user, Family::kMailboxes, key, item.previous());
    return OkStatus();
  }

  Status UndoRecord(UserId user, const proto::OutboxItem& item) {
    const MailboxId mailbox = MailboxId::FromBytes(item.mailbox_id());
    ASSIGN_OR_RETURN(const UidSet uids, UidSet::Decode(item.uids()));
    const Uid uid(uids.Min());
    const std::string key = RecordKey(mailbox, uid);
    ASSIGN_OR_RETURN(const auto row, edit_.Row(user, Family::kRecords, key));
    proto::RecordHeader record;
    if (!row || !record.ParseFromString(*row)) {
      // Purged later in the tail; that step has marked the user.
      return OkStatus();
    }
    const BodyNo body(record.body_no());
    edit_.Delete(user, Family::kRecords, key);
    edit_.Delete(user, Family::kRefs, RefKey(user, body, mailbox, uid));
    TRY(MarkIfLoose(user, body, Guid::FromBytes(record.guid())));
    ASSIGN_OR_RETURN(Page * page, edit_.EditPage(user, mailbox, uid.value() >> kPageBits));
    page->Erase(static_cast<std::uint8_t>(uid.value() & 0xff));
    edit_.NoteWhole(mailbox, uid.value() >> kPageBits);
    return LowerUidNext(user, mailbox, uid);
  }

  /// UIDs of a mailbox are given one after the other, so this one was the next before.
  Status LowerUidNext(UserId user, MailboxId mailbox, Uid uid) {
    const std::string key = MailboxStateKey(mailbox);
    ASSIGN_OR_RETURN(const auto state, edit_.Row(user, Family::kMailboxes, key));
    if (state) {
      ASSIGN_OR_RETURN(MailboxRow row, DecodeMailboxRow(*state));
      row.uid_next = std::min(row.uid_next, uid.value());
      row.uid_peer = std::min(row.uid_peer, uid.value());
      edit_.Put(user, Family::kMailboxes, key, EncodeMailboxRow(row));
    }
    return OkStatus();
  }

  Status MarkIfLoose(UserId user, BodyNo body, const Guid& guid) {
    bool referred = false;
    TRY(edit_.ScanRows(user, Family::kRefs, RefPrefix(user, body),
                       [&](std::string_view, std::string_view) {
                         referred = true;
                         return false;
                       }));
    if (!referred) {
      edit_.Put(user, Family::kMeta, StagingKey(user, body), EncodeLooseBody({now_s_, guid}));
    }
    return OkStatus();
  }

  Status UndoEntries(UserId user, const proto::OutboxItem& item) {
    const MailboxId mailbox = MailboxId::FromBytes(item.mailbox_id());
    for (const proto::PreviousEntry& line : item.previous_entries()) {
      ASSIGN_OR_RETURN(const UidSet uids, UidSet::Decode(line.uids()));
      Status status;
      uids.ForEach([&](std::uint32_t uid) {
        if (status.ok()) {
          status = RestoreEntry(user, mailbox, Uid(uid), line);
        }
      });
      TRY(status);
    }
    return OkStatus();
  }

  Status RestoreEntry(UserId user, MailboxId mailbox, Uid uid, const proto::PreviousEntry& line) {
    const auto low = static_cast<std::uint8_t>(uid.value() & 0xff);
    ASSIGN_OR_RETURN(Page * page, edit_.EditPage(user, mailbox, uid.value() >> kPageBits));
    if (page->Find(low) == nullptr) {
      return OkStatus();  // Purged later in the tail.
    }
    const proto::EntryState& state = line.entry();
    page->Upsert({low, static_cast<std::uint8_t>(state.state()),
                  static_cast<std::uint8_t>(state.flags()), Modseq(line.modseq()),
                  state.updated_s(), state.keywords(), state.tail()});
    edit_.NoteEntry(mailbox, uid);
    return OkStatus();
  }

  Status UndoBody(UserId user, const proto::OutboxItem& item) {
    const BodyNo body(item.body_no());
    const std::string mark_key = StagingKey(user, body);
    ASSIGN_OR_RETURN(const auto mark, edit_.Row(user, Family::kMeta, mark_key));
    LooseBody loose{now_s_, Guid()};
    if (mark) {
      ASSIGN_OR_RETURN(loose, DecodeLooseBody(*mark));
    }
    if (!loose.guid.nil()) {
      TRY(DropFromPool(user, body, loose.guid, item.chunk()));
    }
    edit_.Delete(user, Family::kBodies, BodyKey(user, body, item.chunk()));
    if (item.chunk() > 0) {
      edit_.Put(user, Family::kMeta, mark_key, EncodeLooseBody({loose.since_s, Guid()}));
      return OkStatus();
    }
    edit_.Delete(user, Family::kMeta, mark_key);
    edit_.Delete(user, Family::kSummaries, SummaryKey(user, body));
    edit_.Delete(user, Family::kTexts, BodyTextKey(user, body));
    return OkStatus();
  }

  Status DropFromPool(UserId user, BodyNo body, const Guid& guid, std::uint32_t chunk) {
    const std::string key = GuidKey(user, guid);
    ASSIGN_OR_RETURN(const auto row, edit_.Row(user, Family::kGuids, key));
    if (row) {
      ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(*row));
      if (entry.body == body && entry.chunks == chunk + 1) {
        edit_.Delete(user, Family::kGuids, key);
      }
    }
    return OkStatus();
  }

  Status UndoRow(UserId user, Family family, const proto::OutboxItem& item) {
    std::string key(user.bytes());
    key += item.key();
    if (item.existed()) {
      edit_.Put(user, family, std::move(key), item.previous());
    } else {
      edit_.Delete(user, family, std::move(key));
    }
    return OkStatus();
  }

  HeadEdit& edit_;
  const std::int64_t now_s_;
};

std::vector<UserId> UsersOfEntry(const proto::OutboxEntry& entry) {
  std::set<UserId> users;
  for (const proto::OutboxItem& item : entry.items()) {
    users.insert(UserId::FromBytes(item.user_id()));
  }
  return {users.begin(), users.end()};
}

}  // namespace

Result<std::string> Undo::ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                          std::size_t length) {
  ASSIGN_OR_RETURN(auto chunk, engine_.Get(Family::kBodies, BodyKey(user, body, 0)));
  if (!chunk) {
    return NotFound("body " + std::to_string(body.value()) + " is not here");
  }
  // All chunks but the last are as long as the first.
  const std::uint64_t step = std::max<std::uint64_t>(chunk->size(), 1);
  std::string octets;
  for (std::uint64_t number = offset / step; octets.size() < length; ++number) {
    const std::string key = BodyKey(user, body, static_cast<std::uint32_t>(number));
    ASSIGN_OR_RETURN(chunk, engine_.Get(Family::kBodies, key));
    const std::uint64_t skip = offset + octets.size() - number * step;
    if (!chunk || skip >= chunk->size()) {
      break;
    }
    octets += chunk->substr(skip, length - octets.size());
  }
  return octets;
}

Status Undo::UndoLast() {
  const EntryId last = log_.last();
  ASSIGN_OR_RETURN(const proto::OutboxEntry entry, log_.Read(last.seq));
  const CommitSeq before_seq(last.seq.value() - 1);
  EntryId before;
  if (before_seq.value() > 0) {
    ASSIGN_OR_RETURN(before, log_.Identify(before_seq));
  }
  RowBatch batch;
  {
    const StripeLock lock(head_, UsersOfEntry(entry));
    HeadEdit edit(lock);
    TRY(Inverse(edit, clock_.WallSeconds()).Run(entry));
    edit.AppendRows(&batch);
  }
  log_.AddStepBack(before, &batch);
  TRY(engine_.Write(batch, WriteMode::kSync));
  log_.SetEnds(before, log_.low_water());
  head_.Clear();
  return OkStatus();
}

Result<std::vector<UserId>> Undo::FinishRewind() {
  const RowView view(engine_);
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.Marked<MailboxId>('r'));
  for (const MailboxId mailbox : mailboxes) {
    RowBatch batch;
    batch.Delete(Family::kMeta, RecountKey(mailbox));
    ASSIGN_OR_RETURN(const auto stored, view.MailboxRowOf(mailbox));
    if (stored) {
      const auto counted = RecountMailbox(view, *stored, mailbox);
      if (counted.ok() && counted.value()) {
        batch.Put(Family::kMailboxes, MailboxStateKey(mailbox), EncodeMailboxRow(**counted));
      } else if (counted.ok()) {
        batch.Delete(Family::kMailboxes, MailboxStateKey(mailbox));
      } else {
        batch.Put(Family::kMeta, IncompleteKey(stored->owner), "");
      }
    }
    TRY(engine_.Write(batch, WriteMode::kNoSync));
  }
  ASSIGN_OR_RETURN(const std::vector<UserId> users, view.Marked<UserId>('c'));
  for (const UserId user : users) {
    RowBatch batch;
    batch.Delete(Family::kMeta, RecountUserKey(user));
    ASSIGN_OR_RETURN(const auto header, view.UserHeader(user));
    const Result<UserState> state = RecountUser(view, user);
    if (!header) {
      batch.Delete(Family::kUsers, UserStateKey(user));
    } else if (state.ok()) {
      batch.Put(Family::kUsers, UserStateKey(user), EncodeUserState(*state));
    } else {
      batch.Put(Family::kMeta, IncompleteKey(user), "");
    }
    TRY(engine_.Write(batch, WriteMode::kNoSync));
  }
  // One sync for all: until then the marks say what is still to do.
  RowBatch done;
  done.Delete(Family::kMeta, RecountUserKey(UserId()));
  TRY(engine_.Write(done, WriteMode::kSync));
  head_.Clear();
  return view.Marked<UserId>('i');
}

}  // namespace twinspool::store
