#include "server/node/pairing.h"

#include <chrono>

#include <grpcpp/grpcpp.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "proto/replication.grpc.pb.h"

#include "common/config.h"
#include "common/limits.h"
#include "common/log.h"
#include "server/node/join_string.h"
#include "server/node/version.h"

namespace twinspool::node {
namespace {

std::string HashOf(const std::string& secret) {
  Guid hash;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash.data());
  return std::string(hash.bytes());
}

bool SameSecret(const std::string& stored_hash, const std::string& secret) {
  const std::string hash = HashOf(secret);
  return stored_hash.size() == hash.size() &&
         CRYPTO_memcmp(stored_hash.data(), hash.data(), hash.size()) == 0;
}

proto::JoinReply Refused(const std::string& why) {
  LogWarn("join_refused", {{"why", why}});
  proto::JoinReply reply;
  reply.set_refused(why);
  return reply;
}

Result<proto::JoinReply> AskToJoin(const proto::JoinTicket& ticket, NodeId node_id) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ticket.ca_pem();
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kNodeDnsName);
  const auto stub = proto::Replication::NewStub(
      grpc::CreateCustomChannel(ticket.address(), grpc::SslCredentials(options), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(limits::kJoinMs));
  proto::JoinRequest request;
  request.set_pair_id(ticket.pair_id());
  request.set_secret(ticket.secret());
  request.set_node_id(std::string(node_id.bytes()));
  request.set_version(kVersion);
  proto::JoinReply reply;
  const grpc::Status status = stub->Join(&context, request, &reply);
  if (!status.ok()) {
    return Unavailable("the inviting node at " + ticket.address() +
                       " cannot be reached: " + status.error_message());
  }
  if (!reply.refused().empty()) {
    return PermissionDenied("the inviting node refused: " + reply.refused());
  }
  return reply;
}

}  // namespace

Status Pairing::Init() {
  replica::NodeIdentity identity = control_.identity();
  if (!identity.pair_id.nil()) {
    return AlreadyExists("this node belongs to pair " + identity.pair_id.ToHex() + " already");
  }
  identity.pair_id = random_.NewId<PairId>();
  identity.node_index = 0;
  TRY(files_.MakeForNewPair(identity.pair_id));
  return control_.SetIdentity(identity);
}

Result<std::string> Pairing::Invite(const std::string& address, std::int64_t valid_s) {
  replica::NodeIdentity identity = control_.identity();
  if (identity.pair_id.nil()) {
    return NotFound("this node has no pair yet: twinspoolctl pair init");
  }
  if (!identity.peer_node_id.nil() || identity.node_index != 0) {
    return Conflict(
        "the pair has two nodes already; to replace one, on the other: twinspoolctl pair dissolve");
  }
  TRY(ParseListenAddress(address).status());
  ASSIGN_OR_RETURN(const NodeCertificates certificates, files_.Load());
  proto::JoinTicket ticket;
  ticket.set_pair_id(std::string(identity.pair_id.bytes()));
  ticket.set_address(address);
  ticket.set_secret(random_.NewId<Guid>().ToHex());
  ticket.set_ca_pem(certificates.ca_pem);
  identity.join_secret_hash = HashOf(ticket.secret());
  identity.join_expires_ns = clock_.WallNs() + valid_s * 1'000'000'000;
  TRY(control_.SetIdentity(identity));
  return EncodeJoinString(ticket);
}

proto::JoinReply Pairing::Accept(const proto::JoinRequest& request) {
  replica::NodeIdentity identity = control_.identity();
  if (PairId::FromBytes(request.pair_id()) != identity.pair_id || identity.pair_id.nil()) {
    return Refused("this is another pair");
  }
  if (identity.join_secret_hash.empty() || clock_.WallNs() > identity.join_expires_ns ||
      !SameSecret(identity.join_secret_hash, request.secret())) {
    return Refused("the invitation is wrong, used, or expired: twinspoolctl pair invite");
  }
  const NodeId peer = NodeId::FromBytes(request.node_id());
  if (peer.nil() || peer == identity.node_id) {
    return Refused("the joining node must have an id of its own");
  }
  if (!identity.peer_node_id.nil() && identity.peer_node_id != peer) {
    return Refused("another node has used this invitation: twinspoolctl pair invite");
  }
  auto issued = files_.IssueForPeer(identity.pair_id, peer);
  auto own = files_.Load();
  auto secret = files_.LoginSecret(random_);
  for (const Status& status : {issued.status(), own.status(), secret.status()}) {
    if (!status.ok()) {
      return Refused(status.ToString());
    }
  }
  identity.peer_node_id = peer;
  if (const Status saved = control_.SetIdentity(identity); !saved.ok()) {
    return Refused(saved.ToString());
  }
  proto::JoinReply reply;
  reply.set_node_index(1);
  reply.set_certificate_pem(issued->certificate_pem);
  reply.set_key_pem(issued->key_pem);
  reply.set_ca_pem(own->ca_pem);
  reply.set_login_secret(*secret);
  return reply;
}

Result<replica::NodeIdentity> Pairing::Join(const proto::JoinTicket& ticket) {
  replica::NodeIdentity identity = control_.identity();
  if (!identity.pair_id.nil()) {
    return Conflict("this node belongs to pair " + identity.pair_id.ToHex() +
                    " already; a node joins with an empty data directory");
  }
  ASSIGN_OR_RETURN(const proto::JoinReply reply, AskToJoin(ticket, identity.node_id));
  if (reply.node_index() != 1) {
    return Internal("the inviting node gave out a node index that does not exist");
  }
  NodeCertificates certificates;
  certificates.ca_pem = reply.ca_pem();
  certificates.node.certificate_pem = reply.certificate_pem();
  certificates.node.key_pem = reply.key_pem();
  TRY(files_.StoreJoined(certificates));
  if (!reply.login_secret().empty()) {  // a node of an earlier build has none to give
    TRY(files_.StoreLoginSecret(reply.login_secret()));
  }
  identity.pair_id = PairId::FromBytes(ticket.pair_id());
  identity.node_index = 1;
  identity.peer_address = ticket.address();
  return identity;
}

Status Pairing::Reopen() {
  replica::NodeIdentity identity = control_.identity();
  identity.peer_node_id = NodeId();
  return control_.SetIdentity(identity);
}

Status Pairing::ForgetPeer() {
  const replica::NodeIdentity before = control_.identity();
  replica::NodeIdentity identity = before;
  if (!identity.peer_node_id.nil()) {
    identity.peer_node_id = NodeId();
    identity.join_secret_hash.clear();  // it was that node's
    identity.join_expires_ns = 0;
  }
  if (identity.node_index != 0) {
    identity.pair_id = PairId();
    identity.node_index = 0;
    identity.peer_address.clear();
  }
  return identity == before ? OkStatus() : control_.SetIdentity(identity);
}

}  // namespace twinspool::node
