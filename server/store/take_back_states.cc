// Flags, keywords and expunges of messages that both nodes have (semantics R12, R13).
#include <algorithm>

#include "server/store/merge.h"
#include "server/store/message_ops.h"
#include "server/store/take_back_parts.h"

namespace twinspool::store {
namespace {

class StateReturn {
 public:
  StateReturn(StoreTxn& txn, const HeadMailbox& mailbox, MailboxRef ref)
      : txn_(txn), mailbox_(mailbox), ref_(ref), memory_(txn, ref.owner), keywords_(mailbox) {}

  Result<proto::GivenBack> One(const proto::GiveBack& given) {
    ASSIGN_OR_RETURN(const auto known, memory_.Recall(given.token()));
    if (known) {
      return *known;
    }
    ASSIGN_OR_RETURN(proto::GivenBack outcome, Decide(given));
    fresh_.push_back(outcome);
    return outcome;
  }

  /// Adds what was decided.
  Status Finish() {
    if (!changed_.empty()) {
      ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(ref_.owner));
      if (keywords_.changed()) {
        keywords_.AddItem(txn_, mailbox_, modseq);
      }
      for (auto& [uid, state] : changed_) {
        AddEntry(uid, std::move(state), modseq);
      }
    }
    for (const proto::GivenBack& outcome : fresh_) {
      TRY(memory_.Remember(outcome));
    }
    return OkStatus();
  }

 private:
  Result<bool> SameMessage(const proto::GiveBack& given) {
    ASSIGN_OR_RETURN(const auto row, txn_.edit().Row(ref_.owner, Family::kRecords,
                                                     RecordKey(ref_.id, Uid(given.uid()))));
    proto::RecordHeader record;
    return row && record.ParseFromString(*row) && record.guid() == given.record().guid();
  }

  Result<proto::GivenBack> Decide(const proto::GiveBack& given) {
    ASSIGN_OR_RETURN(const bool same, SameMessage(given));
    ASSIGN_OR_RETURN(const Page* page,
                     txn_.edit().ReadPage(ref_.owner, ref_.id, given.uid() >> kPageBits));
    const PageEntry* entry = page->Find(static_cast<std::uint8_t>(given.uid() & 0xff));
    if (!same || entry == nullptr) {
      return MakeOutcome(given, "the message is gone");
    }
    if (entry->expunged()) {
      return MakeOutcome(given, "the message was expunged meanwhile");
    }
    if (entry->modseq == Modseq(given.base_modseq())) {
      return TakeWhole(given);
    }
    if ((given.entry().state() & kStateExpunged) != 0) {
      return MakeOutcome(given, "not expunged: it was changed meanwhile", true);
    }
    return Merge(given, *entry);
  }

  Result<proto::GivenBack> TakeWhole(const proto::GiveBack& given) {
    proto::EntryState state = given.entry();
    ASSIGN_OR_RETURN(std::string bits,
                     keywords_.Bits(Names(given.keywords()), KeywordTable::NewName::kAddWhileRoom));
    state.set_keywords(std::move(bits));
    const bool expunged = (state.state() & kStateExpunged) != 0;
    changed_.emplace_back(Uid(given.uid()), std::move(state));
    return Stored(given, expunged ? "expunged" : "flags set");
  }

  Result<proto::GivenBack> Merge(const proto::GiveBack& given, const PageEntry& entry) {
    const auto flags = MergedFlags(static_cast<SystemFlags>(given.base_entry().flags()),
                                   static_cast<SystemFlags>(given.entry().flags()), entry.flags);
    const std::vector<std::string> names =
        MergedKeywords(Names(given.base_keywords()), Names(given.keywords()),
                       KeywordNames(entry.keywords, keywords_.names()));
    ASSIGN_OR_RETURN(std::string bits, keywords_.Bits(names, KeywordTable::NewName::kAddWhileRoom));
    if (flags == entry.flags && bits == entry.keywords) {
      return MakeOutcome(given, "its flags stay as they were set meanwhile");
    }
    proto::EntryState state;
    state.set_flags(flags);
    state.set_state(entry.state);
    state.set_keywords(std::move(bits));
    state.set_tail(entry.tail);
    changed_.emplace_back(Uid(given.uid()), std::move(state));
    return Stored(given, "flags joined with those set meanwhile");
  }

  static proto::GivenBack Stored(const proto::GiveBack& given, std::string text) {
    proto::GivenBack outcome = MakeOutcome(given, std::move(text));
    outcome.set_stored(true);
    outcome.set_uid(given.uid());
    outcome.set_mailbox_id(given.mailbox_id());
    return outcome;
  }

  static std::vector<std::string> Names(
      const google::protobuf::RepeatedPtrField<std::string>& names) {
    return {names.begin(), names.end()};
  }

  void AddEntry(Uid uid, proto::EntryState state, Modseq modseq) {
    proto::EntryItem* item = txn_.Add(ref_.owner)->mutable_entry();
    item->set_mailbox_id(std::string(ref_.id.bytes()));
    UidSet::Of(uid.value(), uid.value()).Encode(item->mutable_uids());
    *item->mutable_entry() = std::move(state);
    item->mutable_entry()->set_updated_s(txn_.now_s());
    item->set_modseq(modseq.value());
  }

  StoreTxn& txn_;
  const HeadMailbox& mailbox_;
  const MailboxRef ref_;
  TakeBackMemory memory_;
  KeywordTable keywords_;
  std::vector<std::pair<Uid, proto::EntryState>> changed_;
  Outcomes fresh_;
};

}  // namespace

Result<Outcomes> TakeStates(StoreTxn& txn, const GivenItems& items) {
  const MailboxRef ref{UserId::FromBytes(items[0]->user_id()),
                       MailboxId::FromBytes(items[0]->mailbox_id())};
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(ref.owner, ref.id));
  Outcomes outcomes;
  if (!mailbox->exists()) {
    for (const proto::GiveBack* item : items) {
      outcomes.push_back(MakeOutcome(*item, "its mailbox is gone"));
    }
    return outcomes;
  }
  StateReturn work(txn, *mailbox, ref);
  for (const proto::GiveBack* item : items) {
    ASSIGN_OR_RETURN(proto::GivenBack outcome, work.One(*item));
    outcomes.push_back(std::move(outcome));
  }
  TRY(work.Finish());
  return outcomes;
}

}  // namespace twinspool::store
