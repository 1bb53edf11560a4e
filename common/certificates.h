// A small private certificate authority: what `pair init` and `pair invite` hand out, and what a
// trial on loopback shows to mail clients.
//
// All keys are EC P-256. Everything goes in and out as PEM text; this file reads and writes no
// files. The role of a certificate of the pair is a URI among its alternative names:
//   twinspool://<pair id>/node/0, twinspool://<pair id>/node/1, …/admin, …/front
// A certificate of node 1 also names the very node that joined: …/member/<node id>.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"

namespace twinspool {

/// A certificate and its private key (PKCS #8, no passphrase). The key is a secret: never log it.
struct KeyAndCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

/// What to certify. Names are checked by nobody here: they come from the operator.
struct CertificateSpec {
  std::string common_name = {};
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_addresses = {};  // textual IPv4 or IPv6
  std::vector<std::string> uris = {};
  int days = 3650;
};

/// What a certificate says.
struct CertificateFacts {
  std::string common_name = {};
  std::string issuer_name;
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_addresses = {};
  std::vector<std::string> uris = {};
  std::int64_t not_after = 0;  // seconds since 1970 UTC
  bool is_authority = false;
  std::string fingerprint;  // SHA-256 of the DER, lower-case hex
};

/// A new self-signed authority that can sign leaves only (path length 0).
Result<KeyAndCertificate> MakeAuthority(std::string_view common_name, int days = 7300);

/// A new key and its certificate, signed by `authority`, good for TLS servers and clients.
/// kInvalidArgument for PEM that does not parse or for names that cannot be encoded.
Result<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& authority,
                                           const CertificateSpec& spec);

/// A certificate that signs itself, for trials on loopback.
Result<KeyAndCertificate> MakeSelfSigned(const CertificateSpec& spec);

/// Reads the first certificate of a PEM text.
Result<CertificateFacts> ReadCertificate(std::string_view pem);

/// The URI names of the pair's roles; `index` is 0 or 1.
std::string NodeUri(PairId pair, int index);
/// Tells the node that joined from one that left the pair earlier.
std::string MemberUri(PairId pair, NodeId node);
std::string AdminUri(PairId pair);
std::string FrontUri(PairId pair);

}  // namespace twinspool
