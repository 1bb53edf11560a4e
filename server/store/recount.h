// Recount: derived state (counters, totals, digests) made anew from the rows it is derived from.
//
// Needed after undo steps, which restore rows but not sums, and by the scrub, which compares. What
// can't be derived is kept as stored: uid_next (never lowered here), purge floor, what the peer
// knows, the user's last modseq and UIDVALIDITY counter. Pure reading; callers write the answer.
#pragma once

#include <optional>

#include "common/status.h"
#include "common/types.h"
#include "server/store/row_view.h"
#include "server/store/rows.h"

namespace twinspool::store {

/// The mailbox's row as it should be; nothing when it has no header (then `owner` must be known by
/// other means and its row, if any, is to be deleted). kDataLoss: an entry without its record, or
/// octets that do not parse.
Result<std::optional<MailboxRow>> RecountMailbox(const RowView& view, const MailboxRow& stored,
                                                 MailboxId mailbox);

/// The user's state as it should be, from his own rows and his mailboxes' rows as they stand.
Result<UserState> RecountUser(const RowView& view, UserId user);

}  // namespace twinspool::store
