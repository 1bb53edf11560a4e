// Answers to the other node's questions about rows that it finds damaged. See ObjectRequest and
// BodyRequest of proto/replication.proto.
//
// Nothing here is trusted on the other side, so nothing is checked twice: rows are given as they
// can be read, and what cannot be read is said to be damaged here, too. Reads of any thread; a
// snapshot for each answer.
#pragma once

#include <vector>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "server/store/parts.h"

namespace twinspool::store {

class Engine;

/// At least one message, the last one marked; each of about limits::kMendReplyBytes at most, all
/// together of limits::kMendBytesMax.
std::vector<proto::ObjectReply> AnswerObject(Engine& engine, Clock& clock,
                                             const proto::ObjectRequest& request);
proto::BodyReply AnswerBody(Engine& engine, const proto::BodyRequest& request);

/// The contents of one part as items, or pool rows, in messages without number. kDataLoss: damaged.
Result<std::vector<proto::ObjectReply>> ContentsOf(const RowView& view, const Object& object,
                                                   std::uint32_t part);

}  // namespace twinspool::store
