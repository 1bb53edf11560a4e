#include "server/net/tls_engine.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/check.h"

namespace twinspool::net {

// The BIO through which OpenSSL sees the engine's buffers: reads consume input_, writes append to
// output_ and always succeed.
struct TlsEngine::BioFunctions {
  static TlsEngine* Engine(BIO* bio) { return static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int Read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    std::string_view& input = Engine(bio)->input_;
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(input.size(), static_cast<std::size_t>(size));
    std::memcpy(out, input.data(), count);
    input.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int Write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    Engine(bio)->output_.append(data, static_cast<std::size_t>(size));
    return size;
  }

  static long Control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
  }

  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const kMethod = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engine");
      TWINSPOOL_CHECK(made != nullptr, "OpenSSL has no memory for a BIO method");
      BIO_meth_set_read(made, Read);
      BIO_meth_set_write(made, Write);
      BIO_meth_set_ctrl(made, Control);
      return made;
    }();
    return kMethod;
  }
};

std::unique_ptr<TlsEngine> TlsEngine::Server(const TlsContext& context) {
  std::unique_ptr<TlsEngine> engine(new TlsEngine());
  engine->ssl_ = SSL_new(context.native());
  BIO* bio = BIO_new(BioFunctions::Method());
  if (engine->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    return nullptr;
  }
  BIO_set_data(bio, engine.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(engine->ssl_, bio, bio);
  SSL_set_accept_state(engine->ssl_);
  return engine;
}

TlsEngine::~TlsEngine() {
  SSL_free(ssl_);
}

TlsEngine::Step TlsEngine::StepOf(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Step::kWantInput;
    case SSL_ERROR_ZERO_RETURN:
      return Step::kClosed;
    default:
      error_ = TakeTlsError();
      return Step::kFailed;
  }
}

TlsEngine::Step TlsEngine::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  return result == 1 ? Step::kDone : StepOf(result);
}

TlsEngine::Step TlsEngine::Read(char* out, std::size_t size, std::size_t* read) {
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_, out, size, read);
  return result == 1 ? Step::kDone : StepOf(result);
}

bool TlsEngine::Write(std::string_view plain) {
  while (!plain.empty()) {
    ERR_clear_error();
    std::size_t taken = 0;
    if (SSL_write_ex(ssl_, plain.data(), plain.size(), &taken) != 1) {
      ERR_clear_error();
      return false;
    }
    plain.remove_prefix(taken);
  }
  return true;
}

void TlsEngine::Shutdown() {
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_) != 0) {
    SSL_shutdown(ssl_);
  }
  ERR_clear_error();
}

TlsInfo TlsEngine::Describe() const {
  TlsInfo info;
  info.active = true;
  info.version = SSL_get_version(ssl_);
  info.cipher = SSL_get_cipher_name(ssl_);
  X509* peer = SSL_get0_peer_certificate(ssl_);
  if (peer != nullptr && SSL_get_verify_result(ssl_) == X509_V_OK) {
    std::array<char, 256> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name.data(),
                              static_cast<int>(name.size()));
    info.client_name = name.data();
  }
  return info;
}

}  // namespace twinspool::net
