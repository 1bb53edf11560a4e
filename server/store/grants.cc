#include "server/store/grants.h"

#include <string>

#include "server/store/access.h"
#include "server/store/engine.h"
#include "server/store/schema.h"

namespace twinspool::store {

void Grants::NoteChange(UserId owner, Ticket ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Ticket& newest = changed_[owner];
  newest = std::max(newest, ticket);
}

void Grants::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  filled_ = false;
  granted_.clear();
  changed_.clear();
}

Status Grants::ReadOwnerLocked(Engine& engine, const Snapshot* snapshot, UserId owner) {
  const std::string prefix = MiscKey(owner, proto::MiscItem::ACL, "");
  RowIterator it = engine.Iterate(Family::kMisc, KeyRange::Prefix(prefix), snapshot);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const std::string_view key = it.key().substr(prefix.size());
    const auto line = AclLineOf(key, it.value());
    if (line && !line->subject.denied) {
      granted_[line->subject.user.value_or(UserId())].emplace(owner, *MailboxOfMiscKey(key));
    }
  }
  return it.status();
}

Status Grants::FillLocked(Engine& engine, const Snapshot* snapshot) {
  granted_.clear();
  const std::string prefix = UserKey(UserId()).substr(0, 1);
  RowIterator it = engine.Iterate(Family::kUsers, KeyRange::Prefix(prefix), snapshot);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    TRY(ReadOwnerLocked(engine, snapshot, UserId::FromBytes(it.key().substr(prefix.size()))));
  }
  TRY(it.status());
  filled_ = true;
  return OkStatus();
}

Status Grants::RefreshLocked(Engine& engine, const Snapshot* snapshot, Ticket as_of) {
  for (auto it = changed_.begin(); it != changed_.end();) {
    for (auto& [subject, mailboxes] : granted_) {
      std::erase_if(mailboxes, [&](const GrantedMailbox& one) { return one.first == it->first; });
    }
    TRY(ReadOwnerLocked(engine, snapshot, it->first));
    // A change that this view does not show yet asks for another look later.
    it = it->second <= as_of ? changed_.erase(it) : std::next(it);
  }
  return OkStatus();
}

Result<std::set<GrantedMailbox>> Grants::Of(Engine& engine, const Snapshot* snapshot, Ticket as_of,
                                            UserId user) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!filled_) {
    TRY(FillLocked(engine, snapshot));
  }
  TRY(RefreshLocked(engine, snapshot, as_of));
  std::set<GrantedMailbox> found;
  for (const UserId& subject : {user, UserId()}) {
    if (const auto it = granted_.find(subject); it != granted_.end()) {
      found.insert(it->second.begin(), it->second.end());
    }
  }
  std::erase_if(found, [&](const GrantedMailbox& one) { return one.first == user; });
  return found;
}

}  // namespace twinspool::store
