#include "server/net/tls_engine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/check.h"

namespace twinspool::net {
namespace {

constexpr std::size_t kExporterBytes = 32;  // RFC 9266 §2

// A NUL inside would make another name of it for whoever reads C strings: such a name is none.
void AddName(const ASN1_STRING* text, std::vector<std::string>* names) {
  unsigned char* utf8 = nullptr;
  const int size = text == nullptr ? -1 : ASN1_STRING_to_UTF8(&utf8, text);
  if (size > 0) {
    std::string name(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
    if (name.find('\0') == std::string::npos) {
      names->push_back(std::move(name));
    }
  }
  OPENSSL_free(utf8);
}

std::vector<std::string> NamesOf(const X509& certificate) {
  std::vector<std::string> names;
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_EMAIL) {
      AddName(name->d.rfc822Name, &names);
    }
  }
  GENERAL_NAMES_free(alternatives);
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    AddName(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), &names);
  }
  ERR_clear_error();
  return names;
}

}  // namespace

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
  const X509* peer = SSL_get0_peer_certificate(ssl_);
  if (peer != nullptr && SSL_get_verify_result(ssl_) == X509_V_OK) {
    info.client_names = NamesOf(*peer);
  }
  return info;
}

std::string TlsEngine::Exporter() const {
  static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  std::string octets(kExporterBytes, '\0');
  const bool made =
      SSL_version(ssl_) == TLS1_3_VERSION &&
      SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(octets.data()),
                                 octets.size(), kLabel.data(), kLabel.size(), nullptr, 0, 0) == 1;
  ERR_clear_error();
  return made ? octets : "";
}

}  // namespace twinspool::net
