// StoreSink: replica::ChangeSink over the store: frames of the primary, catch-up, rewind.
//
// Frames go through the same Apply() as the primary's transactions, write the same outbox entries,
// and are kept only if every digest they carry comes out equal; the check is made before anything
// is written. Contiguity is checked by number: a frame known already is skipped, a gap refused.
//
// One thread at a time (the stream's handler), on a node that is not primary: nothing else writes.
// After a change of role the owner clears HeadState. A write that fails is answered as an error and
// must end the process, as everywhere.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/arriving_bodies.h"
#include "server/store/change_log.h"
#include "server/store/head.h"
#include "server/store/refill.h"
#include "server/store/undo.h"

namespace twinspool::store {

class Engine;

class StoreSink final : public replica::ChangeSink {
 public:
  /// None is owned; all outlive this.
  StoreSink(Engine& engine, HeadState& head, OutboxLog& log, Clock& clock);

  /// Called with bodies that have come whole, after they are durable: caches may be built from
  /// them. Default: nobody.
  void SetBodyListener(std::function<void(std::vector<std::pair<UserId, BodyNo>>)> listener);

  /// Asked before a unit of a catch-up is taken. Default: there is room.
  void SetRoomCheck(std::function<Status()> check) { room_check_ = std::move(check); }

  EntryId last() override { return log_.last(); }
  Result<replica::ApplyOutcome> Apply(const std::vector<proto::Frame>& frames) override;

  Result<bool> ApplyUnit(const proto::CatchUpUnit& unit) override;
  Result<std::vector<proto::UserDigest>> Users() override;
  Result<std::vector<proto::BodyRef>> BodiesOf(UserId user) override;
  Result<std::vector<replica::SalvageRecord>> ReadDoomed(UserId user, MailboxId after_mailbox,
                                                         Uid after_uid) override;
  Status DropUser(UserId user, bool only_here) override;
  Status FinishCatchUp(EntryId target) override;

  Result<std::vector<replica::SalvageRecord>> ReadForSalvage() override;
  Result<std::string> ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                      std::size_t length) override;
  Status UndoLast() override;
  Result<std::vector<UserId>> FinishRewind() override;

  Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                           std::size_t limit) override;

 private:
  /// What came of a run of frames that was applied in memory.
  struct Run {
    std::size_t good = 0;  // frames that may be kept
    Status error;          // why the next one may not, or OK
    std::optional<replica::ApplyOutcome::Mismatch> mismatch;
    bool whole() const { return error.ok() && !mismatch; }
  };

  Result<std::vector<const proto::Frame*>> NewFrames(const std::vector<proto::Frame>& frames);
  /// Applies the frames; if all are good, they are durable when it returns.
  Result<Run> ApplyRun(const std::vector<const proto::Frame*>& frames);
  /// One frame into `edit`; its entry goes to `batch`. A mismatch is noted in `run`.
  Status ApplyFrame(const proto::Frame& frame, HeadEdit& edit, RowBatch* batch, Run* run);
  /// Remembers chunks that are durable now.
  void NoteBodies(const std::vector<const proto::Frame*>& frames);
  void TellBodies(const std::vector<const proto::Frame*>& frames);
  void TellBodies(std::vector<std::pair<UserId, BodyNo>> bodies);

  Engine& engine_;
  HeadState& head_;
  OutboxLog& log_;
  Clock& clock_;
  Refill refill_;
  Undo undo_;
  ArrivingBodies arriving_;
  std::function<void(std::vector<std::pair<UserId, BodyNo>>)> body_listener_;
  std::function<Status()> room_check_ = [] { return OkStatus(); };
  std::uint64_t added_bytes_ = 0;  // of outbox entries in the run under way
};

}  // namespace twinspool::store
