// When a user last logged in, per protocol: rows of misc, written now and then and never waited
// for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// Key of the row, without user and kind.
std::string LastLoginKey(LoginService service);
/// Whether `key`, without user, is of such a row: nothing that anybody misses after a rewind.
bool IsLastLogin(std::string_view key);
/// Seconds since 1970 of a row's value; 0: it does not tell.
std::int64_t LastLoginOf(std::string_view row);

/// Notes that the user logged in now, unless he did less than `every_s` before.
Status NoteLogin(StoreTxn& txn, UserId user, LoginService service, std::int64_t every_s);

}  // namespace twinspool::store
