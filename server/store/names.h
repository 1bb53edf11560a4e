// Names of mailboxes as the store keeps them; names of users: credentials.h. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace twinspool::store {

/// The spelling that a mailbox is stored and looked up under: NFC, and "INBOX" in any case (as the
/// whole name or as its first level) in capitals. kInvalidArgument: not UTF-8, a control character,
/// an empty name or level; kLimit: too long or too deep.
Result<std::string> CanonicalMailboxName(std::string_view name);

/// Names of the levels above, outermost first: "a/b/c" has "a" and "a/b".
std::vector<std::string> ParentNames(std::string_view name);

}  // namespace twinspool::store
