#include "common/json.h"

#include <cstdio>

namespace twinspool {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of `s`, or 0.
std::size_t Utf8Length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length == 0 || length > s.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
  const bool too_high = lead == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || too_high ? 0 : length;
}

}  // namespace

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const auto c = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (c < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out + '"';
}

void JsonWriter::Separate() {
  if (body_.size() > 1) {
    body_ += ", ";
  }
}

JsonWriter& JsonWriter::AddRaw(std::string_view key, std::string_view json) {
  Separate();
  body_ += JsonString(key);
  body_ += ": ";
  body_ += json;
  return *this;
}

JsonWriter& JsonWriter::AddRaw(std::string_view json) {
  Separate();
  body_ += json;
  return *this;
}

JsonWriter& JsonWriter::Add(std::string_view key, std::string_view value) {
  return AddRaw(key, JsonString(value));
}
JsonWriter& JsonWriter::Add(std::string_view key, bool value) {
  return AddRaw(key, value ? "true" : "false");
}
JsonWriter& JsonWriter::Add(std::string_view key, std::uint64_t value) {
  return AddRaw(key, std::to_string(value));
}
JsonWriter& JsonWriter::Add(std::string_view key, std::int64_t value) {
  return AddRaw(key, std::to_string(value));
}
JsonWriter& JsonWriter::Add(std::string_view key, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  return AddRaw(key, text);
}

}  // namespace twinspool
