// NodeCredentials: joins the store's questions about names and passwords to server/auth and to the
// configured domains. No rule of its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "server/auth/login_cache.h"
#include "server/auth/login_guard.h"
#include "server/auth/password.h"
#include "server/store/credentials.h"

namespace twinspool::node {

/// Thread-safe.
class NodeCredentials final : public store::Credentials {
 public:
  /// `local_domains`: see auth::RecipientCandidates; `login_fronts`: see auth::LoginGuard. `clock`
  /// and `random` outlive this; `cost` as auth::HashPassword takes it.
  NodeCredentials(std::vector<std::string> local_domains, std::vector<std::string> login_fronts,
                  Clock& clock, Random& random, unsigned long cost = auth::kDefaultCost);

  Result<store::MadeCredentials> Make(std::string_view password) override;
  bool Remembers(std::string_view user, std::string_view password,
                 std::string_view password_hash) override;
  Status Enter(std::string_view user, std::string_view address) override;
  Status Welcome(std::string_view user, std::string_view address) override;
  void Leave(std::string_view user, std::string_view address, bool wrong) override;
  bool Verify(std::string_view user, std::string_view password,
              std::string_view password_hash) override;
  Result<std::string> FoldName(std::string_view name) const override;
  std::vector<std::string> RecipientCandidates(std::string_view address) const override;

 private:
  const std::vector<std::string> local_domains_;
  Random& random_;
  const unsigned long cost_;
  auth::LoginCache cache_;
  auth::LoginGuard guard_;
};

}  // namespace twinspool::node
