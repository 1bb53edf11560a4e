#include "server/node/tls_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <sys/stat.h>

namespace twinspool::node {
namespace {

Status Errno(const std::string& what) {
  return IoError(what + ": " + std::generic_category().message(errno));
}

CertificateSpec NodeSpec(PairId pair, int index) {
  CertificateSpec spec;
  spec.common_name = "twinspool node " + std::to_string(index);
  spec.dns_names = {kNodeDnsName};
  spec.uris = {NodeUri(pair, index)};
  return spec;
}

Status WriteSynced(int fd, const std::string& path, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0) {
      return Errno("cannot write " + path);
    }
    done += static_cast<std::size_t>(n);
  }
  return fsync(fd) == 0 ? OkStatus() : Errno("cannot sync " + path);
}

}  // namespace

Result<TlsServerOptions> MailTlsOptions(const NodeConfig& config) {
  TlsServerOptions tls;
  tls.certificate_file = config.tls_certificate;
  tls.key_file = config.tls_key;
  tls.client_ca_file = config.tls_client_ca;
  for (const std::string& text : config.tls_more_certificates) {
    const std::size_t colon = text.find(':');
    const bool both = colon == std::string::npos;
    tls.more.push_back({text.substr(0, colon), both ? text : text.substr(colon + 1)});
    if (tls.more.back().certificate_file.empty() || tls.more.back().key_file.empty()) {
      return InvalidArgument("tls-more-certificates: '" + text + "' is not CERTIFICATE:KEY");
    }
  }
  return tls;
}

Status TlsFiles::MakeDirectory() const {
  std::error_code error;
  std::filesystem::create_directories(dir_, error);
  if (error || chmod(dir_.c_str(), 0700) != 0) {
    return IoError("cannot make the directory " + dir_ + ": " + error.message());
  }
  return OkStatus();
}

Status TlsFiles::Write(const std::string& name, const std::string& text) const {
  const std::string path = dir_ + "/" + name;
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    return Errno("cannot create " + temporary);
  }
  const Status written = WriteSynced(fd, temporary, text);
  close(fd);
  TRY(written);
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return Errno("cannot rename " + temporary);
  }
  const int directory = open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && fsync(directory) == 0;
  if (directory >= 0) {
    close(directory);
  }
  return synced ? OkStatus() : Errno("cannot sync " + dir_);
}

Status TlsFiles::WritePair(const std::string& name, const KeyAndCertificate& both) const {
  TRY(Write(name + ".key", both.key_pem));
  return Write(name + ".pem", both.certificate_pem);
}

Result<std::string> TlsFiles::Read(const std::string& name) const {
  const std::string path = dir_ + "/" + name;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return NotFound("there is no " + path +
                    "; this node has no certificates of a pair (twinspoolctl pair init, or join)");
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool TlsFiles::HasNode() const {
  return std::filesystem::exists(dir_ + "/node.pem");
}

Result<NodeCertificates> TlsFiles::Load() const {
  NodeCertificates loaded;
  ASSIGN_OR_RETURN(loaded.ca_pem, Read("ca.pem"));
  ASSIGN_OR_RETURN(loaded.node.certificate_pem, Read("node.pem"));
  ASSIGN_OR_RETURN(loaded.node.key_pem, Read("node.key"));
  return loaded;
}

Status TlsFiles::MakeForNewPair(PairId pair) const {
  TRY(MakeDirectory());
  ASSIGN_OR_RETURN(const KeyAndCertificate authority,
                   MakeAuthority("twinspool pair " + pair.ToHex().substr(0, 8)));
  CertificateSpec admin;
  admin.common_name = "twinspool administrator";
  admin.uris = {AdminUri(pair)};
  ASSIGN_OR_RETURN(const KeyAndCertificate admin_pair, IssueCertificate(authority, admin));
  ASSIGN_OR_RETURN(const KeyAndCertificate node_pair,
                   IssueCertificate(authority, NodeSpec(pair, 0)));
  TRY(WritePair("ca", authority));
  TRY(WritePair("admin", admin_pair));
  return WritePair("node", node_pair);
}

Result<KeyAndCertificate> TlsFiles::IssueForPeer(PairId pair, NodeId peer) const {
  KeyAndCertificate authority;
  ASSIGN_OR_RETURN(authority.certificate_pem, Read("ca.pem"));
  ASSIGN_OR_RETURN(authority.key_pem, Read("ca.key"));
  CertificateSpec spec = NodeSpec(pair, 1);
  spec.uris.push_back(MemberUri(pair, peer));
  return IssueCertificate(authority, spec);
}

Status TlsFiles::StoreJoined(const NodeCertificates& certificates) const {
  TRY(MakeDirectory());
  TRY(Write("ca.pem", certificates.ca_pem));
  return WritePair("node", certificates.node);
}

Result<TlsFiles::MailPaths> TlsFiles::MailCertificate(const std::string& node_name) const {
  const MailPaths paths{dir_ + "/mail.pem", dir_ + "/mail.key"};
  if (std::filesystem::exists(paths.certificate) && std::filesystem::exists(paths.key)) {
    return paths;
  }
  TRY(MakeDirectory());
  CertificateSpec spec;
  spec.common_name = node_name;
  spec.dns_names = {node_name, "localhost"};
  spec.ip_addresses = {"127.0.0.1", "::1"};
  ASSIGN_OR_RETURN(const KeyAndCertificate both, MakeSelfSigned(spec));
  TRY(WritePair("mail", both));
  return paths;
}

Status TlsFiles::StoreLoginSecret(const std::string& secret) const {
  TRY(MakeDirectory());
  return Write("login.secret", secret);
}

Result<std::string> TlsFiles::LoginSecret(Random& random) const {
  if (!std::filesystem::exists(dir_ + "/login.secret")) {
    TRY(StoreLoginSecret(random.NewId<Guid>().ToHex()));
  }
  return Read("login.secret");
}

}  // namespace twinspool::node
