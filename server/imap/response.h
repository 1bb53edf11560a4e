// What the server writes: strings, names, flags, sets, status responses; and which response code
// tells which Status.
//
// All functions append to a string and never fail. Text of ours and of a Status is made safe for a
// response line; octets of mail are written as quoted string or literal, so that nothing in them
// can pass for protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/imap/command.h"
#include "server/mail_store.h"

namespace twinspool::imap {

// --- tokens

/// Decimal digits.
void AppendNumber(std::string* out, std::uint64_t value);
/// A quoted string when the octets allow it (printable ASCII, at most 1000), otherwise a literal.
/// NUL, which IMAP has no way to write, becomes 0x80.
void AppendString(std::string* out, std::string_view octets);
/// An atom when the text is one (and is not NIL), otherwise as AppendString.
void AppendAstring(std::string* out, std::string_view text);
/// "{size}" CRLF, the octets follow by the caller.
void AppendLiteralHead(std::string* out, std::uint64_t size);
/// A mailbox name: modified UTF-7, or UTF-8 in quotes when `utf8_names` (RFC 6855).
void AppendMailbox(std::string* out, std::string_view name, bool utf8_names);

/// "(\Seen $Forwarded)": system flags, then the keywords whose bit is set.
void AppendFlags(std::string* out, SystemFlags system, const KeywordBits& keywords,
                 const std::vector<std::string>& keyword_table);
/// The names of FLAGS: all system flags, all keywords.
void AppendFlagTable(std::string* out, const std::vector<std::string>& keyword_table);
/// The names of PERMANENTFLAGS: what one with these rights may change, and "\*" if he may and there
/// is room for another keyword.
void AppendPermanentFlags(std::string* out, const std::vector<std::string>& keyword_table,
                          Rights rights);
/// "\Sent" and the like, separated by spaces, nothing around.
void AppendSpecialUse(std::string* out, SpecialUse use);
/// What AppendSpecialUse writes, in any case and order; nothing: there is another word in it.
std::optional<SpecialUse> ReadSpecialUse(std::string_view text);
/// "* LIST (attributes) "/" name" CRLF, with the OLDNAME of RFC 9051 §6.3.9.7 unless it is empty.
void AppendListLine(std::string* out, std::string_view attributes, std::string_view name,
                    std::string_view old_name, bool utf8_names);

/// "1:3,7"; nothing for the empty set.
void AppendSet(std::string* out, const UidSet& set);
/// The same for numbers in the order given, e.g. the UIDs of COPYUID (RFC 4315): runs that rise by
/// one become ranges.
void AppendNumbersInOrder(std::string* out, const std::vector<Uid>& numbers);
/// "\" 1-Feb-2024 13:05:09 +0100\"" with its quotes.
void AppendInternalDate(std::string* out, std::int64_t seconds, std::int16_t zone_minutes);

// --- status responses

enum class Condition { kOk, kNo, kBad, kBye };

/// "tag OK [CODE] text" CRLF; an empty tag is "*". `code` without brackets, empty for none. The
/// text is made safe: other than printable ASCII becomes '?', its length is bounded.
void AppendStatusLine(std::string* out, std::string_view tag, Condition condition,
                      std::string_view code, std::string_view text);

/// "[MESSAGELIMIT n] " and why: a command that is all or nothing names more messages than it may
/// (RFC 9738).
std::string TooManyMessages();

/// What kNotFound means to the command at hand.
enum class Missing {
  kNonExistent,  // [NONEXISTENT]
  kTryCreate,    // [TRYCREATE]: the target of APPEND, COPY, MOVE
};

/// How a failed call is told to the client.
struct Refusal {
  Condition condition = Condition::kNo;
  std::string_view code;  // without brackets; empty for none
  std::string text;
  /// The outcome is not known: no tagged answer may be given; say BYE and close.
  bool close = false;
};

/// The one table from Status to response (codes of RFC 5530, RFC 9208). Faults of ours (kInternal,
/// kIo, kDataLoss) show a neutral text with `error_id`, under which the log has the details.
/// `status` must not be OK.
Refusal RefusalFor(const Status& status, Missing missing, std::string_view error_id);

}  // namespace twinspool::imap
