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
  /// Who changed rights to mailboxes of theirs.
  std::vector<UserId> granting;
  /// Mailboxes of which viewers who are not the owner changed their own marks.
  std::vector<MailboxId> viewed;

  void Add(const proto::UserChanges& changes);
  void Append(CommitNews&& other);
  bool empty() const {
    return mailboxes.empty() && listings.empty() && annotations.empty() && viewed.empty();
  }

 private:
  void AddMisc(UserId user, const proto::MiscItem& item);
};

}  // namespace twinspool::store
