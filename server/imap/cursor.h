// Cursor: the tokens of IMAP's grammar (RFC 3501 §9), taken one by one from a command's text.
//
// It backtracks nowhere: each call either takes its token or leaves an error that ends the parse.
// It knows words, not commands; the commands are in parse_*.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"
#include "server/imap/command_text.h"

namespace twinspool::imap {

/// True for the characters of an atom: printable ASCII without specials.
bool IsAtomChar(char c);
inline bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
/// Upper case of an ASCII letter; other octets stay.
char AsciiUpper(char c);
std::string AsciiUpper(std::string_view text);
/// Equal but for the case of ASCII letters.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

/// Errors are kInvalidArgument with a text fit for BAD: what was expected, and at which character
/// of the command. They never repeat the client's input, which may be a password.
class Cursor {
 public:
  /// `text` must outlive the cursor. With `utf8_names`, mailbox names are UTF-8 on the wire
  /// (RFC 6855) in place of modified UTF-7.
  Cursor(const CommandText& text, bool utf8_names) : text_(text), utf8_names_(utf8_names) {}

  bool AtEnd() const { return pos_ >= text_.line.size(); }
  /// The next character, or NUL at the end.
  char Peek() const { return AtEnd() ? '\0' : text_.line[pos_]; }
  /// Whether `text` follows, in any case; takes nothing.
  bool Follows(std::string_view text) const {
    return EqualsIgnoreCase(std::string_view(text_.line).substr(pos_, text.size()), text);
  }
  /// Whether `c` follows; takes it.
  bool TryChar(char c);
  /// Whether the atom that follows is `word` in any case; takes it.
  bool TryWord(std::string_view word);

  /// Octets of the line that were taken.
  std::size_t position() const { return pos_; }
  /// Goes to octet `pos` of the line; for beginning after what was parsed elsewhere.
  void Skip(std::size_t pos) { pos_ = pos; }

  Status Expect(char c);
  Status Space() { return Expect(' '); }
  /// Nothing more may follow.
  Status End() const;

  /// One or more atom characters.
  Result<std::string> Atom();
  /// An atom, in upper case.
  Result<std::string> Word();
  /// Letters, digits, '.' and '-', in upper case: the names of FETCH items and sections.
  Result<std::string> Name();
  /// Atom characters and ']', a quoted string, or a literal.
  Result<std::string> Astring();
  /// A quoted string or a literal. Quoted strings may hold UTF-8 (RFC 9051); NUL is refused.
  Result<std::string> String();
  /// String, or NIL as nullopt.
  Result<std::optional<std::string>> Nstring();
  /// A mailbox name as UTF-8; INBOX in upper case.
  Result<std::string> Mailbox();
  /// A pattern of LIST as UTF-8: an astring that may also have '%' and '*'.
  Result<std::string> ListPattern();

  Result<std::uint32_t> Number();
  /// Number above 0.
  Result<std::uint32_t> NzNumber();
  /// Up to 2^63 - 1 (RFC 7162's mod-sequence-valzer).
  Result<std::uint64_t> Number63();

  /// An error at the present place: "expected WHAT at character N".
  Status Expected(std::string_view what) const;

 private:
  /// The literal announced here, if there is one.
  const Literal* LiteralHere() const;
  Result<std::string> Quoted();
  Result<std::string> TakeLiteral(const Literal& literal);
  /// Characters as long as `accept` holds; at least one.
  Result<std::string> TakeWhile(bool (*accept)(char), std::string_view what);
  Result<std::string> AstringOf(bool (*accept)(char), std::string_view what);
  Result<std::string> DecodeName(std::string wire) const;
  Result<std::uint64_t> Digits(std::uint64_t max, std::string_view what);

  const CommandText& text_;
  const bool utf8_names_;
  std::size_t pos_ = 0;
  std::size_t next_literal_ = 0;
};

}  // namespace twinspool::imap
