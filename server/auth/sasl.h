// The mechanisms of SASL that this server speaks, and which of them fit a connection.
//
//   PLAIN (RFC 4616), LOGIN (never a standard, but all that some old programs know),
//   SCRAM-SHA-1, SCRAM-SHA-256 (RFC 5802, RFC 7677) and with channel binding their -PLUS,
//   EXTERNAL (RFC 4422) with a client's TLS certificate,
//   OAUTHBEARER (RFC 7628) and XOAUTH2 with a token of OAuth 2.0.
//
// SCRAM is GNU SASL's. PLAIN and LOGIN are read here, because GNU SASL prepares passwords by
// SASLprep before anybody sees them, while crypt(3) hashes are of the octets that were set.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sasl.h"
#include "common/status.h"
#include "server/auth/scram.h"

namespace twinspool::auth {

/// The verifier of a user, under the name that the client gave. It must always answer one, of an
/// unknown user a decoy (decoy.h).
using FindVerifier = std::function<ScramVerifier(ScramHash hash, const std::string& user)>;

/// Where tokens are taken: what a client whose token is refused is told about better ones.
struct TokenOffer {
  std::string scope = {};          // that a token must have; may be empty
  std::string discovery_url = {};  // of the issuer's openid-configuration; may be empty
};

/// What a connection is good for.
struct SaslPlace {
  /// Octets of tls-exporter (RFC 9266); empty: no channel binding.
  std::string tls_exporter = {};
  /// Of a verified client certificate, the preferred one first; empty: there is none.
  std::vector<std::string> certificate_names = {};
  std::optional<TokenOffer> tokens = {};
};

/// Best first. Where there is a channel binding, -PLUS is always among them: RFC 5802 §6 has a
/// client that could bind, but was not offered to, say so, and that server must refuse it then.
std::vector<std::string> MechanismNames(const SaslPlace& place);

/// kNotFound: not among MechanismNames. `name` is in upper case.
Result<std::unique_ptr<SaslMechanism>> MakeMechanism(std::string_view name, const SaslPlace& place,
                                                     FindVerifier find);

}  // namespace twinspool::auth
