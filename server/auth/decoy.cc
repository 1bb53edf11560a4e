#include "server/auth/decoy.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace twinspool::auth {
namespace {

std::string RandomOctets(std::size_t count, Random& random) {
  std::string octets(count, '\0');
  random.Fill(reinterpret_cast<unsigned char*>(octets.data()), octets.size());
  return octets;
}

// Of one user the two salts differ, as those of real users do.
std::string SaltOf(std::string_view secret, ScramHash hash, std::string_view user) {
  const std::string text =
      (hash == ScramHash::kSha1 ? "salt SHA-1 " : "salt SHA-256 ") + std::string(user);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return std::string(reinterpret_cast<const char*>(mac), kScramSaltBytes);
}

}  // namespace

ScramVerifier MakeDecoy(std::string_view secret, ScramHash hash, std::string_view user,
                        Random& random) {
  ScramVerifier decoy;
  decoy.salt = SaltOf(secret, hash, user);
  decoy.iterations = limits::kScramIterations;
  decoy.stored_key = RandomOctets(ScramKeyBytes(hash), random);
  decoy.server_key = RandomOctets(ScramKeyBytes(hash), random);
  return decoy;
}

}  // namespace twinspool::auth
