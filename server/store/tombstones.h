// Tombstones: forgets what was deleted long enough ago: one user's share of a round of jobs.h.
//
// A deleted mailbox, an unsubscribed name and a deleted user leave rows behind, so that clients and
// a node that comes back learn of the deletion. After the retention nobody needs them. Only what is
// visible goes, so that the standby has acked the deletion (or was dismissed) before it is
// forgotten. Before a mailbox goes, the floor in its user's header is raised above its UIDVALIDITY:
// no other row would remember the number on a node that is filled anew.
//
// What there is to do is looked for without a lock; each transaction takes at most
// limits::kThingsPerJobWrite things.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/status.h"
#include "server/store/row_view.h"
#include "server/store/txn.h"

namespace twinspool::store {

struct View;

class Tombstones {
 public:
  /// What was deleted at or before `deadline_s` goes. `path` is not owned and outlives this.
  Tombstones(const WritePath& path, UserId user, std::int64_t deadline_s);

  /// False: nothing is visible, or the user is not to be forgotten.
  Result<bool> UserIsDue() const;
  /// Mailboxes of which nothing but the tombstone is left; `all`: those that never expire, too.
  Status ForgetMailboxes(bool all);
  /// Rows of misc; `all`: live ones, too.
  Status ForgetSmallRows(bool all);
  /// The user, once nothing but his tombstone is left.
  Status ForgetUser();

  std::uint64_t forgotten() const { return forgotten_; }

 private:
  bool IsDue(const proto::MailboxHeader& header) const;
  Status ForgetMailboxPart(std::span<const MailboxId> mailboxes);
  /// Raises the floor in the header, if that is needed, to all that was ever given out.
  Status RaiseValidityFloor(StoreTxn& txn, std::uint32_t validity);
  Status ForgetSmallRowPart(std::span<const std::string> keys, bool all);
  bool MayGo(const MiscRow& row, bool all) const;
  Result<bool> AnythingLeft() const;

  const WritePath& path_;
  const UserId user_;
  const std::int64_t deadline_s_;
  const std::shared_ptr<const View> visible_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace twinspool::store
