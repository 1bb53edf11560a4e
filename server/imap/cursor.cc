// Tokens of IMAP's grammar.
#include "server/imap/cursor.h"

#include <algorithm>
#include <utility>

#include "common/utf8.h"
#include "server/imap/mutf7.h"

namespace twinspool::imap {
namespace {

bool IsAstringChar(char c) {
  return IsAtomChar(c) || c == ']';
}

bool IsPatternChar(char c) {
  return IsAstringChar(c) || c == '%' || c == '*';
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

}  // namespace

bool IsAtomChar(char c) {
  return c > ' ' && c < 0x7f && std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
}

char AsciiUpper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string AsciiUpper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    c = AsciiUpper(c);
  }
  return upper;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return AsciiUpper(x) == AsciiUpper(y);
         });
}

bool Cursor::TryChar(char c) {
  if (Peek() != c || AtEnd()) {
    return false;
  }
  ++pos_;
  return true;
}

bool Cursor::TryWord(std::string_view word) {
  const std::string_view rest = std::string_view(text_.line).substr(pos_);
  if (!EqualsIgnoreCase(rest.substr(0, word.size()), word)) {
    return false;
  }
  if (rest.size() > word.size() && IsAtomChar(rest[word.size()])) {
    return false;
  }
  pos_ += word.size();
  return true;
}

Status Cursor::Expect(char c) {
  if (TryChar(c)) {
    return OkStatus();
  }
  return Expected(c == ' ' ? std::string("a space") : std::string("'") + c + "'");
}

Status Cursor::End() const {
  return AtEnd() ? OkStatus() : Expected("the end of the command");
}

Status Cursor::Expected(std::string_view what) const {
  std::string text = "expected ";
  text += what;
  text += AtEnd() ? " where the command ends, after character " : " at character ";
  text += std::to_string(AtEnd() ? pos_ : pos_ + 1);
  return InvalidArgument(std::move(text));
}

Result<std::string> Cursor::TakeWhile(bool (*accept)(char), std::string_view what) {
  const std::size_t begin = pos_;
  while (!AtEnd() && accept(text_.line[pos_])) {
    ++pos_;
  }
  if (pos_ == begin) {
    return Expected(what);
  }
  return text_.line.substr(begin, pos_ - begin);
}

Result<std::string> Cursor::Atom() {
  return TakeWhile(IsAtomChar, "an atom");
}

Result<std::string> Cursor::Word() {
  ASSIGN_OR_RETURN(std::string word, TakeWhile(IsAtomChar, "a word"));
  return AsciiUpper(word);
}

Result<std::string> Cursor::Name() {
  ASSIGN_OR_RETURN(std::string name, TakeWhile(IsNameChar, "a name"));
  return AsciiUpper(name);
}

Result<std::string> Cursor::AstringOf(bool (*accept)(char), std::string_view what) {
  if (Peek() == '"' || LiteralHere() != nullptr) {
    return String();
  }
  return TakeWhile(accept, what);
}

Result<std::string> Cursor::Astring() {
  return AstringOf(IsAstringChar, "an atom or a string");
}

Result<std::string> Cursor::String() {
  if (Peek() == '"') {
    return Quoted();
  }
  if (const Literal* literal = LiteralHere()) {
    return TakeLiteral(*literal);
  }
  return Expected("a string");
}

Result<std::optional<std::string>> Cursor::Nstring() {
  if (TryWord("NIL")) {
    return std::optional<std::string>();
  }
  ASSIGN_OR_RETURN(std::string text, String());
  return std::optional<std::string>(std::move(text));
}

Result<std::string> Cursor::Mailbox() {
  ASSIGN_OR_RETURN(std::string wire, AstringOf(IsAstringChar, "a mailbox name"));
  if (EqualsIgnoreCase(wire, "INBOX")) {
    return std::string("INBOX");
  }
  return DecodeName(std::move(wire));
}

Result<std::string> Cursor::ListPattern() {
  ASSIGN_OR_RETURN(std::string wire, AstringOf(IsPatternChar, "a mailbox pattern"));
  return DecodeName(std::move(wire));
}

Result<std::string> Cursor::DecodeName(std::string wire) const {
  if (!utf8_names_) {
    return DecodeModifiedUtf7(wire);
  }
  if (!IsUtf8(wire)) {
    return InvalidArgument("the mailbox name is not valid UTF-8");
  }
  return wire;
}

const Literal* Cursor::LiteralHere() const {
  if (next_literal_ < text_.literals.size() && text_.literals[next_literal_].begin == pos_) {
    return &text_.literals[next_literal_];
  }
  return nullptr;
}

Result<std::string> Cursor::TakeLiteral(const Literal& literal) {
  if (!literal.binary && literal.octets.find('\0') != std::string::npos) {
    return InvalidArgument("a literal must not hold NUL");
  }
  pos_ = literal.end;
  ++next_literal_;
  return literal.octets;
}

Result<std::string> Cursor::Quoted() {
  const std::string& line = text_.line;
  std::string text;
  std::size_t at = pos_ + 1;
  while (at < line.size() && line[at] != '"') {
    if (line[at] == '\\') {
      ++at;
      if (at >= line.size() || (line[at] != '"' && line[at] != '\\')) {
        return InvalidArgument("in a quoted string only \" and \\ may follow a \\");
      }
    }
    text += line[at++];
  }
  if (at >= line.size()) {
    return InvalidArgument("a quoted string is not closed");
  }
  if (text.find_first_of(std::string_view("\0\r", 2)) != std::string::npos || !IsUtf8(text)) {
    return InvalidArgument("a quoted string must be valid UTF-8 without NUL or CR; use a literal");
  }
  pos_ = at + 1;
  return text;
}

Result<std::uint64_t> Cursor::Digits(std::uint64_t max, std::string_view what) {
  if (!IsDigit(Peek())) {
    return Expected(what);
  }
  std::uint64_t value = 0;
  while (IsDigit(Peek())) {
    const auto digit = static_cast<std::uint64_t>(Peek() - '0');
    if (value > (max - digit) / 10) {
      return Expected(std::string(what) + " that is not larger than " + std::to_string(max));
    }
    value = value * 10 + digit;
    ++pos_;
  }
  return value;
}

Result<std::uint32_t> Cursor::Number() {
  ASSIGN_OR_RETURN(const std::uint64_t value, Digits(0xffffffffu, "a number"));
  return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> Cursor::NzNumber() {
  if (Peek() == '0') {
    return Expected("a number above 0");
  }
  return Number();
}

Result<std::uint64_t> Cursor::Number63() {
  return Digits((std::uint64_t{1} << 63) - 1, "a number");
}

}  // namespace twinspool::imap
