// Small rows and users that only the former primary had changed (semantics R18, R19).
#include <utility>

#include "common/codec.h"
#include "common/limits.h"
#include "server/store/seen_pages.h"
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

/// The key of such a row begins with a mailbox's id.
bool NamesMailbox(char kind) {
  return kind == proto::MiscItem::ANNOTATION || kind == proto::MiscItem::ACL ||
         kind == proto::MiscItem::SEEN_PAGE;
}

/// A small row of a mailbox belongs to where that mailbox's mail goes now; false: nowhere.
Result<bool> FindHome(StoreTxn& txn, UserId user, TakeBackMemory* memory, std::string* key) {
  if (key->size() < 1 + MailboxId::kSize || !NamesMailbox((*key)[0])) {
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

/// A page of somebody's own \Seen, mark by mark: of messages that both histories know, those that
/// the former primary changed and nobody since; one that was set there stays set.
class SeenMerge {
 public:
  SeenMerge(StoreTxn& txn, UserId user, const proto::GiveBack& item)
      : txn_(txn), user_(user), item_(item), key_(std::string_view(item.key()).substr(1)) {}

  Result<bool> Merge(const std::optional<std::string>& now_row) {
    constexpr std::size_t kIds = MailboxId::kSize + UserId::kSize;
    if (key_.size() != kIds + 4) {
      return DataLoss("the key of a page of seen marks is damaged");
    }
    Reader number(key_.substr(kIds));
    first_uid_ = number.Be32() << kPageBits;
    ASSIGN_OR_RETURN(SeenPage now, PageOf(now_row.value_or("")));
    ASSIGN_OR_RETURN(const SeenPage then, PageOf(item_.header()));
    ASSIGN_OR_RETURN(const SeenPage base, PageOf(item_.base_header()));
    ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
    bool changed = false;
    for (const auto& [low, mark] : then.marks()) {
      const SeenPage::Mark* before = base.Find(low);
      const SeenPage::Mark* meanwhile = now.Find(low);
      const bool theirs = before == nullptr || *before != mark;
      const bool untouched =
          before == nullptr ? meanwhile == nullptr : meanwhile != nullptr && *meanwhile == *before;
      if (!theirs || !(untouched || mark.seen)) {
        continue;
      }
      ASSIGN_OR_RETURN(const bool shared, KnownToBoth(Uid(first_uid_ | low)));
      if (shared) {
        now.Set(low, {mark.seen, modseq});
        changed = true;
      }
    }
    if (changed) {
      proto::MiscItem* misc = txn_.Add(user_)->mutable_misc();
      misc->set_kind(proto::MiscItem::SEEN_PAGE);
      misc->set_key(std::string(key_));
      misc->set_modseq(modseq.value());
      misc->set_value(now.Encode());
    }
    return changed;
  }

 private:
  static Result<SeenPage> PageOf(const std::string& row) {
    if (row.empty()) {
      return SeenPage();
    }
    ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(row));
    return misc.deleted ? Result<SeenPage>(SeenPage()) : SeenPage::Decode(misc.value);
  }

  /// The number belonged to the same message when both nodes were equal last.
  Result<bool> KnownToBoth(Uid uid) {
    const MailboxId mailbox = MailboxId::FromBytes(key_.substr(0, MailboxId::kSize));
    ASSIGN_OR_RETURN(const auto row,
                     txn_.edit().Row(user_, Family::kRecords, RecordKey(mailbox, uid)));
    proto::RecordHeader record;
    return row && record.ParseFromString(*row) && record.created_modseq() <= item_.fork_modseq();
  }

  StoreTxn& txn_;
  const UserId user_;
  const proto::GiveBack& item_;
  const std::string_view key_;
  std::uint32_t first_uid_ = 0;
};

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
  if (item.key()[0] == proto::MiscItem::SEEN_PAGE) {
    ASSIGN_OR_RETURN(const bool merged, SeenMerge(txn, user, item).Merge(now));
    proto::GivenBack outcome = MakeOutcome(item, merged ? "stored" : "nothing is left of it");
    outcome.set_stored(merged);
    return outcome;
  }
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
