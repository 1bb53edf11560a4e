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
  /// `viewer`: who asks, if that is not the user himself; his rights are looked at
  /// (kPermissionDenied, or kNotFound where he has none).
  MailboxWriter(StoreTxn& txn, Random& random, UserId user, UserId viewer = {})
      : txn_(txn), random_(random), user_(user), viewer_(viewer) {}

  /// With missing parents. Answers the new mailbox as it will be. It inherits the rights to the
  /// mailbox that it is made below. A viewer takes kRightCreate to that, or to INBOX where nothing
  /// is above it.
  Result<MailboxState> Create(const std::string& name, SpecialUse use);
  /// A viewer takes kRightDeleteMailbox. kConflict: there are mailboxes below it, and not
  /// `with_children`.
  Status Delete(const std::string& name, bool with_children = true);
  /// Tombstones up to limits::kMailboxesPerDelete of the user's mailboxes, INBOX too; true: there
  /// are more.
  Result<bool> DeleteSome();
  /// With everything below, as one commit. INBOX: its mail moves and a new, empty INBOX is made;
  /// what is below INBOX stays. A viewer takes kRightDeleteMailbox here, kRightCreate there, and
  /// may not rename INBOX.
  Status Rename(const std::string& from, const std::string& to);
  Status Subscribe(const std::string& name, bool subscribed);
  /// kNotFound: no such mailbox.
  Status SetUse(MailboxId mailbox, SpecialUse use);
  /// Adds one mailbox without looking at names, e.g. for a user who is being made. `first_validity`
  /// is the lowest UIDVALIDITY to give.
  Result<MailboxState> Make(const std::string& name, SpecialUse use, std::uint32_t first_validity);
  /// Makes a tombstone a mailbox again, under `name` or (empty) the one that it had. kNotFound;
  /// kAlreadyExists.
  Status Undelete(MailboxId id, const std::string& name);
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
  /// The nearest mailbox above `name`; for viewers INBOX where there is none; else nothing.
  Result<std::optional<MailboxId>> Above(const std::string& name);
  /// The viewer may make and move mailboxes to below what is above `name`.
  Status MayCreate(const std::string& name);
  Status MayDelete(MailboxId id);
  Status CheckNoChildren(const std::string& name);
  /// Make, with the rights that those to `above` are.
  Result<MailboxState> MakeBelow(const std::optional<MailboxId>& above, const std::string& name,
                                 SpecialUse use);
  /// Lowest UIDVALIDITY that a new mailbox may get.
  Result<std::uint32_t> NextValidity();

  StoreTxn& txn_;
  Random& random_;
  const UserId user_;
  const UserId viewer_;
  std::uint32_t last_validity_ = 0;  // given in this transaction
};

}  // namespace twinspool::store
