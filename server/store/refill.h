// Refill: the standby's side of catch-up and repair: units of newest state, whole users replaced.
//
// A user whose copy is under way carries the mark incomplete(user), durable before anything of him
// is touched and taken away only when the digest after his last unit is right. A unit that replaces
// drops first what the user (or the one mailbox) has here, but not the octets of bodies: they are
// set aside as unclaimed, and what the units do not claim is freed at the end. A copy that breaks
// off is started again from its first unit. Rows of a user that is replaced may be damaged: what
// does not parse is dropped, and what it stood for is asked for.
//
// One thread; nothing else may write meanwhile. Everything is durable when a call returns.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "server/store/head.h"

namespace twinspool::store {

class Engine;
class RowBatch;

class Refill {
 public:
  /// None is owned; all outlive this.
  Refill(Engine& engine, HeadState& head, Clock& clock)
      : engine_(engine), head_(head), clock_(clock) {}

  /// See replica::ChangeSink.
  Result<bool> ApplyUnit(const proto::CatchUpUnit& unit);
  Result<std::vector<proto::BodyRef>> BodiesOf(UserId user);
  Status DropUser(UserId user, bool only_here);
  /// Rows that take away every incomplete mark.
  Status AddClearMarks(RowBatch* batch);

 private:
  Status Begin(UserId user, const proto::CatchUpUnit& unit);
  Status SetBodiesAside(UserId user);
  Status DropRows(UserId user);
  Status DropMailboxRows(UserId user, MailboxId mailbox);
  Status ApplyItems(UserId user, const proto::CatchUpUnit& unit);
  Result<proto::UserChanges> TakeBodies(UserId user, const proto::CatchUpUnit& unit,
                                        HeadEdit& edit);
  /// Octets under a number come anew: what was set aside under it goes.
  Status DropAside(UserId user, BodyNo body, HeadEdit& edit);
  Status Claim(UserId user, const proto::CopyBodyItem& item, HeadEdit& edit);
  Status FreeUnclaimed(UserId user);
  Result<bool> Finish(UserId user, const proto::CatchUpUnit& unit);

  Engine& engine_;
  HeadState& head_;
  Clock& clock_;
};

}  // namespace twinspool::store
