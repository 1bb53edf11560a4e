// TLS contexts of servers: certificate, key and CA files in, one immutable SSL_CTX out.
//
// This is not a socket: connections make their own SSL objects from a context (server/net). Nor is
// it the pair's link, which gets PEM texts of its own (common/certificates.h). OpenSSL's types are
// only named here, so that the header stays light.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

struct ssl_ctx_st;

namespace twinspool {

/// Which files (PEM) a server shows, and whom it asks for.
struct TlsServerOptions {
  std::string certificate_file = {};  // the chain, leaf first
  std::string key_file = {};
  /// CA certificates that clients' certificates are checked against; empty: none are asked for.
  std::string client_ca_file = {};
  /// With client_ca_file: a client without a good certificate is refused in the handshake.
  /// Otherwise it may come without one, and TlsInfo::client_name stays empty.
  bool require_client_certificate = false;
  /// Further ones, each shown to clients that ask for a name in it (SNI, RFC 6066 §3); whoever asks
  /// for no name, or an unknown one, is shown the first.
  struct Files {
    std::string certificate_file;
    std::string key_file;
  };
  std::vector<Files> more = {};
};

/// The same as TlsServerOptions with the PEM texts themselves.
struct TlsServerPems {
  std::string certificate = {};
  std::string key = {};
  std::string client_ca = {};
  bool require_client_certificate = false;
  struct Pair {
    std::string certificate;
    std::string key;
  };
  std::vector<Pair> more = {};
};

/// An immutable server context: TLS 1.2 and 1.3, ECDHE with AEAD ciphers only, no renegotiation, no
/// compression, session tickets, idle connections hold no record buffers. Thread-safe.
class TlsContext {
 public:
  /// Errors name the file and what is wrong with it: missing, not PEM, key of another certificate,
  /// expired is accepted (clients decide).
  static Result<std::shared_ptr<const TlsContext>> Load(const TlsServerOptions& options);
  static Result<std::shared_ptr<const TlsContext>> FromPem(const TlsServerPems& pems);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// For SSL_new; the SSL keeps its own reference.
  ssl_ctx_st* native() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}

  ssl_ctx_st* const context_;
};

/// Where listeners find the present context. Reload builds a new one from the same files; running
/// connections keep theirs, a failed reload changes nothing. Thread-safe.
class TlsSource {
 public:
  /// Loads once; fails as TlsContext::Load does.
  static Result<std::shared_ptr<TlsSource>> Open(TlsServerOptions options);
  /// A source without files, whose Reload does nothing.
  explicit TlsSource(std::shared_ptr<const TlsContext> context);

  std::shared_ptr<const TlsContext> Get() const;
  Status Reload();

 private:
  TlsServerOptions options_;  // constant; empty certificate_file: nothing to reload
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsContext> context_;  // guarded by mutex_
};

/// The oldest reason in OpenSSL's error queue of this thread, which is emptied: "no such file", or
/// "unknown error".
std::string TakeTlsError();

}  // namespace twinspool
