// Which messages a command means: a sequence-set against the view of the session.
#pragma once

#include "common/status.h"
#include "common/uid_set.h"
#include "server/imap/command.h"
#include "server/imap/selected.h"

namespace twinspool::imap {

/// UIDs with a sequence number in `view` that `set` names, as UIDs (`uid`) or by sequence number.
/// "$" means what was saved, as far as it is still there (RFC 5182 §2.1), in both cases.
/// UIDs that do not exist are left out (RFC 3501 §6.4.8); a sequence number above the view is
/// kInvalidArgument, except that "*" in an empty mailbox names nothing.
Result<UidSet> MessagesOf(const SelectedView& view, const SequenceSet& set, bool uid);

/// Places first..last in a result, 1 being the first; empty when first > last.
struct Places {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};
/// Which of `count` places a range of PARTIAL means (RFC 9394 §3.1).
Places PlacesOf(const PartialRange& range, std::uint64_t count);
/// The members of `numbers` in those places.
UidSet PartOf(const UidSet& numbers, const PartialRange& range);

/// The numbers to name `uids` by in an answer: themselves, or their sequence numbers.
UidSet NumbersOf(const SelectedView& view, const UidSet& uids, bool uid);

}  // namespace twinspool::imap
