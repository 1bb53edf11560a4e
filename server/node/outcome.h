// What a Status means to who ordered something: the exit code of twinspoolctl. Orders of roles are
// not here: the role machine answers its outcome itself.
#pragma once

#include <string>

#include "proto/admin.pb.h"

#include "common/status.h"

namespace twinspool::node {

/// The one translation (docs/failover.md, "Exit codes"). kUnavailable is TIMEOUT_UNCHANGED: the
/// node answered, did nothing, and may do it a moment later. NOT_REACHABLE is never its answer:
/// whoever called a node that did not answer says so (twinspoolctl; `pair join`).
proto::Outcome OutcomeOf(const Status& status);

/// A reply with outcome and message; `done` is said when all went well.
template <typename Reply>
Reply ReplyFor(const Status& status, const std::string& done) {
  Reply reply;
  reply.set_outcome(OutcomeOf(status));
  reply.set_message(status.ok() ? done : std::string(status.message()));
  return reply;
}

}  // namespace twinspool::node
