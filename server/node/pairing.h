// Pairing: how a single node becomes half of a pair: identity, certificates, the one-time
// invitation.
//
//   node a: Init      a pair id, an authority, certificates of node 0 and the administrator
//           Invite    a join string with a one-time secret; only its hash is kept, with an expiry
//   node b: Join      asks the address in the string, with the secret, over TLS that the string's
//                     authority vouches for; gets its certificate; becomes node 1 with nothing yet
//   node a: Accept    checks the secret, issues the certificate; for nobody else from now on
// What follows (roles, filling the copy) is the conversation's business.
#pragma once

#include <string>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "server/node/control.h"
#include "server/node/tls_files.h"

namespace twinspool::node {

/// Thread-safe as far as its references are; the caller serialises calls.
class Pairing {
 public:
  Pairing(NodeControl& control, const TlsFiles& files, Clock& clock, Random& random)
      : control_(control), files_(files), clock_(clock), random_(random) {}

  /// kAlreadyExists when the node belongs to a pair.
  Status Init();
  /// The join string; `address` is where the other node reaches our peer-listen. A new invitation
  /// replaces an open one. kNotFound before Init; kConflict when a peer has joined already.
  Result<std::string> Invite(const std::string& address, std::int64_t valid_s);
  /// Checks the invitation and binds it to the joining node, which may ask again if it lost the
  /// answer. The reply's `refused` says why not; nothing has changed then.
  proto::JoinReply Accept(const proto::JoinRequest& request);
  /// The identity this node has after joining, certificates stored; the caller makes it effective
  /// (NodeControl::BecomeMember) when the store is ready for it.
  Result<replica::NodeIdentity> Join(const proto::JoinTicket& ticket);
  /// Nothing came of the join that Accept was asked for: any node may use the invitation again.
  Status Reopen();
  /// The peer was expelled: another node may join. What was node 1 has no authority to issue
  /// certificates with, so it belongs to no pair any more and needs Init first. May be repeated.
  Status ForgetPeer();

 private:
  NodeControl& control_;
  const TlsFiles& files_;
  Clock& clock_;
  Random& random_;
};

}  // namespace twinspool::node
