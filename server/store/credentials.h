// Credentials: what the store asks about names and passwords of the program around it. The rules
// (how a password is hashed, which spellings mean one user, which domains are ours) live in
// server/auth and in the configuration; the store only keeps the results and asks at the right
// time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/types.pb.h"

#include "common/status.h"

namespace twinspool::store {

/// All that is kept of a password.
struct MadeCredentials {
  std::string password_hash;  // crypt(5)
  std::vector<proto::ScramVerifier> scram;
};

/// Thread-safe. Nothing of it touches the store.
class Credentials {
 public:
  virtual ~Credentials() = default;

  /// Slow (milliseconds). kInvalidArgument, saying why, for what cannot be a password.
  virtual Result<MadeCredentials> Make(std::string_view password) = 0;
  /// Quick: whether this password proved right against this hash not long ago. False for an empty
  /// hash.
  virtual bool Remembers(std::string_view user, std::string_view password,
                         std::string_view password_hash) = 0;
  /// A password that is not remembered asks to be verified. OK: it waits, until Leave. kLimit,
  /// kUnavailable: it may not. `address` as in LoginRequest.
  virtual Status Enter(std::string_view user, std::string_view address) = 0;
  /// Its turn has come: kLimit when it shall not be verified after all.
  virtual Status Welcome(std::string_view user, std::string_view address) = 0;
  virtual void Leave(std::string_view user, std::string_view address, bool wrong) = 0;
  /// Slow by design. An empty hash (no such user, no login allowed) takes as long as another and
  /// answers false.
  virtual bool Verify(std::string_view user, std::string_view password,
                      std::string_view password_hash) = 0;

  /// The one spelling under which a user is stored and found. kInvalidArgument, saying why.
  virtual Result<std::string> FoldName(std::string_view name) const = 0;
  /// Folded names to look up for a recipient's address, best first; empty: nobody's.
  virtual std::vector<std::string> RecipientCandidates(std::string_view address) const = 0;
};

}  // namespace twinspool::store
