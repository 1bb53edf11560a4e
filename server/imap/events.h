// The events by which CommandReader hands out commands, and messages as they come.
//
// A session calls reader.Feed(bytes), then reader.Next() until it answers nothing. It may stop in
// between, e.g. while a command waits for the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/imap/command.h"
#include "server/mail_store.h"

namespace twinspool::imap {

/// A synchronizing literal within the limits was announced: write "+ …" (or RefuseLiteral).
struct NeedContinuation {
  std::string tag;
  std::uint64_t size = 0;
};

/// A whole command was read and its syntax is right.
struct CommandReady {
  Command command;
};

/// Which message of the selected mailbox a REPLACE is about (RFC 8508).
struct ReplaceTarget {
  bool uid = false;
  std::uint32_t number = kStar;
};

/// APPEND (RFC 3501 §6.3.11, MULTIAPPEND RFC 3502), or REPLACE of one message. Directly followed by
/// its first AppendMessageBegin. A NeedContinuation that comes later is for an URL. The command
/// ends with AppendEnd, or is broken off by BadLine or LiteralTooBig: then nothing is to be stored.
struct AppendBegin {
  std::string tag;
  std::string mailbox;
  std::optional<ReplaceTarget> replaces;
};

/// A message follows as exactly `size` octets of AppendData (none when 0); then comes the next
/// AppendMessageBegin, or AppendEnd. When `sync`, write "+ …" first; or answer NO and call
/// RefuseLiteral in place of it. Once octets are on their way, DiscardCommand gives the APPEND up.
/// With `catenate` no octets follow but CatenateUrl and CatenateText, in the order of the message's
/// pieces.
struct AppendMessageBegin {
  FlagList flags;
  std::optional<DateTime> date;
  std::uint64_t size = 0;
  bool sync = false;
  bool binary = false;    // literal8, "~{…}": may hold NUL (RFC 3516)
  bool catenate = false;  // RFC 4469
};

/// The next piece of a message are octets of another one.
struct CatenateUrl {
  std::string url;  // as the client wrote it
};

/// The next piece of a message follows as octets, as those of AppendMessageBegin do.
struct CatenateText {
  std::uint64_t size = 0;
  bool sync = false;
  bool binary = false;
};

/// Octets of the message, any cut; the view is good until the reader's next call.
struct AppendData {
  std::string_view octets;
};

struct AppendEnd {
  std::string tag;
};

/// A literal passes its limit. Nothing of the command will be handed out any more: answer tagged NO
/// [TOOBIG] when `message`, tagged BAD or NO [LIMIT] otherwise. Octets of a non-synchronizing one
/// are skipped by the reader.
struct LiteralTooBig {
  std::string tag;
  std::uint64_t size = 0;
  bool sync = false;
  bool message = false;  // of APPEND
};

/// The line asked for by CommandReader::ReadRawLine, without its line end.
struct RawLine {
  std::string text;
};

/// Syntax error: answer "tag BAD text" ("* BAD text" when there is no tag) and go on.
struct BadLine {
  std::string tag;
  std::string text;
};

/// The input cannot be followed any more: say BYE with `text` and close. No event follows.
struct Fatal {
  std::string text;
};

using Event =
    std::variant<NeedContinuation, CommandReady, AppendBegin, AppendMessageBegin, CatenateUrl,
                 CatenateText, AppendData, AppendEnd, LiteralTooBig, RawLine, BadLine, Fatal>;

}  // namespace twinspool::imap
