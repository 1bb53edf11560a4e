#include "server/auth/sasl_scram.h"

#include <gsasl.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "common/check.h"
#include "common/codec.h"

namespace twinspool::auth {
namespace {

class Scram final : public SaslMechanism {
 public:
  Scram(ScramHash hash, bool plus, std::string tls_exporter, FindVerifier find)
      : hash_(hash), plus_(plus), tls_exporter_(std::move(tls_exporter)), find_(std::move(find)) {}
  ~Scram() override {
    if (session_ != nullptr) {
      gsasl_finish(session_);
    }
  }
  Scram(const Scram&) = delete;
  Scram& operator=(const Scram&) = delete;

  bool Begin(Gsasl* library, const std::string& name) {
    if (gsasl_server_start(library, name.c_str(), &session_) != GSASL_OK) {
      session_ = nullptr;
      return false;
    }
    gsasl_session_hook_set(session_, this);
    return true;
  }

  const std::string& first_challenge() const override { return nothing_; }

  Result<SaslStep> Step(std::string_view octets) override {
    if (proven_) {
      return OnLastWord(octets);
    }
    if (!plus_ && octets.starts_with("p=")) {
      return InvalidArgument("Channel binding goes with the -PLUS mechanisms");
    }
    char* out = nullptr;
    std::size_t size = 0;
    const int outcome = octets.empty()
                            ? GSASL_MECHANISM_PARSE_ERROR
                            : gsasl_step(session_, octets.data(), octets.size(), &out, &size);
    std::string challenge = out == nullptr ? std::string() : std::string(out, size);
    gsasl_free(out);
    switch (outcome) {
      case GSASL_OK:
        proven_ = true;
        [[fallthrough]];
      case GSASL_NEEDS_MORE:
        return SaslStep{std::move(challenge), std::nullopt};
      case GSASL_AUTHENTICATION_ERROR:
        return Unauthenticated("wrong user name or password");
      default:
        return InvalidArgument("The message of SCRAM was not understood");
    }
  }

  /// Answers GNU SASL's question for `property`.
  int Give(Gsasl_property property) {
    switch (property) {
      case GSASL_CB_TLS_EXPORTER:
        return tls_exporter_.empty() ? GSASL_NO_CALLBACK : Set(property, Base64(tls_exporter_));
      case GSASL_SCRAM_ITER:
        return Set(property, std::to_string(verifier().iterations));
      case GSASL_SCRAM_SALT:
        return Set(property, Base64(verifier().salt));
      case GSASL_SCRAM_STOREDKEY:
        return Set(property, Base64(verifier().stored_key));
      case GSASL_SCRAM_SERVERKEY:
        return Set(property, Base64(verifier().server_key));
      default:
        return GSASL_NO_CALLBACK;
    }
  }

 private:
  static std::string Base64(const std::string& octets) { return Base64Encode(octets); }

  int Set(Gsasl_property property, const std::string& value) {
    return gsasl_property_set(session_, property, value.c_str());
  }

  // One verifier for the whole exchange, also when the password is changed within it.
  const ScramVerifier& verifier() {
    if (!verifier_) {
      const char* user = gsasl_property_fast(session_, GSASL_AUTHID);
      verifier_ = find_(hash_, user == nullptr ? "" : user);
    }
    return *verifier_;
  }

  // The server's signature has been sent as a challenge, for IMAP's OK has no room for it.
  Result<SaslStep> OnLastWord(std::string_view octets) {
    if (!octets.empty()) {
      return InvalidArgument("SCRAM ends with an empty response");
    }
    SaslClaim claim;
    claim.proof = SaslClaim::Proof::kGiven;
    const char* user = gsasl_property_fast(session_, GSASL_AUTHID);
    const char* act_for = gsasl_property_fast(session_, GSASL_AUTHZID);
    claim.user = user == nullptr ? "" : user;
    claim.act_for = act_for == nullptr ? "" : act_for;
    return SaslStep{"", std::move(claim)};
  }

  const std::string nothing_;
  const ScramHash hash_;
  const bool plus_;
  const std::string tls_exporter_;
  const FindVerifier find_;
  Gsasl_session* session_ = nullptr;
  std::optional<ScramVerifier> verifier_;
  bool proven_ = false;
};

int OnQuestion(Gsasl* /*library*/, Gsasl_session* session, Gsasl_property property) {
  auto* scram = static_cast<Scram*>(gsasl_session_hook_get(session));
  return scram == nullptr ? static_cast<int>(GSASL_NO_CALLBACK) : scram->Give(property);
}

// One for the process: sessions of several threads may share it.
Gsasl* Library() {
  static Gsasl* const kLibrary = [] {
    Gsasl* made = nullptr;
    TWINSPOOL_CHECK(gsasl_init(&made) == GSASL_OK, "GNU SASL cannot be initialised");
    gsasl_callback_set(made, OnQuestion);
    return made;
  }();
  return kLibrary;
}

}  // namespace

Result<std::unique_ptr<SaslMechanism>> MakeScram(std::string_view name, std::string tls_exporter,
                                                 FindVerifier find) {
  const ScramHash hash = name.starts_with("SCRAM-SHA-256") ? ScramHash::kSha256 : ScramHash::kSha1;
  auto scram = std::make_unique<Scram>(hash, name.ends_with("-PLUS"), std::move(tls_exporter),
                                       std::move(find));
  if (!scram->Begin(Library(), std::string(name))) {
    return Internal("GNU SASL does not know " + std::string(name));
  }
  return std::unique_ptr<SaslMechanism>(std::move(scram));
}

}  // namespace twinspool::auth
