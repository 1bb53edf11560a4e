#include "common/rights.h"

#include <utility>

namespace twinspool {
namespace {

constexpr std::pair<char, Rights> kLetters[] = {
    {'l', kRightLookup},  {'r', kRightRead},          {'s', kRightSeen},
    {'w', kRightWrite},   {'i', kRightInsert},        {'p', kRightPost},
    {'k', kRightCreate},  {'x', kRightDeleteMailbox}, {'t', kRightDeleteMessages},
    {'e', kRightExpunge}, {'a', kRightAdminister},
};

constexpr Rights kOldCreate = kRightCreate | kRightDeleteMailbox;    // "c"
constexpr Rights kOldDelete = kRightDeleteMessages | kRightExpunge;  // "d"

Rights BitsOf(char letter) {
  for (const auto& [known, bit] : kLetters) {
    if (known == letter) {
      return bit;
    }
  }
  return letter == 'c' ? kOldCreate : letter == 'd' ? kOldDelete : Rights{0};
}

}  // namespace

Result<Rights> ParseRights(std::string_view letters) {
  Rights rights = 0;
  for (const char letter : letters) {
    const Rights bits = BitsOf(letter);
    if (bits == 0) {
      return InvalidArgument("rights are of the letters lrswipkxtea");
    }
    rights = static_cast<Rights>(rights | bits);
  }
  return rights;
}

std::string RightsText(Rights rights, bool old_letters) {
  std::string text;
  for (const auto& [letter, bit] : kLetters) {
    if ((rights & bit) != 0) {
      text += letter;
    }
  }
  if (old_letters && (rights & kOldCreate) != 0) {
    text += 'c';
  }
  if (old_letters && (rights & kOldDelete) != 0) {
    text += 'd';
  }
  return text;
}

}  // namespace twinspool
