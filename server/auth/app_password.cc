#include "server/auth/app_password.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/codec.h"

namespace twinspool::auth {
namespace {

constexpr std::size_t kLetters = 24;
constexpr std::size_t kGroup = 4;
// 32 of them, none that is taken for another one when read aloud or copied by hand.
constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(kAlphabet.size() == 32);
constexpr std::string_view kMethod = "$app-sha256$";

std::string Hash(std::string_view letters) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(letters.data()), letters.size(), digest.data());
  return std::string(kMethod) +
         Base64Encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// The letters alone; empty when it cannot be such a password.
std::string Letters(std::string_view typed) {
  std::string letters;
  for (char c : typed) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (kAlphabet.find(c) != std::string_view::npos) {
      letters += c;
    } else if (c != '-' && c != ' ') {
      return "";
    }
  }
  return letters.size() == kLetters ? letters : "";
}

}  // namespace

AppPassword MakeAppPassword(Random& random) {
  std::array<std::uint8_t, kLetters> chance{};
  random.Fill(chance.data(), chance.size());
  AppPassword made;
  for (std::size_t i = 0; i < kLetters; ++i) {
    made.text += i > 0 && i % kGroup == 0 ? "-" : "";
    made.text += kAlphabet[chance[i] % kAlphabet.size()];
  }
  made.hash = Hash(Letters(made.text));
  OPENSSL_cleanse(chance.data(), chance.size());
  return made;
}

bool IsAppPassword(std::string_view password, std::string_view hash) {
  const std::string letters = Letters(password);
  if (letters.empty()) {
    return false;
  }
  const std::string tried = Hash(letters);
  return tried.size() == hash.size() && CRYPTO_memcmp(tried.data(), hash.data(), tried.size()) == 0;
}

}  // namespace twinspool::auth
