// What stands between the literals of APPEND and REPLACE (RFC 3501, RFC 3502, RFC 4469, RFC 6855,
// RFC 8508). Pure, like parser.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/status.h"
#include "server/imap/command_text.h"
#include "server/imap/events.h"

namespace twinspool::imap {

/// Where the mailbox begins in `line`, the (first part of a) command APPEND, REPLACE or UID
/// REPLACE: what literals stand behind it are messages, pieces of them or URLs. Nothing: it is
/// another command, or that part of it is wrong.
std::optional<std::size_t> AppendMailboxAt(std::string_view line);

/// How far an APPEND has come.
enum class AppendPlace {
  kStart,     // nothing of it was read
  kMessage,   // behind a message
  kUtf8,      // behind a message sent as "UTF8 (" literal; ")" is to follow
  kCatenate,  // behind a piece of a message of CATENATE
};

/// What the literal at the end of a stretch is.
enum class AppendLiteral { kNone, kMessage, kText, kUrl };

/// The text from one literal to the next, or to the end of the command.
struct AppendStretch {
  // Of a stretch that begins at kStart.
  std::string mailbox;
  std::optional<ReplaceTarget> replaces;
  /// In order. When the literal is a message, the last step is its AppendMessageBegin, whose size
  /// is still to be filled in.
  std::vector<std::variant<AppendMessageBegin, CatenateUrl>> steps;
  AppendLiteral literal = AppendLiteral::kNone;
  /// Behind the literal. Of no meaning for kUrl: there the stretch goes on, and is to be parsed
  /// again with the URL in it.
  AppendPlace place = AppendPlace::kMessage;
};

/// `text` is the stretch, without the announcement of the literal that `literal_follows`. Names are
/// UTF-8 with `utf8_names` (RFC 6855).
Result<AppendStretch> ParseAppendStretch(const CommandText& text, AppendPlace from,
                                         bool literal_follows, bool utf8_names);

}  // namespace twinspool::imap
