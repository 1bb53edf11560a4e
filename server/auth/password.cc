#include "server/auth/password.h"

#include <crypt.h>

#include <array>
#include <memory>

#include <openssl/crypto.h>

#include "common/limits.h"
#include "common/types.h"

namespace twinspool::auth {
namespace {

constexpr std::size_t kSaltBytes = 16;

// 32 KiB of scratch of the library; it holds traces of the password until it is wiped.
struct Scratch {
  Scratch() = default;
  ~Scratch() { OPENSSL_cleanse(&data, sizeof(data)); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  crypt_data data{};
};

bool Usable(std::string_view password) {
  return !password.empty() && password.size() <= limits::kPasswordBytesMax &&
         password.find('\0') == std::string_view::npos;
}

// Empty when the setting is none.
std::string Crypt(std::string_view password, const std::string& setting) {
  const auto scratch = std::make_unique<Scratch>();
  std::string text(password);
  const char* hash =
      crypt_rn(text.c_str(), setting.c_str(), &scratch->data, static_cast<int>(sizeof(crypt_data)));
  OPENSSL_cleanse(text.data(), text.size());
  return hash == nullptr ? std::string() : std::string(hash);
}

Result<std::string> NewSetting(Random& random, unsigned long cost) {
  std::array<std::uint8_t, kSaltBytes> salt{};
  random.Fill(salt.data(), salt.size());
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn("$y$", cost, reinterpret_cast<const char*>(salt.data()),
                       static_cast<int>(salt.size()), setting.data(),
                       static_cast<int>(setting.size())) == nullptr) {
    return Internal("libxcrypt offers no yescrypt with this cost");
  }
  return std::string(setting.data());
}

// What passwords of unknown users are compared with: a hash that no password of a client has.
const std::string& DummyHash() {
  static const std::string kHash = [] {
    const std::string secret = SystemRandom().NewId<PairId>().ToHex();
    const auto made = HashPassword(secret, SystemRandom());
    return made.ok() ? *made : std::string();
  }();
  return kHash;
}

}  // namespace

Result<std::string> HashPassword(std::string_view password, Random& random, unsigned long cost) {
  if (!Usable(password)) {
    return InvalidArgument("a password has 1 to " + std::to_string(limits::kPasswordBytesMax) +
                           " bytes, none of them NUL");
  }
  ASSIGN_OR_RETURN(const std::string setting, NewSetting(random, cost));
  std::string hash = Crypt(password, setting);
  if (hash.empty()) {
    return Internal("libxcrypt could not hash the password");
  }
  return hash;
}

bool VerifyPassword(std::string_view password, std::string_view hash) {
  const bool usable = Usable(password);
  const std::string_view tried = usable ? password : std::string_view("x");
  std::string computed = hash.empty() ? std::string() : Crypt(tried, std::string(hash));
  const bool real = usable && !computed.empty();
  if (computed.empty()) {
    computed = Crypt(tried, DummyHash());
    hash = DummyHash();
  }
  const bool equal = computed.size() == hash.size() &&
                     CRYPTO_memcmp(computed.data(), hash.data(), computed.size()) == 0;
  return real && equal;
}

}  // namespace twinspool::auth
