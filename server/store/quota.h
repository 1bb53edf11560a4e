// What a user's mailboxes may hold together (RFC 9208): a row of misc if he has limits of his own,
// else the configuration's. What they do hold is counted by Apply (UserState).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"
#include "common/types.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// The limits in a row of misc; nothing: it is deleted, the configuration's hold.
Result<std::optional<QuotaLimits>> DecodeQuotaRow(std::string_view row);
std::string EncodeQuota(const QuotaLimits& limits);

/// kOverQuota when `user`'s mailboxes would hold more than they may with so much more. The
/// configuration's limits hold for persons only.
Status CheckQuota(StoreTxn& txn, UserId user, std::uint64_t bytes, std::uint64_t messages);

/// Sets the user's own limits; nothing: back to the configuration's.
Status SetQuota(StoreTxn& txn, UserId user, const std::optional<QuotaLimits>& limits);
/// As of the transaction.
Result<QuotaLimits> QuotaIn(StoreTxn& txn, UserId user);

}  // namespace twinspool::store
