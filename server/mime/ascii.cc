#include "server/mime/ascii.h"

#include <algorithm>

namespace twinspool::mime {
namespace {

/// Position behind the comment that opens at `pos`.
std::size_t SkipComment(std::string_view text, std::size_t pos) {
  std::size_t depth = 0;
  for (; pos < text.size(); ++pos) {
    const char c = text[pos];
    if (c == '\\') {
      ++pos;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && --depth == 0) {
      return pos + 1;
    }
  }
  return text.size();
}

}  // namespace

int HexValue(char c) {
  if (IsDigit(c)) {
    return c - '0';
  }
  const char lower = ToLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string Lowercase(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ToLower);
  return out;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return ToLower(x) == ToLower(y);
         });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsSpace(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::size_t SkipCfws(std::string_view text, std::size_t pos, std::string_view* comment) {
  while (pos < text.size()) {
    if (IsSpace(text[pos])) {
      ++pos;
      continue;
    }
    if (text[pos] != '(') {
      break;
    }
    const std::size_t end = SkipComment(text, pos);
    if (comment != nullptr) {
      const bool closed = end > pos + 1 && text[end - 1] == ')';
      *comment = text.substr(pos + 1, end - pos - (closed ? 2 : 1));
    }
    pos = end;
  }
  return pos;
}

void ReadQuotedString(std::string_view text, std::size_t* pos, std::string* out) {
  for (++*pos; *pos < text.size(); ++*pos) {
    char c = text[*pos];
    if (c == '"') {
      ++*pos;
      return;
    }
    if (c == '\\' && *pos + 1 < text.size()) {
      c = text[++*pos];
    }
    if (c != '\r' && c != '\n' && c != '\0') {
      out->push_back(c);
    }
  }
}

}  // namespace twinspool::mime
