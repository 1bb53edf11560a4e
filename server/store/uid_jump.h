// StoreUidJump: replica::UidJumper: what a forced promotion owes to clients of the absent node.
//
// User by user: every live mailbox skips limits::kUidJump UIDs (gaps.h); with `renumber`, messages
// that the peer is not known to have move above the gap, since the peer may have given their UIDs
// to others; the UIDVALIDITY counter for new mailboxes goes up. The user's header is written last
// and says that he is done, so that a process that dies in between goes on where it was.
//
// What the peer has is MailboxRow::uid_peer: never too high, but perhaps too low, so that a few
// messages get a new UID without need.
#pragma once

#include "replica/ports.h"
#include "server/store/txn.h"

namespace twinspool::store {

class StoreUidJump final : public replica::UidJumper {
 public:
  /// `visibility` is told that a new time begins, with writes refused. Neither is owned.
  StoreUidJump(const WritePath& path, replica::Visibility& visibility)
      : path_(path), visibility_(visibility) {}

  Status JumpUids(Epoch epoch, Incarnation incarnation, bool renumber) override;

 private:
  const WritePath& path_;
  replica::Visibility& visibility_;
};

}  // namespace twinspool::store
