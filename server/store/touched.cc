#include "server/store/touched.h"

#include <algorithm>

#include "server/store/change_log.h"

namespace twinspool::store {

Result<std::optional<TouchedUser>> TouchedScan::Next() {
  while (ready_.empty() && !done_) {
    TRY(Pass());
    Order();
  }
  if (ready_.empty()) {
    return std::optional<TouchedUser>();
  }
  TouchedUser next = std::move(ready_.front());
  ready_.pop_front();
  return std::optional(std::move(next));
}

void TouchedScan::Order() {
  for (auto& [id, user] : users_) {
    from_ = id;
    ready_.push_back(std::move(user));
  }
  users_.clear();
  const auto octets = [](const TouchedUser& user) {
    return std::pair(user.whole, user.chunks.size());
  };
  std::ranges::stable_sort(ready_, {}, octets);
}

Status TouchedScan::Pass() {
  stop_.reset();
  things_ = 0;
  RowIterator it = view_.engine().Iterate(
      Family::kOutbox, {OutboxKey(after_.Next()), OutboxKey(upto_.Next())}, view_.snapshot());
  CommitSeq expected = after_;
  for (it.Seek(OutboxKey(after_.Next())); it.Valid(); it.Next()) {
    expected = expected.Next();
    if (SeqOfOutboxKey(it.key()) != expected) {
      return DataLoss("entry " + std::to_string(expected.value()) + " of the log is missing");
    }
    ASSIGN_OR_RETURN(const proto::OutboxEntry entry, ParseOutboxEntry(expected, it.value()));
    TRY(AddEntry(entry));
    KeepWithinLimits();
  }
  TRY(it.status());
  if (expected != upto_) {
    return DataLoss("the log ends at " + std::to_string(expected.value()) + " instead of " +
                    std::to_string(upto_.value()));
  }
  done_ = !stop_;
  return OkStatus();
}

Status TouchedScan::AddEntry(const proto::OutboxEntry& entry) {
  for (const proto::OutboxItem& item : entry.items()) {
    const UserId id = UserId::FromBytes(item.user_id());
    if ((from_ && id <= *from_) || (stop_ && id >= *stop_)) {
      continue;
    }
    TouchedUser& user = users_[id];
    user.user = id;
    if (user.whole) {
      continue;
    }
    const std::size_t before = user.things;
    TRY(AddItem(item, &user));
    things_ += user.things - before;
    if (user.things > limits_.things_per_user) {
      things_ -= user.things;
      user = TouchedUser();
      user.user = id;
      user.whole = true;
    }
  }
  return OkStatus();
}

namespace {

void AddForgotten(const proto::OutboxItem& item, TouchedUser* user) {
  if (!item.mailbox_id().empty()) {
    user->mailboxes[MailboxId::FromBytes(item.mailbox_id())].header = true;
  } else if (!item.key().empty()) {
    user->misc.insert(item.key());
  } else {
    user->header = true;
  }
}

}  // namespace

Status TouchedScan::AddItem(const proto::OutboxItem& item, TouchedUser* user) {
  UidSet uids;
  TouchedMailbox* mailbox = nullptr;
  if (!item.mailbox_id().empty()) {
    mailbox = &user->mailboxes[MailboxId::FromBytes(item.mailbox_id())];
    if (!item.uids().empty()) {
      ASSIGN_OR_RETURN(uids, UidSet::Decode(item.uids()));
      mailbox->entries.Add(uids);
    }
  }
  user->things += 1 + uids.ranges().size();
  switch (item.kind()) {
    case proto::OutboxItem::USER:
      user->header = true;
      break;
    case proto::OutboxItem::BODY:
      user->chunks.emplace(BodyNo(item.body_no()), item.chunk());
      break;
    case proto::OutboxItem::COLLECT:
      user->collected.insert(BodyNo(item.body_no()));
      break;
    case proto::OutboxItem::MISC:
      user->misc.insert(item.key());
      break;
    case proto::OutboxItem::FORGET:
      AddForgotten(item, user);
      break;
    case proto::OutboxItem::TOKEN: {
      Modseq& modseq = user->tokens[item.key()];
      modseq = std::max(modseq, Modseq(item.modseq()));
      break;
    }
    default:
      if (mailbox == nullptr) {
        return DataLoss("an item of the log is of a kind that this version does not know");
      }
      mailbox->header |= item.kind() == proto::OutboxItem::MAILBOX;
      mailbox->purged |= item.kind() == proto::OutboxItem::PURGE;
      if (item.kind() == proto::OutboxItem::RECORD) {
        mailbox->records.Add(uids);
      }
  }
  return OkStatus();
}

void TouchedScan::KeepWithinLimits() {
  while (things_ > limits_.things && users_.size() > 1) {
    const auto last = std::prev(users_.end());
    things_ -= last->second.things;
    stop_ = last->first;
    users_.erase(last);
  }
}

}  // namespace twinspool::store
