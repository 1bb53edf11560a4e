// A message that only the former primary had (semantics R10, R14).

#include <algorithm>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/names.h"
#include "server/store/page.h"
#include "server/store/take_back_parts.h"

namespace twinspool::store {
namespace {

/// One message on its way back; lives as long as Take runs.
class Return {
 public:
  Return(const WritePath& path, const proto::GiveBack& message, std::string octets)
      : path_(path),
        message_(message),
        octets_(std::move(octets)),
        user_(UserId::FromBytes(message.user_id())),
        guid_(Guid::FromBytes(message.record().guid())) {}

  Status CheckOctets() const {
    if (user_.nil() || message_.token().empty()) {
      return InvalidArgument("a message is given back without its user or token");
    }
    if (octets_.size() != message_.record().size() || GuidOf(octets_) != guid_) {
      return DataLoss("the octets of a message given back are not those of its record");
    }
    return OkStatus();
  }

  /// Chunks of a large body go ahead as commit groups of their own. Asks first whether it is
  /// needed.
  Status StageLarge() {
    if (octets_.size() <= limits::kInlineBodyBytesMax) {
      return OkStatus();
    }
    for (std::uint32_t chunk = 0; octets_.size() - sent_ > limits::kBodyChunkBytes; ++chunk) {
      StoreTxn txn(path_, user_);
      TRY(txn.Admit(Admission::kBodies));
      ASSIGN_OR_RETURN(const bool needed, Decide(txn));
      ASSIGN_OR_RETURN(const auto pooled, Pooled(txn));
      if (!needed || pooled) {
        return OkStatus();
      }
      if (chunk == 0) {
        ASSIGN_OR_RETURN(const Modseq number, txn.NextModseq(user_));
        body_ = BodyNo(number.value());
      }
      proto::BodyItem* item = txn.Add(user_)->mutable_body();
      item->set_body_no(body_.value());
      item->set_chunk(chunk);
      item->set_octets(octets_.substr(sent_, limits::kBodyChunkBytes));
      sent_ += limits::kBodyChunkBytes;
      chunks_ = chunk + 1;
      TRY(txn.Commit().status());
    }
    return OkStatus();
  }

  /// Adds what is to be done to the transaction; the answer is in result().
  Status Add(StoreTxn& txn) {
    ASSIGN_OR_RETURN(const bool append, Decide(txn));
    if (append) {
      TRY(Append(txn));
    }
    if (original_goes_) {
      TRY(ExpungeOriginal(txn));
    }
    if (!remembered_ && user_exists_) {
      TRY(TakeBackMemory(txn, user_).Remember(result_));
    }
    return OkStatus();
  }
  const proto::GivenBack& result() const { return result_; }

 private:
  bool Settle(std::string outcome) {
    result_.set_outcome(std::move(outcome));
    return false;
  }

  /// True: append into target_. False: result_ says why not.
  Result<bool> Decide(StoreTxn& txn) {
    result_ = MakeOutcome(message_, "");
    original_goes_ = false;
    ASSIGN_OR_RETURN(const HeadUser* user, txn.edit().User(user_));
    user_exists_ = user->exists();
    if (!user_exists_) {
      return Settle("the user is gone");
    }
    ASSIGN_OR_RETURN(auto known, TakeBackMemory(txn, user_).Recall(message_.token()));
    remembered_ = known.has_value();
    if (known) {
      result_ = *std::move(known);
      return false;
    }
    if ((message_.entry().state() & kStateExpunged) != 0) {
      return Settle("expunged before it was given back");
    }
    inbox_ = MailboxId::FromBytes(user->header->decoded.inbox_id());
    TRY(FindTarget(txn));
    if (!message_.from_mailbox_id().empty()) {
      return DecideMove(txn);
    }
    ASSIGN_OR_RETURN(const bool present, Present(txn));
    return present ? Settle("already there") : Result<bool>(true);
  }

  Status FindTarget(StoreTxn& txn) {
    target_ = MailboxId::FromBytes(message_.mailbox_id());
    if (!message_.into().empty()) {
      ASSIGN_OR_RETURN(const std::string name, CanonicalMailboxName(message_.into()));
      ASSIGN_OR_RETURN(const auto found, FindByName(txn, user_, name));
      if (!found) {
        return NotFound("the user has no mailbox named " + name);
      }
      target_ = *found;
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, target_));
    if (mailbox->exists()) {
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const auto home, TakeBackMemory(txn, user_).HomeOf(target_));
    target_ = home.value_or(inbox_);
    ASSIGN_OR_RETURN(mailbox, txn.edit().Mailbox(user_, target_));
    target_ = mailbox->exists() ? target_ : inbox_;
    return OkStatus();
  }

  /// The original stays only where it was changed meanwhile. Then a move that nobody was told of
  /// has not happened; of one that clients know of both copies stay.
  Result<bool> DecideMove(StoreTxn& txn) {
    const MailboxId from = MailboxId::FromBytes(message_.from_mailbox_id());
    ASSIGN_OR_RETURN(const std::optional<PageEntry> original,
                     FindEntry(txn, from, Uid(message_.from_uid())));
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, from));
    const bool there = original && mailbox->exists();
    if (there && original->expunged()) {
      return Settle("the message was moved or removed meanwhile");
    }
    const bool untouched = there && original->modseq == Modseq(message_.base_modseq());
    if (there && !untouched && !message_.acknowledged()) {
      result_.set_conflict(true);
      return Settle("not moved: it was changed meanwhile");
    }
    result_.set_conflict(there && !untouched);
    ASSIGN_OR_RETURN(const bool present, Present(txn));
    original_goes_ = untouched && !(present && from == target_);
    return present ? Settle(original_goes_ ? "moved" : "already there") : Result<bool>(true);
  }

  Result<std::optional<PageEntry>> FindEntry(StoreTxn& txn, MailboxId mailbox, Uid uid) {
    ASSIGN_OR_RETURN(const Page* page,
                     txn.edit().ReadPage(user_, mailbox, uid.value() >> kPageBits));
    const PageEntry* entry = page->Find(static_cast<std::uint8_t>(uid.value() & 0xff));
    return entry == nullptr ? std::nullopt : std::optional(*entry);
  }

  Status ExpungeOriginal(StoreTxn& txn) {
    const MailboxId from = MailboxId::FromBytes(message_.from_mailbox_id());
    const Uid uid(message_.from_uid());
    ASSIGN_OR_RETURN(const std::optional<PageEntry> original, FindEntry(txn, from, uid));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    proto::EntryItem* item = txn.Add(user_)->mutable_entry();
    item->set_mailbox_id(std::string(from.bytes()));
    UidSet::Of(uid).Encode(item->mutable_uids());
    item->mutable_entry()->set_flags(original->flags);
    item->mutable_entry()->set_state(original->state | kStateExpunged);
    item->mutable_entry()->set_keywords(original->keywords);
    item->mutable_entry()->set_tail(original->tail);
    item->mutable_entry()->set_updated_s(txn.now_s());
    item->set_modseq(modseq.value());
    return OkStatus();
  }

  Result<std::optional<PoolEntry>> Pooled(StoreTxn& txn) {
    ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user_, Family::kGuids, GuidKey(user_, guid_)));
    if (!row) {
      return std::optional<PoolEntry>();
    }
    ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(*row));
    return std::optional(entry);
  }

  /// Whether a message of the target has this content: live, or expunged since both were the same
  /// (an operator's order goes past that). Of a copy of which only the copy is known, not whether
  /// its original went: a message of any mailbox.
  Result<bool> Present(StoreTxn& txn) {
    ASSIGN_OR_RETURN(const auto pooled, Pooled(txn));
    if (!pooled) {
      return false;
    }
    const bool anywhere = message_.record().origin() == proto::ORIGIN_COPY &&
                          message_.fork_modseq() == 0 && !message_.ordered();
    std::string prefix = RefPrefix(user_, pooled->body);
    if (!anywhere) {
      prefix += target_.bytes();
    }
    std::vector<std::string> refs;
    TRY(txn.edit().ScanRows(user_, Family::kRefs, prefix,
                            [&](std::string_view key, std::string_view) {
                              refs.emplace_back(key);
                              return true;
                            }));
    for (const std::string& ref : refs) {
      ASSIGN_OR_RETURN(const bool counts, anywhere ? Result<bool>(true) : Counts(txn, ref));
      if (counts) {
        return true;
      }
    }
    return false;
  }

  Result<bool> Counts(StoreTxn& txn, const std::string& ref) {
    const std::optional<Uid> uid = UidOfRefKey(ref);
    if (!uid) {
      return DataLoss("the key of a reference to a body is damaged");
    }
    ASSIGN_OR_RETURN(const std::optional<PageEntry> entry, FindEntry(txn, target_, *uid));
    if (!entry || !entry->expunged()) {
      return entry.has_value();
    }
    return !message_.ordered() && entry->modseq > Modseq(message_.fork_modseq());
  }

  /// Whether an MTA may repeat the message: the old primary's memory of its delivery was undone
  /// with it. What was given back before may have been delivered.
  bool MayComeAgain() const {
    const proto::Origin origin = static_cast<proto::Origin>(message_.record().origin());
    return origin == proto::ORIGIN_DELIVERY || origin == proto::ORIGIN_GIVEN_BACK;
  }

  Status Append(StoreTxn& txn) {
    TRY(txn.CheckUidDistance(user_, target_, 1));
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, target_));
    if (!mailbox->exists()) {
      return DataLoss("user " + user_.ToHex() + " has no INBOX");
    }
    KeywordTable table(*mailbox);
    const std::vector<std::string> names(message_.keywords().begin(), message_.keywords().end());
    ASSIGN_OR_RETURN(std::string bits, table.Bits(names, KeywordTable::NewName::kAddWhileRoom));
    const std::uint32_t uid = mailbox->row.uid_next;
    if (table.changed()) {
      ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
      table.AddItem(txn, *mailbox, modseq);
    }
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    ASSIGN_OR_RETURN(const BodyNo body, AddBody(txn, modseq));
    proto::RecordHeader record = message_.record();
    record.set_body_no(body.value());
    record.set_created_modseq(modseq.value());
    record.set_origin(proto::ORIGIN_GIVEN_BACK);
    proto::RecordItem* item = txn.Add(user_)->mutable_record();
    item->set_mailbox_id(std::string(target_.bytes()));
    item->set_uid(uid);
    item->set_record(record.SerializeAsString());
    *item->mutable_entry() = message_.entry();
    item->mutable_entry()->set_keywords(std::move(bits));
    item->mutable_entry()->set_updated_s(txn.now_s());
    item->set_modseq(modseq.value());
    if (target_ == inbox_ && MayComeAgain()) {
      TRY(RememberDelivery(txn, user_, ReturnedDeliveryKey(inbox_, guid_), Uid(uid)));
    }
    result_.set_stored(true);
    result_.set_uid(uid);
    result_.set_mailbox_id(std::string(target_.bytes()));
    std::string outcome = original_goes_ ? "moved" : "stored";
    if (target_ == inbox_ && target_.bytes() != message_.mailbox_id()) {
      outcome += original_goes_ ? " to INBOX" : " in INBOX";
    }
    outcome += result_.conflict() ? "; the original stays, it was changed meanwhile" : "";
    result_.set_outcome(std::move(outcome));
    return OkStatus();
  }

  Result<BodyNo> AddBody(StoreTxn& txn, Modseq modseq) {
    ASSIGN_OR_RETURN(const auto pooled, Pooled(txn));
    if (pooled) {
      return pooled->body;
    }
    StagedBody staged;
    staged.body = body_;
    staged.chunks = chunks_;
    TRY(CheckStaged(txn, user_, staged));
    if (chunks_ == 0) {
      body_ = BodyNo(modseq.value());
    }
    proto::BodyItem* item = txn.Add(user_)->mutable_body();
    item->set_body_no(body_.value());
    item->set_chunk(chunks_);
    item->set_octets(octets_.substr(sent_));
    item->set_guid(std::string(guid_.bytes()));
    item->set_size(octets_.size());
    return body_;
  }

  const WritePath& path_;
  const proto::GiveBack& message_;
  const std::string octets_;
  const UserId user_;
  const Guid guid_;
  BodyNo body_;
  std::uint32_t chunks_ = 0;  // committed already
  std::size_t sent_ = 0;      // octets in them
  MailboxId target_;
  MailboxId inbox_;
  bool original_goes_ = false;
  bool user_exists_ = false;
  bool remembered_ = false;
  proto::GivenBack result_;
};

}  // namespace

Status TakeMessage(const WritePath& path, const proto::GiveBack& given, std::string octets,
                   const TakeBackAnswer& done) {
  Return work(path, given, std::move(octets));
  TRY(work.CheckOctets());
  TRY(work.StageLarge());
  StoreTxn txn(path, UserId::FromBytes(given.user_id()));
  TRY(txn.Admit(Admission::kBodies));
  TRY(work.Add(txn));
  ASSIGN_OR_RETURN(const Ticket ticket, txn.Commit());
  AnswerWhenAcked(path, ticket, work.result(), done);
  return OkStatus();
}

}  // namespace twinspool::store
