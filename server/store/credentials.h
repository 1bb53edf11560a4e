// Credentials: what the store asks about names and passwords of the program around it. The rules
// (how a password is hashed, which spellings mean one user, which domains are ours) live in
// server/auth and in the configuration; the store only keeps the results and asks at the right
// time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/types.pb.h"

#include "common/sasl.h"
#include "common/status.h"
#include "server/mail_store.h"

namespace twinspool::store {

/// All that is kept of a password.
struct MadeCredentials {
  std::string password_hash;  // crypt(5)
  std::vector<proto::ScramVerifier> scram;
  /// Of a user who is made again; a new password leaves those that he has.
  std::vector<proto::AppPassword> app_passwords = {};
};

/// A password for one device or program: shown once, kept as a hash.
struct MadeAppPassword {
  std::string text;
  std::string hash;
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

  virtual MadeAppPassword MakeAppPassword() = 0;
  /// Quick: whether this is the app password of that hash.
  virtual bool IsAppPassword(std::string_view password, std::string_view hash) = 0;
  /// Whether the user of this folded name may log in as others.
  virtual bool IsMaster(std::string_view name) const = 0;

  /// Mechanisms of SASL for such a client, best first.
  virtual std::vector<std::string> Mechanisms(const LoginClient& client) const = 0;
  /// Verifiers of the user of a folded name; none: there is no such user, or he has none.
  using FindVerifiers = std::function<std::vector<proto::ScramVerifier>(const std::string& name)>;
  /// kNotFound: not among Mechanisms. `find` is called within steps, at most once.
  virtual Result<std::unique_ptr<SaslMechanism>> StartMechanism(const LoginStart& start,
                                                                FindVerifiers find) = 0;

  /// Whose token of OAuth 2.0 it is, by the name that it gives. kUnauthenticated: nobody's here;
  /// kUnavailable: that could not be found out. Calls `done` once, perhaps on another thread.
  virtual void CheckToken(const std::string& token,
                          const std::function<void(Result<std::string>)>& done) = 0;

  /// The one spelling under which a user is stored and found. kInvalidArgument, saying why.
  virtual Result<std::string> FoldName(std::string_view name) const = 0;
  /// Folded names to look up for a recipient's address, best first; empty: nobody's.
  virtual std::vector<std::string> RecipientCandidates(std::string_view address) const = 0;
};

}  // namespace twinspool::store
