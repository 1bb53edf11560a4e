#include "server/mime/preview.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/limits.h"
#include "common/utf8.h"
#include "server/mime/ascii.h"
#include "server/mime/charset.h"
#include "server/mime/parameters.h"
#include "server/mime/transfer.h"

namespace twinspool::mime {
namespace {

/// Characters that mail puts into its first lines in order not to be seen, and blanks of all kinds.
bool IsInvisible(std::int32_t c) {
  return c == 0x00ad || c == 0x034f || (c >= 0x200b && c <= 0x200f) || c == 0x2060 || c == 0xfeff;
}
bool IsBlank(std::int32_t c) {
  return c <= 0x20 || c == 0x7f || c == 0x00a0 || c == 0x3000 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029;
}

/// One line of words: blanks of any kind become one, and the length is bounded.
std::string Words(std::string_view utf8) {
  std::string out;
  std::size_t characters = 0;
  bool gap = false;
  for (std::size_t pos = 0; pos < utf8.size() && characters < limits::kPreviewCharactersMax;) {
    const std::int32_t c = NextUtf8(utf8, &pos);
    if (IsInvisible(c)) {
      continue;
    }
    if (c != kNotUtf8 && IsBlank(c)) {
      gap = !out.empty();
      continue;
    }
    if (gap && ++characters < limits::kPreviewCharactersMax) {
      out.push_back(' ');
    }
    gap = false;
    if (characters < limits::kPreviewCharactersMax) {
      AppendUtf8(c == kNotUtf8 ? kReplacementCharacter : c, &out);
      ++characters;
    }
  }
  return out;
}

/// The lines that do not begin with '>'.
std::string WithoutQuotes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (!text.starts_with('>')) {
      out.append(text.substr(0, end));
    }
    text.remove_prefix(end);
  }
  return out;
}

// --- HTML

struct Entity {
  std::string_view name;
  std::int32_t character;
};
constexpr std::array<Entity, 8> kEntities = {{{"amp", '&'},
                                              {"lt", '<'},
                                              {"gt", '>'},
                                              {"quot", '"'},
                                              {"apos", '\''},
                                              {"nbsp", 0xa0},
                                              {"zwnj", 0x200c},
                                              {"shy", 0xad}}};
constexpr std::size_t kEntityBytesMax = 10;

std::int32_t NumericEntity(std::string_view digits) {
  const bool hex = digits.starts_with('x') || digits.starts_with('X');
  digits.remove_prefix(hex ? 1 : 0);
  std::int32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  const bool good = error == std::errc() && end == digits.data() + digits.size() && value > 0 &&
                    value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  return good ? value : kNotUtf8;
}

/// The character of the reference "&…;" at `pos`, which is moved behind it; kNotUtf8: it is none.
std::int32_t TakeEntity(std::string_view html, std::size_t* pos) {
  const std::string_view ahead = html.substr(*pos + 1, kEntityBytesMax);
  const std::size_t end = ahead.find(';');
  if (end == ahead.npos || end == 0) {
    return kNotUtf8;
  }
  const std::string_view name = ahead.substr(0, end);
  std::int32_t character = kNotUtf8;
  if (name.starts_with('#')) {
    character = NumericEntity(name.substr(1));
  }
  for (const Entity& entity : kEntities) {
    character = entity.name == name ? entity.character : character;
  }
  *pos += character == kNotUtf8 ? 0 : end + 2;
  return character;
}

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view one) { return EqualsIgnoreCase(name, one); });
}

/// Position behind the closing tag of an element whose content is no text.
std::size_t SkipElement(std::string_view html, std::size_t pos, std::string_view name) {
  for (pos = html.find("</", pos); pos != html.npos; pos = html.find("</", pos + 2)) {
    if (EqualsIgnoreCase(html.substr(pos + 2, name.size()), name)) {
      return std::min(html.find('>', pos), html.size() - 1) + 1;
    }
  }
  return html.size();
}

/// Position behind the tag or comment at `pos`; a blank goes to *out where it ends a line.
std::size_t SkipTag(std::string_view html, std::size_t pos, std::string* out) {
  if (html.substr(pos).starts_with("<!--")) {
    const std::size_t end = html.find("-->", pos + 4);
    return end == html.npos ? html.size() : end + 3;
  }
  const std::size_t begin = pos + (html.substr(pos).starts_with("</") ? 2 : 1);
  const std::size_t name_end = std::min(html.find_first_of(" \t\r\n/>", begin), html.size());
  const std::string_view name = html.substr(begin, name_end - begin);
  const std::size_t end = std::min(html.find('>', pos), html.size() - 1) + 1;
  if (begin == pos + 1 && IsOneOf(name, {"style", "script", "head", "title"})) {
    return SkipElement(html, end, name);
  }
  if (!IsOneOf(name, {"a", "b", "i", "u", "em", "strong", "span", "font", "small", "big", "sup",
                      "sub", "code", "tt", "s", "wbr"})) {
    out->push_back(' ');
  }
  return end;
}

// --- parts

bool IsText(const Part& part, std::string_view subtype) {
  return part.kind == PartKind::kLeaf && EqualsIgnoreCase(part.type, "text") &&
         EqualsIgnoreCase(part.subtype, subtype) &&
         !EqualsIgnoreCase(part.fields.disposition, "attachment");
}

std::string TextOf(const Part& part, std::string_view message) {
  const std::string decoded = DecodeTransfer(
      part.fields.encoding, part.body.Of(message).substr(0, limits::kPreviewSourceBytesMax));
  return ToUtf8(DecodedParameter(part.fields.parameters, "charset").value_or(""), decoded);
}

}  // namespace

std::string TextOfHtml(std::string_view utf8) {
  // Every character of a preview takes four octets at most, and an invisible one may stand before.
  constexpr std::size_t kEnough = limits::kPreviewCharactersMax * 64;
  std::string out;
  for (std::size_t pos = 0; pos < utf8.size() && out.size() < kEnough;) {
    if (utf8[pos] == '<') {
      pos = SkipTag(utf8, pos, &out);
      continue;
    }
    const std::int32_t entity = utf8[pos] == '&' ? TakeEntity(utf8, &pos) : kNotUtf8;
    if (entity != kNotUtf8) {
      AppendUtf8(entity, &out);
    } else {
      out.push_back(utf8[pos++]);
    }
  }
  return out;
}

std::string Preview(const Structure& structure, std::string_view message) {
  for (const Part& part : structure.parts) {
    if (IsText(part, "plain")) {
      if (std::string words = Words(WithoutQuotes(TextOf(part, message))); !words.empty()) {
        return words;
      }
    }
  }
  for (const Part& part : structure.parts) {
    if (IsText(part, "html")) {
      if (std::string words = Words(TextOfHtml(TextOf(part, message))); !words.empty()) {
        return words;
      }
    }
  }
  return "";
}

}  // namespace twinspool::mime
