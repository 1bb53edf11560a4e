// Bit-parallel matching of LIST patterns.
#include "server/imap/list_match.h"

#include <algorithm>

#include "common/limits.h"
#include "server/imap/cursor.h"

namespace twinspool::imap {
namespace {

constexpr std::string_view kInbox = "INBOX";

void SetBit(std::vector<std::uint64_t>* words, std::size_t bit) {
  (*words)[bit / 64] |= std::uint64_t{1} << (bit % 64);
}

bool IsWildcard(char c) {
  return c == '*' || c == '%';
}

bool BeginsWithInbox(std::string_view name) {
  return EqualsIgnoreCase(name.substr(0, name.find('/')), kInbox);
}

}  // namespace

std::string JoinReference(std::string_view reference, std::string_view pattern) {
  std::string joined(reference);
  joined += pattern;
  return joined;
}

ListPattern::ListPattern(std::string_view pattern) {
  const auto wildcards =
      static_cast<std::size_t>(std::count_if(pattern.begin(), pattern.end(), IsWildcard));
  plain_ = pattern.size() - wildcards;
  impossible_ = plain_ > limits::kMailboxNameBytesMax;
  if (impossible_) {
    return;
  }
  words_ = plain_ / 64 + 1;
  stay_any_.assign(words_, 0);
  stay_level_.assign(words_, 0);
  plain_masks_.assign(256 * words_, 0);
  std::size_t place = 0;
  for (const char c : pattern) {
    if (!IsWildcard(c)) {
      const std::size_t octet = static_cast<std::uint8_t>(c);
      plain_masks_[octet * words_ + place / 64] |= std::uint64_t{1} << (place % 64);
      ++place;
      continue;
    }
    SetBit(&stay_level_, place);
    if (c == '*') {
      SetBit(&stay_any_, place);
    }
  }
}

bool ListPattern::Matches(std::string_view name) const {
  if (impossible_) {
    return false;
  }
  const std::size_t folded = BeginsWithInbox(name) ? kInbox.size() : 0;
  Words places(words_, 0);
  places[0] = 1;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const Words& stay = c == '/' ? stay_any_ : stay_level_;
    const char upper = i < folded ? AsciiUpper(c) : c;
    const char lower = i < folded ? static_cast<char>(upper | 0x20) : c;
    const std::uint64_t* first = &plain_masks_[static_cast<std::uint8_t>(upper) * words_];
    const std::uint64_t* second = &plain_masks_[static_cast<std::uint8_t>(lower) * words_];
    std::uint64_t carry = 0;
    std::uint64_t alive = 0;
    for (std::size_t w = 0; w < words_; ++w) {
      const std::uint64_t onward = places[w] & (first[w] | second[w]);
      places[w] = (places[w] & stay[w]) | onward << 1 | carry;
      carry = onward >> 63;
      alive |= places[w];
    }
    if (alive == 0) {
      return false;
    }
  }
  return (places[plain_ / 64] >> (plain_ % 64) & 1) != 0;
}

}  // namespace twinspool::imap
