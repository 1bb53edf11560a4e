// The dispatcher of Apply(), headers, small rows, and the order of a frame's digests.
#include "server/store/apply.h"

#include <algorithm>
#include <set>

#include "server/store/applier.h"
#include "server/store/frame.h"

namespace twinspool::store {

Status Apply(const proto::UserChanges& changes, const ApplyOptions& options, HeadEdit& edit,
             ApplyResult* result) {
  const UserId user = UserId::FromBytes(changes.user_id());
  if (user.nil()) {
    return DataLoss("changes without a user");
  }
  return Applier(user, options, edit, result).Run(changes);
}

Status Applier::Run(const proto::UserChanges& changes) {
  for (const proto::ChangeItem& item : changes.items()) {
    TRY(One(item));
    ++result_->item_count;
  }
  TRY(MarkFreshLoose());
  if (forgot_user_) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  user->state.last_modseq = std::max(user->state.last_modseq, Modseq(highest_));
  return OkStatus();
}

Status Applier::One(const proto::ChangeItem& item) {
  switch (item.kind_case()) {
    case proto::ChangeItem::kUser:
      return ApplyUser(item.user());
    case proto::ChangeItem::kMailbox:
      return ApplyMailbox(item.mailbox());
    case proto::ChangeItem::kRecord:
      return ApplyRecord(item.record());
    case proto::ChangeItem::kEntry:
      return ApplyEntries(item.entry());
    case proto::ChangeItem::kBody:
      return ApplyBody(item.body());
    case proto::ChangeItem::kCopyBody:
      return ApplyCopyBody(item.copy_body());
    case proto::ChangeItem::kMisc:
      return ApplyMisc(item.misc());
    case proto::ChangeItem::kToken:
      return ApplyToken(item.token());
    case proto::ChangeItem::kPurge:
      return ApplyPurge(item.purge());
    case proto::ChangeItem::kCollect:
      return ApplyCollect(item.collect());
    case proto::ChangeItem::kForget:
      return ApplyForget(item.forget());
    case proto::ChangeItem::KIND_NOT_SET:
      break;
  }
  return DataLoss("a change item of a kind that this version does not know");
}

proto::OutboxItem Applier::NewNote(proto::OutboxItem::Kind kind, std::uint64_t modseq) const {
  proto::OutboxItem note;
  note.set_kind(kind);
  note.set_user_id(std::string(user_id_.bytes()));
  note.set_modseq(modseq);
  return note;
}

void Applier::Note(const proto::OutboxItem& item) {
  if (options_.outbox) {
    AppendField(kOutboxItemsField, item.SerializeAsString(), &result_->outbox_items);
  }
}

// --- headers

Status Applier::ApplyUser(const proto::UserItem& item) {
  Seen(item.modseq());
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  if (user->header != nullptr && Modseq(item.modseq()) <= user->modseq) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(auto header, ParseUserHeader(item.header()));
  proto::OutboxItem note = NewNote(proto::OutboxItem::USER, item.modseq());
  Digest128 old_term;
  if (user->header != nullptr) {
    note.set_existed(true);
    note.set_previous(EncodeVersioned(user->modseq, user->header->bytes));
    old_term = UserTerm(user_id_, user->modseq, user->header->bytes);
  }
  TRY(MoveUserName(*user, header->decoded));
  user->modseq = Modseq(item.modseq());
  user->header = std::move(header);
  ChangeDigest(&user->state.digest, old_term,
               UserTerm(user_id_, user->modseq, user->header->bytes));
  user->state.uid_validity =
      std::max(user->state.uid_validity, user->header->decoded.uid_validity_floor());
  Note(note);
  return OkStatus();
}

Status Applier::DropUserName(const HeadUser& before) {
  if (before.exists()) {
    std::string key = UserNameKey(before.header->decoded.name());
    ASSIGN_OR_RETURN(const auto holder, edit_.Row(user_id_, Family::kUsers, key));
    if (holder && *holder == user_id_.bytes()) {
      edit_.Delete(user_id_, Family::kUsers, std::move(key));
    }
  }
  return OkStatus();
}

Status Applier::MoveUserName(const HeadUser& user, const proto::UserHeader& next) {
  TRY(DropUserName(user));
  if (next.deleted_ns() == 0) {
    edit_.Put(user_id_, Family::kUsers, UserNameKey(next.name()), std::string(user_id_.bytes()));
  }
  return OkStatus();
}

void Applier::CountMailbox(HeadUser* user, const MailboxRow& row, int sign) {
  if (sign > 0) {
    user->state.mailboxes += 1;
    user->state.bytes += row.bytes;
    user->state.messages += row.exists;
  } else {
    user->state.mailboxes -= 1;
    user->state.bytes -= row.bytes;
    user->state.messages -= row.exists;
  }
}

Status Applier::ApplyMailbox(const proto::MailboxItem& item) {
  Seen(item.modseq());
  const MailboxId id = MailboxId::FromBytes(item.mailbox_id());
  ASSIGN_OR_RETURN(HeadMailbox * mailbox, edit_.EditMailbox(user_id_, id));
  if (mailbox->header != nullptr && Modseq(item.modseq()) <= mailbox->modseq) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(auto header, ParseMailboxHeader(item.header()));
  const proto::MailboxHeader& next = header->decoded;
  proto::OutboxItem note = NewNote(proto::OutboxItem::MAILBOX, item.modseq());
  note.set_mailbox_id(item.mailbox_id());
  Digest128 old_term;
  if (mailbox->header != nullptr) {
    note.set_existed(true);
    note.set_previous(EncodeVersioned(mailbox->modseq, mailbox->header->bytes));
    old_term = MailboxTerm(id, mailbox->modseq, mailbox->header->bytes);
  }
  TRY(MoveMailboxName(*mailbox, next));
  if (mailbox->header != nullptr) {
    TRY(RenameKeywords(mailbox, *header));
  }

  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  if (mailbox->exists()) {
    CountMailbox(user, mailbox->row, -1);
  }
  MailboxRow& row = mailbox->row;
  row.owner = user_id_;
  row.uid_next = std::max({row.uid_next, next.uid_floor(), 1u});
  row.highest_modseq = std::max(row.highest_modseq, Modseq(next.created_modseq()));
  for (const proto::UidGap& gap : next.uid_gaps()) {
    row.highest_modseq = std::max(row.highest_modseq, Modseq(gap.modseq()));
  }
  if (options_.from_peer) {
    row.uid_peer = row.uid_next;
  }
  mailbox->modseq = Modseq(item.modseq());
  mailbox->header = std::move(header);
  ChangeDigest(&row.digest, old_term, MailboxTerm(id, mailbox->modseq, mailbox->header->bytes));
  if (mailbox->exists()) {
    CountMailbox(user, row, 1);
  }
  user->state.uid_validity =
      std::max(user->state.uid_validity, mailbox->header->decoded.uid_validity());
  Note(note);
  return OkStatus();
}

Status Applier::DropMailboxName(const HeadMailbox& before) {
  if (before.exists()) {
    // In one commit names may be swapped: only a name that still leads here is taken away.
    std::string key = MailboxNameKey(user_id_, before.header->decoded.name());
    ASSIGN_OR_RETURN(const auto holder, edit_.Row(user_id_, Family::kMailboxes, key));
    if (holder && *holder == before.id.bytes()) {
      edit_.Delete(user_id_, Family::kMailboxes, std::move(key));
    }
  }
  return OkStatus();
}

Status Applier::MoveMailboxName(const HeadMailbox& before, const proto::MailboxHeader& next) {
  const bool live = next.deleted_modseq() == 0;
  if (before.exists() && live && before.header->decoded.name() == next.name()) {
    return OkStatus();
  }
  TRY(DropMailboxName(before));
  if (live) {
    edit_.Put(user_id_, Family::kMailboxes, MailboxNameKey(user_id_, next.name()),
              std::string(before.id.bytes()));
  }
  return OkStatus();
}

// --- small things

Digest128 MiscTermOf(UserId user, std::uint8_t kind, std::string_view key, const MiscRow& row) {
  return MiscTerm({user, kind, key, row.modseq, row.deleted, row.value});
}

namespace {

Digest128 TokenTermOf(UserId user, std::string_view key, const TokenRow& row) {
  return TokenTerm({user, key, row.modseq, row.expires_s, row.result});
}

}  // namespace

Status Applier::ApplyMisc(const proto::MiscItem& item) {
  Seen(item.modseq());
  const auto kind = static_cast<std::uint8_t>(item.kind());
  std::string key = MiscKey(user_id_, kind, item.key());
  ASSIGN_OR_RETURN(const auto before, edit_.Row(user_id_, Family::kMisc, key));
  proto::OutboxItem note = NewNote(proto::OutboxItem::MISC, item.modseq());
  note.set_key(key.substr(UserId::kSize));
  Digest128 old_term;
  bool counted = false;
  if (before) {
    ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(*before));
    counted = !row.deleted;
    if (row.modseq >= Modseq(item.modseq())) {
      return OkStatus();
    }
    note.set_existed(true);
    note.set_previous(*before);
    old_term = MiscTermOf(user_id_, kind, item.key(), row);
  }
  const MiscRow next{Modseq(item.modseq()), item.deleted(), item.value()};
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  ChangeDigest(&user->state.digest, old_term, MiscTermOf(user_id_, kind, item.key(), next));
  if (kind == proto::MiscItem::SUBSCRIPTION) {
    user->state.subscriptions += next.deleted ? 0 : 1;
    user->state.subscriptions -= counted ? 1 : 0;
  }
  edit_.Put(user_id_, Family::kMisc, std::move(key), EncodeMiscRow(next));
  Note(note);
  return OkStatus();
}

Status Applier::ApplyToken(const proto::TokenItem& item) {
  Seen(item.modseq());
  std::string key = TokenKey(user_id_, item.key());
  ASSIGN_OR_RETURN(const auto before, edit_.Row(user_id_, Family::kTokens, key));
  proto::OutboxItem note = NewNote(proto::OutboxItem::TOKEN, item.modseq());
  note.set_key(item.key());
  Digest128 old_term;
  if (before) {
    ASSIGN_OR_RETURN(const TokenRow row, DecodeTokenRow(*before));
    if (row.modseq >= Modseq(item.modseq())) {
      return OkStatus();
    }
    note.set_existed(true);
    note.set_previous(*before);
    old_term = TokenTermOf(user_id_, item.key(), row);
  }
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  if (item.deleted()) {
    ChangeDigest(&user->state.digest, old_term, Digest128());
    edit_.Delete(user_id_, Family::kTokens, std::move(key));
  } else {
    const TokenRow next{Modseq(item.modseq()), item.expires_s(), item.result()};
    ChangeDigest(&user->state.digest, old_term, TokenTermOf(user_id_, item.key(), next));
    edit_.Put(user_id_, Family::kTokens, std::move(key), EncodeTokenRow(next));
  }
  Note(note);
  return OkStatus();
}

// --- digests of a frame

MailboxId ItemMailbox(const proto::ChangeItem& item) {
  switch (item.kind_case()) {
    case proto::ChangeItem::kMailbox:
      return MailboxId::FromBytes(item.mailbox().mailbox_id());
    case proto::ChangeItem::kRecord:
      return MailboxId::FromBytes(item.record().mailbox_id());
    case proto::ChangeItem::kEntry:
      return MailboxId::FromBytes(item.entry().mailbox_id());
    case proto::ChangeItem::kPurge:
      return MailboxId::FromBytes(item.purge().mailbox_id());
    case proto::ChangeItem::kForget:
      return MailboxId::FromBytes(item.forget().mailbox_id());
    default:
      return {};
  }
}

void TouchedOrder::Add(const TouchedDigest& touched) {
  const bool added = touched.mailbox.nil()
                         ? users_.try_emplace(touched.user, order_.size()).second
                         : mailboxes_.try_emplace(touched.mailbox, order_.size()).second;
  if (added) {
    order_.push_back(touched);
  }
}

void TouchedOrder::Add(const proto::UserChanges& changes) {
  const UserId user = UserId::FromBytes(changes.user_id());
  const auto own = [](const proto::ChangeItem& item) { return ItemMailbox(item).nil(); };
  if (std::any_of(changes.items().begin(), changes.items().end(), own)) {
    Add({user, MailboxId()});
  }
  for (const proto::ChangeItem& item : changes.items()) {
    if (const MailboxId mailbox = ItemMailbox(item); !mailbox.nil()) {
      Add({user, mailbox});
    }
  }
}

Result<DigestBytes> DigestOf(HeadEdit& edit, const TouchedDigest& touched) {
  if (touched.mailbox.nil()) {
    ASSIGN_OR_RETURN(const HeadUser* user, edit.User(touched.user));
    return user->state.digest;
  }
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, edit.Mailbox(touched.user, touched.mailbox));
  return mailbox->row.digest;
}

std::vector<UserId> UsersOf(const proto::Frame& frame) {
  std::set<UserId> users;
  for (const proto::UserChanges& changes : frame.changes()) {
    users.insert(UserId::FromBytes(changes.user_id()));
    for (const proto::ChangeItem& item : changes.items()) {
      if (item.has_copy_body()) {
        users.insert(UserId::FromBytes(item.copy_body().from_user()));
      }
    }
  }
  return {users.begin(), users.end()};
}

}  // namespace twinspool::store
