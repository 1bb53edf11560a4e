// Recovery: what users expunged and deleted, as long as the retention keeps it, and how it comes
// back. For operators; ordinary transactions of the user concerned.
//
// A message comes back under a new UID, with the same octets, dates and flags (without \Deleted):
// clients were told that the old UID is gone for good. A mailbox comes back as it was, under its
// id, with its mail, its rights and its UIDVALIDITY.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/uid_set.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

struct ExpungedMessage {
  Uid uid;
  std::int64_t expunged_s = 0;  // seconds since 1970
  MessageRecord record;
};

struct DeletedMailbox {
  MailboxId id;
  std::string name;
  std::int64_t deleted_s = 0;
  std::uint32_t messages = 0;
};

/// Thread-safe. Lists read what is visible; kUnavailable while nothing is.
class Recovery {
 public:
  explicit Recovery(const WritePath& path) : path_(path) {}

  /// Rising; at most limits::kExpungedListedMax, from `from` on.
  Result<std::vector<ExpungedMessage>> ListExpunged(const MailboxRef& mailbox, Uid from);
  /// Those of `uids` (nothing: all) that are expunged and not purged yet. Answers how many. A
  /// message whose octets are in the mailbox already stays away.
  void RestoreExpunged(const MailboxRef& mailbox, const std::optional<UidSet>& uids,
                       const Done<std::uint64_t>& done);
  /// Sorted by name.
  Result<std::vector<DeletedMailbox>> ListDeleted(UserId user);
  /// Under `name`, or (empty) the one that it had. kNotFound; kAlreadyExists: the name is taken.
  void RestoreMailbox(UserId user, MailboxId mailbox, const std::string& name,
                      const Done<Unit>& done);

 private:
  const WritePath& path_;
};

}  // namespace twinspool::store
