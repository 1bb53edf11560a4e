// Content-Transfer-Encoding (RFC 2045 §6): octets as sent -> octets meant.
//
// The decoders never fail, as search wants it: characters outside base64's alphabet are skipped, a
// broken "=XY" of quoted-printable stays as it is. Not for
// uses that must refuse broken input.
#pragma once

#include <string>
#include <string_view>

namespace twinspool::mime {

/// What has to be done to octets of an encoding: nothing (7bit, 8bit, binary, or none named), to be
/// decoded, or nobody knows.
enum class TransferKind { kIdentity, kEncoded, kUnknown };
TransferKind TransferKindOf(std::string_view encoding);

/// `body` decoded; unknown encodings give it back unchanged. Never longer than `body`.
std::string DecodeTransfer(std::string_view encoding, std::string_view body);

/// Padding ends a run, not the text: concatenated base64 decodes as its parts.
std::string DecodeBase64Loosely(std::string_view text);
/// Soft line breaks and white space before a line break go; hard ones stay as they are.
std::string DecodeQuotedPrintable(std::string_view text);

}  // namespace twinspool::mime
