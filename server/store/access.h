// Who may do what with whose mailbox (RFC 4314): rows of misc under the owner, one per mailbox and
// subject, whose value is the letters of its rights.
//
// The owner may do everything, and no row is asked for him. Of all others the rights are those
// given to him and to anyone, without those denied to either. A deleted mailbox keeps its rows;
// they go in the transaction that forgets it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/rights.h"
#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// Whom a row of an access control list is about. Users go by their ids: who later gets a former
/// user's name gets none of his rights.
struct AclSubject {
  std::optional<UserId> user;  // nothing: anyone
  bool denied = false;         // what it shall not have
  bool operator==(const AclSubject&) const = default;
};

/// Key of a row of misc, without user and kind.
std::string AclKey(MailboxId mailbox, const AclSubject& subject);
/// The subject of such a key; nothing: it is malformed.
std::optional<AclSubject> SubjectOfAclKey(std::string_view key);
/// The mailbox of a key that begins with one; nothing: it is too short.
std::optional<MailboxId> MailboxOfMiscKey(std::string_view key);

/// Reads a whole row of misc by its key.
using MiscGetter = std::function<Result<std::optional<std::string>>(const std::string& key)>;

/// What `mailbox.viewer` may do. Whether the mailbox is there is not looked at.
Result<Rights> RightsTo(const MailboxRef& mailbox, const MiscGetter& get);
/// \Seen is kept for each viewer of his own: somebody else's mailbox without the annotation that
/// makes it one for all.
Result<bool> HasOwnSeen(const MailboxRef& mailbox, const MiscGetter& get);

/// RightsTo as of the transaction.
Result<Rights> RightsIn(StoreTxn& txn, const MailboxRef& mailbox);
/// LiveMailbox of a mailbox to which the viewer has all of `needed`. kPermissionDenied; kNotFound
/// also when he has no rights at all.
Result<const HeadMailbox*> OpenMailbox(StoreTxn& txn, const MailboxRef& mailbox, Rights needed);
/// Flags that one with these rights may set and clear.
SystemFlags FlagsAllowedBy(Rights rights);

/// One line of an access control list as it is stored.
struct AclLine {
  AclSubject subject;
  Rights rights = 0;
};
/// As of the transaction; takes kRightAdminister.
Status ChangeAcl(StoreTxn& txn, const MailboxRef& mailbox, const AclSubject& subject,
                 RightsChange change, Rights rights);
/// Gives `to`, which is new, all lines of `from`.
Status InheritAcl(StoreTxn& txn, UserId owner, MailboxId from, MailboxId to);

/// Decodes a row; nothing: it is deleted or malformed.
std::optional<AclLine> AclLineOf(std::string_view key, std::string_view row);

}  // namespace twinspool::store
