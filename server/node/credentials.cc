#include "server/node/credentials.h"

#include <utility>

#include "server/auth/scram.h"
#include "server/auth/user_name.h"

namespace twinspool::node {
namespace {

proto::ScramVerifier Stored(const char* mechanism, const auth::ScramVerifier& verifier) {
  proto::ScramVerifier stored;
  stored.set_mechanism(mechanism);
  stored.set_salt(verifier.salt);
  stored.set_iterations(static_cast<std::uint32_t>(verifier.iterations));
  stored.set_stored_key(verifier.stored_key);
  stored.set_server_key(verifier.server_key);
  return stored;
}

}  // namespace

NodeCredentials::NodeCredentials(std::vector<std::string> local_domains,
                                 std::vector<std::string> login_fronts, Clock& clock,
                                 Random& random, unsigned long cost)
    : local_domains_(std::move(local_domains)),
      random_(random),
      cost_(cost),
      cache_(clock, random),
      guard_(clock, std::move(login_fronts)) {}

Result<store::MadeCredentials> NodeCredentials::Make(std::string_view password) {
  ASSIGN_OR_RETURN(const auth::Credentials made, auth::MakeCredentials(password, random_, cost_));
  return store::MadeCredentials{
      made.password_hash,
      {Stored("SCRAM-SHA-1", made.scram_sha1), Stored("SCRAM-SHA-256", made.scram_sha256)}};
}

bool NodeCredentials::Remembers(std::string_view user, std::string_view password,
                                std::string_view password_hash) {
  return !password_hash.empty() && cache_.Knows(user, password, password_hash);
}

Status NodeCredentials::Enter(std::string_view user, std::string_view address) {
  return guard_.Enter(user, address);
}

Status NodeCredentials::Welcome(std::string_view user, std::string_view address) {
  return guard_.Welcome(user, address);
}

void NodeCredentials::Leave(std::string_view user, std::string_view address, bool wrong) {
  guard_.Leave(user, address, wrong);
}

bool NodeCredentials::Verify(std::string_view user, std::string_view password,
                             std::string_view password_hash) {
  if (!auth::VerifyPassword(password, password_hash)) {
    return false;
  }
  cache_.Remember(user, password, password_hash);
  return true;
}

Result<std::string> NodeCredentials::FoldName(std::string_view name) const {
  return auth::FoldUserName(name);
}

std::vector<std::string> NodeCredentials::RecipientCandidates(std::string_view address) const {
  return auth::RecipientCandidates(address, local_domains_);
}

}  // namespace twinspool::node
