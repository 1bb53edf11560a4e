// Content-Transfer-Encoding (RFC 2045 §6): octets as sent -> octets meant.
//
// The decoders never fail, as search wants it: characters outside base64's alphabet are skipped, a
// broken "=XY" of quoted-printable stays as it is. Not for
// uses that must refuse broken input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinspool::mime {

/// What has to be done to octets of an encoding: nothing (7bit, 8bit, binary, or none named), to be
/// decoded, or nobody knows.
enum class TransferKind { kIdentity, kEncoded, kUnknown };
TransferKind TransferKindOf(std::string_view encoding);

/// The same as DecodeTransfer, piece by piece and cut anywhere, holding little: a body of any size
/// can be counted and told. Of a line of quoted-printable so much is kept as is
/// needed; a run of white space longer than kLineBytesMax stays although it ends a line.
class TransferDecoder {
 public:
  static constexpr std::size_t kLineBytesMax = 64u << 10;

  explicit TransferDecoder(std::string_view encoding);
  /// Appends to *out what is known of `octets` by now.
  void Feed(std::string_view octets, std::string* out);
  /// The body ends here.
  void Finish(std::string* out);

 private:
  void FeedBase64(std::string_view octets, std::string* out);

  bool base64_ = false;
  bool quoted_ = false;
  std::uint32_t bits_ = 0;
  int count_ = 0;
  std::string line_;  // quoted-printable, not complete yet
};

/// `body` decoded; unknown encodings give it back unchanged. Never longer than `body`.
std::string DecodeTransfer(std::string_view encoding, std::string_view body);

/// Padding ends a run, not the text: concatenated base64 decodes as its parts.
std::string DecodeBase64Loosely(std::string_view text);
/// Soft line breaks and white space before a line break go; hard ones stay as they are.
std::string DecodeQuotedPrintable(std::string_view text);

}  // namespace twinspool::mime
