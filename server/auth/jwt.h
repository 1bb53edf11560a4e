// Tokens of OAuth 2.0 that can be checked here: JSON Web Tokens with a signature (RFC 7519, RFC
// 7515), and what their claims, or the answer of an introspection server (RFC 7662), say of a user.
// Pure.
//
// Signatures: RS256 and ES256 with configured public keys, HS256 with a configured secret. Each
// kind of key goes with its own algorithm only, whatever the token says, so that a public key is
// never taken for a secret; "none" is nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/struct.pb.h>

#include "common/status.h"

struct evp_pkey_st;

namespace twinspool::auth {

/// A JSON object.
using JsonObject = google::protobuf::Struct;

/// kInvalidArgument when `text` is none.
Result<JsonObject> ParseJsonObject(std::string_view text);

/// What tokens are checked with. Immutable.
class JwtKeys {
 public:
  JwtKeys() = default;
  /// `pem`: one or several public keys (RSA, or EC on P-256) or certificates; `secret`: octets for
  /// HS256. Either may be empty. kInvalidArgument, saying why, for keys that are of no use.
  static Result<JwtKeys> Load(std::string_view pem, std::string secret);

  bool empty() const { return public_keys_.empty() && secret_.empty(); }
  /// Whether any of the keys made this signature.
  bool Verify(std::string_view algorithm, std::string_view text, std::string_view signature) const;

 private:
  std::vector<std::shared_ptr<evp_pkey_st>> public_keys_;
  std::string secret_;
};

/// The claims of a token that one of the keys has signed. kUnauthenticated: it is none.
Result<JsonObject> ReadJwt(std::string_view token, const JwtKeys& keys);

/// What a token must say. Whatever is empty is not asked for.
struct TokenRules {
  std::string issuer = {};      // "iss"
  std::string audience = {};    // among "aud"
  std::string scope = {};       // among the words of "scope"
  std::string user_claim = {};  // which names the user
};

/// The user that the claims name, if they fit the rules at this time (seconds since 1970).
/// `must_expire`: "exp" has to be among them. kUnauthenticated, saying why for the log.
Result<std::string> UserOfClaims(const JsonObject& claims, const TokenRules& rules,
                                 std::int64_t now_s, bool must_expire);
/// Until when they are good; 0: they do not say.
std::int64_t ExpiryOf(const JsonObject& claims);

}  // namespace twinspool::auth
