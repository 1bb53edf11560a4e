// One line of POP3 (RFC 1939, RFC 2449 §4) as a value. Pure; the fuzz target drives it, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twinspool::pop3 {

enum class Verb {
  kUser,
  kPass,
  kAuth,
  kStls,
  kStat,
  kList,
  kUidl,
  kRetr,
  kTop,
  kDele,
  kRset,
  kNoop,
  kCapa,
  kQuit,
};

/// Where a command is allowed (RFC 1939 §3).
enum class When { kAnytime, kBeforeLogin, kAfterLogin };

struct Command {
  Verb verb = Verb::kNoop;
  When when = When::kAnytime;
  /// USER, PASS: all that follows the first blank, blanks at either end included. AUTH: mechanism
  /// and perhaps the initial response. Points into the line.
  std::string_view text;
  /// LIST, UIDL: the message, if one is named. RETR, DELE, TOP: the message.
  std::optional<std::uint64_t> message;
  /// TOP: how many lines of the body.
  std::uint64_t lines = 0;
};

/// `line` without its line end. Nothing, and in *error a sentence for the client, on bad input.
std::optional<Command> ParseCommand(std::string_view line, std::string_view* error);

/// The same word, in whichever case; `upper` is in capitals.
bool SameWord(std::string_view text, std::string_view upper);

}  // namespace twinspool::pop3
