// SaslMechanism: the server's side of one run of a SASL mechanism (RFC 4422), without the rest of a
// login. It hears the client out; whether what the client claims is so, is for others to check.
//
// Here only the words that both sides share: server/auth knows the mechanisms, the store asks them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"

namespace twinspool {

/// What a client says of itself at the end of a mechanism.
struct SaslClaim {
  enum class Proof : std::uint8_t {
    kPassword,  // `secret` is said to be the user's password
    kToken,     // `secret` is a token of OAuth 2.0 that names a user
    kGiven,     // the mechanism, or TLS, has proven already that it is `user`
  };
  Proof proof = Proof::kPassword;
  std::string user;     // with kToken: whose it is said to be; may be empty
  std::string act_for;  // whose mail is wanted; empty: the user's own
  std::string secret;
  /// With which the client is to be told that its claim does not hold, as a last challenge (RFC
  /// 7628 §3.2.3); empty: with nothing.
  std::string refusal;
};

/// Either a challenge, perhaps an empty one, or the end.
struct SaslStep {
  std::string challenge;
  std::optional<SaslClaim> claim;
};

/// Not thread-safe. Of no use after an error or a claim.
class SaslMechanism {
 public:
  virtual ~SaslMechanism() = default;
  /// For a client that sends no initial response.
  virtual const std::string& first_challenge() const = 0;
  /// kInvalidArgument, with a sentence for the client: this is not a message of the mechanism.
  /// kUnauthenticated: what it should prove is wrong.
  virtual Result<SaslStep> Step(std::string_view octets) = 0;
};

}  // namespace twinspool
