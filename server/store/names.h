// Names of mailboxes as the store keeps them; names of users: credentials.h. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace twinspool::store {

/// The spelling that a mailbox is stored and looked up under: NFC, and "INBOX" in any case (as the
/// whole name or as its first level) in capitals. kInvalidArgument: not UTF-8, a control character,
/// an empty name or level; kLimit: too long or too deep.
Result<std::string> CanonicalMailboxName(std::string_view name);

/// Where a user sees what is not his own: "Other Users/NAME/…" and, of owner-less namespaces,
/// "Shared/NAME/…". NAME alone is NAME's INBOX.
inline constexpr std::string_view kOtherUsers = "Other Users";
inline constexpr std::string_view kShared = "Shared";

struct ForeignName {
  bool shared = false;  // below kShared
  std::string owner;    // as written; empty: the name is but the top of these namespaces
  std::string name;     // canonical, as the owner has it
};
/// What a canonical name says of other users; nothing: it is one of the user's own.
/// kInvalidArgument as CanonicalMailboxName.
Result<std::optional<ForeignName>> ParseForeignName(std::string_view canonical);
/// The same the other way round.
std::string ForeignNameText(bool shared, std::string_view owner, std::string_view name);

/// Names of the levels above, outermost first: "a/b/c" has "a" and "a/b".
std::vector<std::string> ParentNames(std::string_view name);

}  // namespace twinspool::store
