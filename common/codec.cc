#include "common/codec.h"

#include <array>

namespace twinspool {
namespace {

template <typename T>
void PutBigEndian(std::string* out, T value) {
  for (int shift = static_cast<int>(sizeof(T) * 8) - 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) {
    value = value << 8 | static_cast<std::uint8_t>(c);
  }
  return value;
}

constexpr std::array<std::uint32_t, 256> MakeCrcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    table[i] = crc;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = MakeCrcTable();
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') {
    return c - 'A';
  }
  if (c >= 'a' && c <= 'z') {
    return c - 'a' + 26;
  }
  if (c >= '0' && c <= '9') {
    return c - '0' + 52;
  }
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

void PutBe32(std::string* out, std::uint32_t value) {
  PutBigEndian(out, value);
}
void PutBe64(std::string* out, std::uint64_t value) {
  PutBigEndian(out, value);
}

void PutVarint(std::string* out, std::uint64_t value) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void PutString(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

std::string_view Reader::Bytes(std::size_t count) {
  if (count > input_.size()) {
    Fail();
    return {};
  }
  const std::string_view bytes = input_.substr(0, count);
  input_.remove_prefix(count);
  return bytes;
}

std::uint8_t Reader::U8() {
  if (input_.empty()) {
    Fail();
    return 0;
  }
  const auto byte = static_cast<std::uint8_t>(input_.front());
  input_.remove_prefix(1);
  return byte;
}
std::uint32_t Reader::Be32() {
  return static_cast<std::uint32_t>(BigEndian(Bytes(4)));
}
std::uint64_t Reader::Be64() {
  return BigEndian(Bytes(8));
}

std::uint64_t Reader::Varint() {
  // Index pages are read by the hundred thousand entries, so this walks the octets itself.
  std::uint64_t value = 0;
  std::size_t at = 0;
  for (int shift = 0; shift < 64 && at < input_.size(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(input_[at++]);
    if (shift == 63 && byte > 1) {
      break;  // more than 64 bits
    }
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      input_.remove_prefix(at);
      return value;
    }
  }
  Fail();
  return 0;
}

std::uint32_t Crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc = kCrcTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xff] ^ crc >> 8;
  }
  return ~crc;
}

std::string Base64Encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < group.size() ? static_cast<std::uint8_t>(group[k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= group.size() ? kBase64[bits >> (18 - 6 * k) & 63] : '=');
    }
  }
  return out;
}

bool Base64Decode(std::string_view text, std::string* out) {
  out->clear();
  if (text.size() % 4 != 0) {
    return false;
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
    ++padding;
  }
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pad = i >= text.size() - padding;
    const int value = pad ? 0 : Base64Value(text[i]);
    if (value < 0) {
      return false;
    }
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (i % 4 == 3) {
      out->push_back(static_cast<char>(bits >> 16 & 0xff));
      out->push_back(static_cast<char>(bits >> 8 & 0xff));
      out->push_back(static_cast<char>(bits & 0xff));
    }
  }
  out->resize(out->size() - padding);
  return true;
}

}  // namespace twinspool
