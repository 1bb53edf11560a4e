// Item makers: one row of a picture as one change item. The small pieces of item_source.cc and
// answers.cc; nobody else includes this.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/store/row_view.h"

namespace twinspool::store {

using Items = std::deque<proto::ChangeItem>;

// Each appends at most one item; nothing when the row is not there.
Status AddUser(const RowView& view, UserId user, Items* out);
Status AddMailbox(const RowView& view, UserId user, MailboxId mailbox, Items* out);
/// `key`: kind octet and key below the user.
Status AddMisc(std::string_view key, std::string_view value, Items* out);
Status AddToken(std::string_view key, std::string_view value, Items* out);

/// A thing that was touched and is gone: it was forgotten.
Status AddForgottenMailbox(const RowView& view, UserId user, MailboxId mailbox, Items* out);
Status AddForgottenMisc(const RowView& view, UserId user, const std::string& key, Items* out);

/// Members of `uids` that have no entry.
Result<UidSet> Absent(const RowView& view, MailboxId mailbox, const UidSet& uids);
/// Names what is gone and the floor. What is gone still used up its UIDs, so this raises UIDNEXT.
Status AddPurge(const RowView& view, MailboxId mailbox, const UidSet& gone, Items* out);
/// The floor of a mailbox and, by its last UID if that is gone, UIDNEXT.
Status AddFloor(const RowView& view, MailboxId mailbox, Items* out);

/// One chunk; with GUID and size if it is the last one of a body that the pool knows. kDataLoss: a
/// known body lacks it.
Status AddChunk(const RowView& view, UserId user, BodyNo body, std::uint32_t chunk,
                const std::optional<PooledBody>& pooled, Items* out);

}  // namespace twinspool::store
