#include "server/store/tombstones.h"

#include <algorithm>
#include <vector>

#include "common/limits.h"
#include "server/store/annotations.h"
#include "server/store/visibility.h"

namespace twinspool::store {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

/// Calls `fn` with at most limits::kThingsPerJobWrite of them at a time.
template <typename T, typename Fn>
Status InParts(const std::vector<T>& things, Fn&& fn) {
  for (std::size_t from = 0; from < things.size(); from += limits::kThingsPerJobWrite) {
    const std::size_t count = std::min(limits::kThingsPerJobWrite, things.size() - from);
    TRY(fn(std::span(things).subspan(from, count)));
  }
  return OkStatus();
}

}  // namespace

Tombstones::Tombstones(const WritePath& path, UserId user, std::int64_t deadline_s)
    : path_(path), user_(user), deadline_s_(deadline_s), visible_(path.visibility.view()) {}

Result<bool> Tombstones::UserIsDue() const {
  if (visible_ == nullptr) {
    return false;
  }
  const RowView view(path_.engine, visible_->snapshot.get());
  ASSIGN_OR_RETURN(const auto header, view.UserHeader(user_));
  if (!header) {
    return false;
  }
  ASSIGN_OR_RETURN(const auto part, ParseUserHeader(header->bytes));
  const std::int64_t deleted_ns = part->decoded.deleted_ns();
  return deleted_ns > 0 && deleted_ns / kNsPerSecond <= deadline_s_;
}

// --- mailboxes

bool Tombstones::IsDue(const proto::MailboxHeader& header) const {
  return header.deleted_modseq() > 0 && header.deleted_ns() / kNsPerSecond <= deadline_s_;
}

Status Tombstones::ForgetMailboxes(bool all) {
  if (visible_ == nullptr) {
    return OkStatus();
  }
  const RowView view(path_.engine, visible_->snapshot.get());
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user_));
  std::vector<MailboxId> due;
  for (const MailboxId mailbox : mailboxes) {
    ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(user_, mailbox));
    proto::MailboxHeader decoded;
    if (!header || !decoded.ParseFromString(header->bytes) || !IsDue(decoded)) {
      continue;
    }
    ASSIGN_OR_RETURN(const bool kept, NeverExpires(path_.engine, user_, mailbox));
    if (all || !kept) {
      due.push_back(mailbox);
    }
  }
  return InParts(due, [this](auto part) { return ForgetMailboxPart(part); });
}

Status Tombstones::ForgetMailboxPart(std::span<const MailboxId> mailboxes) {
  StoreTxn txn(path_, user_);
  TRY(txn.Admit(Admission::kFree));
  std::vector<MailboxId> empty;
  std::uint32_t validity = 0;
  for (const MailboxId id : mailboxes) {
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, id));
    if (mailbox->header != nullptr && IsDue(mailbox->header->decoded) &&
        mailbox->row.entries == 0) {
      empty.push_back(id);
      validity = std::max(validity, mailbox->header->decoded.uid_validity());
    }
  }
  TRY(RaiseValidityFloor(txn, validity));
  std::size_t things = 0;
  for (const MailboxId id : empty) {
    if (things > limits::kThingsPerJobWrite) {
      break;  // the rest has its turn in the next round
    }
    ASSIGN_OR_RETURN(const std::size_t rows, ForgetRowsOfMailbox(txn, user_, id));
    things += rows;
    forgotten_ += rows;
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    proto::ForgetItem* item = txn.Add(user_)->mutable_forget();
    item->set_mailbox_id(std::string(id.bytes()));
    item->set_modseq(modseq.value());
    ++forgotten_;
  }
  return txn.Commit().status();
}

Status Tombstones::RaiseValidityFloor(StoreTxn& txn, std::uint32_t validity) {
  ASSIGN_OR_RETURN(const HeadUser* user, txn.edit().User(user_));
  if (!user->exists() || validity <= user->header->decoded.uid_validity_floor()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
  proto::UserHeader header = user->header->decoded;
  header.set_uid_validity_floor(user->state.uid_validity);
  proto::UserItem* item = txn.Add(user_)->mutable_user();
  item->set_modseq(modseq.value());
  item->set_header(header.SerializeAsString());
  return OkStatus();
}

// --- small rows

bool Tombstones::MayGo(const MiscRow& row, bool all) const {
  return all || (row.deleted && DeletedAt(row) <= deadline_s_);
}

Status Tombstones::ForgetSmallRows(bool all) {
  if (visible_ == nullptr) {
    return OkStatus();
  }
  const RowView view(path_.engine, visible_->snapshot.get());
  std::vector<std::string> due;
  TRY(view.Scan(Family::kMisc, user_.bytes(),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(value));
                  if (MayGo(row, all)) {
                    due.emplace_back(key);
                  }
                  return true;
                }));
  return InParts(due, [&](auto part) { return ForgetSmallRowPart(part, all); });
}

Status Tombstones::ForgetSmallRowPart(std::span<const std::string> keys, bool all) {
  StoreTxn txn(path_, user_);
  TRY(txn.Admit(Admission::kFree));
  for (const std::string& key : keys) {
    ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user_, Family::kMisc, key));
    if (!row) {
      continue;
    }
    ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(*row));
    if (!MayGo(misc, all)) {
      continue;  // subscribed again meanwhile
    }
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    proto::ForgetItem* item = txn.Add(user_)->mutable_forget();
    item->set_key(key.substr(UserId::kSize));
    item->set_modseq(modseq.value());
    ++forgotten_;
  }
  return txn.Commit().status();
}

// --- the user

Result<bool> Tombstones::AnythingLeft() const {
  // Of a deleted user nothing new comes, so that this needs no lock.
  const RowView view(path_.engine);
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user_));
  bool left = !mailboxes.empty();
  TRY(view.Scan(Family::kMeta, StagingKey(user_, BodyNo()).substr(0, 1 + UserId::kSize),
                [&](std::string_view, std::string_view) -> Result<bool> {
                  left = true;
                  return false;
                }));
  return left;
}

Status Tombstones::ForgetUser() {
  ASSIGN_OR_RETURN(const bool left, AnythingLeft());
  if (left) {
    return OkStatus();  // it has been taken away and is not durable yet: the next round
  }
  StoreTxn txn(path_, user_);
  TRY(txn.Admit(Admission::kFree));
  ASSIGN_OR_RETURN(const HeadUser* user, txn.edit().User(user_));
  if (user->header == nullptr || user->exists() || !OnlyHeaderLeft(*user)) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
  txn.Add(user_)->mutable_forget()->set_modseq(modseq.value());
  ++forgotten_;
  return txn.Commit().status();
}

}  // namespace twinspool::store
