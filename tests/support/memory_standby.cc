// MemoryStore as a standby: applying, catching up, rewinding; and taking back.
#include <algorithm>
#include <utility>

#include "common/uid_set.h"
#include "tests/support/memory_ports.h"

namespace twinspool::test {
namespace {

EntryId IdOf(const proto::Frame& frame) {
  return {Epoch(frame.epoch()), Incarnation(frame.incarnation()), CommitSeq(frame.seq())};
}

void Change(MemoryRows* rows, const std::string& key, std::uint64_t modseq,
            const proto::ChangeItem& item) {
  if (item.has_forget()) {
    rows->erase(key);
  } else {
    (*rows)[key] = {modseq, item.SerializeAsString()};
  }
}

}  // namespace

std::vector<MemoryStore::Previous> MemoryStore::ApplyFrame(const proto::Frame& frame) {
  std::vector<Previous> previous;
  for (const proto::UserChanges& changes : frame.changes()) {
    MemoryRows& rows = users_[changes.user_id()];
    for (const proto::ChangeItem& item : changes.items()) {
      const auto [key, modseq] = RowOf(item);
      const auto found = rows.find(key);
      const bool known = found != rows.end();
      if (known ? found->second.modseq >= modseq : item.has_forget()) {
        continue;
      }
      previous.push_back(
          {changes.user_id(), key, known ? std::optional(found->second) : std::nullopt});
      Change(&rows, key, modseq, item);
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
      Change(&rows, key, modseq, item);
    }
  }
  if (unit.last()) {
    asked_.erase(unit.user_id());
  }
  std::uint64_t exists = 0;
  const bool right = !unit.last() || unit.user_digest() ==
                                         (unit.only_mailbox().empty()
                                              ? DigestOf(rows)
                                              : MailboxDigest(rows, unit.only_mailbox(), &exists));
  if (unit.last() && right && unit.only_mailbox().empty()) {
    half_.erase(unit.user_id());
  }
  return right;
}

void MemoryStore::LeaveHalfReplaced(UserId user) {
  const Guard guard(mutex_);
  const std::string id(user.bytes());
  std::erase_if(users_[id], [](const auto& row) { return !IsBody(row.first); });
  half_.insert(id);
}

Result<std::vector<proto::UserDigest>> MemoryStore::Users() {
  const Guard guard(mutex_);
  std::vector<proto::UserDigest> users = UserDigests(users_);
  for (proto::UserDigest& user : users) {
    if (half_.contains(user.user_id())) {
      user.clear_digest();
    }
  }
  return users;
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

Status MemoryStore::DropUser(UserId user, bool only_here) {
  const Guard guard(mutex_);
  MaybeCrash();
  if (!only_here) {
    forgotten_.insert(user);
  }
  users_.erase(std::string(user.bytes()));
  return OkStatus();
}

Status MemoryStore::FinishCatchUp(EntryId target) {
  const Guard guard(mutex_);
  MaybeCrash();
  log_.clear();
  low_ = target;
  refill_.clear();
  half_.clear();
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
      if (item.has_forget()) {
        continue;
      }
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
  if (message.kind() != proto::GiveBack::MESSAGE) {
    given.set_outcome("not in this store");
    done(given);
    return;
  }
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
