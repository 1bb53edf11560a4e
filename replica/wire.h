// The role machine's messages to and from the wire's.
//
// Only envelope and the machine's own fields: what else a Hello carries is filled in and read by
// replica/conversation.h.
#pragma once

#include <optional>

#include "proto/replication.pb.h"

#include "replica/core/role.h"

namespace twinspool::replica {

proto::PeerMessage ToWire(const core::Message& message);
/// Nothing for messages that are not the role machine's business.
std::optional<core::Message> FromWire(const proto::PeerMessage& message);

}  // namespace twinspool::replica
