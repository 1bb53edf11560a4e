#include "common/tls.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace twinspool {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using CtxPtr = std::unique_ptr<SSL_CTX, FreeContext>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

Status TlsError(std::string_view what) {
  return InvalidArgument(std::string(what) + ": " + TakeTlsError());
}

BioPtr MemoryBio(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

Result<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return NotFound("TLS file " + path + " cannot be opened: check the path and its permissions");
  }
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (file.bad()) {
    return IoError("TLS file " + path + " cannot be read");
  }
  return text;
}

// No prompt on the terminal for the passphrase of an encrypted key: it is an error.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

Status UseChain(SSL_CTX* ctx, std::string_view pem) {
  const BioPtr bio = MemoryBio(pem);
  const X509Ptr leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, NoPassphrase, nullptr), X509_free);
  if (leaf == nullptr || SSL_CTX_use_certificate(ctx, leaf.get()) != 1) {
    return TlsError("the certificate is not usable PEM");
  }
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
      X509_free(next);
      return TlsError("a certificate of the chain was refused");
    }
  }
  ERR_clear_error();  // the end of the chain is an "error" of its own
  return OkStatus();
}

Status UseKey(SSL_CTX* ctx, std::string_view pem) {
  const BioPtr bio = MemoryBio(pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr),
                   EVP_PKEY_free);
  if (key == nullptr) {
    return TlsError("the private key is not usable PEM (it must not have a passphrase)");
  }
  if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    return TlsError("the private key does not belong to the certificate");
  }
  return OkStatus();
}

Status UseClientAuthorities(SSL_CTX* ctx, std::string_view pem, bool require) {
  const BioPtr bio = MemoryBio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  int count = 0;
  while (X509* raw = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    const X509Ptr authority(raw, X509_free);
    if (X509_STORE_add_cert(store, raw) != 1 || SSL_CTX_add_client_CA(ctx, raw) != 1) {
      return TlsError("a CA certificate was refused");
    }
    ++count;
  }
  ERR_clear_error();
  if (count == 0) {
    return InvalidArgument("the CA file holds no certificate in PEM");
  }
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return OkStatus();
}

Status SetPolicy(SSL_CTX* ctx) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets carry the sessions; a cache here would only hold memory.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  static constexpr unsigned char kContextName[] = "twinspool";
  SSL_CTX_set_session_id_context(ctx, kContextName, sizeof(kContextName) - 1);
  if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(ctx, kCiphers) != 1) {
    return TlsError("TLS 1.2 with ECDHE ciphers is not available in this OpenSSL");
  }
  return OkStatus();
}

// --- SNI

/// Contexts by the names in their certificates, in lower case, "*.example.org" as it is. Owned by
/// the context that clients begin with, for that one may outlive the TlsContext.
using NameTable = std::map<std::string, CtxPtr, std::less<>>;

void FreeNames(void* /*context*/, void* table, CRYPTO_EX_DATA* /*data*/, int /*index*/,
               long /*argl*/, void* /*argp*/) {
  delete static_cast<NameTable*>(table);
}

int NamesIndex() {
  static const int kIndex = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeNames);
  return kIndex;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

std::vector<std::string> DnsNamesOf(SSL_CTX* ctx) {
  std::vector<std::string> names;
  auto* all = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(SSL_CTX_get0_certificate(ctx), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type == GEN_DNS) {
      const ASN1_STRING* text = name->d.dNSName;
      names.push_back(LowerCase({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                 static_cast<std::size_t>(ASN1_STRING_length(text))}));
    }
  }
  GENERAL_NAMES_free(all);
  return names;
}

SSL_CTX* FindByName(const NameTable& table, const std::string& name) {
  auto found = table.find(name);
  if (const std::size_t dot = name.find('.'); found == table.end() && dot != std::string::npos) {
    found = table.find("*" + name.substr(dot));
  }
  return found == table.end() ? nullptr : found->second.get();
}

int ChooseByName(SSL* ssl, int* /*alert*/, void* /*argument*/) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const auto* table =
      static_cast<const NameTable*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), NamesIndex()));
  SSL_CTX* chosen =
      name == nullptr || table == nullptr ? nullptr : FindByName(*table, LowerCase(name));
  if (chosen != nullptr) {
    SSL_set_SSL_CTX(ssl, chosen);
  }
  return SSL_TLSEXT_ERR_OK;
}

Result<CtxPtr> MakeContext(const TlsServerPems& pems, const TlsServerPems::Pair& shown) {
  ERR_clear_error();
  CtxPtr ctx(SSL_CTX_new(TLS_server_method()));
  if (ctx == nullptr) {
    return TlsError("no TLS context");
  }
  TRY(SetPolicy(ctx.get()));
  TRY(UseChain(ctx.get(), shown.certificate));
  TRY(UseKey(ctx.get(), shown.key));
  if (!pems.client_ca.empty()) {
    TRY(UseClientAuthorities(ctx.get(), pems.client_ca, pems.require_client_certificate));
  } else if (pems.require_client_certificate) {
    return InvalidArgument("client certificates are required, but there is no CA to check them");
  }
  return ctx;
}

// The first certificate wins where two hold the same name.
Status AddNames(CtxPtr ctx, NameTable* table) {
  const std::vector<std::string> names = DnsNamesOf(ctx.get());
  if (names.empty()) {
    return InvalidArgument("the certificate holds no DNS name to choose it by");
  }
  for (const std::string& name : names) {
    SSL_CTX_up_ref(ctx.get());
    table->emplace(name, CtxPtr(ctx.get()));
  }
  return OkStatus();
}

}  // namespace

std::string TakeTlsError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "unknown error" : reason;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::FromPem(const TlsServerPems& pems) {
  ASSIGN_OR_RETURN(CtxPtr ctx, MakeContext(pems, {pems.certificate, pems.key}));
  auto table = std::make_unique<NameTable>();
  for (const TlsServerPems::Pair& one : pems.more) {
    ASSIGN_OR_RETURN(CtxPtr made, MakeContext(pems, one));
    TRY(AddNames(std::move(made), table.get()));
  }
  if (!table->empty()) {
    SSL_CTX_set_ex_data(ctx.get(), NamesIndex(), table.release());
    // What the macro SSL_CTX_set_tlsext_servername_callback does, without its old-style cast.
    SSL_CTX_callback_ctrl(ctx.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                          reinterpret_cast<void (*)()>(ChooseByName));
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(ctx.release()));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::Load(const TlsServerOptions& options) {
  TlsServerPems pems;
  ASSIGN_OR_RETURN(pems.certificate, ReadPem(options.certificate_file));
  ASSIGN_OR_RETURN(pems.key, ReadPem(options.key_file));
  if (!options.client_ca_file.empty()) {
    ASSIGN_OR_RETURN(pems.client_ca, ReadPem(options.client_ca_file));
  }
  pems.require_client_certificate = options.require_client_certificate;
  for (const TlsServerOptions::Files& files : options.more) {
    TlsServerPems::Pair& pair = pems.more.emplace_back();
    ASSIGN_OR_RETURN(pair.certificate, ReadPem(files.certificate_file));
    ASSIGN_OR_RETURN(pair.key, ReadPem(files.key_file));
    // Each by itself first, so that an error can name its file.
    TRY(FromPem({.certificate = pems.certificate, .key = pems.key, .more = {pair}})
            .status()
            .Annotate("certificate " + files.certificate_file + ", key " + files.key_file));
  }
  auto context = FromPem(pems);
  if (!context.ok()) {
    return context.status().Annotate(
        "certificate " + options.certificate_file + ", key " + options.key_file +
        (options.client_ca_file.empty() ? "" : ", CA ") + options.client_ca_file);
  }
  return context;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Result<std::shared_ptr<TlsSource>> TlsSource::Open(TlsServerOptions options) {
  ASSIGN_OR_RETURN(auto context, TlsContext::Load(options));
  auto source = std::make_shared<TlsSource>(std::move(context));
  source->options_ = std::move(options);
  return source;
}

TlsSource::TlsSource(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}

std::shared_ptr<const TlsContext> TlsSource::Get() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

Status TlsSource::Reload() {
  if (options_.certificate_file.empty()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(auto context, TlsContext::Load(options_));
  const std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return OkStatus();
}

}  // namespace twinspool
