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

}  // namespace twinspool::imap
