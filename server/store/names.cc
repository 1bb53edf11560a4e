#include "server/store/names.h"

#include <algorithm>

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/unistr.h>

#include "common/limits.h"
#include "common/utf8.h"

namespace twinspool::store {
namespace {

constexpr std::string_view kInbox = "INBOX";

/// Well-formed UTF-8 without control characters, which would reach the terminals and logs of those
/// who list names.
bool IsText(std::string_view name) {
  for (std::size_t pos = 0; pos < name.size();) {
    const std::int32_t c = NextUtf8(name, &pos);  // kNotUtf8 is below zero
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
      return false;
    }
  }
  return true;
}

bool IsAscii(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool IsInbox(std::string_view level) {
  return level.size() == kInbox.size() &&
         std::equal(level.begin(), level.end(), kInbox.begin(), [](char given, char capital) {
           return given == capital || given == capital + ('a' - 'A');
         });
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
    return InvalidArgument("a mailbox name is UTF-8 without control characters");
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
  if (IsInbox(std::string_view(name).substr(0, name.find('/')))) {
    name.replace(0, kInbox.size(), kInbox);
  }
  return name;
}

Result<std::optional<ForeignName>> ParseForeignName(std::string_view canonical) {
  const std::string_view top = canonical.substr(0, canonical.find('/'));
  if (top != kOtherUsers && top != kShared) {
    return std::optional<ForeignName>();
  }
  ForeignName foreign{.shared = top == kShared, .owner = "", .name = ""};
  if (canonical.size() == top.size()) {
    return std::optional(std::move(foreign));
  }
  const std::string_view rest = canonical.substr(top.size() + 1);
  const std::size_t end = rest.find('/');
  foreign.owner = rest.substr(0, end);
  if (end == std::string_view::npos) {
    foreign.name = kInbox;
  } else {
    ASSIGN_OR_RETURN(foreign.name, CanonicalMailboxName(rest.substr(end + 1)));
  }
  return std::optional(std::move(foreign));
}

std::string ForeignNameText(bool shared, std::string_view owner, std::string_view name) {
  std::string text(shared ? kShared : kOtherUsers);
  text.append("/").append(owner);
  if (name != kInbox) {
    text.append("/").append(name);
  }
  return text;
}

std::vector<std::string> ParentNames(std::string_view name) {
  std::vector<std::string> parents;
  for (std::size_t at = name.find('/'); at != std::string_view::npos; at = name.find('/', at + 1)) {
    parents.emplace_back(name.substr(0, at));
  }
  return parents;
}

}  // namespace twinspool::store
