#include "server/mime/charset.h"

#include <algorithm>
#include <limits>
#include <memory>

#include <unicode/ucnv.h>

#include "common/utf8.h"
#include "server/mime/ascii.h"

namespace twinspool::mime {
namespace {

constexpr std::size_t kNameBytesMax = 40;  // the longest IANA name has 45, no mail uses it

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

bool IsNameChar(char c) {
  return IsDigit(c) || (ToLower(c) >= 'a' && ToLower(c) <= 'z') || c == '-' || c == '_' ||
         c == '.' || c == ':' || c == '+';
}

/// Null for a name that ICU does not know. The name is checked first: ICU reads options behind a
/// comma and looks for files of unknown names.
Converter Open(std::string_view charset) {
  if (charset.empty() || charset.size() > kNameBytesMax ||
      !std::all_of(charset.begin(), charset.end(), IsNameChar)) {
    return nullptr;
  }
  UErrorCode error = U_ZERO_ERROR;
  Converter converter(ucnv_open(std::string(charset).c_str(), &error));
  return U_SUCCESS(error) != 0 ? std::move(converter) : nullptr;
}

std::string Convert(UConverter* converter, std::string_view bytes) {
  bytes = bytes.substr(0, std::numeric_limits<std::int32_t>::max() / 4);
  const auto size = static_cast<std::int32_t>(bytes.size());
  std::string out(bytes.size() + bytes.size() / 2 + 16, '\0');
  for (;;) {
    UErrorCode error = U_ZERO_ERROR;
    const std::int32_t length =
        ucnv_toAlgorithmic(UCNV_UTF8, converter, out.data(), static_cast<std::int32_t>(out.size()),
                           bytes.data(), size, &error);
    if (error == U_BUFFER_OVERFLOW_ERROR && static_cast<std::size_t>(length) > out.size()) {
      out.resize(static_cast<std::size_t>(length));
      continue;
    }
    out.resize(U_SUCCESS(error) != 0 ? static_cast<std::size_t>(length) : 0);
    return out;
  }
}

/// ICU takes an escape sequence that is followed at once by another for an attack; joined texts
/// have them.
std::string WithoutEmptyStretches(std::string_view bytes) {
  constexpr std::string_view kBackAndForth = "\x1b(B\x1b";
  std::string out;
  for (std::size_t at = bytes.find(kBackAndForth); at != std::string_view::npos;
       at = bytes.find(kBackAndForth)) {
    out += bytes.substr(0, at);
    bytes.remove_prefix(at + kBackAndForth.size() - 1);
  }
  out += bytes;
  return out;
}

std::string Guess(std::string_view bytes) {
  if (IsUtf8(bytes)) {
    return std::string(bytes);
  }
  const Converter western = Open("windows-1252");
  return western ? Convert(western.get(), bytes) : std::string(bytes);
}

}  // namespace

bool KnownCharset(std::string_view charset) {
  return Open(charset) != nullptr;
}

std::string ToUtf8(std::string_view charset, std::string_view bytes) {
  charset = Trim(charset);
  if (charset.empty() || EqualsIgnoreCase(charset, "us-ascii") ||
      EqualsIgnoreCase(charset, "utf-8") || EqualsIgnoreCase(charset, "iso-8859-1")) {
    return Guess(bytes);  // what is labelled latin-1 and is valid UTF-8 is UTF-8 in practice
  }
  const Converter converter = Open(charset);
  if (converter && Lowercase(charset.substr(0, 8)) == "iso-2022") {
    return Convert(converter.get(), WithoutEmptyStretches(bytes));
  }
  return converter ? Convert(converter.get(), bytes) : Guess(bytes);
}

std::optional<std::string> AsLabelled(std::string_view charset, std::string_view bytes) {
  charset = Trim(charset);
  const bool ascii = std::all_of(bytes.begin(), bytes.end(), IsAscii);
  if (!ascii && EqualsIgnoreCase(charset, "iso-8859-1") && IsUtf8(bytes)) {
    return ToUtf8("windows-1252", bytes);
  }
  if (!ascii && EqualsIgnoreCase(charset, "utf-8") && !IsUtf8(bytes)) {
    const Converter converter = Open("utf-8");
    return converter ? std::optional(Convert(converter.get(), bytes)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace twinspool::mime
