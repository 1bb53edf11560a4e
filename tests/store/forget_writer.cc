// Writer: deletions and what the retention job makes of them.
#include <gtest/gtest.h>

#include "tests/store/pair_fixture.h"

namespace twinspool::store {

void Writer::DeleteMailbox(UserId user, MailboxId mailbox) {
  proto::MailboxHeader header = Header(user, mailbox);
  header.set_deleted_modseq(Next(user).value());
  header.set_deleted_ns(node_.clock().WallNs());
  PutHeader(user, mailbox, header);
}

void Writer::ForgetMailbox(UserId user, MailboxId mailbox) {
  proto::UserChanges changes = Changes(user);
  proto::UserHeader header;
  ASSERT_TRUE(header.ParseFromString(node_.view().UserHeader(user).value()->bytes));
  header.set_uid_validity_floor(node_.view().StateOf(user).value().uid_validity);
  proto::UserItem* floor = changes.add_items()->mutable_user();
  floor->set_modseq(Next(user).value());
  floor->set_header(header.SerializeAsString());
  proto::ForgetItem* item = changes.add_items()->mutable_forget();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  item->set_modseq(Next(user).value());
  Commit(changes);
}

void Writer::SetMisc(UserId user, const std::string& key, bool deleted) {
  proto::UserChanges changes = Changes(user);
  proto::MiscItem* item = changes.add_items()->mutable_misc();
  item->set_kind(static_cast<proto::MiscItem::Kind>(key.front()));
  item->set_key(key.substr(1));
  item->set_deleted(deleted);
  item->set_value(deleted ? EncodeDeletedAt(node_.clock().WallSeconds()) : "value");
  item->set_modseq(Next(user).value());
  Commit(changes);
}

void Writer::ForgetMisc(UserId user, const std::string& key) {
  proto::UserChanges changes = Changes(user);
  proto::ForgetItem* item = changes.add_items()->mutable_forget();
  item->set_key(key);
  item->set_modseq(Next(user).value());
  Commit(changes);
}

void Writer::DeleteUser(UserId user) {
  proto::UserChanges changes = Changes(user);
  proto::UserHeader header;
  ASSERT_TRUE(header.ParseFromString(node_.view().UserHeader(user).value()->bytes));
  header.set_deleted_ns(node_.clock().WallNs());
  proto::UserItem* item = changes.add_items()->mutable_user();
  item->set_modseq(Next(user).value());
  item->set_header(header.SerializeAsString());
  Commit(changes);
  for (const MailboxId mailbox : Mailboxes(user)) {
    DeleteMailbox(user, mailbox);
  }
}

void Writer::ForgetTokens(UserId user) {
  proto::UserChanges changes = Changes(user);
  RowIterator it = node_.engine().Iterate(Family::kTokens, KeyRange::Prefix(user.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    proto::TokenItem* item = changes.add_items()->mutable_token();
    item->set_key(std::string(it.key().substr(UserId::kSize)));
    item->set_deleted(true);
    item->set_modseq(Next(user).value());
  }
  if (changes.items_size() > 0) {
    Commit(changes);
  }
}

void Writer::ForgetUser(UserId user) {
  for (const MailboxId mailbox : DeletedMailboxes(user)) {
    PurgeAll(user, mailbox);
    ForgetMailbox(user, mailbox);
  }
  RowIterator it = node_.engine().Iterate(Family::kMisc, KeyRange::Prefix(user.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ForgetMisc(user, std::string(it.key().substr(UserId::kSize)));
  }
  CollectLoose(user);
  ForgetTokens(user);
  proto::UserChanges changes = Changes(user);
  changes.add_items()->mutable_forget()->set_modseq(Next(user).value());
  Commit(changes);
}

void Writer::RandomForget(UserId user) {
  const std::vector<MailboxId> gone = DeletedMailboxes(user);
  if (!gone.empty() && random_() % 2 == 0) {
    const MailboxId mailbox = gone[random_() % gone.size()];
    PurgeAll(user, mailbox);
    return ForgetMailbox(user, mailbox);
  }
  RowIterator it = node_.engine().Iterate(Family::kMisc, KeyRange::Prefix(user.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    if (DecodeMiscRow(it.value()).value().deleted) {
      return ForgetMisc(user, std::string(it.key().substr(UserId::kSize)));
    }
  }
}

/// One who was deleted before is forgotten, or this one is deleted.
void Writer::RandomUserGoes(UserId user) {
  const std::vector<UserId> gone = DeletedUsers();
  if (!gone.empty()) {
    ForgetUser(gone.front());
  } else if (Users().size() > 2) {
    DeleteUser(user);
  }
}

}  // namespace twinspool::store
