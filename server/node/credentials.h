// NodeCredentials: joins the store's questions about names and logins to server/auth and to the
// configuration. No rule of its own.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "server/auth/login_cache.h"
#include "server/auth/login_guard.h"
#include "server/auth/password.h"
#include "server/auth/sasl.h"
#include "server/auth/scram.h"
#include "server/auth/tokens.h"
#include "server/store/credentials.h"

namespace twinspool::node {

struct CredentialOptions {
  std::vector<std::string> local_domains = {};  // see auth::RecipientCandidates
  std::vector<std::string> login_fronts = {};   // see auth::LoginGuard
  std::vector<std::string> master_users = {};   // who may log in as others, in any spelling
  /// Nothing: tokens of OAuth 2.0 are not taken.
  std::optional<auth::TokenOffer> tokens = {};
  auth::TokenRules token_rules = {};
  auth::Introspect introspect = {};         // empty: tokens are checked by keys only
  unsigned long cost = auth::kDefaultCost;  // as auth::HashPassword takes it
};

/// Thread-safe.
class NodeCredentials final : public store::Credentials {
 public:
  /// `clock` and `random` outlive this.
  NodeCredentials(CredentialOptions options, Clock& clock, Random& random);

  /// What tokens are checked by from now on.
  void SetTokenKeys(auth::JwtKeys keys) { tokens_.SetKeys(std::move(keys)); }
  /// See auth/decoy.h. Until it is set, decoys are this process' own.
  void SetDecoySecret(std::string secret);

  Result<store::MadeCredentials> Make(std::string_view password) override;
  bool Remembers(std::string_view user, std::string_view password,
                 std::string_view password_hash) override;
  Status Enter(std::string_view user, std::string_view address) override;
  Status Welcome(std::string_view user, std::string_view address) override;
  void Leave(std::string_view user, std::string_view address, bool wrong) override;
  bool Verify(std::string_view user, std::string_view password,
              std::string_view password_hash) override;
  store::MadeAppPassword MakeAppPassword() override;
  bool IsAppPassword(std::string_view password, std::string_view hash) override;
  bool IsMaster(std::string_view name) const override;
  std::vector<std::string> Mechanisms(const LoginClient& client) const override;
  Result<std::unique_ptr<SaslMechanism>> StartMechanism(const LoginStart& start,
                                                        FindVerifiers find) override;
  void CheckToken(const std::string& token,
                  const std::function<void(Result<std::string>)>& done) override;
  Result<std::string> FoldName(std::string_view name) const override;
  std::vector<std::string> RecipientCandidates(std::string_view address) const override;

 private:
  auth::SaslPlace PlaceOf(const LoginClient& client) const;
  /// The stored verifier, or a decoy that looks like one.
  auth::ScramVerifier Verifier(auth::ScramHash hash, const std::string& user,
                               const FindVerifiers& find);

  const CredentialOptions options_;
  Random& random_;
  auth::LoginCache cache_;
  auth::LoginGuard guard_;
  auth::TokenChecker tokens_;
  std::mutex mutex_;
  std::string decoy_secret_;  // guarded by mutex_
};

}  // namespace twinspool::node
