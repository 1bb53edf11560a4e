#include "server/auth/user_name.h"

#include <algorithm>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "common/limits.h"

namespace twinspool::auth {
namespace {

constexpr UChar32 kReplacement = 0xFFFD;  // what ICU puts in place of bytes that are not UTF-8

Status Refuse(std::string_view why) {
  return InvalidArgument("not a user name: " + std::string(why));
}

// Case folding can undo NFC and the other way round, so both until nothing changes; twice is enough
// for every character of Unicode, four is the bound.
bool Fold(icu::UnicodeString* text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  for (int i = 0; i < 4 && U_SUCCESS(error); ++i) {
    icu::UnicodeString folded = *text;
    folded.foldCase(U_FOLD_CASE_DEFAULT);
    folded = nfc->normalize(folded, error);
    if (folded == *text) {
      return true;
    }
    *text = folded;
  }
  return U_SUCCESS(error) != 0;
}

Status CheckCharacters(const icu::UnicodeString& text) {
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (c == kReplacement) {
      return Refuse("it is not UTF-8");
    }
    const auto type = u_charType(c);
    if (type == U_CONTROL_CHAR || type == U_LINE_SEPARATOR || type == U_PARAGRAPH_SEPARATOR ||
        type == U_FORMAT_CHAR || type == U_SURROGATE) {
      return Refuse("it holds a control or invisible character");
    }
    if (c == '/') {
      return Refuse("'/' separates mailbox names");
    }
  }
  if (u_isUWhiteSpace(text.char32At(0)) != 0 ||
      u_isUWhiteSpace(text.char32At(text.length() - 1)) != 0) {
    return Refuse("it begins or ends with a space");
  }
  return OkStatus();
}

Status CheckDomain(std::string_view name) {
  const std::size_t at = name.find('@');
  if (at == std::string_view::npos) {
    return OkStatus();
  }
  if (at == 0 || at + 1 == name.size() || name.find('@', at + 1) != std::string_view::npos) {
    return Refuse("'@' must stand once, between user and domain");
  }
  return OkStatus();
}

// Domains compare folded, without a trailing dot.
std::string FoldDomain(std::string_view domain) {
  icu::UnicodeString text =
      icu::UnicodeString::fromUTF8({domain.data(), static_cast<int32_t>(domain.size())});
  Fold(&text);
  std::string folded;
  text.toUTF8String(folded);
  if (!folded.empty() && folded.back() == '.') {
    folded.pop_back();
  }
  return folded;
}

bool Contains(const std::vector<std::string>& domains, std::string_view domain) {
  const std::string folded = FoldDomain(domain);
  return std::any_of(domains.begin(), domains.end(), [&](const std::string& each) {
    return each == "*" || FoldDomain(each) == folded;
  });
}

void AddCandidate(std::string_view name, std::vector<std::string>* candidates) {
  auto folded = FoldUserName(name);
  if (folded.ok() &&
      std::find(candidates->begin(), candidates->end(), *folded) == candidates->end()) {
    candidates->push_back(std::move(*folded));
  }
}

}  // namespace

Result<std::string> FoldUserName(std::string_view name) {
  if (name.empty() || name.size() > limits::kUserNameBytesMax) {
    return Refuse("it has 1 to " + std::to_string(limits::kUserNameBytesMax) + " bytes");
  }
  icu::UnicodeString text =
      icu::UnicodeString::fromUTF8({name.data(), static_cast<int32_t>(name.size())});
  TRY(CheckCharacters(text));
  if (!Fold(&text)) {
    return Refuse("it cannot be normalised");
  }
  std::string folded;
  text.toUTF8String(folded);
  if (folded.size() > limits::kUserNameBytesMax) {
    return Refuse("it is too long once folded");
  }
  TRY(CheckDomain(folded));
  return folded;
}

std::vector<std::string> RecipientCandidates(std::string_view address,
                                             const std::vector<std::string>& domains) {
  const std::size_t at = address.rfind('@');
  const std::string_view local = address.substr(0, at);
  const std::string_view domain =
      at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
  const bool ours = at == std::string_view::npos || Contains(domains, domain);
  std::vector<std::string> candidates;
  AddCandidate(address, &candidates);
  if (ours) {
    AddCandidate(local, &candidates);
  }
  const std::size_t plus = local.find('+');
  if (plus != std::string_view::npos && plus > 0) {
    const std::string_view plain = local.substr(0, plus);
    if (at != std::string_view::npos) {
      AddCandidate(std::string(plain) + "@" + std::string(domain), &candidates);
    }
    if (ours) {
      AddCandidate(plain, &candidates);
    }
  }
  return candidates;
}

}  // namespace twinspool::auth
