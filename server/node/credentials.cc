#include "server/node/credentials.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/auth/app_password.h"
#include "server/auth/decoy.h"
#include "server/auth/sasl.h"
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

const char* MechanismOf(auth::ScramHash hash) {
  return hash == auth::ScramHash::kSha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

bool Usable(const proto::ScramVerifier& stored) {
  return !stored.salt().empty() && !stored.stored_key().empty() && stored.iterations() > 0 &&
         stored.iterations() <= static_cast<std::uint32_t>(limits::kScramIterationsMax);
}

auth::ScramVerifier Loaded(const proto::ScramVerifier& stored) {
  return {stored.salt(), static_cast<int>(stored.iterations()), stored.stored_key(),
          stored.server_key()};
}

}  // namespace

NodeCredentials::NodeCredentials(CredentialOptions options, Clock& clock, Random& random)
    : options_(std::move(options)),
      random_(random),
      cache_(clock, random),
      guard_(clock, options_.login_fronts),
      tokens_(options_.token_rules, options_.introspect, clock),
      decoy_secret_(random.NewId<Guid>().bytes()) {}

void NodeCredentials::SetDecoySecret(std::string secret) {
  const std::lock_guard lock(mutex_);
  decoy_secret_ = std::move(secret);
}

Result<store::MadeCredentials> NodeCredentials::Make(std::string_view password) {
  ASSIGN_OR_RETURN(const auth::Credentials made,
                   auth::MakeCredentials(password, random_, options_.cost));
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

store::MadeAppPassword NodeCredentials::MakeAppPassword() {
  auth::AppPassword made = auth::MakeAppPassword(random_);
  return {std::move(made.text), std::move(made.hash)};
}

bool NodeCredentials::IsAppPassword(std::string_view password, std::string_view hash) {
  return auth::IsAppPassword(password, hash);
}

bool NodeCredentials::IsMaster(std::string_view name) const {
  return std::any_of(options_.master_users.begin(), options_.master_users.end(),
                     [&](const std::string& master) {
                       const auto folded = auth::FoldUserName(master);
                       return folded.ok() && *folded == name;
                     });
}

auth::SaslPlace NodeCredentials::PlaceOf(const LoginClient& client) const {
  return {client.tls_exporter, client.certificate_names, options_.tokens};
}

void NodeCredentials::CheckToken(const std::string& token,
                                 const std::function<void(Result<std::string>)>& done) {
  tokens_.Check(token, done);
}

std::vector<std::string> NodeCredentials::Mechanisms(const LoginClient& client) const {
  return auth::MechanismNames(PlaceOf(client));
}

auth::ScramVerifier NodeCredentials::Verifier(auth::ScramHash hash, const std::string& user,
                                              const FindVerifiers& find) {
  const Result<std::string> folded = auth::FoldUserName(user);
  const std::string& name = folded.ok() ? *folded : user;
  std::string secret;
  {
    const std::lock_guard lock(mutex_);
    secret = decoy_secret_;
  }
  // Made whether or not it is needed, so that the answer takes as long.
  auth::ScramVerifier verifier = auth::MakeDecoy(secret, hash, name, random_);
  for (const proto::ScramVerifier& stored : find(name)) {
    if (stored.mechanism() == MechanismOf(hash) && Usable(stored)) {
      verifier = Loaded(stored);
    }
  }
  return verifier;
}

Result<std::unique_ptr<SaslMechanism>> NodeCredentials::StartMechanism(const LoginStart& start,
                                                                       FindVerifiers find) {
  return auth::MakeMechanism(
      start.mechanism, PlaceOf(start.client),
      [this, find = std::move(find)](auth::ScramHash hash, const std::string& user) {
        return Verifier(hash, user, find);
      });
}

Result<std::string> NodeCredentials::FoldName(std::string_view name) const {
  return auth::FoldUserName(name);
}

std::vector<std::string> NodeCredentials::RecipientCandidates(std::string_view address) const {
  return auth::RecipientCandidates(address, options_.local_domains);
}

}  // namespace twinspool::node
