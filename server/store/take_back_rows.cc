// Small rows and users that only the former primary had changed (semantics R18, R19).
#include <utility>

#include "common/limits.h"
#include "server/store/take_back_parts.h"
#include "server/store/users.h"

namespace twinspool::store {
namespace {

Status PutRow(StoreTxn& txn, UserId user, const proto::GiveBack& item, const MiscRow& row) {
  const auto kind = static_cast<proto::MiscItem::Kind>(static_cast<unsigned char>(item.key()[0]));
  ASSIGN_OR_RETURN(const HeadUser* head, txn.edit().User(user));
  if (kind == proto::MiscItem::SUBSCRIPTION && !row.deleted &&
      head->state.subscriptions >= limits::kSubscriptionsPerUserMax) {
    return LimitExceeded("the user has too many subscriptions");
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
  proto::MiscItem* misc = txn.Add(user)->mutable_misc();
  misc->set_kind(kind);
  misc->set_key(item.key().substr(1));
  misc->set_modseq(modseq.value());
  misc->set_deleted(row.deleted);
  misc->set_value(row.value);
  return OkStatus();
}

/// An annotation of a mailbox belongs to where that mailbox's mail goes now; false: nowhere.
Result<bool> FindHome(StoreTxn& txn, UserId user, TakeBackMemory* memory, std::string* key) {
  if (key->size() < 1 + MailboxId::kSize || (*key)[0] != proto::MiscItem::ANNOTATION) {
    return true;
  }
  MailboxId mailbox = MailboxId::FromBytes(std::string_view(*key).substr(1, MailboxId::kSize));
  if (mailbox.nil()) {
    return true;
  }
  ASSIGN_OR_RETURN(const auto home, memory->HomeOf(mailbox));
  mailbox = home.value_or(mailbox);
  key->replace(1, MailboxId::kSize, mailbox.bytes());
  ASSIGN_OR_RETURN(const HeadMailbox* head, txn.edit().Mailbox(user, mailbox));
  return head->exists();
}

Result<proto::GivenBack> TakeRow(StoreTxn& txn, UserId user, TakeBackMemory* memory,
                                 proto::GiveBack item) {
  if (item.key().empty() || item.header().empty()) {
    return MakeOutcome(item, "nothing is left of it");
  }
  ASSIGN_OR_RETURN(const bool placed, FindHome(txn, user, memory, item.mutable_key()));
  if (!placed) {
    return MakeOutcome(item, "its mailbox is gone");
  }
  const std::string key = std::string(user.bytes()) + item.key();
  ASSIGN_OR_RETURN(const auto now, txn.edit().Row(user, Family::kMisc, key));
  if (now.value_or("") != item.base_header()) {
    return MakeOutcome(item, "it was changed meanwhile");
  }
  ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(item.header()));
  TRY(PutRow(txn, user, item, row));
  proto::GivenBack outcome = MakeOutcome(item, "stored");
  outcome.set_stored(true);
  return outcome;
}

}  // namespace

Result<Outcomes> TakeSmallRows(StoreTxn& txn, const GivenItems& items) {
  const UserId user = UserId::FromBytes(items[0]->user_id());
  TakeBackMemory memory(txn, user);
  Outcomes outcomes;
  for (const proto::GiveBack* item : items) {
    ASSIGN_OR_RETURN(auto known, memory.Recall(item->token()));
    if (known) {
      outcomes.push_back(*std::move(known));
      continue;
    }
    ASSIGN_OR_RETURN(proto::GivenBack outcome, TakeRow(txn, user, &memory, *item));
    TRY(memory.Remember(outcome));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

Status TakeUser(UserAdmin& users, const proto::GiveBack& given, const TakeBackAnswer& done) {
  proto::UserHeader before;
  proto::UserHeader after;
  if (given.token().empty() || UserId::FromBytes(given.user_id()).nil() ||
      !before.ParseFromString(given.base_header()) || !after.ParseFromString(given.header())) {
    return DataLoss("the header of a user given back does not parse");
  }
  const UserId id = UserId::FromBytes(given.user_id());
  const auto answer = [given, done](const char* stored) {
    return [given, done, stored](const Status& status) {
      if (status.ok()) {
        proto::GivenBack outcome = MakeOutcome(given, stored);
        outcome.set_stored(true);
        done(outcome);
      } else if (status.Is(Code::kNotFound)) {
        done(MakeOutcome(given, "the user is gone"));
      } else if (status.Is(Code::kAlreadyExists) || status.Is(Code::kConflict)) {
        done(MakeOutcome(given, std::string(status.message()), true));
      } else {
        done(status);
      }
    };
  };
  if (given.base_header().empty()) {
    users.MakeAgain(id, after, answer("made again"));
  } else if (after.deleted_ns() != 0) {
    users.DeleteUntouched(id, Modseq(given.fork_modseq()), answer("deleted"));
  } else {
    users.SetLoginUntouched(id, Modseq(before.password_modseq()), after, answer("password set"));
  }
  return OkStatus();
}

}  // namespace twinspool::store
