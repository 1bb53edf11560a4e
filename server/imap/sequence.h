// From what a client wrote ("1:*,7") to which messages it means, and between the two numberings.
//
// A session's view is its list of UIDs in rising order; the sequence number of a message is its
// index there plus one. Nothing here keeps state.
#pragma once

#include <cstdint>
#include <span>

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

/// UIDs at these sequence numbers; numbers above the view's size are left out.
UidSet SequenceToUids(const UidSet& sequence, std::span<const Uid> view);

/// Sequence numbers of those `uids` that are in the view. O(ranges · log view + answer).
UidSet UidsToSequence(const UidSet& uids, std::span<const Uid> view);

/// Those `uids` that are in the view. O(ranges · log view + answer).
UidSet ExistingUids(const UidSet& uids, std::span<const Uid> view);

/// Sequence number of one UID, 0 when it is not in the view.
std::uint32_t SequenceOf(Uid uid, std::span<const Uid> view);

}  // namespace twinspool::imap
