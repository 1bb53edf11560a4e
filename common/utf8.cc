#include "common/utf8.h"

namespace twinspool {
namespace {

std::uint32_t Octet(std::string_view text, std::size_t pos) {
  return pos < text.size() ? static_cast<unsigned char>(text[pos]) : 0;
}

char ToChar(std::int32_t octet) {
  return static_cast<char>(octet);
}

/// Smallest code point that needs so many octets.
constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};

}  // namespace

std::int32_t NextUtf8(std::string_view text, std::size_t* pos) {
  const std::uint32_t first = Octet(text, *pos);
  const std::size_t start = (*pos)++;
  if (first < 0x80) {
    return static_cast<std::int32_t>(first);
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) {
    return kNotUtf8;
  }
  std::uint32_t code_point = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint32_t next = Octet(text, start + i);
    if ((next & 0xc0) != 0x80) {
      return kNotUtf8;
    }
    code_point = code_point << 6 | (next & 0x3f);
  }
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[length] || surrogate || code_point > 0x10ffff) {
    return kNotUtf8;
  }
  *pos = start + length;
  return static_cast<std::int32_t>(code_point);
}

bool IsUtf8(std::string_view text) {
  for (std::size_t pos = 0; pos < text.size();) {
    if (NextUtf8(text, &pos) == kNotUtf8) {
      return false;
    }
  }
  return true;
}

void AppendUtf8(std::int32_t code_point, std::string* out) {
  if (code_point < 0x80) {
    out->push_back(ToChar(code_point));
    return;
  }
  if (code_point < 0x800) {
    out->push_back(ToChar(0xc0 | code_point >> 6));
  } else if (code_point < 0x10000) {
    out->push_back(ToChar(0xe0 | code_point >> 12));
    out->push_back(ToChar(0x80 | (code_point >> 6 & 0x3f)));
  } else {
    out->push_back(ToChar(0xf0 | code_point >> 18));
    out->push_back(ToChar(0x80 | (code_point >> 12 & 0x3f)));
    out->push_back(ToChar(0x80 | (code_point >> 6 & 0x3f)));
  }
  out->push_back(ToChar(0x80 | (code_point & 0x3f)));
}

}  // namespace twinspool
