// Names of mailboxes and users as the store keeps them. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace twinspool::store {

/// The spelling that a mailbox is stored and looked up under: NFC, and "INBOX" in any case (as the
/// whole name or as its first level) in capitals. kInvalidArgument: not UTF-8, a NUL, an empty name
/// or level; kLimit: too long or too deep.
Result<std::string> CanonicalMailboxName(std::string_view name);

/// Names of the levels above, outermost first: "a/b/c" has "a" and "a/b".
std::vector<std::string> ParentNames(std::string_view name);

/// A login name as stored: NFC, case folded. kInvalidArgument, kLimit as above.
Result<std::string> CanonicalUserName(std::string_view name);

/// Names under which to look for the recipient of `address`, best first: whole, then the local part
/// if the domain is one of `domains`, then that without "+detail".
std::vector<std::string> RecipientNames(std::string_view address,
                                        const std::vector<std::string>& domains);

}  // namespace twinspool::store
