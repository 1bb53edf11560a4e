#include "server/auth/sasl.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/auth/plain.h"
#include "server/auth/sasl_oauth.h"
#include "server/auth/sasl_scram.h"
#include "server/auth/user_name.h"

namespace twinspool::auth {
namespace {

/// The client speaks first, and once.
class OneMessage : public SaslMechanism {
 public:
  const std::string& first_challenge() const override { return nothing_; }

 private:
  const std::string nothing_;
};

class Plain final : public OneMessage {
 public:
  Result<SaslStep> Step(std::string_view octets) override {
    ASSIGN_OR_RETURN(SaslClaim claim, ParsePlain(octets));
    return SaslStep{"", std::move(claim)};
  }
};

/// The server asks for the name, then for the password. A name that comes without being asked for
/// is taken, too.
class Login final : public SaslMechanism {
 public:
  const std::string& first_challenge() const override { return first_; }

  Result<SaslStep> Step(std::string_view octets) override {
    if (!user_) {
      user_ = octets;
      return SaslStep{"Password:", std::nullopt};
    }
    SaslClaim claim;
    claim.user = *user_;
    claim.secret = octets;
    return SaslStep{"", std::move(claim)};
  }

 private:
  const std::string first_ = "Username:";
  std::optional<std::string> user_;
};

bool SameUser(std::string_view one, std::string_view other) {
  const auto first = FoldUserName(one);
  const auto second = FoldUserName(other);
  return first.ok() && second.ok() && *first == *second;
}

/// TLS has proven the names; the client may say which of them it means.
class External final : public OneMessage {
 public:
  explicit External(std::vector<std::string> names) : names_(std::move(names)) {}

  Result<SaslStep> Step(std::string_view octets) override {
    SaslClaim claim;
    claim.proof = SaslClaim::Proof::kGiven;
    const auto meant = std::find_if(names_.begin(), names_.end(), [&](const std::string& name) {
      return SameUser(name, octets);
    });
    claim.user = meant == names_.end() ? names_.front() : *meant;
    claim.act_for = octets;
    return SaslStep{"", std::move(claim)};
  }

 private:
  const std::vector<std::string> names_;
};

}  // namespace

std::vector<std::string> MechanismNames(const SaslPlace& place) {
  std::vector<std::string> names;
  if (!place.certificate_names.empty()) {
    names.emplace_back("EXTERNAL");
  }
  if (!place.tls_exporter.empty()) {
    names.insert(names.end(), {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"});
  }
  names.insert(names.end(), {"SCRAM-SHA-256", "SCRAM-SHA-1"});
  if (place.tokens) {
    names.insert(names.end(), {"OAUTHBEARER", "XOAUTH2"});
  }
  names.insert(names.end(), {"PLAIN", "LOGIN"});
  return names;
}

Result<std::unique_ptr<SaslMechanism>> MakeMechanism(std::string_view name, const SaslPlace& place,
                                                     FindVerifier find) {
  const std::vector<std::string> names = MechanismNames(place);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return NotFound("this mechanism is not offered here");
  }
  if (name.starts_with("SCRAM-")) {
    return MakeScram(name, place.tls_exporter, std::move(find));
  }
  std::unique_ptr<SaslMechanism> made;
  if (name == "EXTERNAL") {
    made = std::make_unique<External>(place.certificate_names);
  } else if (name == "OAUTHBEARER") {
    made = MakeOauthBearer(*place.tokens);
  } else if (name == "XOAUTH2") {
    made = MakeXoauth2(*place.tokens);
  } else if (name == "LOGIN") {
    made = std::make_unique<Login>();
  } else {
    made = std::make_unique<Plain>();
  }
  return made;
}

}  // namespace twinspool::auth
