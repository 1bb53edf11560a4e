// From what a client wrote ("1:*,7") to which numbers it means. Nothing here keeps state.
#pragma once

#include <cstdint>

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/imap/command.h"

namespace twinspool::imap {

/// A set of UIDs as numbers: '*' is `max_uid`, the largest in the view (0: the view is empty, and
/// '*' alone means nothing). UIDs that do not exist stay in; cost is O(ranges · log ranges),
/// whatever the width of the ranges.
UidSet ResolveUids(const SequenceSet& set, Uid max_uid);

/// A set of sequence numbers: '*' is `exists`. kInvalidArgument (tagged BAD) when a number is above
/// `exists`, or when the mailbox is empty: no number is valid then.
Result<UidSet> ResolveSequence(const SequenceSet& set, std::uint32_t exists);

}  // namespace twinspool::imap
