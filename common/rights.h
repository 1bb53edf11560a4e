// Rights to a mailbox (RFC 4314) as bits, and as the letters that clients and operators write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

namespace twinspool {

using Rights = std::uint16_t;
inline constexpr Rights kRightLookup = 1 << 0;          // l: LIST shows the mailbox
inline constexpr Rights kRightRead = 1 << 1;            // r: SELECT, FETCH, SEARCH, COPY from it
inline constexpr Rights kRightSeen = 1 << 2;            // s: \Seen is kept
inline constexpr Rights kRightWrite = 1 << 3;           // w: the other flags and keywords
inline constexpr Rights kRightInsert = 1 << 4;          // i: APPEND, COPY into it
inline constexpr Rights kRightPost = 1 << 5;            // p: mail may be sent to it
inline constexpr Rights kRightCreate = 1 << 6;          // k: CREATE below it, RENAME to below it
inline constexpr Rights kRightDeleteMailbox = 1 << 7;   // x: DELETE, RENAME of it
inline constexpr Rights kRightDeleteMessages = 1 << 8;  // t: \Deleted
inline constexpr Rights kRightExpunge = 1 << 9;         // e: EXPUNGE
inline constexpr Rights kRightAdminister = 1 << 10;     // a: SETACL, DELETEACL, GETACL
inline constexpr Rights kRightsAll = (1 << 11) - 1;

/// Letters to bits; the old "c" stands for k and x, "d" for t and e (RFC 4314 §2.1.1).
/// kInvalidArgument: another letter is among them.
Result<Rights> ParseRights(std::string_view letters);

/// Bits to letters, in the order above; with `old_letters` also the "c" and "d" that clients of
/// RFC 2086 look for.
std::string RightsText(Rights rights, bool old_letters = false);

}  // namespace twinspool
