// COPY, MOVE and REPLACE: messages that come into being from others.
#include <algorithm>

#include "common/limits.h"
#include "server/store/access.h"
#include "server/store/entry_groups.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/quota.h"
#include "server/store/seen_writer.h"

namespace twinspool::store {

namespace {

struct Source {
  Uid uid;
  PageEntry entry;
  SystemFlags viewed_flags = 0;  // as who copies sees them
};

/// Copies bodies between users, each once.
class BodyCopier {
 public:
  BodyCopier(StoreTxn& txn, UserId from, UserId to) : txn_(txn), from_(from), to_(to) {}

  Result<BodyNo> Copy(const proto::RecordHeader& record, Modseq modseq) {
    const Guid guid = Guid::FromBytes(record.guid());
    if (from_ == to_) {
      return BodyNo(record.body_no());
    }
    if (const auto it = copied_.find(guid); it != copied_.end()) {
      return it->second;
    }
    ASSIGN_OR_RETURN(const auto row, txn_.edit().Row(to_, Family::kGuids, GuidKey(to_, guid)));
    BodyNo body(modseq.value());
    if (row) {
      ASSIGN_OR_RETURN(const PoolEntry pooled, DecodePoolEntry(*row));
      body = pooled.body;
    } else {
      proto::CopyBodyItem* item = txn_.Add(to_)->mutable_copy_body();
      item->set_body_no(body.value());
      item->set_from_user(std::string(from_.bytes()));
      item->set_from_body_no(record.body_no());
      item->set_guid(record.guid());
      item->set_size(record.size());
    }
    copied_.emplace(guid, body);
    return body;
  }

 private:
  StoreTxn& txn_;
  const UserId from_;
  const UserId to_;
  std::unordered_map<Guid, BodyNo> copied_;
};

Result<proto::RecordHeader> ReadRecord(StoreTxn& txn, MailboxRef mailbox, Uid uid) {
  ASSIGN_OR_RETURN(const auto row,
                   txn.edit().Row(mailbox.owner, Family::kRecords, RecordKey(mailbox.id, uid)));
  proto::RecordHeader record;
  if (!row || !record.ParseFromString(*row)) {
    return DataLoss("the record of message " + std::to_string(uid.value()) + " in mailbox " +
                    mailbox.id.ToHex() + " is missing or does not parse");
  }
  return record;
}

proto::EntryState* AddRecord(StoreTxn& txn, MailboxRef mailbox, std::uint32_t uid,
                             const proto::RecordHeader& record) {
  proto::RecordItem* item = txn.Add(mailbox.owner)->mutable_record();
  item->set_mailbox_id(std::string(mailbox.id.bytes()));
  item->set_uid(uid);
  item->set_record(record.SerializeAsString());
  item->set_modseq(record.created_modseq());
  item->mutable_entry()->set_updated_s(txn.now_s());
  return item->mutable_entry();
}

/// What a copy of messages is made with.
struct Copier {
  BodyCopier bodies;
  Rights rights;  // to the target
  SeenWriter seen_there;
};

Status CopyOne(StoreTxn& txn, const CopyPlan& plan, const Source& source,
               const std::string& keywords, std::uint32_t new_uid, Copier* copier) {
  ASSIGN_OR_RETURN(proto::RecordHeader record, ReadRecord(txn, plan.from, source.uid));
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(plan.to.owner));
  ASSIGN_OR_RETURN(const BodyNo body, copier->bodies.Copy(record, modseq));
  record.set_body_no(body.value());
  record.set_created_modseq(modseq.value());
  record.set_save_date_ns(txn.now_ns());
  record.set_origin(proto::ORIGIN_COPY);
  proto::EntryState* entry = AddRecord(txn, plan.to, new_uid, record);
  const auto flags = static_cast<SystemFlags>(source.viewed_flags & FlagsAllowedBy(copier->rights));
  ASSIGN_OR_RETURN(const SystemFlags kept, copier->seen_there.Split(Uid(new_uid), flags, modseq));
  entry->set_flags(kept);
  entry->set_keywords(keywords);
  return OkStatus();
}

Status ExpungeMoved(StoreTxn& txn, MailboxRef from, const std::vector<Source>& sources) {
  EntryGroups groups;
  for (const Source& source : sources) {
    PageEntry gone = source.entry;
    gone.state |= kStateExpunged;
    groups.Add(source.uid, gone);
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(from.owner));
  groups.AddItems(txn, from, modseq);
  return OkStatus();
}

/// Live messages from `from` on, at most `max`; answers where more follow.
Result<std::optional<Uid>> TakeLive(StoreTxn& txn, MailboxRef mailbox, const UidSet& uids, Uid from,
                                    std::size_t max, std::vector<Source>* sources) {
  return ForEntries(txn.edit(), mailbox, &uids, from, [&](Uid uid, const PageEntry& entry) {
    if (entry.expunged()) {
      return true;
    }
    if (sources->size() >= max) {
      return false;
    }
    sources->push_back({uid, entry, entry.flags});
    return true;
  });
}

}  // namespace

namespace {

/// Room for what `sources` come to at the target, unless they only change their mailbox there.
Status CheckRoomFor(StoreTxn& txn, const CopyPlan& plan, const std::vector<Source>& sources) {
  if (plan.move && plan.from.owner == plan.to.owner) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const QuotaLimits quota, QuotaIn(txn, plan.to.owner));
  std::uint64_t bytes = 0;
  for (const Source& source : sources) {
    if (!quota.bytes) {
      break;  // no need to read their sizes
    }
    ASSIGN_OR_RETURN(const proto::RecordHeader record, ReadRecord(txn, plan.from, source.uid));
    bytes += record.size();
  }
  return CheckQuota(txn, plan.to.owner, bytes, sources.size());
}

/// Makes the flags those that the viewer sees.
Status LookAs(StoreTxn& txn, const MailboxRef& mailbox, std::vector<Source>* sources) {
  ASSIGN_OR_RETURN(SeenWriter seen, SeenWriter::Open(txn, mailbox));
  for (Source& source : *sources) {
    Modseq modseq;
    TRY(seen.Apply(source.uid, &source.viewed_flags, &modseq));
  }
  return OkStatus();
}

}  // namespace

Result<AppendResult> ReplaceMessage(StoreTxn& txn, MailboxRef to, NewMessage message,
                                    MailboxRef from, Uid old) {
  TRY(OpenMailbox(txn, from, kRightDeleteMessages | kRightExpunge).status());
  std::vector<Source> sources;
  TRY(TakeLive(txn, from, UidSet::Of(old), old, 1, &sources).status());
  if (sources.empty()) {
    return NotFound("the message to be replaced has gone");
  }
  ASSIGN_OR_RETURN(const proto::RecordHeader record, ReadRecord(txn, from, old));
  const bool same = from.owner == to.owner;
  const std::uint64_t freed = same ? std::min(record.size(), message.body.size) : 0;
  TRY(CheckQuota(txn, to.owner, message.body.size - freed, same ? 0 : 1));
  std::vector<NewMessage> messages;
  messages.push_back(std::move(message));
  ASSIGN_OR_RETURN(AppendResult result,
                   AppendMessages(txn, to, std::move(messages), proto::ORIGIN_APPEND));
  TRY(ExpungeMoved(txn, from, sources));
  return result;
}

Result<std::optional<Uid>> CopyPart(StoreTxn& txn, const CopyPlan& plan, Uid from_uid,
                                    CopyResult* result) {
  const Rights needed = kRightRead | (plan.move ? kRightDeleteMessages | kRightExpunge : Rights{0});
  ASSIGN_OR_RETURN(const HeadMailbox* from, OpenMailbox(txn, plan.from, needed));
  ASSIGN_OR_RETURN(const HeadMailbox* to, OpenMailbox(txn, plan.to, kRightInsert));
  result->uid_validity = UidValidity(to->header->decoded.uid_validity());
  std::vector<Source> sources;
  ASSIGN_OR_RETURN(const std::optional<Uid> next,
                   TakeLive(txn, plan.from, *plan.uids, from_uid, plan.part_max, &sources));
  if (next && !plan.move) {
    return LimitExceeded("too many messages in one command");
  }
  if (sources.empty()) {
    return next;
  }
  TRY(CheckRoomFor(txn, plan, sources));
  TRY(LookAs(txn, plan.from, &sources));
  TRY(txn.CheckUidDistance(plan.to.owner, plan.to.id, sources.size()));
  ASSIGN_OR_RETURN(to, LiveMailbox(txn, plan.to));
  ASSIGN_OR_RETURN(const Rights rights, RightsIn(txn, plan.to));
  ASSIGN_OR_RETURN(SeenWriter seen_there, SeenWriter::Open(txn, plan.to));
  KeywordTable keywords(*to);
  std::vector<std::string> bitmaps;
  for (const Source& source : sources) {
    const bool kept = (rights & kRightWrite) != 0;
    ASSIGN_OR_RETURN(std::string bits, keywords.Bits(kept ? KeywordNames(source.entry.keywords,
                                                                         *from->header->keywords)
                                                          : std::vector<std::string>(),
                                                     KeywordTable::NewName::kAddWhileRoom));
    bitmaps.push_back(std::move(bits));
  }
  if (keywords.changed()) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(plan.to.owner));
    keywords.AddItem(txn, *to, modseq);
  }
  Copier copier{BodyCopier(txn, plan.from.owner, plan.to.owner), rights, seen_there};
  std::uint32_t uid = to->row.uid_next;
  for (std::size_t i = 0; i < sources.size(); ++i, ++uid) {
    TRY(CopyOne(txn, plan, sources[i], bitmaps[i], uid, &copier));
    result->pairs.emplace_back(sources[i].uid, Uid(uid));
  }
  TRY(copier.seen_there.Flush());
  if (plan.move) {
    TRY(ExpungeMoved(txn, plan.from, sources));
  }
  return next;
}

Result<std::optional<Uid>> RenumberPart(StoreTxn& txn, MailboxRef ref, const UidSet& uids,
                                        Uid from) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn, ref));
  std::vector<Source> sources;
  ASSIGN_OR_RETURN(const std::optional<Uid> next,
                   TakeLive(txn, ref, uids, from, limits::kMessagesPerWrite, &sources));
  std::uint32_t uid = mailbox->row.uid_next;
  if (sources.size() > UINT32_MAX - uid) {
    return LimitExceeded("mailbox " + ref.id.ToHex() + " has used up its message numbers");
  }
  for (const Source& source : sources) {
    ASSIGN_OR_RETURN(proto::RecordHeader record, ReadRecord(txn, ref, source.uid));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(ref.owner));
    record.set_created_modseq(modseq.value());
    proto::EntryState* entry = AddRecord(txn, ref, uid++, record);
    entry->set_flags(source.entry.flags);
    entry->set_state(source.entry.state);
    entry->set_keywords(source.entry.keywords);
    entry->set_tail(source.entry.tail);
  }
  if (!sources.empty()) {
    TRY(ExpungeMoved(txn, ref, sources));
  }
  return next;
}

}  // namespace twinspool::store
