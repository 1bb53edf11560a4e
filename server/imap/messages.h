// Which messages a command means: a sequence-set against the view of the session.
#pragma once

#include "common/status.h"
#include "common/uid_set.h"
#include "server/imap/command.h"
#include "server/imap/selected.h"

namespace twinspool::imap {

/// UIDs with a sequence number in `view` that `set` names, as UIDs (`uid`) or by sequence number.
/// UIDs that do not exist are left out (RFC 3501 §6.4.8); a sequence number above the view is
/// kInvalidArgument, except that "*" in an empty mailbox names nothing.
Result<UidSet> MessagesOf(const SelectedView& view, const SequenceSet& set, bool uid);

/// The numbers to name `uids` by in an answer: themselves, or their sequence numbers.
UidSet NumbersOf(const SelectedView& view, const UidSet& uids, bool uid);

}  // namespace twinspool::imap
