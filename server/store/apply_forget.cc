// Forgetting: tombstones of mailboxes, small rows and users, with what is still below them.
#include <vector>

#include "server/store/applier.h"

namespace twinspool::store {

Status Applier::ApplyForget(const proto::ForgetItem& item) {
  Seen(item.modseq());
  if (!item.mailbox_id().empty()) {
    return ForgetMailbox(item);
  }
  return item.key().empty() ? ForgetUser(item) : ForgetSmallRow(item);
}

// In the log a mailbox is empty and deleted by now. A standby that was away over the deletion may
// still have it as it was.
Status Applier::ForgetMailbox(const proto::ForgetItem& item) {
  const MailboxId id = MailboxId::FromBytes(item.mailbox_id());
  ASSIGN_OR_RETURN(HeadMailbox * mailbox, edit_.EditMailbox(user_id_, id));
  if (mailbox->header == nullptr || mailbox->modseq > Modseq(item.modseq())) {
    return OkStatus();
  }
  TRY(PurgeAll(mailbox));
  TRY(DropMailboxName(*mailbox));
  if (mailbox->exists()) {
    ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
    CountMailbox(user, mailbox->row, -1);
  }
  mailbox->modseq = Modseq();
  mailbox->header = nullptr;
  mailbox->row = MailboxRow();
  mailbox->row.owner = user_id_;
  proto::OutboxItem note = NewNote(proto::OutboxItem::FORGET, item.modseq());
  note.set_mailbox_id(item.mailbox_id());
  Note(note);
  return OkStatus();
}

Status Applier::PurgeAll(HeadMailbox* mailbox) {
  ASSIGN_OR_RETURN(const std::vector<std::uint32_t> pages,
                   edit_.Pages(user_id_, mailbox->id, 0, UINT32_MAX >> kPageBits));
  for (const std::uint32_t number : pages) {
    ASSIGN_OR_RETURN(Page * page, edit_.EditPage(user_id_, mailbox->id, number));
    edit_.NoteWhole(mailbox->id, number);
    while (!page->empty()) {
      TRY(PurgeOne(mailbox, page, Uid(number << kPageBits | page->entries().back().uid_low)));
    }
  }
  return OkStatus();
}

Status Applier::ForgetSmallRow(const proto::ForgetItem& item) {
  std::string key(user_id_.bytes());
  key += item.key();
  ASSIGN_OR_RETURN(const auto before, edit_.Row(user_id_, Family::kMisc, key));
  if (!before) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(*before));
  if (row.modseq > Modseq(item.modseq())) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  const auto kind = static_cast<std::uint8_t>(item.key().front());
  ChangeDigest(&user->state.digest, MiscTermOf(user_id_, kind, item.key().substr(1), row),
               Digest128());
  if (kind == proto::MiscItem::SUBSCRIPTION && !row.deleted) {
    user->state.subscriptions -= 1;
  }
  edit_.Delete(user_id_, Family::kMisc, std::move(key));
  proto::OutboxItem note = NewNote(proto::OutboxItem::FORGET, item.modseq());
  note.set_key(item.key());
  note.set_existed(true);
  note.set_previous(*before);
  Note(note);
  return OkStatus();
}

// The last thing that is said of a user. Whoever has more of him than his header has lost or kept
// something that the other node has not.
Status Applier::ForgetUser(const proto::ForgetItem& item) {
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  if (user->header == nullptr || user->modseq > Modseq(item.modseq())) {
    return OkStatus();
  }
  if (!OnlyHeaderLeft(*user)) {
    return DataLoss("user " + user_id_.ToHex() + " is to be forgotten and has more than a header");
  }
  TRY(DropUserName(*user));
  user->modseq = Modseq();
  user->header = nullptr;
  user->state = UserState();
  forgot_user_ = true;
  edit_.Put(user_id_, Family::kMeta, ForgottenKey(user_id_), "");
  Note(NewNote(proto::OutboxItem::FORGET, item.modseq()));
  return OkStatus();
}

bool OnlyHeaderLeft(const HeadUser& user) {
  return user.state.mailboxes == 0 &&
         user.state.digest == UserTerm(user.id, user.modseq, user.header->bytes).bytes();
}

}  // namespace twinspool::store
