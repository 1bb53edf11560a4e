// Bytes in and out: fixed-width integers, varints, length-prefixed strings, checksums.
//
// Two conventions: keys use big-endian fixed integers so that byte order is number order; packed
// values use varints. Reader never reads past its input: a short or malformed input makes it fail
// and stay failed, so a caller may check once at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinspool {

void PutBe32(std::string* out, std::uint32_t value);
void PutBe64(std::string* out, std::uint64_t value);
/// LEB128, at most 10 bytes.
void PutVarint(std::string* out, std::uint64_t value);
/// Varint length, then the bytes.
void PutString(std::string* out, std::string_view bytes);

/// Reads what the Put functions wrote. Does not own its input.
class Reader {
 public:
  explicit Reader(std::string_view input) : input_(input) {}

  std::uint8_t U8();
  std::uint32_t Be32();
  std::uint64_t Be64();
  std::uint64_t Varint();
  /// View into the input; empty after a failure.
  std::string_view Bytes(std::size_t count);
  std::string_view String() { return Bytes(Varint()); }

  /// False once anything was missing or malformed; every later read answers 0 or empty.
  bool ok() const { return ok_; }
  bool AtEnd() const { return input_.empty(); }
  std::string_view rest() const { return input_; }
  void Fail() {
    ok_ = false;
    input_ = {};
  }

 private:
  std::string_view input_;
  bool ok_ = true;
};

/// CRC-32C (Castagnoli) of `bytes`, for detecting torn or rotten files of our own.
std::uint32_t Crc32c(std::string_view bytes);

/// Standard base64 (RFC 4648 §4), padded.
std::string Base64Encode(std::string_view bytes);
/// Strict decode: only the alphabet, right padding. False leaves *out unspecified.
bool Base64Decode(std::string_view text, std::string* out);

}  // namespace twinspool
