// The one-time string of `pair invite`: all that the second node needs to find and trust the first.
//
//   twinspool1:<base64 of proto::JoinTicket>
// It holds a secret: whoever has it may join until it is used or expires. Never log it.
#pragma once

#include <string>

#include "proto/replication.pb.h"

#include "common/status.h"

namespace twinspool::node {

std::string EncodeJoinString(const proto::JoinTicket& ticket);
/// kInvalidArgument for anything that is not a whole join string.
Result<proto::JoinTicket> DecodeJoinString(const std::string& text);

}  // namespace twinspool::node
