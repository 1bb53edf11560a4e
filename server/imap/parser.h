// From a command's text to the command: the grammar of RFC 3501 §9 and its extensions.
//
// Pure functions over a complete CommandText; how text and literals arrive is reader.h. Errors are
// kInvalidArgument with a text for BAD that does not repeat the client's input.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"
#include "server/imap/command.h"
#include "server/imap/command_text.h"
#include "server/imap/events.h"

namespace twinspool::imap {

/// First two words of a command's line.
struct CommandHead {
  std::string tag;
  std::string verb;              // upper case
  std::size_t arguments_at = 0;  // one after the verb
};

/// The tag that begins `line`, or "" when it is not one (RFC 3501: astring characters but '+').
std::string TagOf(std::string_view line);

/// Tag and verb; an error when there is no such command. APPEND and REPLACE count as one.
Result<CommandHead> ParseHead(std::string_view line);

/// Any command but APPEND, complete. With `utf8_names`, names are UTF-8 on the wire (RFC 6855).
Result<Command> ParseCommand(const CommandText& text, bool utf8_names);

/// Where the mailbox begins in `line`, the (first part of a) command APPEND, REPLACE or UID
/// REPLACE: what literals stand behind it are messages. Nothing: it is another command, or that
/// part of it is wrong.
std::optional<std::size_t> AppendMailboxAt(std::string_view line);

/// What stands before a message literal of APPEND or REPLACE.
struct AppendPrefix {
  std::string mailbox;                    // of the first message only
  std::optional<ReplaceTarget> replaces;  // likewise
  FlagList flags;
  std::optional<DateTime> date;
  bool utf8 = false;  // as "UTF8 (" literal ")" (RFC 6855 §4)
};

/// "[number] mailbox [(flags)] ["date"] " up to the end of the text, where the literal was
/// announced (its "{…}" already taken off). For a text of which AppendMailboxAt knows the place.
Result<AppendPrefix> ParseFirstAppend(const CommandText& text, bool utf8_names);
/// " [(flags)] ["date"] " of the messages after the first (MULTIAPPEND, RFC 3502).
Result<AppendPrefix> ParseNextAppend(const CommandText& text);

}  // namespace twinspool::imap
