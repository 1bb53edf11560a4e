// The certificates of a node: where they lie below the data directory, how they come to be.
//
//   tls/ca.pem            the pair's authority; both nodes
//   tls/ca.key            its key; only where `pair init` ran
//   tls/node.pem, .key    this node: role URI twinspool://<pair>/node/<index>
//   tls/admin.pem, .key   for remote twinspoolctl; only where `pair init` ran
//   tls/mail.pem, .key    self-signed, for mail clients, when none is configured
//   tls/login.secret      what decoys are made from (server/auth/decoy.h); the same on both nodes
// The directory is 0700, keys 0600. Files are replaced as a whole (temporary, fsync, rename).
#pragma once

#include <string>

#include "common/certificates.h"
#include "common/config.h"
#include "common/env.h"
#include "common/status.h"
#include "common/tls.h"
#include "common/types.h"

namespace twinspool::node {

/// The name all nodes' certificates share, so that gRPC's own host check has something to compare;
/// who is who is told by the role URI.
inline constexpr const char* kNodeDnsName = "twinspool-node";

/// Certificates of a member of a pair, as PEM texts.
struct NodeCertificates {
  std::string ca_pem;
  KeyAndCertificate node;
};

/// What mail clients are shown, by the options of `config`; the first certificate is left out when
/// none is configured.
Result<TlsServerOptions> MailTlsOptions(const NodeConfig& config);

class TlsFiles {
 public:
  explicit TlsFiles(std::string data_dir) : dir_(std::move(data_dir) + "/tls") {}

  bool HasNode() const;
  /// kNotFound with the command that helps when this node belongs to no pair yet.
  Result<NodeCertificates> Load() const;

  /// `pair init`: a new authority, node 0's and the administrator's certificate.
  Status MakeForNewPair(PairId pair) const;
  /// What the joining node gets as node 1; kNotFound where the authority's key is not.
  Result<KeyAndCertificate> IssueForPeer(PairId pair, NodeId peer) const;
  /// `pair join`: stores what the inviting node sent.
  Status StoreJoined(const NodeCertificates& certificates) const;

  /// Paths of a self-signed certificate for mail clients, made at the first call.
  struct MailPaths {
    std::string certificate;
    std::string key;
  };
  Result<MailPaths> MailCertificate(const std::string& node_name) const;

  /// Made at the first call, unless StoreLoginSecret was called before.
  Result<std::string> LoginSecret(Random& random) const;
  Status StoreLoginSecret(const std::string& secret) const;

 private:
  Status MakeDirectory() const;
  Status Write(const std::string& name, const std::string& text) const;
  Result<std::string> Read(const std::string& name) const;
  Status WritePair(const std::string& name, const KeyAndCertificate& both) const;

  const std::string dir_;
};

}  // namespace twinspool::node
