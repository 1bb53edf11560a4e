#include "common/certificates.h"

#include <array>
#include <ctime>
#include <memory>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/tls.h"

namespace twinspool {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using BignumPtr = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;

Status CertificateError(std::string_view what) {
  return InvalidArgument(std::string(what) + ": " + TakeTlsError());
}

BioPtr MemoryBio(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

std::string Contents(BIO* bio) {
  const char* data = nullptr;
  const long size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, static_cast<void*>(&data));
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Result<KeyAndCertificate> ToPem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_bio(BIO_new(BIO_s_mem()), BIO_free_all);
  const BioPtr key_bio(BIO_new(BIO_s_mem()), BIO_free_all);
  if (PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return CertificateError("a certificate cannot be written as PEM");
  }
  return KeyAndCertificate{Contents(certificate_bio.get()), Contents(key_bio.get())};
}

// A positive number of 127 random bits, as browsers ask for.
Status SetSerial(X509* certificate) {
  const BignumPtr serial(BN_new(), BN_free);
  if (BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return CertificateError("no serial number");
  }
  return OkStatus();
}

Status SetCommonName(X509* certificate, std::string_view name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(name.data()),
                                 static_cast<int>(name.size()), -1, 0) != 1) {
    return CertificateError("the name \"" + std::string(name) +
                            "\" does not fit a certificate (1 to 64 characters)");
  }
  return OkStatus();
}

Status AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added ? OkStatus() : CertificateError("a certificate extension was refused");
}

Status AddText(GENERAL_NAMES* names, int type, const std::string& text) {
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f) {
      return InvalidArgument("the name \"" + text + "\" is not plain ASCII without spaces");
    }
  }
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  ASN1_STRING_set(value, text.data(), static_cast<int>(text.size()));
  GENERAL_NAME_set0_value(name, type, value);
  sk_GENERAL_NAME_push(names, name);
  return OkStatus();
}

Status AddAddress(GENERAL_NAMES* names, const std::string& text) {
  ASN1_OCTET_STRING* value = a2i_IPADDRESS(text.c_str());
  if (value == nullptr) {
    ERR_clear_error();
    return InvalidArgument("\"" + text + "\" is not an IP address");
  }
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, GEN_IPADD, value);
  sk_GENERAL_NAME_push(names, name);
  return OkStatus();
}

Status AddAlternativeNames(X509* certificate, const CertificateSpec& spec) {
  const NamesPtr names(GENERAL_NAMES_new(), GENERAL_NAMES_free);
  for (const std::string& name : spec.dns_names) {
    TRY(AddText(names.get(), GEN_DNS, name));
  }
  for (const std::string& uri : spec.uris) {
    TRY(AddText(names.get(), GEN_URI, uri));
  }
  for (const std::string& address : spec.ip_addresses) {
    TRY(AddAddress(names.get(), address));
  }
  if (sk_GENERAL_NAME_num(names.get()) > 0 &&
      X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) !=
          1) {
    return CertificateError("the alternative names were refused");
  }
  return OkStatus();
}

// Everything but issuer, extensions and signature. Clocks of two machines differ, so validity
// begins an hour ago.
Result<X509Ptr> NewCertificate(EVP_PKEY* key, std::string_view common_name, int days) {
  X509Ptr certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  TRY(SetSerial(certificate.get()));
  TRY(SetCommonName(certificate.get(), common_name));
  if (X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600) == nullptr ||
      X509_time_adj_ex(X509_getm_notAfter(certificate.get()), days, 0, nullptr) == nullptr ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return CertificateError("a certificate cannot be made");
  }
  return certificate;
}

Status Sign(X509* certificate, EVP_PKEY* key) {
  return X509_sign(certificate, key, EVP_sha256()) > 0
             ? OkStatus()
             : CertificateError("a certificate cannot be signed");
}

Status AddLeafExtensions(X509* leaf, X509* issuer, const CertificateSpec& spec) {
  TRY(AddExtension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE"));
  TRY(AddExtension(leaf, issuer, NID_key_usage, "critical,digitalSignature"));
  TRY(AddExtension(leaf, issuer, NID_ext_key_usage, "serverAuth,clientAuth"));
  TRY(AddExtension(leaf, issuer, NID_subject_key_identifier, "hash"));
  return AddAlternativeNames(leaf, spec);
}

Result<X509Ptr> ParseCertificate(std::string_view pem) {
  X509Ptr certificate(PEM_read_bio_X509(MemoryBio(pem).get(), nullptr, nullptr, nullptr),
                      X509_free);
  if (certificate == nullptr) {
    return CertificateError("not a certificate in PEM");
  }
  return certificate;
}

Result<KeyPtr> NewKey() {
  // What the macro EVP_EC_gen stands for, without its cast of a constant.
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free);
  if (key == nullptr) {
    return CertificateError("no P-256 key can be made");
  }
  return key;
}

std::string CommonName(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) {
    return "";
  }
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  std::string text = size > 0 ? std::string(utf8, utf8 + size) : std::string();
  OPENSSL_free(utf8);
  return text;
}

std::string Text(const ASN1_STRING* value) {
  const unsigned char* data = ASN1_STRING_get0_data(value);
  return {data, data + ASN1_STRING_length(value)};
}

std::string AddressText(const ASN1_STRING* value) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(value) != 16) {
    return "";
  }
  inet_ntop(family, ASN1_STRING_get0_data(value), text.data(), text.size());
  return text.data();
}

void ReadAlternativeNames(const X509* certificate, CertificateFacts* facts) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
                           X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
                       GENERAL_NAMES_free);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      facts->dns_names.push_back(Text(name->d.dNSName));
    } else if (name->type == GEN_URI) {
      facts->uris.push_back(Text(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_IPADD) {
      facts->ip_addresses.push_back(AddressText(name->d.iPAddress));
    }
  }
}

std::string Fingerprint(const X509* certificate) {
  Id<struct FingerprintTag, 32> digest;
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  return digest.ToHex();
}

std::string RoleUri(PairId pair, std::string_view role) {
  return "twinspool://" + pair.ToHex() + "/" + std::string(role);
}

}  // namespace

Result<KeyAndCertificate> MakeAuthority(std::string_view common_name, int days) {
  ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  ASSIGN_OR_RETURN(const X509Ptr certificate, NewCertificate(key.get(), common_name, days));
  X509* raw = certificate.get();
  X509_set_issuer_name(raw, X509_get_subject_name(raw));
  TRY(AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TRY(AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TRY(AddExtension(raw, raw, NID_subject_key_identifier, "hash"));
  TRY(Sign(raw, key.get()));
  return ToPem(raw, key.get());
}

Result<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& authority,
                                           const CertificateSpec& spec) {
  ASSIGN_OR_RETURN(const X509Ptr issuer, ParseCertificate(authority.certificate_pem));
  const KeyPtr issuer_key(
      PEM_read_bio_PrivateKey(MemoryBio(authority.key_pem).get(), nullptr, nullptr, nullptr),
      EVP_PKEY_free);
  if (issuer_key == nullptr || X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    return CertificateError("the authority's key does not belong to its certificate");
  }
  ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  ASSIGN_OR_RETURN(const X509Ptr certificate,
                   NewCertificate(key.get(), spec.common_name, spec.days));
  X509* raw = certificate.get();
  X509_set_issuer_name(raw, X509_get_subject_name(issuer.get()));
  TRY(AddLeafExtensions(raw, issuer.get(), spec));
  TRY(AddExtension(raw, issuer.get(), NID_authority_key_identifier, "keyid:always"));
  TRY(Sign(raw, issuer_key.get()));
  return ToPem(raw, key.get());
}

Result<KeyAndCertificate> MakeSelfSigned(const CertificateSpec& spec) {
  ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  ASSIGN_OR_RETURN(const X509Ptr certificate,
                   NewCertificate(key.get(), spec.common_name, spec.days));
  X509* raw = certificate.get();
  X509_set_issuer_name(raw, X509_get_subject_name(raw));
  TRY(AddLeafExtensions(raw, raw, spec));
  TRY(Sign(raw, key.get()));
  return ToPem(raw, key.get());
}

Result<CertificateFacts> ReadCertificate(std::string_view pem) {
  ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(pem));
  CertificateFacts facts;
  facts.common_name = CommonName(X509_get_subject_name(certificate.get()));
  facts.issuer_name = CommonName(X509_get_issuer_name(certificate.get()));
  facts.is_authority = X509_check_ca(certificate.get()) != 0;
  facts.fingerprint = Fingerprint(certificate.get());
  ReadAlternativeNames(certificate.get(), &facts);
  std::tm not_after{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &not_after) == 1) {
    facts.not_after = timegm(&not_after);
  }
  return facts;
}

std::string NodeUri(PairId pair, int index) {
  return RoleUri(pair, "node/" + std::to_string(index));
}

std::string MemberUri(PairId pair, NodeId node) {
  return RoleUri(pair, "member/" + node.ToHex());
}

std::string AdminUri(PairId pair) {
  return RoleUri(pair, "admin");
}

std::string FrontUri(PairId pair) {
  return RoleUri(pair, "front");
}

}  // namespace twinspool
