// Keywords, appends and deliveries. Changes of what is there: message_changes.cc.
#include "server/store/message_ops.h"

#include <algorithm>

#include "common/codec.h"
#include "common/digest.h"
#include "common/limits.h"
#include "server/store/access.h"
#include "server/store/mailbox_ops.h"
#include "server/store/quota.h"
#include "server/store/seen_writer.h"

namespace twinspool::store {

// --- keywords

KeywordTable::KeywordTable(const HeadMailbox& mailbox, HeadEdit* edit)
    : mailbox_(mailbox), edit_(edit), names_(*mailbox.header->keywords) {
  known_ = names_.size();
  for (std::size_t bit = 0; bit < known_; ++bit) {
    bit_of_.emplace(mailbox.header->folded[bit], bit);
  }
}

Status KeywordTable::FindUnused() {
  std::vector<bool> used(names_.size());
  const MailboxRef ref{mailbox_.row.owner, mailbox_.id};
  TRY(ForEntries(*edit_, ref, nullptr, Uid(1), [&](Uid, const PageEntry& entry) {
        for (std::size_t bit = 0; bit < 8 * entry.keywords.size() && bit < used.size(); ++bit) {
          const auto octet = static_cast<unsigned char>(entry.keywords[bit / 8]);
          used[bit] = used[bit] || (octet >> (bit % 8) & 1) != 0;
        }
        return true;
      }).status());
  unused_.emplace();
  for (std::size_t bit = used.size(); bit-- > 0;) {
    if (!used[bit]) {
      unused_->push_back(bit);
    }
  }
  return OkStatus();
}

Result<std::size_t> KeywordTable::PlaceFor(const std::string& name) {
  if (names_.size() < limits::kKeywordsPerMailboxMax) {
    names_.push_back(name);
    return names_.size() - 1;
  }
  if (edit_ != nullptr && !unused_) {
    TRY(FindUnused());
  }
  if (!unused_ || unused_->empty()) {
    return LimitExceeded("the mailbox has too many keywords");
  }
  const std::size_t bit = unused_->back();
  unused_->pop_back();
  reused_.push_back(bit);
  std::erase_if(bit_of_, [bit](const auto& known) { return known.second == bit; });
  names_[bit] = name;
  return bit;
}

Result<std::string> KeywordTable::Bits(const std::vector<std::string>& names, NewName new_name) {
  std::string bitmap;
  for (const std::string& name : names) {
    if (name.size() > limits::kKeywordBytesMax) {
      return LimitExceeded("the keyword is too long");
    }
    std::string folded = FoldKeyword(name);
    auto it = bit_of_.find(folded);
    if (it == bit_of_.end()) {
      const bool full = names_.size() >= limits::kKeywordsPerMailboxMax;
      if (new_name == NewName::kSkip || (full && new_name == NewName::kAddWhileRoom)) {
        continue;
      }
      ASSIGN_OR_RETURN(const std::size_t bit, PlaceFor(name));
      it = bit_of_.emplace(std::move(folded), bit).first;
    }
    if (unused_) {
      std::erase(*unused_, it->second);  // from here on it is in use
    }
    const std::size_t octet = it->second / 8;
    if (bitmap.size() <= octet) {
      bitmap.resize(octet + 1);
    }
    bitmap[octet] =
        static_cast<char>(static_cast<unsigned char>(bitmap[octet]) | (1u << (it->second % 8)));
  }
  return bitmap;
}

void KeywordTable::AddItem(StoreTxn& txn, const HeadMailbox& mailbox, Modseq modseq) const {
  proto::MailboxHeader header = mailbox.header->decoded;
  for (const std::size_t bit : reused_) {
    header.set_keywords(static_cast<int>(bit), names_[bit]);
  }
  for (std::size_t bit = known_; bit < names_.size(); ++bit) {
    header.add_keywords(names_[bit]);
  }
  header.set_keywords_version(header.keywords_version() + 1);
  proto::MailboxItem* item = txn.Add(mailbox.row.owner)->mutable_mailbox();
  item->set_mailbox_id(std::string(mailbox.id.bytes()));
  item->set_modseq(modseq.value());
  item->set_header(header.SerializeAsString());
}

std::vector<std::string> KeywordNames(const std::string& bitmap,
                                      const std::vector<std::string>& table) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < 8 * bitmap.size() && bit < table.size(); ++bit) {
    if ((static_cast<unsigned char>(bitmap[bit / 8]) >> (bit % 8) & 1) != 0) {
      names.push_back(table[bit]);
    }
  }
  return names;
}

// --- appending

namespace {

/// Finds or adds the bodies of one transaction.
class BodyAdder {
 public:
  BodyAdder(StoreTxn& txn, UserId user) : txn_(txn), user_(user) {}

  /// The number to refer to: that of the same octets if they are here already, else `modseq` (or
  /// the number they were staged under), with the octets that are not stored, or not any more.
  Result<BodyNo> Add(StagedBody body, Modseq modseq) {
    if (const auto it = added_.find(body.guid); it != added_.end()) {
      return it->second;
    }
    ASSIGN_OR_RETURN(const auto row,
                     txn_.edit().Row(user_, Family::kGuids, GuidKey(user_, body.guid)));
    if (row) {
      ASSIGN_OR_RETURN(const PoolEntry pooled, DecodePoolEntry(*row));
      added_.emplace(body.guid, pooled.body);
      return pooled.body;
    }
    TRY(CheckStaged(txn_, user_, body));
    const BodyNo number = body.body != BodyNo() ? body.body : BodyNo(modseq.value());
    proto::BodyItem* item = txn_.Add(user_)->mutable_body();
    item->set_body_no(number.value());
    item->set_chunk(body.chunks);
    item->set_octets(std::move(body.rest));
    item->set_guid(std::string(body.guid.bytes()));
    item->set_size(body.size);
    added_.emplace(body.guid, number);
    return number;
  }

 private:
  StoreTxn& txn_;
  const UserId user_;
  std::unordered_map<Guid, BodyNo> added_;
};

void Restrict(Rights rights, FlagList* flags) {
  flags->system = static_cast<SystemFlags>(flags->system & FlagsAllowedBy(rights));
  if ((rights & kRightWrite) == 0) {
    flags->keywords.clear();
  }
}

}  // namespace

Result<AppendResult> AppendMessages(StoreTxn& txn, MailboxRef ref, std::vector<NewMessage> messages,
                                    proto::Origin origin) {
  TRY(OpenMailbox(txn, ref, kRightInsert).status());
  if (messages.size() > limits::kAtomicMessagesMax) {
    return LimitExceeded("too many messages in one command");
  }
  TRY(txn.CheckUidDistance(ref.owner, ref.id, messages.size()));
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn, ref));
  ASSIGN_OR_RETURN(const Rights rights, RightsIn(txn, ref));
  ASSIGN_OR_RETURN(SeenWriter seen, SeenWriter::Open(txn, ref));
  KeywordTable keywords(*mailbox, &txn.edit());
  std::vector<std::string> bitmaps;
  for (NewMessage& message : messages) {
    Restrict(rights, &message.flags);
    ASSIGN_OR_RETURN(std::string bits,
                     keywords.Bits(message.flags.keywords, KeywordTable::NewName::kAdd));
    bitmaps.push_back(std::move(bits));
  }
  if (keywords.changed()) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(ref.owner));
    keywords.AddItem(txn, *mailbox, modseq);
  }
  AppendResult result;
  result.uid_validity = UidValidity(mailbox->header->decoded.uid_validity());
  BodyAdder bodies(txn, ref.owner);
  std::uint32_t uid = mailbox->row.uid_next;
  for (std::size_t i = 0; i < messages.size(); ++i, ++uid) {
    NewMessage& message = messages[i];
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(ref.owner));
    proto::RecordHeader record;
    record.set_guid(std::string(message.body.guid.bytes()));
    record.set_size(message.body.size);
    record.set_internal_date_ns(message.internal_date_ns);
    record.set_zone_minutes(message.zone_minutes);
    record.set_save_date_ns(txn.now_ns());
    record.set_created_modseq(modseq.value());
    record.set_origin(static_cast<std::uint32_t>(origin));
    ASSIGN_OR_RETURN(const BodyNo body, bodies.Add(std::move(message.body), modseq));
    record.set_body_no(body.value());
    result.bodies.push_back(body);
    proto::RecordItem* item = txn.Add(ref.owner)->mutable_record();
    item->set_mailbox_id(std::string(ref.id.bytes()));
    item->set_uid(uid);
    item->set_record(record.SerializeAsString());
    ASSIGN_OR_RETURN(const SystemFlags flags, seen.Split(Uid(uid), message.flags.system, modseq));
    item->mutable_entry()->set_flags(flags);
    item->mutable_entry()->set_keywords(bitmaps[i]);
    item->mutable_entry()->set_updated_s(txn.now_s());
    item->set_modseq(modseq.value());
    result.uids.Add(uid);
    result.modseq = modseq;
  }
  TRY(seen.Flush());
  return result;
}

// --- delivering

std::string ReturnedDeliveryKey(MailboxId inbox, const Guid& guid) {
  std::string key = "returned:";
  key.append(inbox.bytes());
  key.append(guid.bytes());
  return key;
}

namespace {

/// The UID that a token of a delivery remembers, unless it is too old.
Result<std::optional<Uid>> RememberedDelivery(StoreTxn& txn, UserId user, std::string_view key) {
  ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user, Family::kTokens, TokenKey(user, key)));
  if (!row) {
    return std::optional<Uid>();
  }
  ASSIGN_OR_RETURN(const TokenRow token, DecodeTokenRow(*row));
  Reader reader(token.result);
  const std::uint64_t uid = reader.Varint();
  if (token.expires_s < txn.now_s() || !reader.ok()) {
    return std::optional<Uid>();
  }
  return std::optional(Uid(static_cast<std::uint32_t>(uid)));
}

}  // namespace

Status RememberDelivery(StoreTxn& txn, UserId user, std::string_view key, Uid uid) {
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
  proto::TokenItem* token = txn.Add(user)->mutable_token();
  token->set_key(std::string(key));
  token->set_modseq(modseq.value());
  token->set_expires_s(txn.now_s() + limits::kDeliveryMemorySeconds);
  PutVarint(token->mutable_result(), uid.value());
  return OkStatus();
}

Result<DeliverResult> DeliverMessage(StoreTxn& txn, UserId user_id, const std::string& sender,
                                     const std::string& recipient, StagedBody body) {
  ASSIGN_OR_RETURN(const HeadUser* user, LiveUser(txn, user_id));
  const MailboxRef inbox{user_id, MailboxId::FromBytes(user->header->decoded.inbox_id())};
  std::string facts;
  facts.append(inbox.id.bytes());
  facts.append(body.guid.bytes());
  PutString(&facts, sender);
  PutString(&facts, recipient);
  const Guid key = GuidOf(facts);
  ASSIGN_OR_RETURN(const auto known, RememberedDelivery(txn, user_id, key.bytes()));
  if (known) {
    return DeliverResult{*known, true, {}};
  }
  const std::string returned_key = ReturnedDeliveryKey(inbox.id, body.guid);
  ASSIGN_OR_RETURN(const auto returned, RememberedDelivery(txn, user_id, returned_key));
  if (returned) {  // stands for one delivery: the next with these octets is another one
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_id));
    proto::TokenItem* used = txn.Add(user_id)->mutable_token();
    used->set_key(returned_key);
    used->set_modseq(modseq.value());
    used->set_deleted(true);
    TRY(RememberDelivery(txn, user_id, key.bytes(), *returned));
    return DeliverResult{*returned, true, {}};
  }
  TRY(CheckQuota(txn, user_id, body.size, 1));
  std::vector<NewMessage> messages(1);
  messages[0].body = std::move(body);
  messages[0].internal_date_ns = txn.now_ns();
  ASSIGN_OR_RETURN(const AppendResult appended,
                   AppendMessages(txn, inbox, std::move(messages), proto::ORIGIN_DELIVERY));
  TRY(RememberDelivery(txn, user_id, key.bytes(), Uid(appended.uids.Min())));
  return DeliverResult{Uid(appended.uids.Min()), false, appended.bodies.front()};
}

}  // namespace twinspool::store
