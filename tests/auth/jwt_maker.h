// Makes signed tokens with fresh keys.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/codec.h"

namespace twinspool::testing {

class JwtMaker {
 public:
  static JwtMaker Rsa(unsigned bits = 2048) {
    return JwtMaker(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}));
  }
  static JwtMaker Ec(const char* curve) {
    return JwtMaker(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  }

  std::string public_pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string pem(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return pem;
  }

  /// Signed by SHA-256 with the key, whatever the algorithm is called.
  std::string Make(const std::string& algorithm, const std::string& claims) const {
    const std::string text = Text("{\"alg\":\"" + algorithm + "\"}", claims);
    std::string signature(1024, '\0');
    std::size_t size = signature.size();
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get());
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC) {
      signature = Numbers(signature);
    }
    return text + "." + Base64Url(signature);
  }
  static std::string Hs256(const std::string& secret, const std::string& claims,
                           const std::string& header = R"({"alg":"HS256"})") {
    const std::string text = Text(header, claims);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
    return text + "." + Base64Url({reinterpret_cast<char*>(mac), size});
  }
  static std::string Unsigned(const std::string& claims) {
    return Text(R"({"alg":"none"})", claims) + ".";
  }

 private:
  explicit JwtMaker(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {}

  static std::string Base64Url(std::string_view octets) {
    std::string text = Base64Encode(octets);
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    std::erase(text, '=');
    return text;
  }
  static std::string Text(const std::string& header, const std::string& claims) {
    return Base64Url(header) + "." + Base64Url(claims);
  }
  /// RFC 7518 §3.4.
  static std::string Numbers(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string numbers(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(numbers.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out + 32, 32);
    ECDSA_SIG_free(parsed);
    return numbers;
  }

  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace twinspool::testing
