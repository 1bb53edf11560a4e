// Undo: takes the newest entries of the log back, one by one, from the previous values they hold.
//
// For a former primary whose last entries its peer never got. Each step is one synced batch: rows
// as they were, the entry gone, the end of the log stepped back, marks for what must be recounted.
// A process that dies at any point goes on with the entry that is then the newest. Derived state is
// stale until FinishRewind.
//
// Purging, collecting and forgetting a mailbox or user free what no entry can bring back: such a
// step marks the user instead, and he is copied whole from the peer.
//
// One thread; nothing else may write meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/change_log.h"
#include "server/store/head.h"

namespace twinspool::store {

class Engine;

class Undo {
 public:
  /// None is owned; all outlive this.
  Undo(Engine& engine, HeadState& head, OutboxLog& log, Clock& clock)
      : engine_(engine), head_(head), log_(log), clock_(clock) {}

  /// See replica::ChangeSink for these six.
  Result<std::vector<replica::SalvageRecord>> ReadDoomed(UserId user, MailboxId after_mailbox,
                                                         Uid after_uid);
  Result<std::vector<replica::SalvageRecord>> ReadForSalvage();
  Result<std::string> ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                      std::size_t length);
  /// kNotFound: the log holds no entry that could be undone.
  Status UndoLast();
  Result<std::vector<UserId>> FinishRewind();

 private:
  Engine& engine_;
  HeadState& head_;
  OutboxLog& log_;
  Clock& clock_;
};

}  // namespace twinspool::store
