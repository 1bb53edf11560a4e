#include "server/store/names.h"

#include <algorithm>

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/unistr.h>

#include "common/limits.h"

namespace twinspool::store {
namespace {

/// Well-formed UTF-8 without NUL (RFC 3629: no surrogates, nothing above U+10FFFF, shortest form).
bool IsText(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + length > bytes.size()) {
      return false;
    }
    std::uint32_t code = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(bytes[i + k]);
      if ((next & 0xc0) != 0x80) {
        return false;
      }
      code = code << 6 | (next & 0x3f);
    }
    if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000) || code > 0x10ffff ||
        (code >= 0xd800 && code <= 0xdfff)) {
      return false;
    }
    i += length;
  }
  return true;
}

bool IsAscii(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string AsciiFold(std::string_view text, char first, char last, int shift) {
  std::string out(text);
  for (char& c : out) {
    if (c >= first && c <= last) {
      c = static_cast<char>(c + shift);
    }
  }
  return out;
}

Result<std::string> Nfc(const icu::UnicodeString& text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) {
    return Internal("the Unicode tables are missing");
  }
  const icu::UnicodeString normal = nfc->normalize(text, error);
  if (U_FAILURE(error)) {
    return InvalidArgument("the name cannot be normalised");
  }
  std::string out;
  normal.toUTF8String(out);
  return out;
}

icu::UnicodeString ToUnicode(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

}  // namespace

Result<std::string> CanonicalMailboxName(std::string_view given) {
  if (given.size() > limits::kMailboxNameBytesMax) {
    return LimitExceeded("the mailbox name is too long");
  }
  if (!IsText(given)) {
    return InvalidArgument("the mailbox name is not valid UTF-8");
  }
  std::string name(given);
  if (!IsAscii(given)) {
    ASSIGN_OR_RETURN(name, Nfc(ToUnicode(given)));
  }
  if (name.empty() || name.front() == '/' || name.back() == '/' ||
      name.find("//") != std::string::npos) {
    return InvalidArgument("a mailbox name needs characters between the separators");
  }
  if (name.size() > limits::kMailboxNameBytesMax) {
    return LimitExceeded("the mailbox name is too long");
  }
  if (std::count(name.begin(), name.end(), '/') >=
      static_cast<std::ptrdiff_t>(limits::kMailboxDepthMax)) {
    return LimitExceeded("the mailbox name has too many levels");
  }
  const std::string first = name.substr(0, name.find('/'));
  if (AsciiFold(first, 'a', 'z', 'A' - 'a') == "INBOX") {
    name.replace(0, first.size(), "INBOX");
  }
  return name;
}

std::vector<std::string> ParentNames(std::string_view name) {
  std::vector<std::string> parents;
  for (std::size_t at = name.find('/'); at != std::string_view::npos; at = name.find('/', at + 1)) {
    parents.emplace_back(name.substr(0, at));
  }
  return parents;
}

Result<std::string> CanonicalUserName(std::string_view given) {
  if (given.size() > limits::kUserNameBytesMax) {
    return LimitExceeded("the user name is too long");
  }
  if (given.empty() || !IsText(given) || std::any_of(given.begin(), given.end(), [](char c) {
        return (c >= 0 && c < ' ') || c == '\x7f' || c == '/';
      })) {
    return InvalidArgument("a user name is UTF-8 without control characters and '/'");
  }
  if (IsAscii(given)) {
    return AsciiFold(given, 'A', 'Z', 'a' - 'A');
  }
  ASSIGN_OR_RETURN(std::string name, Nfc(ToUnicode(given).foldCase()));
  if (name.size() > limits::kUserNameBytesMax) {
    return LimitExceeded("the user name is too long");
  }
  return name;
}

std::vector<std::string> RecipientNames(std::string_view address,
                                        const std::vector<std::string>& domains) {
  std::vector<std::string> names;
  const Result<std::string> whole = CanonicalUserName(address);
  if (!whole.ok()) {
    return names;
  }
  names.push_back(*whole);
  std::string local = *whole;
  if (const std::size_t at = whole->rfind('@'); at != std::string::npos) {
    if (std::find(domains.begin(), domains.end(), whole->substr(at + 1)) == domains.end()) {
      return names;
    }
    local = whole->substr(0, at);
    names.push_back(local);
  }
  if (const std::size_t plus = local.find('+'); plus != std::string::npos && plus > 0) {
    names.push_back(local.substr(0, plus));
  }
  return names;
}

}  // namespace twinspool::store
