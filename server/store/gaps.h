// Gaps: the UIDs that forced promotions skipped in a mailbox, and the times that they cut off.
//
// A forced promotion leaves behind what only the other node had. A client of that node may know
// UIDs and modseqs that never happened here. So UIDNEXT jumps over them, and each jump is kept in
// the mailbox's header: the skipped range counts as expunged at the first modseq of the new epoch,
// and a modseq between the last one before and that one is known to be from the lost time.
#pragma once

#include "proto/types.pb.h"

#include "common/types.h"
#include "common/uid_set.h"

namespace twinspool::store {

/// The client that knows this modseq saw changes that are lost: no difference can be told from it.
bool InLostTime(const proto::MailboxHeader& header, Modseq since);

/// UIDs that were skipped after `since` (0: none, nothing was known then).
UidSet SkippedSince(const proto::MailboxHeader& header, Modseq since);

/// Skips limits::kUidJump UIDs from `uid_next` on, or as many as there are: adds the gap and raises
/// the floor. `highest` is the mailbox's HIGHESTMODSEQ until now, `modseq` of the new epoch.
void SkipUids(proto::MailboxHeader* header, std::uint32_t uid_next, Modseq highest, Modseq modseq);

}  // namespace twinspool::store
