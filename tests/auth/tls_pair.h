// Two ends of a TLS connection in memory, real OpenSSL on both, for channel bindings.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "common/certificates.h"
#include "common/tls.h"

namespace twinspool::testing {

class TlsPair {
 public:
  explicit TlsPair(int version = TLS1_3_VERSION) {
    const KeyAndCertificate self = MakeSelfSigned({.common_name = "localhost"}).value();
    server_context_ =
        TlsContext::FromPem({.certificate = self.certificate_pem, .key = self.key_pem}).value();
    client_context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(client_context_, version);
    server_ = SSL_new(server_context_->native());
    client_ = SSL_new(client_context_);
    BIO* up = nullptr;
    BIO* down = nullptr;
    BIO_new_bio_pair(&up, 1 << 17, &down, 1 << 17);
    SSL_set_bio(server_, up, up);
    SSL_set_bio(client_, down, down);
    SSL_set_accept_state(server_);
    SSL_set_connect_state(client_);
    for (int i = 0; i < 10 && !(SSL_is_init_finished(server_) && SSL_is_init_finished(client_));
         ++i) {
      SSL_do_handshake(client_);
      SSL_do_handshake(server_);
    }
  }
  ~TlsPair() {
    SSL_free(server_);
    SSL_free(client_);
    SSL_CTX_free(client_context_);
  }
  TlsPair(const TlsPair&) = delete;
  TlsPair& operator=(const TlsPair&) = delete;

  std::string server_exporter() const { return Exporter(server_); }
  std::string client_exporter() const { return Exporter(client_); }

 private:
  static std::string Exporter(SSL* ssl) {
    static constexpr char kLabel[] = "EXPORTER-Channel-Binding";
    std::string octets(32, '\0');
    const int made =
        SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(octets.data()),
                                   octets.size(), kLabel, sizeof(kLabel) - 1, nullptr, 0, 0);
    return made == 1 ? octets : "";
  }

  std::shared_ptr<const TlsContext> server_context_;
  SSL_CTX* client_context_ = nullptr;
  SSL* server_ = nullptr;
  SSL* client_ = nullptr;
};

}  // namespace twinspool::testing
