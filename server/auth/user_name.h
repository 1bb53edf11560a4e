// Names of users, and which user a recipient's address means. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace twinspool::auth {

/// The one spelling under which a user is stored and found: case-folded, NFC. "user" or
/// "user@domain". kInvalidArgument, saying why, for names that are empty, longer than
/// limits::kUserNameBytesMax, not UTF-8, with control characters, '/' (it separates the levels of
/// "Other Users/…"), a space at an end, or an '@' that does not stand between two parts.
Result<std::string> FoldUserName(std::string_view name);

/// The names to look up for `address`, in this order, folded, each once:
///   the whole address; its local part when the domain is one of `domains`; then both again
///   without "+detail". "*" among the domains means any. An address without a domain is a local
///   part. Spellings that cannot be user names are left out; an empty list means: no such user.
std::vector<std::string> RecipientCandidates(std::string_view address,
                                             const std::vector<std::string>& domains);

}  // namespace twinspool::auth
