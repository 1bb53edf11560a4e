#include "common/json.h"

#include <cstdint>
#include <cstdio>

#include "common/utf8.h"

namespace twinspool {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

}  // namespace

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t start = pos;
    const std::int32_t c = NextUtf8(text, &pos);
    if (c == kNotUtf8) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c < 0x20) {
      out += "\\u00";
      out.push_back(kHexDigits[c >> 4]);
      out.push_back(kHexDigits[c & 0xf]);
    } else {
      out += text.substr(start, pos - start);
    }
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
