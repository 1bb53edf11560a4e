// Logins of the model: the real mechanisms over passwords that are kept as they are.
#include <utility>

#include "server/auth/decoy.h"
#include "server/auth/sasl.h"
#include "tests/support/memory_mail_store_inl.h"

namespace twinspool::testing {
namespace {

std::string Lower(std::string text) {
  for (char& c : text) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

auth::SaslPlace PlaceOf(const LoginClient& client) {
  return {client.tls_exporter, client.certificate_names, auth::TokenOffer{.scope = "mail"}};
}

}  // namespace

class MemoryMailStore::MemoryExchange final : public LoginExchange {
 public:
  MemoryExchange(MemoryMailStore& store, std::unique_ptr<SaslMechanism> mechanism)
      : store_(store), mechanism_(std::move(mechanism)) {}

  const std::string& first_challenge() const override { return mechanism_->first_challenge(); }

  void Step(std::string octets, Done<LoginStep> done) override {
    store_.Complete<LoginStep>(done, StepNow(octets));
  }

 private:
  Result<LoginStep> StepNow(const std::string& octets) {
    if (over_) {
      return Unauthenticated("refused");
    }
    ASSIGN_OR_RETURN(SaslStep step, mechanism_->Step(octets));
    if (!step.claim) {
      return LoginStep{std::move(step.challenge), std::nullopt};
    }
    over_ = true;
    TRY(store_.Enter("Authenticate"));
    Result<UserRef> user = store_.Judge(*step.claim);
    if (user.ok()) {
      return LoginStep{"", std::move(*user)};
    }
    if (user.status().Is(Code::kUnauthenticated) && !step.claim->refusal.empty()) {
      return LoginStep{step.claim->refusal, std::nullopt};
    }
    return user.status();
  }

  MemoryMailStore& store_;
  const std::unique_ptr<SaslMechanism> mechanism_;
  bool over_ = false;
};

Result<UserRef> MemoryMailStore::Judge(const SaslClaim& claim) {
  if (claim.proof == SaslClaim::Proof::kToken) {
    SaslClaim given{SaslClaim::Proof::kGiven, "", claim.act_for, "", ""};
    constexpr std::string_view kPrefix = "token-of-";
    given.user = claim.secret.starts_with(kPrefix) ? claim.secret.substr(kPrefix.size()) : "";
    return given.user.empty() ? Unauthenticated("nobody's token") : Judge(given);
  }
  if (!claim.act_for.empty() && Lower(claim.act_for) != Lower(claim.user)) {
    return PermissionDenied("Nobody may act for another user here");
  }
  for (const auto& [id, one] : users_) {
    if (one.ref.name == Lower(claim.user) &&
        (claim.proof == SaslClaim::Proof::kGiven || claim.secret == one.password)) {
      return one.ref;
    }
  }
  return Unauthenticated("wrong user name or password");
}

void MemoryMailStore::Authenticate(LoginRequest login, Done<UserRef> done) {
  if (Status status = Enter("Authenticate"); !status.ok()) {
    return Complete<UserRef>(done, status);
  }
  SaslClaim claim;
  claim.user = std::move(login.user);
  claim.secret = std::move(login.password);
  Complete<UserRef>(done, Judge(claim));
}

std::vector<std::string> MemoryMailStore::LoginMechanisms(const LoginClient& client) {
  return auth::MechanismNames(PlaceOf(client));
}

Result<std::unique_ptr<LoginExchange>> MemoryMailStore::StartLogin(LoginStart start) {
  TRY(Enter("StartLogin"));
  ASSIGN_OR_RETURN(
      auto mechanism,
      auth::MakeMechanism(start.mechanism, PlaceOf(start.client),
                          [this](auth::ScramHash hash, const std::string& user) {
                            for (const auto& [id, one] : users_) {
                              if (one.ref.name == Lower(user)) {
                                return auth::DeriveScram(hash, one.password, "salt of the model");
                              }
                            }
                            return auth::MakeDecoy("secret", hash, Lower(user), random_);
                          }));
  return std::unique_ptr<LoginExchange>(
      std::make_unique<MemoryExchange>(*this, std::move(mechanism)));
}

}  // namespace twinspool::testing
