// The client's side of SASL by GNU SASL, as mail programs use it.
#pragma once

#include <gsasl.h>

#include <map>
#include <string>
#include <string_view>

#include "common/codec.h"

namespace twinspool::testing {

class GsaslClient {
 public:
  using Properties = std::map<Gsasl_property, std::string>;

  GsaslClient(const std::string& mechanism, Properties properties)
      : properties_(std::move(properties)) {
    gsasl_init(&library_);
    gsasl_callback_set(library_, [](Gsasl*, Gsasl_session* session, Gsasl_property asked) {
      const auto* self = static_cast<GsaslClient*>(gsasl_session_hook_get(session));
      const auto found = self->properties_.find(asked);
      return found == self->properties_.end()
                 ? static_cast<int>(GSASL_NO_CALLBACK)
                 : gsasl_property_set(session, asked, found->second.c_str());
    });
    gsasl_client_start(library_, mechanism.c_str(), &session_);
    gsasl_session_hook_set(session_, this);
  }
  ~GsaslClient() {
    gsasl_finish(session_);
    gsasl_done(library_);
  }
  GsaslClient(const GsaslClient&) = delete;
  GsaslClient& operator=(const GsaslClient&) = delete;

  /// What to send next; outcome() says whether that was the end.
  std::string Step(std::string_view challenge) {
    char* out = nullptr;
    std::size_t size = 0;
    outcome_ = gsasl_step(session_, challenge.data(), challenge.size(), &out, &size);
    std::string octets = out == nullptr ? std::string() : std::string(out, size);
    gsasl_free(out);
    return octets;
  }
  int outcome() const { return outcome_; }

  static Properties Login(const std::string& user, const std::string& password) {
    return {{GSASL_AUTHID, user}, {GSASL_PASSWORD, password}};
  }
  static Properties Bound(Properties properties, std::string_view exporter) {
    properties[GSASL_CB_TLS_EXPORTER] = Base64Encode(exporter);
    return properties;
  }

 private:
  const Properties properties_;
  Gsasl* library_ = nullptr;
  Gsasl_session* session_ = nullptr;
  int outcome_ = GSASL_OK;
};

}  // namespace twinspool::testing
