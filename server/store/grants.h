// Grants: which mailboxes of others a user may have been given rights to, so that LIST need not ask
// every user of the node.
//
// Only knowledge that makes reading cheaper: it is read from the rows of access control lists when
// first asked for, and again of those owners whose lists have changed since. Rights themselves are
// read from the rows each time. Emptied when a time as primary begins or ends.
//
// Memory: one line per row of an access control list. Thread-safe; Of may read from the disk.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "server/store/head.h"

namespace twinspool::store {

class Engine;
class Snapshot;

/// A mailbox and its owner.
using GrantedMailbox = std::pair<UserId, MailboxId>;

class Grants {
 public:
  /// A transaction with this ticket changed rights to mailboxes of `owner`. Before it is answered.
  void NoteChange(UserId owner, Ticket ticket);
  void Clear();
  /// Mailboxes with a line that names `user` or anyone, as of the view with this snapshot and
  /// ticket (and perhaps some of later).
  Result<std::set<GrantedMailbox>> Of(Engine& engine, const Snapshot* snapshot, Ticket as_of,
                                      UserId user);

 private:
  using Subjects = std::unordered_map<UserId, std::set<GrantedMailbox>>;  // anyone: the nil id

  Status FillLocked(Engine& engine, const Snapshot* snapshot);
  Status RefreshLocked(Engine& engine, const Snapshot* snapshot, Ticket as_of);
  Status ReadOwnerLocked(Engine& engine, const Snapshot* snapshot, UserId owner);

  std::mutex mutex_;
  bool filled_ = false;
  Subjects granted_;
  std::map<UserId, Ticket> changed_;  // owners, with their newest change
};

}  // namespace twinspool::store
