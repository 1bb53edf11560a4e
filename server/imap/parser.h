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

namespace twinspool::imap {

/// First two words of a command's line.
struct CommandHead {
  std::string tag;
  std::string verb;              // upper case
  std::size_t arguments_at = 0;  // one after the verb
};

/// The tag that begins `line`, or "" when it is not one (RFC 3501: astring characters but '+').
std::string TagOf(std::string_view line);

/// Tag and verb; an error when there is no such command. APPEND counts as one.
Result<CommandHead> ParseHead(std::string_view line);

/// Any command but APPEND, complete. With `utf8_names`, names are UTF-8 on the wire (RFC 6855).
Result<Command> ParseCommand(const CommandText& text, bool utf8_names);

/// What stands before a message literal of APPEND.
struct AppendPrefix {
  std::string mailbox;  // of the first message only
  FlagList flags;
  std::optional<DateTime> date;
};

/// " mailbox [(flags)] ["date"] " from `arguments_at` up to the end of the text, where the literal
/// was announced (its "{…}" already taken off).
Result<AppendPrefix> ParseFirstAppend(const CommandText& text, std::size_t arguments_at,
                                      bool utf8_names);
/// " [(flags)] ["date"] " of the messages after the first (MULTIAPPEND, RFC 3502).
Result<AppendPrefix> ParseNextAppend(const CommandText& text);

}  // namespace twinspool::imap
