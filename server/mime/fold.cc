#include "server/mime/fold.h"

#include <string.h>

#include <array>
#include <limits>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include "common/utf8.h"
#include "server/mime/ascii.h"

namespace twinspool::mime {
namespace {

constexpr std::array<char, 128> MakeAsciiFold() {
  std::array<char, 128> fold{};
  for (std::size_t c = 0; c < fold.size(); ++c) {
    fold[c] = static_cast<char>(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
    if (c >= 0x1c && c <= 0x1f) {
      fold[c] = ' ';
    }
  }
  return fold;
}

constexpr std::array<char, 128> kAsciiFold = MakeAsciiFold();

const UNormalizer2* Nfkd() {
  static const UNormalizer2* const kShared = [] {
    UErrorCode error = U_ZERO_ERROR;
    const UNormalizer2* instance = unorm2_getNFKDInstance(&error);
    return U_SUCCESS(error) != 0 ? instance : nullptr;
  }();
  return kShared;
}

void AppendFolded(UChar32 c, const UNormalizer2* nfkd, std::string* out) {
  c = u_totitle(c);
  std::array<UChar, 64> units{};  // the longest decomposition has 18
  UErrorCode error = U_ZERO_ERROR;
  const std::int32_t length =
      nfkd == nullptr
          ? -1
          : unorm2_getDecomposition(nfkd, c, units.data(), std::int32_t{units.size()}, &error);
  if (length < 0 || U_FAILURE(error) != 0) {
    AppendUtf8(c, out);
    return;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i) {
    UChar32 part = units[i];
    if (part >= 0xd800 && part < 0xdc00) {  // ICU gives whole pairs only
      part = 0x10000 + ((part - 0xd800) << 10) + (units[++i] - 0xdc00);
    }
    AppendUtf8(part, out);
  }
}

}  // namespace

bool FoldInto(std::string_view utf8, std::size_t bytes_max, std::string* out) {
  constexpr std::size_t kCharacterBytesMax = 18 * 4;
  const UNormalizer2* nfkd = Nfkd();
  for (std::size_t pos = 0; pos < utf8.size();) {
    if (out->size() + kCharacterBytesMax > bytes_max) {
      return false;
    }
    const char c = utf8[pos];
    if (!IsAscii(c)) {
      const std::int32_t character = NextUtf8(utf8, &pos);
      AppendFolded(character == kNotUtf8 ? kReplacementCharacter : character, nfkd, out);
      continue;
    }
    ++pos;
    if (c != '\r' || pos >= utf8.size() || utf8[pos] != '\n') {
      out->push_back(kAsciiFold[static_cast<unsigned char>(c)]);
    }
  }
  return true;
}

std::string Fold(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  FoldInto(utf8, std::numeric_limits<std::size_t>::max(), &out);
  return out;
}

bool FoldedContains(std::string_view folded_text, std::string_view folded_key) {
  return folded_key.empty() || ::memmem(folded_text.data(), folded_text.size(), folded_key.data(),
                                        folded_key.size()) != nullptr;
}

}  // namespace twinspool::mime
