#include "server/store/take_back.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/message_ops.h"
#include "server/store/page.h"
#include "server/store/visibility.h"

namespace twinspool::store {
namespace {

using Answer = std::function<void(Result<proto::GivenBack>)>;

std::string TokenOf(const proto::GiveBack& message) {
  return "giveback:" + message.token();
}

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
    if (!remembered_ && user_exists_) {
      ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
      proto::TokenItem* token = txn.Add(user_)->mutable_token();
      token->set_key(TokenOf(message_));
      token->set_modseq(modseq.value());
      token->set_expires_s(txn.now_s() + limits::kGiveBackMemorySeconds);
      token->set_result(result_.SerializeAsString());
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
    result_.Clear();
    result_.set_token(message_.token());
    ASSIGN_OR_RETURN(const HeadUser* user, txn.edit().User(user_));
    user_exists_ = user->exists();
    if (!user_exists_) {
      return Settle("the user is gone");
    }
    const std::string key = TokenKey(user_, TokenOf(message_));
    ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user_, Family::kTokens, key));
    if (row) {
      ASSIGN_OR_RETURN(const TokenRow token, DecodeTokenRow(*row));
      remembered_ = true;
      if (!result_.ParseFromString(token.result)) {
        return DataLoss("the memory of a message given back does not parse");
      }
      return false;
    }
    if ((message_.entry().state() & kStateExpunged) != 0) {
      return Settle("expunged before it was given back");
    }
    inbox_ = MailboxId::FromBytes(user->header->decoded.inbox_id());
    target_ = MailboxId::FromBytes(message_.mailbox_id());
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, target_));
    if (!mailbox->exists()) {
      target_ = inbox_;
    }
    ASSIGN_OR_RETURN(const bool present, Present(txn));
    return present ? Settle("already there") : Result<bool>(true);
  }

  Result<std::optional<PoolEntry>> Pooled(StoreTxn& txn) {
    ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user_, Family::kGuids, GuidKey(user_, guid_)));
    if (!row) {
      return std::optional<PoolEntry>();
    }
    ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(*row));
    return std::optional(entry);
  }

  /// Whether a message of the target, live or expunged, has this content. For what a COPY or MOVE
  /// made, a message of any mailbox: nobody was told that it had happened, and the message itself
  /// is where it was.
  Result<bool> Present(StoreTxn& txn) {
    ASSIGN_OR_RETURN(const auto pooled, Pooled(txn));
    bool present = false;
    if (pooled) {
      std::string prefix = RefPrefix(user_, pooled->body);
      if (message_.record().origin() != proto::ORIGIN_COPY) {
        prefix += target_.bytes();
      }
      TRY(txn.edit().ScanRows(user_, Family::kRefs, prefix,
                              [&](std::string_view, std::string_view) {
                                present = true;
                                return false;
                              }));
    }
    return present;
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
    if (table.grown()) {
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
    result_.set_outcome(target_.bytes() == message_.mailbox_id() ? "stored" : "stored in INBOX");
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
  bool user_exists_ = false;
  bool remembered_ = false;
  proto::GivenBack result_;
};

Status TakeOne(const WritePath& path, const proto::GiveBack& message, std::string octets,
               const Answer& done) {
  Return work(path, message, std::move(octets));
  TRY(work.CheckOctets());
  TRY(work.StageLarge());
  StoreTxn txn(path, UserId::FromBytes(message.user_id()));
  TRY(txn.Admit(Admission::kBodies));
  TRY(work.Add(txn));
  ASSIGN_OR_RETURN(const Ticket ticket, txn.Commit());
  path.visibility.WhenAcked(ticket, [done, result = work.result()](const Status& acked) {
    done(acked.ok() ? Result<proto::GivenBack>(result) : Result<proto::GivenBack>(acked));
  });
  return OkStatus();
}

}  // namespace

void StoreTakeBack::Take(proto::GiveBack message, std::string octets, Answer done) {
  if (const Status status = TakeOne(path_, message, std::move(octets), done); !status.ok()) {
    done(status);
  }
}

}  // namespace twinspool::store
