// The pair's stream over gRPC with mutual TLS: node 1 dials, node 0 serves.
//
// Both ends check the other's certificate: signed by the pair's authority, and its URI name says
// twinspool://<pair>/node/<index> of the other node. Streams have no deadline; both ends send
// transport keepalives (on by configuration here, off by default in gRPC), and the conversation has
// heartbeats of its own, because a hung process answers pings. Messages are at most
// limits::kPeerMessageBytesMax. This is the only file of replica/ that knows gRPC.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"

namespace grpc {
class Service;
}

namespace twinspool::replica {

/// PEM texts of one node. The key is a secret: never log it.
struct LinkCertificates {
  std::string authority;
  std::string certificate;
  std::string key;
};

/// The name that all nodes' certificates share, for TLS's own host check.
inline constexpr const char* kPeerDnsName = "twinspool-node";

/// Node 1's end: dials `address` (host:port) from a thread of its own, again and again with a
/// jittered wait between limits::kRedialMsMin and kRedialMsMax.
std::unique_ptr<PeerLink> DialPeer(std::string address, const LinkCertificates& certificates,
                                   PairId pair_id, Random& random);

/// Answers Replication.Join: checks the one-time secret and makes a certificate. Any thread.
using JoinHandler = std::function<proto::JoinReply(const proto::JoinRequest&)>;

/// The node that joined; nil: none. Any thread.
using MemberQuestion = std::function<NodeId()>;

/// Node 0's end: the Replication service, to be registered with a PeerServer, and the link that its
/// streams belong to. Only the member's certificate is let in: one that was expelled must not
/// displace it. `join` may be empty: joining is refused then.
class PeerService : public PeerLink {
 public:
  virtual grpc::Service* service() = 0;
};
std::unique_ptr<PeerService> MakePeerService(PairId pair_id, MemberQuestion member,
                                             JoinHandler join);

/// A gRPC server with the pair's TLS and keepalive settings. Clients may come without a certificate
/// (Join), but a certificate that is shown must be the authority's; services check who it names.
class PeerServer {
 public:
  virtual ~PeerServer() = default;
  virtual int port() const = 0;
  /// Ends every call and the listening; links of its services are stopped before.
  virtual void Stop() = 0;
};
/// `address` host:port, port 0 chooses one. kIo when it cannot be listened on. The services outlive
/// the server.
Result<std::unique_ptr<PeerServer>> StartPeerServer(const std::string& address,
                                                    const LinkCertificates& certificates,
                                                    const std::vector<grpc::Service*>& services);

}  // namespace twinspool::replica
