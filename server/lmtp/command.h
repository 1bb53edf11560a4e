// One line of LMTP (RFC 2033, RFC 5321 §4.1) as a value. Pure; the fuzz target drives it, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twinspool::lmtp {

enum class Verb {
  kLhlo,
  kMail,
  kRcpt,
  kData,
  kRset,
  kNoop,
  kQuit,
  kVrfy,
  kStartTls,
  kHelo,
  kUnknown
};

/// A reply: code, enhanced code (RFC 3463) and text; no line end.
struct Reply {
  int code = 250;
  std::string_view enhanced = "2.0.0";
  std::string text = {};

  /// "250 2.0.0 text\r\n"; control characters in the text become '?'.
  std::string Line() const;
};

struct Command {
  Verb verb = Verb::kUnknown;
  /// What follows the verb, without the space before it.
  std::string_view rest;
};

/// `line` without its line end; the view points into it.
Command ParseCommand(std::string_view line);

bool IsAscii(std::string_view text);

/// A path of MAIL or RCPT with its parameters.
struct Path {
  /// Without angle brackets, source route and the quotes of a quoted local part; empty for "<>".
  std::string address;
  std::optional<std::uint64_t> size;  // SIZE= (RFC 1870)
  bool utf8 = false;                  // SMTPUTF8 (RFC 6531)
};

/// Parses "FROM:<…> …" or "TO:<…> …", `keyword` being "FROM" or "TO". Parameters other than SIZE,
/// BODY and SMTPUTF8 of MAIL are refused. Nothing and *error on bad input.
std::optional<Path> ParsePath(std::string_view rest, std::string_view keyword, Reply* error);

}  // namespace twinspool::lmtp
