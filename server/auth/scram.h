// What a server keeps of a password so that SCRAM (RFC 5802, RFC 7677) can check it: verifiers,
// which cannot be derived from a password hash later and are therefore made when the password is
// set. The exchange itself: sasl_scram.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/env.h"
#include "common/limits.h"
#include "common/status.h"

namespace twinspool::auth {

enum class ScramHash { kSha1, kSha256 };

inline constexpr std::size_t kScramSaltBytes = 16;
/// Of a stored or a server key.
constexpr std::size_t ScramKeyBytes(ScramHash hash) {
  return hash == ScramHash::kSha1 ? 20 : 32;
}

/// Octets, not base64. Not secret like a password, but worth keeping from others.
struct ScramVerifier {
  std::string salt;
  int iterations = 0;
  std::string stored_key;
  std::string server_key;
  bool operator==(const ScramVerifier&) const = default;
};

/// The verifier of `password` (prepared by SASLprep, RFC 4013; octets that it refuses are taken as
/// they are). Costs a millisecond. 1 <= iterations <= limits::kScramIterationsMax.
ScramVerifier DeriveScram(ScramHash hash, std::string_view password, std::string_view salt,
                          int iterations = limits::kScramIterations);

/// SASLprep of `text`; `text` itself when it holds what SASLprep forbids.
std::string SaslPrep(std::string_view text);

/// All that is stored when a password is set.
struct Credentials {
  std::string password_hash;  // crypt(5)
  ScramVerifier scram_sha1;
  ScramVerifier scram_sha256;
};

/// kInvalidArgument, `cost`: as HashPassword.
Result<Credentials> MakeCredentials(std::string_view password, Random& random,
                                    unsigned long cost = 0);

}  // namespace twinspool::auth
