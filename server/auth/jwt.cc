#include "server/auth/jwt.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include <google/protobuf/util/json_util.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "common/codec.h"
#include "common/limits.h"

namespace twinspool::auth {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;
using JsonValue = google::protobuf::Value;

constexpr std::size_t kEs256Half = 32;
constexpr int kRsaBitsMin = 2048;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool DecodeBase64Url(std::string_view text, std::string* out) {
  std::string standard(text);
  if (standard.find_first_of("+/=") != std::string::npos) {
    return false;
  }
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return Base64Decode(standard, out);
}

const JsonValue* Find(const JsonObject& object, const std::string& name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? nullptr : &found->second;
}

std::string TextOf(const JsonObject& object, const std::string& name) {
  const JsonValue* value = Find(object, name);
  return value == nullptr ? std::string() : value->string_value();
}

std::optional<std::int64_t> TimeOf(const JsonObject& object, const std::string& name) {
  const JsonValue* value = Find(object, name);
  if (value == nullptr || value->kind_case() != JsonValue::kNumberValue ||
      !(value->number_value() >= 0 && value->number_value() < 1e12)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value->number_value());
}

// --- keys

bool OnP256(EVP_PKEY* key) {
  char group[64] = {};
  return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                        nullptr) == 1 &&
         std::string_view(group) == "prime256v1";
}

Status CheckKey(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= kRsaBitsMin) {
    return OkStatus();
  }
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && OnP256(key)) {
    return OkStatus();
  }
  return InvalidArgument("a key for tokens must be RSA of at least 2048 bits, or EC on P-256");
}

// "-----BEGIN …-----" up to its END line, from the front of *pem.
std::string_view TakeBlock(std::string_view* pem) {
  const std::size_t begin = pem->find("-----BEGIN ");
  const std::size_t end = begin == std::string_view::npos ? begin : pem->find("-----END ", begin);
  const std::size_t stop = end == std::string_view::npos ? end : pem->find("-----", end + 9);
  if (stop == std::string_view::npos) {
    *pem = {};
    return {};
  }
  const std::string_view block = pem->substr(begin, stop + 5 - begin);
  pem->remove_prefix(stop + 5);
  return block;
}

Key ReadKey(std::string_view block) {
  const std::string text = std::string(block) + "\n";
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all);
  EVP_PKEY* key = nullptr;
  if (block.starts_with("-----BEGIN CERTIFICATE")) {
    X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
    key = certificate == nullptr ? nullptr : X509_get_pubkey(certificate);
    X509_free(certificate);
  } else {
    key = PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr);
  }
  ERR_clear_error();
  return key == nullptr ? nullptr : Key(key, EVP_PKEY_free);
}

bool VerifyBySha256(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const bool right =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                       text.size()) == 1;
  ERR_clear_error();
  return right;
}

// RFC 7518 §3.4 has the two numbers as they are, OpenSSL wants them in DER.
std::string Es256InDer(std::string_view signature) {
  if (signature.size() != 2 * kEs256Half) {
    return "";
  }
  ECDSA_SIG* numbers = ECDSA_SIG_new();
  ECDSA_SIG_set0(numbers, BN_bin2bn(Bytes(signature), kEs256Half, nullptr),
                 BN_bin2bn(Bytes(signature) + kEs256Half, kEs256Half, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(numbers, &der);
  std::string out =
      size > 0 ? std::string(reinterpret_cast<char*>(der), static_cast<std::size_t>(size)) : "";
  OPENSSL_free(der);
  ECDSA_SIG_free(numbers);
  return out;
}

bool VerifyHs256(const std::string& secret, std::string_view text, std::string_view signature) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), Bytes(text), text.size(), mac,
       &size);
  return !secret.empty() && signature.size() == size &&
         CRYPTO_memcmp(mac, signature.data(), size) == 0;
}

// --- claims

bool NamesAudience(const JsonObject& claims, const std::string& audience) {
  const JsonValue* value = Find(claims, "aud");
  if (value == nullptr) {
    return false;
  }
  if (value->kind_case() == JsonValue::kStringValue) {
    return value->string_value() == audience;
  }
  const auto& all = value->list_value().values();
  return std::any_of(all.begin(), all.end(),
                     [&](const JsonValue& one) { return one.string_value() == audience; });
}

bool HasScope(const JsonObject& claims, const std::string& scope) {
  std::istringstream words(TextOf(claims, "scope"));
  for (std::string word; words >> word;) {
    if (word == scope) {
      return true;
    }
  }
  return false;
}

Status CheckTimes(const JsonObject& claims, std::int64_t now_s, bool must_expire) {
  const bool says_expiry = Find(claims, "exp") != nullptr;
  const auto expiry = TimeOf(claims, "exp");
  if (says_expiry ? !expiry || *expiry + limits::kTokenSkewSeconds <= now_s : must_expire) {
    return Unauthenticated("the token has expired, or does not say when it does");
  }
  const bool says_begin = Find(claims, "nbf") != nullptr;
  const auto begin = TimeOf(claims, "nbf");
  if (says_begin && (!begin || *begin - limits::kTokenSkewSeconds > now_s)) {
    return Unauthenticated("the token is not good yet");
  }
  return OkStatus();
}

}  // namespace

Result<JsonObject> ParseJsonObject(std::string_view text) {
  JsonObject object;
  const auto read = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), &object);
  if (!read.ok()) {
    return InvalidArgument("not a JSON object");
  }
  return object;
}

Result<JwtKeys> JwtKeys::Load(std::string_view pem, std::string secret) {
  JwtKeys keys;
  keys.secret_ = std::move(secret);
  const bool wanted = !pem.empty();
  for (std::string_view block = TakeBlock(&pem); !block.empty(); block = TakeBlock(&pem)) {
    Key key = ReadKey(block);
    if (key == nullptr) {
      return InvalidArgument("a block is neither a public key nor a certificate in PEM");
    }
    TRY(CheckKey(key.get()));
    keys.public_keys_.push_back(std::move(key));
  }
  if (wanted && keys.public_keys_.empty()) {
    return InvalidArgument("there is no key in PEM");
  }
  return keys;
}

bool JwtKeys::Verify(std::string_view algorithm, std::string_view text,
                     std::string_view signature) const {
  if (algorithm == "HS256") {
    return VerifyHs256(secret_, text, signature);
  }
  const bool ec = algorithm == "ES256";
  if (!ec && algorithm != "RS256") {
    return false;
  }
  const std::string octets = ec ? Es256InDer(signature) : std::string(signature);
  return std::any_of(public_keys_.begin(), public_keys_.end(), [&](const Key& key) {
    return EVP_PKEY_get_base_id(key.get()) == (ec ? EVP_PKEY_EC : EVP_PKEY_RSA) &&
           VerifyBySha256(key.get(), text, octets);
  });
}

Result<JsonObject> ReadJwt(std::string_view token, const JwtKeys& keys) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  std::string header_text;
  std::string claims_text;
  std::string signature;
  if (second == std::string_view::npos || !DecodeBase64Url(token.substr(0, first), &header_text) ||
      !DecodeBase64Url(token.substr(first + 1, second - first - 1), &claims_text) ||
      !DecodeBase64Url(token.substr(second + 1), &signature)) {
    return Unauthenticated("the token is not a signed JWT");
  }
  const auto header = ParseJsonObject(header_text);
  // What a header calls critical must be understood (RFC 7515 §4.1.11); nothing such is.
  if (!header.ok() || Find(*header, "crit") != nullptr ||
      !keys.Verify(TextOf(*header, "alg"), token.substr(0, second), signature)) {
    return Unauthenticated("the token is not signed by a configured key");
  }
  auto claims = ParseJsonObject(claims_text);
  return claims.ok() ? std::move(claims) : Unauthenticated("the token holds no claims");
}

Result<std::string> UserOfClaims(const JsonObject& claims, const TokenRules& rules,
                                 std::int64_t now_s, bool must_expire) {
  TRY(CheckTimes(claims, now_s, must_expire));
  if (!rules.issuer.empty() && TextOf(claims, "iss") != rules.issuer) {
    return Unauthenticated("the token is of another issuer");
  }
  if (!rules.audience.empty() && !NamesAudience(claims, rules.audience)) {
    return Unauthenticated("the token is for another audience");
  }
  if (!rules.scope.empty() && !HasScope(claims, rules.scope)) {
    return Unauthenticated("the token's scope does not hold " + rules.scope);
  }
  std::string user = TextOf(claims, rules.user_claim);
  if (user.empty()) {
    return Unauthenticated("the token has no claim " + rules.user_claim + " that names a user");
  }
  return user;
}

std::int64_t ExpiryOf(const JsonObject& claims) {
  return TimeOf(claims, "exp").value_or(0);
}

}  // namespace twinspool::auth
