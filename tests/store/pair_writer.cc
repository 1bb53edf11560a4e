// Writer: what users do, at random, as change items of a primary.
#include <algorithm>

#include <gtest/gtest.h>

#include "common/digest.h"
#include "server/store/page.h"
#include "tests/store/pair_fixture.h"

namespace twinspool::store {
namespace {

template <typename IdType>
IdType RandomId(std::mt19937_64& random) {
  IdType id;
  for (std::size_t i = 0; i < IdType::kSize; ++i) {
    id.data()[i] = static_cast<std::uint8_t>(random());
  }
  return id;
}

}  // namespace

void Writer::Commit(const proto::UserChanges& changes) {
  Commit(std::vector<proto::UserChanges>{changes});
}

void Writer::Commit(const std::vector<proto::UserChanges>& changes) {
  Result<proto::Frame> frame = node_.Commit(changes);
  ASSERT_TRUE(frame.ok()) << frame.status().ToString();
  frames_.push_back(*std::move(frame));
}

Modseq Writer::Next(UserId user) {
  Modseq& last = given_[user];
  const std::uint64_t floor = std::uint64_t{node_.epoch().value()} << kModseqEpochShift | 1;
  const UserState state = node_.view().StateOf(user).value();
  last = Modseq(std::max({last.value() + 1, state.last_modseq.value() + 1, floor}));
  return last;
}

proto::UserChanges Writer::Changes(UserId user) {
  proto::UserChanges changes;
  changes.set_user_id(std::string(user.bytes()));
  return changes;
}

UserId Writer::CreateUser() {
  const UserId user = RandomId<UserId>(random_);
  const MailboxId inbox = RandomId<MailboxId>(random_);
  proto::UserHeader header;
  header.set_name("user" + std::to_string(random_()));
  header.set_inbox_id(std::string(inbox.bytes()));
  proto::UserChanges changes = Changes(user);
  proto::UserItem* item = changes.add_items()->mutable_user();
  item->set_modseq(Next(user).value());
  item->set_header(header.SerializeAsString());
  proto::MailboxHeader mailbox;
  mailbox.set_name("INBOX");
  mailbox.set_uid_validity(1);
  proto::MailboxItem* made = changes.add_items()->mutable_mailbox();
  made->set_mailbox_id(std::string(inbox.bytes()));
  made->set_modseq(Next(user).value());
  mailbox.set_created_modseq(made->modseq());
  made->set_header(mailbox.SerializeAsString());
  Commit(changes);
  return user;
}

MailboxId Writer::CreateMailbox(UserId user) {
  const MailboxId id = RandomId<MailboxId>(random_);
  proto::MailboxHeader header;
  header.set_name("box" + std::to_string(++names_) + suffix_);
  header.set_uid_validity(node_.view().StateOf(user).value().uid_validity + 1);
  header.set_created_modseq(Next(user).value());
  PutHeader(user, id, header);
  return id;
}

proto::MailboxHeader Writer::Header(UserId user, MailboxId mailbox) {
  proto::MailboxHeader header;
  EXPECT_TRUE(header.ParseFromString(node_.view().MailboxHeader(user, mailbox).value()->bytes));
  return header;
}

void Writer::PutHeader(UserId user, MailboxId mailbox, const proto::MailboxHeader& header) {
  proto::UserChanges changes = Changes(user);
  proto::MailboxItem* item = changes.add_items()->mutable_mailbox();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  item->set_modseq(Next(user).value());
  item->set_header(header.SerializeAsString());
  Commit(changes);
}

bool Writer::IsDeleted(UserId user) {
  proto::UserHeader header;
  EXPECT_TRUE(header.ParseFromString(node_.view().UserHeader(user).value()->bytes));
  return header.deleted_ns() > 0;
}

std::vector<UserId> Writer::Users() {
  std::vector<UserId> users = node_.view().Users().value();
  std::erase_if(users, [this](UserId user) { return IsDeleted(user); });
  return users;
}

std::vector<UserId> Writer::DeletedUsers() {
  std::vector<UserId> users = node_.view().Users().value();
  std::erase_if(users, [this](UserId user) { return !IsDeleted(user); });
  return users;
}

std::vector<MailboxId> Writer::Mailboxes(UserId user) {
  std::vector<MailboxId> mailboxes = node_.view().MailboxesOf(user).value();
  std::erase_if(mailboxes, [&](MailboxId id) { return Header(user, id).deleted_modseq() > 0; });
  return mailboxes;
}

std::vector<MailboxId> Writer::DeletedMailboxes(UserId user) {
  std::vector<MailboxId> mailboxes = node_.view().MailboxesOf(user).value();
  std::erase_if(mailboxes, [&](MailboxId id) { return Header(user, id).deleted_modseq() == 0; });
  return mailboxes;
}

std::optional<PoolEntry> Writer::Pooled(UserId user, const Guid& guid) {
  const auto row = node_.engine().Get(Family::kGuids, GuidKey(user, guid)).value();
  return row ? std::optional(DecodePoolEntry(*row).value()) : std::nullopt;
}

Uid Writer::UidNext(MailboxId mailbox) {
  return Uid(node_.view().MailboxRowOf(mailbox).value()->uid_next);
}

void Writer::AddRecord(proto::UserChanges* changes, UserId user, MailboxId mailbox, Uid uid,
                       BodyNo body, const Guid& guid, std::uint64_t size) {
  proto::RecordHeader record;
  record.set_guid(std::string(guid.bytes()));
  record.set_body_no(body.value());
  record.set_size(size);
  record.set_internal_date_ns(static_cast<std::int64_t>(random_() >> 10));
  proto::RecordItem* item = changes->add_items()->mutable_record();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  item->set_uid(uid.value());
  item->set_modseq(Next(user).value());
  record.set_created_modseq(item->modseq());
  item->set_record(record.SerializeAsString());
  item->mutable_entry()->set_flags(static_cast<std::uint32_t>(random_() % 32));
  item->mutable_entry()->set_updated_s(node_.clock().WallSeconds());
}

Uid Writer::Append(UserId user, MailboxId mailbox, const std::string& octets) {
  const Guid guid = GuidOf(octets);
  proto::UserChanges changes = Changes(user);
  const auto pooled = Pooled(user, guid);
  BodyNo body = pooled ? pooled->body : BodyNo(Next(user).value());
  if (!pooled) {
    proto::BodyItem* item = changes.add_items()->mutable_body();
    item->set_body_no(body.value());
    item->set_octets(octets);
    item->set_guid(std::string(guid.bytes()));
    item->set_size(octets.size());
  }
  const Uid uid = UidNext(mailbox);
  AddRecord(&changes, user, mailbox, uid, body, guid, octets.size());
  Commit(changes);
  return uid;
}

BodyNo Writer::Stage(UserId user, const std::string& octets, std::size_t chunk_bytes, bool finish) {
  const BodyNo body(Next(user).value());
  const std::size_t chunks = (octets.size() + chunk_bytes - 1) / chunk_bytes;
  for (std::size_t chunk = 0; chunk + (finish ? 0 : 1) < chunks; ++chunk) {
    proto::UserChanges changes = Changes(user);
    proto::BodyItem* item = changes.add_items()->mutable_body();
    item->set_body_no(body.value());
    item->set_chunk(static_cast<std::uint32_t>(chunk));
    item->set_octets(octets.substr(chunk * chunk_bytes, chunk_bytes));
    if (chunk + 1 == chunks) {
      item->set_guid(std::string(GuidOf(octets).bytes()));
      item->set_size(octets.size());
    }
    Commit(changes);
  }
  return body;
}

void Writer::SetFlags(UserId user, MailboxId mailbox, const UidSet& uids, std::uint32_t flags,
                      bool expunge) {
  if (uids.empty()) {
    return;
  }
  proto::UserChanges changes = Changes(user);
  proto::EntryItem* item = changes.add_items()->mutable_entry();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  uids.Encode(item->mutable_uids());
  item->mutable_entry()->set_flags(flags);
  item->mutable_entry()->set_state(expunge ? kStateExpunged : 0);
  item->mutable_entry()->set_updated_s(node_.clock().WallSeconds());
  const int keywords = Header(user, mailbox).keywords_size();
  if (keywords > 0) {
    item->mutable_entry()->set_keywords(
        std::string(1, static_cast<char>(1u << (random_() % static_cast<unsigned>(keywords)))));
  }
  item->set_modseq(Next(user).value());
  Commit(changes);
}

UidSet Writer::SomeUids(MailboxId mailbox) {
  std::vector<std::uint32_t> live;
  RowIterator it = node_.engine().Iterate(Family::kIndex, KeyRange::Prefix(mailbox.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    PageScanner scanner(it.value());
    EntryView entry;
    while (scanner.Next(&entry)) {
      if (!entry.expunged()) {
        live.push_back(*PageOfPageKey(it.key()) << kPageBits | entry.uid_low);
      }
    }
  }
  UidSet some;
  for (const std::uint32_t uid : live) {
    if (random_() % 3 == 0) {
      some.Add(uid);
    }
  }
  return some;
}

void Writer::Purge(UserId user, MailboxId mailbox) {
  PurgeWhere(user, mailbox, false);
}

void Writer::PurgeAll(UserId user, MailboxId mailbox) {
  PurgeWhere(user, mailbox, true);
}

void Writer::PurgeWhere(UserId user, MailboxId mailbox, bool live) {
  UidSet gone;
  Modseq floor;
  RowIterator it = node_.engine().Iterate(Family::kIndex, KeyRange::Prefix(mailbox.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    PageScanner scanner(it.value());
    EntryView entry;
    while (scanner.Next(&entry)) {
      if (live || entry.expunged()) {
        gone.Add(*PageOfPageKey(it.key()) << kPageBits | entry.uid_low);
        floor = std::max(floor, entry.modseq);
      }
    }
  }
  if (!gone.empty()) {
    PurgeSet(user, mailbox, gone, floor);
  }
}

void Writer::PurgeSet(UserId user, MailboxId mailbox, const UidSet& gone, Modseq floor) {
  proto::UserChanges changes = Changes(user);
  proto::PurgeItem* item = changes.add_items()->mutable_purge();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  gone.Encode(item->mutable_uids());
  item->set_floor(floor.value());
  item->set_modseq(Next(user).value());
  Commit(changes);
}

void Writer::CollectLoose(UserId user) {
  proto::UserChanges changes = Changes(user);
  const std::string prefix = "b" + std::string(user.bytes());
  proto::CollectItem item;
  RowIterator it = node_.engine().Iterate(Family::kMeta, KeyRange::Prefix(prefix));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    std::uint64_t body = 0;
    for (const char c : it.key().substr(prefix.size())) {
      body = body << 8 | static_cast<unsigned char>(c);
    }
    item.add_body_no(body);
  }
  if (item.body_no_size() == 0) {
    return;
  }
  item.set_modseq(Next(user).value());
  *changes.add_items()->mutable_collect() = item;
  Commit(changes);
}

std::string Writer::RandomOctets() {
  // A small pool of contents, so that the same mail comes again and again.
  const std::uint64_t content = random_() % 40;
  return "mail " + std::to_string(content) + std::string(content * 97, 'm');
}

void Writer::RandomAppend(UserId user, MailboxId mailbox) {
  if (random_() % 8 != 0) {
    Append(user, mailbox, RandomOctets());
    return;
  }
  const std::string big = std::to_string(random_() % 6) + std::string(7000, 'B');
  const bool finish = random_() % 3 != 0;
  if (Pooled(user, GuidOf(big))) {
    Append(user, mailbox, big);
    return;
  }
  const BodyNo body = Stage(user, big, 1500, finish);
  if (finish && random_() % 4 != 0) {
    proto::UserChanges changes = Changes(user);
    AddRecord(&changes, user, mailbox, UidNext(mailbox), body, GuidOf(big), big.size());
    Commit(changes);
  }
}

void Writer::RandomCopy(UserId user, MailboxId mailbox) {
  const UidSet uids = SomeUids(mailbox);
  const std::vector<MailboxId> boxes = Mailboxes(user);
  const MailboxId to = boxes[random_() % boxes.size()];
  proto::UserChanges changes = Changes(user);
  Uid next = UidNext(to);
  uids.ForEach([&](std::uint32_t uid) {
    proto::RecordHeader record;
    const auto row = node_.engine().Get(Family::kRecords, RecordKey(mailbox, Uid(uid))).value();
    ASSERT_TRUE(row && record.ParseFromString(*row));
    AddRecord(&changes, user, to, next, BodyNo(record.body_no()), Guid::FromBytes(record.guid()),
              record.size());
    next = next.Next();
  });
  if (changes.items_size() > 0) {
    Commit(changes);
  }
}

void Writer::RandomCopyBetween(UserId user) {
  const std::vector<UserId> users = Users();
  const UserId from = users[random_() % users.size()];
  RowIterator it = node_.engine().Iterate(Family::kGuids, KeyRange::Prefix(from.bytes()));
  it.SeekToFirst();
  const std::vector<MailboxId> boxes = Mailboxes(user);
  if (from == user || !it.Valid() || boxes.empty()) {
    return;
  }
  const Guid guid = Guid::FromBytes(it.key().substr(UserId::kSize));
  const PoolEntry source = DecodePoolEntry(it.value()).value();
  const auto own = Pooled(user, guid);
  proto::UserChanges changes = Changes(user);
  const BodyNo body = own ? own->body : BodyNo(Next(user).value());
  if (!own) {
    proto::CopyBodyItem* item = changes.add_items()->mutable_copy_body();
    item->set_body_no(body.value());
    item->set_from_user(std::string(from.bytes()));
    item->set_from_body_no(source.body.value());
    item->set_guid(std::string(guid.bytes()));
    item->set_size(source.size);
  }
  const MailboxId to = boxes[random_() % boxes.size()];
  AddRecord(&changes, user, to, UidNext(to), body, guid, source.size);
  Commit(changes);
}

void Writer::RandomSmallRow(UserId user) {
  proto::UserChanges changes = Changes(user);
  const std::string key = "k" + std::to_string(random_() % 10);
  if (random_() % 2 == 0) {
    proto::MiscItem* item = changes.add_items()->mutable_misc();
    item->set_kind(proto::MiscItem::SUBSCRIPTION);
    item->set_key(key);
    item->set_deleted(random_() % 3 == 0);
    item->set_value(item->deleted() ? "" : std::to_string(random_()));
    item->set_modseq(Next(user).value());
  } else {
    proto::TokenItem* item = changes.add_items()->mutable_token();
    item->set_key(key);
    item->set_deleted(random_() % 3 == 0);
    item->set_result("result" + std::to_string(random_()));
    item->set_expires_s(2'000'000'000);
    item->set_modseq(Next(user).value());
  }
  Commit(changes);
}

void Writer::RandomHeader(UserId user, MailboxId mailbox) {
  proto::MailboxHeader header = Header(user, mailbox);
  if (header.keywords_size() < 6 && random_() % 2 == 0) {
    header.add_keywords("Word" + std::to_string(header.keywords_size()));
  } else if (header.name() != "INBOX" && random_() % 4 == 0) {
    header.set_deleted_modseq(Next(user).value());
  } else if (header.name() != "INBOX") {
    header.set_name("renamed" + std::to_string(++names_) + suffix_);
  }
  PutHeader(user, mailbox, header);
}

void Writer::Step() {
  std::vector<UserId> users = Users();
  if (users.empty() || (users.size() < 4 && random_() % 20 == 0)) {
    CreateUser();
    return;
  }
  const UserId user = users[random_() % users.size()];
  const std::vector<MailboxId> boxes = Mailboxes(user);
  const MailboxId mailbox = boxes[random_() % boxes.size()];
  switch (random_() % 18) {
    case 0:
      CreateMailbox(user);
      break;
    case 1:
      RandomHeader(user, mailbox);
      break;
    case 2:
    case 3:
      RandomSmallRow(user);
      break;
    case 4:
      RandomCopy(user, mailbox);
      break;
    case 5:
      RandomCopyBetween(user);
      break;
    case 6:
      SetFlags(user, mailbox, SomeUids(mailbox), 8, true);
      break;
    case 7:
      if (irreversible_) {
        Purge(user, mailbox);
      }
      break;
    case 8:
      if (irreversible_) {
        CollectLoose(user);
      }
      break;
    case 11:
      if (irreversible_) {
        RandomForget(user);
      }
      break;
    case 12:
      if (irreversible_ && random_() % 4 == 0) {
        RandomUserGoes(user);
      }
      break;
    case 9:
    case 10:
      SetFlags(user, mailbox, SomeUids(mailbox), static_cast<std::uint32_t>(random_() % 32));
      break;
    default:
      RandomAppend(user, mailbox);
  }
}

}  // namespace twinspool::store
