// STORE, EXPUNGE, COPY and MOVE: changes of messages that are there.
#include <algorithm>
#include <tuple>

#include "common/limits.h"
#include "server/store/gaps.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"

namespace twinspool::store {

Result<std::optional<Uid>> ForEntries(HeadEdit& edit, MailboxRef mailbox, const UidSet* uids,
                                      Uid from,
                                      const std::function<bool(Uid, const PageEntry&)>& fn) {
  if (uids != nullptr && uids->empty()) {
    return std::optional<Uid>();
  }
  const std::uint32_t first = std::max(uids != nullptr ? uids->Min() : 1u, from.value());
  const std::uint32_t last = uids != nullptr ? uids->Max() : UINT32_MAX;
  std::vector<std::uint32_t> pages;
  if (last >> kPageBits == first >> kPageBits) {
    pages.push_back(first >> kPageBits);
  } else {
    ASSIGN_OR_RETURN(pages,
                     edit.Pages(mailbox.owner, mailbox.id, first >> kPageBits, last >> kPageBits));
  }
  for (const std::uint32_t number : pages) {
    ASSIGN_OR_RETURN(const Page* page, edit.ReadPage(mailbox.owner, mailbox.id, number));
    for (const PageEntry& entry : page->entries()) {
      const std::uint32_t uid = number << kPageBits | entry.uid_low;
      if (uid < first || uid > last || (uids != nullptr && !uids->Contains(uid))) {
        continue;
      }
      if (!fn(Uid(uid), entry)) {
        return std::optional<Uid>(Uid(uid));
      }
    }
  }
  return std::optional<Uid>();
}

namespace {

/// Messages by the state they get, so that each state travels once.
class EntryGroups {
 public:
  void Add(Uid uid, const PageEntry& next) {
    groups_[{next.state, next.flags, next.keywords, next.tail}].Add(uid);
    all_.Add(uid);
  }
  bool empty() const { return groups_.empty(); }
  const UidSet& all() const { return all_; }
  void AddItems(StoreTxn& txn, MailboxRef mailbox, Modseq modseq) const {
    for (const auto& [state, uids] : groups_) {
      proto::EntryItem* item = txn.Add(mailbox.owner)->mutable_entry();
      item->set_mailbox_id(std::string(mailbox.id.bytes()));
      uids.Encode(item->mutable_uids());
      item->mutable_entry()->set_state(std::get<0>(state));
      item->mutable_entry()->set_flags(std::get<1>(state));
      item->mutable_entry()->set_keywords(std::get<2>(state));
      item->mutable_entry()->set_tail(std::get<3>(state));
      item->mutable_entry()->set_updated_s(txn.now_s());
      item->set_modseq(modseq.value());
    }
  }

 private:
  std::map<std::tuple<std::uint8_t, std::uint8_t, std::string, std::string>, UidSet> groups_;
  UidSet all_;
};

/// `now` with `change` made: the bits of `given` replace, are added or taken away.
std::string ChangedKeywords(const std::string& now, FlagChange change, const std::string& given) {
  if (change == FlagChange::kReplace) {
    return given;
  }
  std::string next = now;
  if (next.size() < given.size() && change == FlagChange::kAdd) {
    next.resize(given.size());
  }
  for (std::size_t i = 0; i < given.size() && i < next.size(); ++i) {
    const auto have = static_cast<unsigned char>(next[i]);
    const auto bits = static_cast<unsigned char>(given[i]);
    next[i] = static_cast<char>(change == FlagChange::kAdd ? have | bits : have & ~bits);
  }
  while (!next.empty() && next.back() == '\0') {
    next.pop_back();
  }
  return next;
}

std::uint8_t ChangedFlags(std::uint8_t now, FlagChange change, SystemFlags given) {
  switch (change) {
    case FlagChange::kReplace:
      return given;
    case FlagChange::kAdd:
      return static_cast<std::uint8_t>(now | given);
    case FlagChange::kRemove:
      return static_cast<std::uint8_t>(now & ~given);
  }
  return now;
}

}  // namespace

Result<std::optional<Uid>> StorePart(StoreTxn& txn, MailboxRef ref, const StoreRequest& request,
                                     Uid from, StoreResult* result, UidSet* found) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn, ref));
  KeywordTable keywords(*mailbox);
  ASSIGN_OR_RETURN(const std::string bits,
                   keywords.Bits(request.flags.keywords, request.change == FlagChange::kRemove
                                                             ? KeywordTable::NewName::kSkip
                                                             : KeywordTable::NewName::kAdd));
  EntryGroups groups;
  std::size_t looked_at = 0;
  // Values from a time that a forced promotion cut off prove nothing.
  const bool lost =
      request.unchanged_since && InLostTime(mailbox->header->decoded, *request.unchanged_since);
  ASSIGN_OR_RETURN(
      const std::optional<Uid> next,
      ForEntries(txn.edit(), ref, &request.uids, from, [&](Uid uid, const PageEntry& entry) {
        if (entry.expunged()) {
          return true;
        }
        if (++looked_at > limits::kMessagesPerWrite) {
          return false;
        }
        found->Add(uid);
        if (request.unchanged_since && (lost || entry.modseq > *request.unchanged_since)) {
          result->modified.Add(uid);
          return true;
        }
        PageEntry changed = entry;
        changed.flags = ChangedFlags(entry.flags, request.change, request.flags.system);
        changed.keywords = ChangedKeywords(entry.keywords, request.change, bits);
        if (changed.flags != entry.flags || changed.keywords != entry.keywords) {
          groups.Add(uid, changed);
        }
        return true;
      }));
  if (!groups.empty()) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(ref.owner));
    if (keywords.grown()) {
      keywords.AddItem(txn, *mailbox, modseq);
    }
    groups.AddItems(txn, ref, modseq);
    result->changed.emplace_back(groups.all(), modseq);
  }
  return next;
}

Result<std::optional<Uid>> ExpungePart(StoreTxn& txn, MailboxRef ref,
                                       const std::optional<UidSet>& uids, Uid from,
                                       ExpungeResult* result) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn, ref));
  if (mailbox->row.deleted == 0) {
    return std::optional<Uid>();
  }
  EntryGroups groups;
  std::size_t taken = 0;
  ASSIGN_OR_RETURN(const std::optional<Uid> next,
                   ForEntries(txn.edit(), ref, uids ? &*uids : nullptr, from,
                              [&](Uid uid, const PageEntry& entry) {
                                if (entry.expunged() || (entry.flags & kDeleted) == 0) {
                                  return true;
                                }
                                if (++taken > limits::kMessagesPerWrite) {
                                  return false;
                                }
                                PageEntry gone = entry;
                                gone.state |= kStateExpunged;
                                groups.Add(uid, gone);
                                return true;
                              }));
  if (!groups.empty()) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(ref.owner));
    groups.AddItems(txn, ref, modseq);
    result->expunged.Add(groups.all());
    result->modseq = modseq;
  }
  return next;
}

namespace {

struct Source {
  Uid uid;
  PageEntry entry;
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

Status CopyOne(StoreTxn& txn, const CopyPlan& plan, const Source& source,
               const std::string& keywords, std::uint32_t new_uid, BodyCopier* bodies) {
  ASSIGN_OR_RETURN(proto::RecordHeader record, ReadRecord(txn, plan.from, source.uid));
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(plan.to.owner));
  ASSIGN_OR_RETURN(const BodyNo body, bodies->Copy(record, modseq));
  record.set_body_no(body.value());
  record.set_created_modseq(modseq.value());
  record.set_save_date_ns(txn.now_ns());
  record.set_origin(proto::ORIGIN_COPY);
  proto::EntryState* entry = AddRecord(txn, plan.to, new_uid, record);
  entry->set_flags(source.entry.flags);
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
    sources->push_back({uid, entry});
    return true;
  });
}

}  // namespace

Result<AppendResult> ReplaceMessage(StoreTxn& txn, MailboxRef to, NewMessage message,
                                    MailboxRef from, Uid old) {
  TRY(LiveMailbox(txn, from).status());
  std::vector<Source> sources;
  TRY(TakeLive(txn, from, UidSet::Of(old), old, 1, &sources).status());
  if (sources.empty()) {
    return NotFound("the message to be replaced has gone");
  }
  std::vector<NewMessage> messages;
  messages.push_back(std::move(message));
  ASSIGN_OR_RETURN(AppendResult result,
                   AppendMessages(txn, to, std::move(messages), proto::ORIGIN_APPEND));
  TRY(ExpungeMoved(txn, from, sources));
  return result;
}

Result<std::optional<Uid>> CopyPart(StoreTxn& txn, const CopyPlan& plan, Uid from_uid,
                                    CopyResult* result) {
  ASSIGN_OR_RETURN(const HeadMailbox* from, LiveMailbox(txn, plan.from));
  ASSIGN_OR_RETURN(const HeadMailbox* to, LiveMailbox(txn, plan.to));
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
  TRY(txn.CheckUidDistance(plan.to.owner, plan.to.id, sources.size()));
  ASSIGN_OR_RETURN(to, LiveMailbox(txn, plan.to));
  KeywordTable keywords(*to);
  std::vector<std::string> bitmaps;
  for (const Source& source : sources) {
    ASSIGN_OR_RETURN(std::string bits,
                     keywords.Bits(KeywordNames(source.entry.keywords, *from->header->keywords),
                                   KeywordTable::NewName::kAddWhileRoom));
    bitmaps.push_back(std::move(bits));
  }
  if (keywords.grown()) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(plan.to.owner));
    keywords.AddItem(txn, *to, modseq);
  }
  BodyCopier bodies(txn, plan.from.owner, plan.to.owner);
  std::uint32_t uid = to->row.uid_next;
  for (std::size_t i = 0; i < sources.size(); ++i, ++uid) {
    TRY(CopyOne(txn, plan, sources[i], bitmaps[i], uid, &bodies));
    result->pairs.emplace_back(sources[i].uid, Uid(uid));
  }
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
