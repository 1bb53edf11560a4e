// CommitNews: what a commit changed, as those who watch want to know it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proto/types.pb.h"

#include "common/types.h"

namespace twinspool::store {

struct CommitNews {
  struct Entry {
    UserId user;
    MailboxId mailbox;  // nil: the user's view of the server
    std::string entry;
  };
  /// Each may be named several times.
  std::vector<std::pair<UserId, MailboxId>> mailboxes;
  /// Whose names of mailboxes, special uses or subscriptions may have changed.
  std::vector<UserId> listings;
  /// Entries of METADATA.
  std::vector<Entry> annotations;

  void Add(const proto::UserChanges& changes);
  void Append(CommitNews&& other);
  bool empty() const { return mailboxes.empty() && listings.empty() && annotations.empty(); }
};

}  // namespace twinspool::store
