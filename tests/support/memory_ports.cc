#include "tests/support/memory_ports.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/sha.h>

#include "common/codec.h"
#include "common/uid_set.h"

namespace twinspool::test {
namespace {

constexpr std::size_t kItemsPerUnit = 3;

std::string RecordKey(const std::string& mailbox, std::uint32_t uid) {
  std::string key = "R" + mailbox;
  PutBe32(&key, uid);
  return key;
}

std::string BodyKey(std::uint64_t number) {
  std::string key = "B";
  PutBe64(&key, number);
  return key;
}

/// Key and modseq of the row that an item makes.
std::pair<std::string, std::uint64_t> RowOf(const proto::ChangeItem& item) {
  switch (item.kind_case()) {
    case proto::ChangeItem::kMisc:
      return {"S" + item.misc().key(), item.misc().modseq()};
    case proto::ChangeItem::kRecord:
      return {RecordKey(item.record().mailbox_id(), item.record().uid()), item.record().modseq()};
    case proto::ChangeItem::kBody:
      return {BodyKey(item.body().body_no()), item.body().body_no()};
    case proto::ChangeItem::kToken:
      return {"T" + item.token().key(), item.token().modseq()};
    default:
      return {"?", 0};
  }
}

bool IsBody(const std::string& key) {
  return key[0] == 'B';
}

/// Mailbox of a record's row; empty for other rows.
std::string MailboxOf(const std::string& key) {
  return key[0] == 'R' ? key.substr(1, MailboxId::kSize) : "";
}

proto::ChangeItem ParseItem(const MemoryRow& row) {
  proto::ChangeItem item;
  item.ParseFromString(row.item);
  return item;
}

void AddTo(std::array<std::uint8_t, 16>* sum, const std::string& key, const MemoryRow& row) {
  std::string hashed = key;
  PutBe64(&hashed, row.modseq);
  hashed += row.item;
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(hashed.data()), hashed.size(), hash.data());
  unsigned carry = 0;
  for (std::size_t i = 0; i < sum->size(); ++i) {
    carry += static_cast<unsigned>((*sum)[i]) + hash[i];
    (*sum)[i] = static_cast<std::uint8_t>(carry & 255U);
    carry >>= 8U;
  }
}

std::string ToString(const std::array<std::uint8_t, 16>& sum) {
  return {sum.begin(), sum.end()};
}

std::vector<proto::UserDigest> UserDigests(const MemoryUsers& users) {
  std::vector<proto::UserDigest> out;
  for (const auto& [id, rows] : users) {
    proto::UserDigest digest;
    digest.set_user_id(id);
    digest.set_digest(DigestOf(rows));
    MemoryRows own = rows;
    std::erase_if(own, [](const auto& row) { return !MailboxOf(row.first).empty(); });
    digest.set_own(DigestOf(own));
    out.push_back(digest);
  }
  return out;
}

std::string MailboxDigest(const MemoryRows& rows, const std::string& mailbox,
                          std::uint64_t* exists) {
  std::array<std::uint8_t, 16> sum{};
  for (const auto& [key, row] : rows) {
    if (MailboxOf(key) == mailbox) {
      AddTo(&sum, key, row);
      ++*exists;
    }
  }
  return ToString(sum);
}

std::vector<proto::MailboxDigest> MailboxDigestsOf(const MemoryUsers& users, MailboxId after,
                                                   std::size_t limit) {
  std::map<std::string, std::string> owners;
  for (const auto& [user, rows] : users) {
    for (const auto& [key, row] : rows) {
      if (const std::string mailbox = MailboxOf(key); !mailbox.empty()) {
        owners[mailbox] = user;
      }
    }
  }
  std::vector<proto::MailboxDigest> out;
  for (auto it = owners.upper_bound(std::string(after.bytes()));
       it != owners.end() && out.size() < limit; ++it) {
    proto::MailboxDigest digest;
    std::uint64_t exists = 0;
    digest.set_mailbox_id(it->first);
    digest.set_user_id(it->second);
    digest.set_digest(MailboxDigest(users.at(it->second), it->first, &exists));
    digest.set_exists(exists);
    digest.set_name("mailbox");
    out.push_back(digest);
  }
  return out;
}

/// A copy of everything at one position.
class MemoryPicture : public replica::Picture {
 public:
  MemoryPicture(MemoryUsers users, EntryId position, std::map<std::uint64_t, MemoryUsers> touched,
                CommitSeq low)
      : users_(std::move(users)), position_(position), touched_(std::move(touched)), low_(low) {}

  EntryId position() const override { return position_; }

  Status StartSince(CommitSeq after) override {
    if (after < low_) {
      return NotFound("the outbox does not reach back so far");
    }
    units_.clear();
    std::map<std::string, std::set<std::string>> keys;
    for (auto it = touched_.upper_bound(after.value()); it != touched_.end(); ++it) {
      for (const auto& [user, rows] : it->second) {
        for (const auto& [key, row] : rows) {
          keys[user].insert(key);
        }
      }
    }
    for (const auto& [user, named] : keys) {
      MemoryRows rows;
      for (const std::string& key : named) {
        const auto& all = users_[user];
        if (const auto found = all.find(key); found != all.end()) {
          rows.insert(*found);
        }
      }
      Cut(user, rows, {}, false);
    }
    return OkStatus();
  }

  Status StartUser(UserId user, std::vector<proto::BodyRef> have) override {
    units_.clear();
    MemoryRows rows = users_[std::string(user.bytes())];
    for (const proto::BodyRef& body : have) {
      rows.erase(BodyKey(body.body_no()));
    }
    Cut(std::string(user.bytes()), rows, {}, true);
    return OkStatus();
  }

  Status StartMailbox(MailboxId mailbox) override {
    units_.clear();
    const std::string id(mailbox.bytes());
    for (const auto& [user, all] : users_) {
      MemoryRows rows;
      for (const auto& [key, row] : all) {
        if (MailboxOf(key) == id) {
          rows[key] = row;
          const std::string body = BodyKey([&] {
            proto::RecordHeader header;
            header.ParseFromString(ParseItem(row).record().record());
            return header.body_no();
          }());
          rows[body] = all.at(body);
        }
      }
      if (!rows.empty()) {
        Cut(user, rows, id, true);
      }
    }
    return OkStatus();
  }

  Result<std::optional<proto::CatchUpUnit>> NextUnit() override {
    if (units_.empty()) {
      return std::optional<proto::CatchUpUnit>();
    }
    std::optional<proto::CatchUpUnit> unit = std::move(units_.front());
    units_.pop_front();
    return unit;
  }
  Result<std::vector<proto::UserDigest>> Users() override { return UserDigests(users_); }
  Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                           std::size_t limit) override {
    return MailboxDigestsOf(users_, after, limit);
  }

 private:
  void Cut(const std::string& user, const MemoryRows& rows, const std::string& mailbox,
           bool replace) {
    proto::CatchUpUnit unit;
    const auto begin = [&](bool first) {
      unit.Clear();
      unit.set_user_id(user);
      unit.set_first(first);
      unit.set_replace(first && replace);
      unit.set_only_mailbox(mailbox);
    };
    begin(true);
    for (const auto& [key, row] : rows) {
      if (static_cast<std::size_t>(unit.items_size()) == kItemsPerUnit) {
        units_.push_back(unit);
        begin(false);
      }
      *unit.add_items() = ParseItem(row);
    }
    unit.set_last(true);
    std::uint64_t exists = 0;
    unit.set_user_digest(mailbox.empty() ? DigestOf(users_[user])
                                         : MailboxDigest(users_[user], mailbox, &exists));
    units_.push_back(unit);
  }

  MemoryUsers users_;
  EntryId position_;
  std::map<std::uint64_t, MemoryUsers> touched_;
  CommitSeq low_;
  std::deque<proto::CatchUpUnit> units_;
};

EntryId IdOf(const proto::Frame& frame) {
  return {Epoch(frame.epoch()), Incarnation(frame.incarnation()), CommitSeq(frame.seq())};
}

}  // namespace

std::string DigestOf(const MemoryRows& rows) {
  std::array<std::uint8_t, 16> sum{};
  for (const auto& [key, row] : rows) {
    if (!IsBody(key)) {
      AddTo(&sum, key, row);
    }
  }
  return ToString(sum);
}

replica::StorePorts MemoryStore::Ports() {
  return {.visibility = this,
          .log = this,
          .pictures = this,
          .sink = this,
          .take_back = this,
          .uid_jump = this};
}

void MemoryStore::SetListener(replica::CommitListener* listener) {
  const Guard guard(mutex_);
  listener_ = listener;
}

void MemoryStore::MaybeCrash() {
  if (crash_in_ > 0 && --crash_in_ == 0) {
    crash_in_ = -1;
    throw SimCrash{};
  }
}

void MemoryStore::Die() {
  const Guard guard(mutex_);
  listener_ = nullptr;
  clients_.clear();
  serving_ = {};
  visible_ = CommitSeq(0);
  peer_has_ = CommitSeq(0);
  crash_in_ = -1;
}

EntryId MemoryStore::End() const {
  const Guard guard(mutex_);
  return log_.empty() ? low_ : log_.back().id;
}

std::string MemoryStore::Digest() const {
  const Guard guard(mutex_);
  std::string all;
  for (const auto& [user, rows] : users_) {
    if (!rows.empty()) {
      all += user + DigestOf(rows);
    }
  }
  return all;
}

// --- clients -------------------------------------------------------------------------------

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
  entry.previous = ApplyFrame(entry.frame);
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

std::optional<EntryId> MemoryStore::Write(UserId user, std::vector<proto::ChangeItem> items,
                                          const replica::ServingState& as,
                                          std::function<void(bool)> done) {
  {
    const Guard guard(mutex_);
    clients_.push_back({End().seq.Next(), std::move(done)});
  }
  return Commit(user, std::move(items), as.epoch, as.incarnation);
}

std::optional<EntryId> MemoryStore::WriteMisc(UserId user, const std::string& key,
                                              const std::string& value,
                                              std::function<void(bool)> done) {
  const Guard commit(commit_mutex_);
  const replica::ServingState as = serving();
  if (!as.primary || !as.writes.ok()) {
    return std::nullopt;
  }
  proto::ChangeItem item;
  item.mutable_misc()->set_kind(proto::MiscItem::SUBSCRIPTION);
  item.mutable_misc()->set_key(key);
  item.mutable_misc()->set_value(value);
  item.mutable_misc()->set_modseq(NextModseq(as.epoch).value());
  return Write(user, {item}, as, std::move(done));
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
  const Guard commit(commit_mutex_);
  const replica::ServingState as = serving();
  if (!as.primary || !as.writes.ok()) {
    return std::nullopt;
  }
  return Write(user, MessageItems(user, mailbox, octets, NextModseq(as.epoch)), as,
               std::move(done));
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

// --- visibility ----------------------------------------------------------------------------

void MemoryStore::AdvanceTo(CommitSeq seq) {
  std::vector<std::function<void(bool)>> ready;
  {
    const Guard guard(mutex_);
    visible_ = std::max(visible_, seq);
    std::erase_if(clients_, [&](WaitingClient& client) {
      if (client.seq > visible_) {
        return false;
      }
      ready.push_back(std::move(client.done));
      return true;
    });
  }
  for (const auto& done : ready) {
    if (done) {
      done(true);
    }
  }
}

void MemoryStore::SetServing(const replica::ServingState& state) {
  const Guard commit(commit_mutex_);  // no commit of the old time is under way
  if (before_closing_ && primary() && !state.primary) {
    std::exchange(before_closing_, {})();
  }
  std::vector<WaitingClient> over;
  {
    const Guard guard(mutex_);
    if (!serving_.primary && state.primary) {
      visible_ = CommitSeq(0);
      peer_has_ = CommitSeq(0);
    } else if (serving_.primary && !state.primary) {
      over.swap(clients_);
    }
    serving_ = state;
  }
  for (const WaitingClient& client : over) {
    if (client.done) {
      client.done(false);
    }
  }
}

// --- the log -------------------------------------------------------------------------------

Result<EntryId> MemoryStore::Identify(CommitSeq seq) {
  const Guard guard(mutex_);
  if (seq == low_.seq && seq.value() > 0 && low_.epoch.value() > 0) {
    return low_;
  }
  for (const LogEntry& entry : log_) {
    if (entry.id.seq == seq) {
      return entry.id;
    }
  }
  return NotFound("no such entry");
}

void MemoryStore::Trim(CommitSeq upto) {
  const Guard guard(mutex_);
  while (!log_.empty() && log_.front().id.seq <= upto) {
    low_ = log_.front().id;
    log_.pop_front();
  }
}

Result<std::unique_ptr<replica::Picture>> MemoryStore::TakePicture() {
  const Guard guard(mutex_);
  std::map<std::uint64_t, MemoryUsers> touched;
  for (const LogEntry& entry : log_) {
    for (const Previous& previous : entry.previous) {
      touched[entry.id.seq.value()][previous.user][previous.key] = {};
    }
  }
  return std::unique_ptr<replica::Picture>(
      new MemoryPicture(users_, End(), std::move(touched), low_.seq));
}

// --- the standby ---------------------------------------------------------------------------

std::vector<MemoryStore::Previous> MemoryStore::ApplyFrame(const proto::Frame& frame) {
  std::vector<Previous> previous;
  for (const proto::UserChanges& changes : frame.changes()) {
    MemoryRows& rows = users_[changes.user_id()];
    for (const proto::ChangeItem& item : changes.items()) {
      const auto [key, modseq] = RowOf(item);
      const auto found = rows.find(key);
      if (found != rows.end() && found->second.modseq >= modseq) {
        continue;
      }
      previous.push_back({changes.user_id(), key,
                          found == rows.end() ? std::nullopt : std::optional(found->second)});
      rows[key] = {modseq, item.SerializeAsString()};
    }
  }
  return previous;
}

void MemoryStore::Undo(const std::vector<Previous>& previous) {
  for (auto it = previous.rbegin(); it != previous.rend(); ++it) {
    if (it->row) {
      users_[it->user][it->key] = *it->row;
    } else {
      users_[it->user].erase(it->key);
      if (users_[it->user].empty()) {
        users_.erase(it->user);
      }
    }
  }
}

Result<replica::ApplyOutcome> MemoryStore::Apply(const std::vector<proto::Frame>& frames) {
  const Guard guard(mutex_);
  replica::ApplyOutcome outcome;
  for (const proto::Frame& frame : frames) {
    MaybeCrash();
    const EntryId id = IdOf(frame);
    if (id.seq <= End().seq) {
      continue;
    }
    if (id.seq != End().seq.Next()) {
      return Conflict("a gap");
    }
    LogEntry entry{id, frame, ApplyFrame(frame)};
    const proto::UserChanges& changes = frame.changes(0);
    if (DigestOf(users_[changes.user_id()]) != frame.digests(0)) {
      Undo(entry.previous);
      replica::ApplyOutcome::Mismatch mismatch{
          id.seq, UserId::FromBytes(changes.user_id()), {}, "a digest"};
      for (const proto::ChangeItem& item : changes.items()) {
        if (item.has_record()) {
          mismatch.mailboxes.push_back(MailboxId::FromBytes(item.record().mailbox_id()));
        }
      }
      outcome.mismatch = std::move(mismatch);
      break;
    }
    log_.push_back(std::move(entry));
    Trim(CommitSeq(frame.trim_upto()));
  }
  outcome.last = End();
  return outcome;
}

Result<bool> MemoryStore::ApplyUnit(const proto::CatchUpUnit& unit) {
  const Guard guard(mutex_);
  MaybeCrash();
  if (std::exchange(spoil_unit_, false)) {
    return DataLoss("a row is damaged");
  }
  MemoryRows& rows = users_[unit.user_id()];
  if (unit.first() && unit.replace()) {
    std::erase_if(rows, [&](const auto& row) {
      return !IsBody(row.first) &&
             (unit.only_mailbox().empty() || MailboxOf(row.first) == unit.only_mailbox());
    });
  }
  for (const proto::ChangeItem& item : unit.items()) {
    const auto [key, modseq] = RowOf(item);
    const auto found = rows.find(key);
    if (found == rows.end() || found->second.modseq < modseq) {
      rows[key] = {modseq, item.SerializeAsString()};
    }
  }
  if (unit.last()) {
    asked_.erase(unit.user_id());
  }
  std::uint64_t exists = 0;
  return !unit.last() ||
         unit.user_digest() == (unit.only_mailbox().empty()
                                    ? DigestOf(rows)
                                    : MailboxDigest(rows, unit.only_mailbox(), &exists));
}

Result<std::vector<proto::UserDigest>> MemoryStore::Users() {
  const Guard guard(mutex_);
  return UserDigests(users_);
}

Result<std::vector<proto::BodyRef>> MemoryStore::BodiesOf(UserId user) {
  const Guard guard(mutex_);
  asked_.insert(std::string(user.bytes()));
  asked_most_ = std::max(asked_most_, asked_.size());
  std::vector<proto::BodyRef> out;
  const auto rows = users_.find(std::string(user.bytes()));
  if (rows != users_.end()) {
    for (const auto& [key, row] : rows->second) {
      if (IsBody(key)) {
        out.emplace_back().set_body_no(row.modseq);
      }
    }
  }
  return out;
}

// This store does not know what the peer has: all messages, at once.
Result<std::vector<replica::SalvageRecord>> MemoryStore::ReadDoomed(UserId user,
                                                                    MailboxId after_mailbox,
                                                                    Uid /*after_uid*/) {
  const Guard guard(mutex_);
  std::vector<replica::SalvageRecord> out;
  const auto rows = users_.find(std::string(user.bytes()));
  if (rows == users_.end() || !after_mailbox.nil()) {
    return out;
  }
  for (const auto& [key, row] : rows->second) {
    const proto::ChangeItem item = ParseItem(row);
    if (!item.has_record()) {
      continue;
    }
    replica::SalvageRecord& record = out.emplace_back();
    record.user = user;
    record.mailbox = MailboxId::FromBytes(item.record().mailbox_id());
    record.uid = Uid(item.record().uid());
    record.kind = "append";
    record.record.ParseFromString(item.record().record());
    record.has_body = rows->second.contains(BodyKey(record.record.body_no()));
  }
  return out;
}

Status MemoryStore::DropUser(UserId user) {
  const Guard guard(mutex_);
  MaybeCrash();
  users_.erase(std::string(user.bytes()));
  return OkStatus();
}

Status MemoryStore::FinishCatchUp(EntryId target) {
  const Guard guard(mutex_);
  MaybeCrash();
  log_.clear();
  low_ = target;
  refill_.clear();
  return OkStatus();
}

Result<std::vector<replica::SalvageRecord>> MemoryStore::ReadForSalvage() {
  const Guard guard(mutex_);
  std::vector<replica::SalvageRecord> out;
  if (log_.empty()) {
    return out;
  }
  const LogEntry& entry = log_.back();
  for (const proto::UserChanges& changes : entry.frame.changes()) {
    for (const proto::ChangeItem& item : changes.items()) {
      replica::SalvageRecord record;
      record.entry = entry.id;
      record.user = UserId::FromBytes(changes.user_id());
      record.kind = item.has_record() ? "append" : item.has_misc() ? "misc" : "body";
      if (item.has_record()) {
        record.mailbox = MailboxId::FromBytes(item.record().mailbox_id());
        record.uid = Uid(item.record().uid());
        record.record.ParseFromString(item.record().record());
        record.has_body = true;
      }
      out.push_back(std::move(record));
    }
  }
  return out;
}

Result<std::string> MemoryStore::ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                                 std::size_t length) {
  const Guard guard(mutex_);
  const MemoryRows& rows = users_[std::string(user.bytes())];
  const auto found = rows.find(BodyKey(body.value()));
  if (found == rows.end()) {
    return NotFound("no such body");
  }
  return ParseItem(found->second).body().octets().substr(static_cast<std::size_t>(offset), length);
}

Status MemoryStore::UndoLast() {
  const Guard guard(mutex_);
  MaybeCrash();
  if (log_.empty()) {
    return NotFound("the log is empty");
  }
  const LogEntry entry = std::move(log_.back());
  log_.pop_back();
  if (std::exchange(spoil_undo_, false)) {
    refill_.insert(UserId::FromBytes(entry.frame.changes(0).user_id()));
    return OkStatus();
  }
  Undo(entry.previous);
  return OkStatus();
}

Result<std::vector<UserId>> MemoryStore::FinishRewind() {
  const Guard guard(mutex_);
  MaybeCrash();
  return std::vector<UserId>(refill_.begin(), refill_.end());
}

Result<std::vector<proto::MailboxDigest>> MemoryStore::MailboxDigests(MailboxId after,
                                                                      std::size_t limit) {
  const Guard guard(mutex_);
  return MailboxDigestsOf(users_, after, limit);
}

// --- taking back and jumping ---------------------------------------------------------------

void MemoryStore::Take(proto::GiveBack message, std::string octets,
                       std::function<void(Result<proto::GivenBack>)> done) {
  const Guard commit(commit_mutex_);
  const replica::ServingState as = serving();
  if (!as.primary || !as.writes.ok()) {
    done(Unavailable("writes are refused"));
    return;
  }
  if (!not_taken_.empty() && octets == not_taken_) {
    done(LimitExceeded("the mailbox is full of something"));
    return;
  }
  proto::GivenBack given;
  given.set_token(message.token());
  given.set_stored(true);
  const auto finish = [done, given](bool acked) {
    done(acked ? Result<proto::GivenBack>(given) : Unavailable("outcome unknown"));
  };
  const UserId user = UserId::FromBytes(message.user_id());
  std::optional<CommitSeq> shown;
  {
    // The token, or the same octets: the message is here already.
    const Guard guard(mutex_);
    if (users_[message.user_id()].contains("T" + message.token()) || CountMessages(octets) > 0) {
      clients_.push_back({End().seq, finish});
      shown = visible_;
    }
  }
  if (shown) {
    AdvanceTo(*shown);
    return;
  }
  const Modseq modseq = NextModseq(as.epoch);
  std::vector<proto::ChangeItem> items =
      MessageItems(user, MailboxId::FromBytes(message.mailbox_id()), octets, modseq);
  proto::ChangeItem token;
  token.mutable_token()->set_key(message.token());
  token.mutable_token()->set_modseq(modseq.value());
  items.push_back(token);
  Write(user, std::move(items), as, finish);
}

Status MemoryStore::JumpUids(Epoch epoch, Incarnation incarnation, bool /*renumber*/) {
  const Guard commit(commit_mutex_);
  proto::ChangeItem item;
  item.mutable_misc()->set_key("jump");
  item.mutable_misc()->set_modseq(NextModseq(epoch).value());
  {
    const Guard guard(mutex_);
    serving_.keep_outbox = true;
  }
  Commit(UserId::FromBytes(std::string(UserId::kSize, 'j')), {item}, epoch, incarnation);
  return OkStatus();
}

}  // namespace twinspool::test
