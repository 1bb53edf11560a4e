// Writes about mailboxes as a whole: each function adds items to a transaction that its caller has
// made, admitted and will commit. Names are canonical (names.h). An error means a refusal; nothing
// was added then.
//
// Deleting a mailbox that has children leaves the children where they are: their parent is simply
// not there (RFC 3501 §6.3.4 wants \Noselect for it; a LIST shows \NonExistent \HasChildren), and
// may be made again. A deleted mailbox keeps its rows until the purge job takes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// kNotFound unless the user exists.
Result<const HeadUser*> LiveUser(StoreTxn& txn, UserId user);
/// kNotFound once deleted.
Result<const HeadMailbox*> LiveMailbox(StoreTxn& txn, MailboxRef ref);
/// The id under a name, or nothing.
Result<std::optional<MailboxId>> FindByName(StoreTxn& txn, UserId user, const std::string& name);

class MailboxWriter {
 public:
  MailboxWriter(StoreTxn& txn, Random& random, UserId user)
      : txn_(txn), random_(random), user_(user) {}

  /// With missing parents. Answers the new mailbox as it will be.
  Result<MailboxState> Create(const std::string& name, SpecialUse use);
  Status Delete(const std::string& name);
  /// Tombstones up to limits::kMailboxesPerDelete of the user's mailboxes, INBOX too; true: there
  /// are more.
  Result<bool> DeleteSome();
  /// With everything below, as one commit. INBOX: its mail moves and a new, empty INBOX is made;
  /// what is below INBOX stays.
  Status Rename(const std::string& from, const std::string& to);
  Status Subscribe(const std::string& name, bool subscribed);
  /// kNotFound: no such mailbox.
  Status SetUse(MailboxId mailbox, SpecialUse use);
  /// Adds one mailbox without looking at names, e.g. for a user who is being made. `first_validity`
  /// is the lowest UIDVALIDITY to give.
  Result<MailboxState> Make(const std::string& name, SpecialUse use, std::uint32_t first_validity);
  /// Tombstones a mailbox.
  Status MakeTombstone(const HeadMailbox& mailbox);
  /// Gives one mailbox another name, without looking at names, and a special use if one is given.
  Status MoveOne(MailboxId id, const std::string& target, std::optional<SpecialUse> use = {});
  /// A new, empty INBOX, the old one having another name now.
  Result<MailboxId> RenewInbox();
  /// kLimit unless the user may have so many mailboxes more.
  Status CheckRoom(std::size_t more);

 private:
  struct Moving {
    MailboxId id;
    std::string target;
  };
  Result<std::vector<Moving>> Subtree(const std::string& from, const std::string& to);
  /// The levels above `name` that are not there.
  Result<std::vector<std::string>> MissingParents(const std::string& name);
  Status MakeAll(const std::vector<std::string>& names);
  /// Lowest UIDVALIDITY that a new mailbox may get.
  Result<std::uint32_t> NextValidity();

  StoreTxn& txn_;
  Random& random_;
  const UserId user_;
  std::uint32_t last_validity_ = 0;  // given in this transaction
};

}  // namespace twinspool::store
