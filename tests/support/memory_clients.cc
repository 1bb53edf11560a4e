// MemoryStore as clients write to it.
#include <algorithm>
#include <utility>

#include "common/uid_set.h"
#include "tests/support/memory_ports.h"

namespace twinspool::test {

EntryId MemoryStore::Commit(UserId user, std::vector<proto::ChangeItem> items, Epoch epoch,
                            Incarnation incarnation) {
  std::unique_lock lock(mutex_);
  LogEntry entry;
  entry.id = {epoch, incarnation, End().seq.Next()};
  entry.frame.set_epoch(epoch.value());
  entry.frame.set_incarnation(incarnation.value());
  entry.frame.set_seq(entry.id.seq.value());
  entry.frame.set_trim_upto(peer_has_.value());
  proto::UserChanges* changes = entry.frame.add_changes();
  changes->set_user_id(std::string(user.bytes()));
  for (proto::ChangeItem& item : items) {
    *changes->add_items() = std::move(item);
  }
  if (defect_ != Defect::kLosesWrite) {
    entry.previous = ApplyFrame(entry.frame);
  }
  entry.frame.add_digests(DigestOf(users_[changes->user_id()]));
  const EntryId id = entry.id;
  auto octets = std::make_shared<const std::string>(entry.frame.SerializeAsString());
  if (serving_.keep_outbox) {
    log_.push_back(std::move(entry));
  } else {
    log_.clear();
    low_ = id;
    octets = nullptr;
  }
  visible_ = defect_ == Defect::kShowsEarly ? id.seq : visible_;
  replica::CommitListener* listener = listener_;
  lock.unlock();
  if (listener != nullptr) {
    listener->OnCommitted({id, octets});
  }
  return id;
}

Modseq MemoryStore::NextModseq(Epoch epoch) const {
  return Modseq((static_cast<std::uint64_t>(epoch.value()) << kModseqEpochShift) +
                End().seq.value() + 1);
}

EntryId MemoryStore::Write(UserId user, std::vector<proto::ChangeItem> items,
                           const replica::ServingState& as, std::function<void(bool)> done) {
  {
    const Guard guard(mutex_);
    clients_.push_back({End().seq.Next(), std::move(done)});
  }
  return Commit(user, std::move(items), as.epoch, as.incarnation);
}

// With a slow disk the answer names the place that the entry will have.
std::optional<EntryId> MemoryStore::Accept(
    std::function<EntryId(const replica::ServingState&)> write) {
  const Guard commit(commit_mutex_);
  const replica::ServingState as = serving();
  if (!as.primary || !as.writes.ok()) {
    return std::nullopt;
  }
  if (!slow_) {
    return write(as);
  }
  unsynced_.push_back([as, write = std::move(write)] { write(as); });
  return EntryId{as.epoch, as.incarnation, CommitSeq(End().seq.value() + unsynced_.size())};
}

void MemoryStore::SyncDisk() {
  const Guard commit(commit_mutex_);
  slow_ = false;
  while (!unsynced_.empty()) {
    const auto write = std::move(unsynced_.front());
    unsynced_.pop_front();
    write();
  }
}

std::optional<EntryId> MemoryStore::WriteOne(UserId user,
                                             std::function<proto::ChangeItem(Modseq)> make,
                                             std::function<void(bool)> done) {
  return Accept([this, user, make = std::move(make),
                 done = std::move(done)](const replica::ServingState& as) {
    return Write(user, {make(NextModseq(as.epoch))}, as, done);
  });
}

std::optional<EntryId> MemoryStore::WriteMisc(UserId user, const std::string& key,
                                              const std::string& value,
                                              std::function<void(bool)> done) {
  const auto make = [key, value](Modseq modseq) {
    proto::ChangeItem item;
    item.mutable_misc()->set_kind(proto::MiscItem::SUBSCRIPTION);
    item.mutable_misc()->set_key(key);
    item.mutable_misc()->set_value(value);
    item.mutable_misc()->set_modseq(modseq.value());
    return item;
  };
  return WriteOne(user, make, std::move(done));
}

std::optional<EntryId> MemoryStore::ForgetMisc(UserId user, const std::string& key,
                                               std::function<void(bool)> done) {
  const auto make = [key](Modseq modseq) {
    proto::ChangeItem item;
    item.mutable_forget()->set_key(std::string(1, proto::MiscItem::SUBSCRIPTION) + key);
    item.mutable_forget()->set_modseq(modseq.value());
    return item;
  };
  return WriteOne(user, make, std::move(done));
}

std::uint32_t MemoryStore::NextUid(UserId user, MailboxId mailbox) const {
  const Guard guard(mutex_);
  const auto rows = users_.find(std::string(user.bytes()));
  std::uint32_t next = 1;
  if (rows != users_.end()) {
    for (const auto& [key, row] : rows->second) {
      if (MailboxOf(key) == mailbox.bytes()) {
        next = std::max(next, ParseItem(row).record().uid() + 1);
      }
    }
  }
  return next;
}

std::vector<proto::ChangeItem> MemoryStore::MessageItems(UserId user, MailboxId mailbox,
                                                         const std::string& octets,
                                                         Modseq modseq) const {
  const Guard guard(mutex_);
  proto::ChangeItem body;
  body.mutable_body()->set_body_no(modseq.value());
  body.mutable_body()->set_octets(octets);
  body.mutable_body()->set_size(octets.size());
  proto::RecordHeader header;
  header.set_body_no(modseq.value());
  header.set_size(octets.size());
  proto::ChangeItem record;
  record.mutable_record()->set_mailbox_id(std::string(mailbox.bytes()));
  record.mutable_record()->set_uid(NextUid(user, mailbox));
  record.mutable_record()->set_record(header.SerializeAsString());
  record.mutable_record()->set_modseq(modseq.value());
  return {body, record};
}

std::optional<EntryId> MemoryStore::Append(UserId user, MailboxId mailbox,
                                           const std::string& octets,
                                           std::function<void(bool)> done) {
  return Accept(
      [this, user, mailbox, octets, done = std::move(done)](const replica::ServingState& as) {
        return Write(user, MessageItems(user, mailbox, octets, NextModseq(as.epoch)), as, done);
      });
}

bool MemoryStore::HasMisc(UserId user, const std::string& key) const {
  const Guard guard(mutex_);
  const auto rows = users_.find(std::string(user.bytes()));
  return rows != users_.end() && rows->second.contains("S" + key);
}

std::size_t MemoryStore::CountMessages(const std::string& octets) const {
  const Guard guard(mutex_);
  std::size_t count = 0;
  for (const auto& [user, rows] : users_) {
    for (const auto& [key, row] : rows) {
      if (key[0] != 'R') {
        continue;
      }
      proto::RecordHeader header;
      header.ParseFromString(ParseItem(row).record().record());
      const auto body = rows.find(BodyKey(header.body_no()));
      const bool same = body != rows.end() && ParseItem(body->second).body().octets() == octets;
      count += same ? 1U : 0U;
    }
  }
  return count;
}

std::optional<std::string> MemoryStore::Rot(std::uint64_t chance) {
  const Guard guard(mutex_);
  std::vector<std::pair<std::string, std::string>> places;
  for (const auto& [user, rows] : users_) {
    for (const auto& [key, row] : rows) {
      if (key[0] == 'S' || key[0] == 'R') {
        places.emplace_back(user, key);
      }
    }
  }
  if (places.empty()) {
    return std::nullopt;
  }
  const auto& [user, key] = places[chance % places.size()];
  MemoryRows& rows = users_[user];
  std::string what = key.substr(1);
  if (key[0] == 'R') {
    proto::RecordHeader header;
    header.ParseFromString(ParseItem(rows[key]).record().record());
    what = ParseItem(rows[BodyKey(header.body_no())]).body().octets();
  }
  rows.erase(key);
  return what;
}

}  // namespace twinspool::test
