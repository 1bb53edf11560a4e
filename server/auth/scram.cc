#include "server/auth/scram.h"

#include <array>
#include <memory>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include "common/check.h"
#include "server/auth/password.h"

namespace twinspool::auth {
namespace {

const EVP_MD* Digest(ScramHash hash) {
  return hash == ScramHash::kSha1 ? EVP_sha1() : EVP_sha256();
}

unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Hmac(ScramHash hash, const std::string& key, std::string_view text) {
  std::string out(ScramKeyBytes(hash), '\0');
  unsigned int size = 0;
  HMAC(Digest(hash), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(), Bytes(out),
       &size);
  return out;
}

std::string Hash(ScramHash hash, const std::string& text) {
  std::string out(ScramKeyBytes(hash), '\0');
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), Bytes(out), &size, Digest(hash), nullptr);
  return out;
}

std::string NewSalt(Random& random) {
  std::string salt(kScramSaltBytes, '\0');
  random.Fill(Bytes(salt), salt.size());
  return salt;
}

}  // namespace

ScramVerifier DeriveScram(ScramHash hash, std::string_view password, std::string_view salt,
                          int iterations) {
  TWINSPOOL_CHECK(iterations >= 1 && iterations <= limits::kScramIterationsMax,
                  "SCRAM iterations out of range");
  std::string prepared = SaslPrep(password);
  std::string salted(ScramKeyBytes(hash), '\0');
  const int ok = PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), Bytes(salt),
                                   static_cast<int>(salt.size()), iterations, Digest(hash),
                                   static_cast<int>(salted.size()), Bytes(salted));
  TWINSPOOL_CHECK(ok == 1, "OpenSSL refused PBKDF2");
  ScramVerifier verifier;
  verifier.salt = salt;
  verifier.iterations = iterations;
  verifier.stored_key = Hash(hash, Hmac(hash, salted, "Client Key"));
  verifier.server_key = Hmac(hash, salted, "Server Key");
  OPENSSL_cleanse(prepared.data(), prepared.size());
  OPENSSL_cleanse(salted.data(), salted.size());
  return verifier;
}

std::string SaslPrep(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UStringPrepProfile, decltype(&usprep_close)> profile(
      usprep_openByType(USPREP_RFC4013_SASLPREP, &error), usprep_close);
  std::vector<UChar> wide(text.size() + 1);
  int32_t wide_size = 0;
  u_strFromUTF8(wide.data(), static_cast<int32_t>(wide.size()), &wide_size, text.data(),
                static_cast<int32_t>(text.size()), &error);
  // NFKC makes at most 18 code units of one.
  std::vector<UChar> prepared(18 * text.size() + 1);
  const int32_t prepared_size =
      U_FAILURE(error)
          ? 0
          : usprep_prepare(profile.get(), wide.data(), wide_size, prepared.data(),
                           static_cast<int32_t>(prepared.size()), USPREP_DEFAULT, nullptr, &error);
  std::string out(3 * prepared.size(), '\0');
  int32_t out_size = 0;
  u_strToUTF8(out.data(), static_cast<int32_t>(out.size()), &out_size, prepared.data(),
              prepared_size, &error);
  OPENSSL_cleanse(wide.data(), wide.size() * sizeof(UChar));
  OPENSSL_cleanse(prepared.data(), prepared.size() * sizeof(UChar));
  if (U_FAILURE(error)) {
    return std::string(text);
  }
  out.resize(static_cast<std::size_t>(out_size));
  return out;
}

Result<Credentials> MakeCredentials(std::string_view password, Random& random, unsigned long cost) {
  Credentials made;
  ASSIGN_OR_RETURN(made.password_hash, HashPassword(password, random, cost));
  made.scram_sha1 = DeriveScram(ScramHash::kSha1, password, NewSalt(random));
  made.scram_sha256 = DeriveScram(ScramHash::kSha256, password, NewSalt(random));
  return made;
}

}  // namespace twinspool::auth
