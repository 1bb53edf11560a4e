// Character classes and comparisons of RFC 5322, in ASCII and without a locale.
//
// Everything here treats octets above 0x7f as ordinary characters of a word, as mail in the wild
// does. Not for text of users: that is fold.h.
#pragma once

#include <string>
#include <string_view>

namespace twinspool::mime {

inline bool IsWsp(char c) {
  return c == ' ' || c == '\t';
}
/// White space of an unfolded or still folded value: SP, TAB, CR, LF.
inline bool IsSpace(char c) {
  return IsWsp(c) || c == '\r' || c == '\n';
}
inline bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
inline bool IsAscii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}
inline char ToLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// Value of a hexadecimal digit, or -1.
int HexValue(char c);

std::string Lowercase(std::string_view text);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

/// `text` without IsSpace characters at both ends.
std::string_view Trim(std::string_view text);

/// Position behind the comment, white space and line breaks that start at `pos` (RFC 5322 CFWS).
/// Nested comments are counted, not recursed into; an unterminated one reaches to the end. The
/// inside of the last comment that was passed goes to *comment, unless that is null.
std::size_t SkipCfws(std::string_view text, std::size_t pos, std::string_view* comment = nullptr);

/// Reads the quoted string whose opening '"' stands at *pos: appends its content without quotes,
/// backslashes and line breaks to *out and moves *pos behind the closing quote (or to the end).
void ReadQuotedString(std::string_view text, std::size_t* pos, std::string* out);

}  // namespace twinspool::mime
