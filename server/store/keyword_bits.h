// From the bitmap octets of an index entry to KeywordBits.
#pragma once

#include <algorithm>
#include <string_view>

#include "server/mail_store.h"

namespace twinspool::store {

/// Bits beyond limits::kKeywordsPerMailboxMax, which only a newer version could write, are left
/// out.
inline KeywordBits ToKeywordBits(std::string_view bitmap) {
  KeywordBits bits;
  const std::size_t octets = std::min(bitmap.size(), sizeof bits.words);
  for (std::size_t i = 0; i < octets; ++i) {
    bits.words[i / 8] |= std::uint64_t{static_cast<unsigned char>(bitmap[i])} << (8 * (i % 8));
  }
  return bits;
}

}  // namespace twinspool::store
