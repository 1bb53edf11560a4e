// Dates of IMAP: the date of SEARCH keys and the date-time of APPEND and INTERNALDATE.
//
// Proleptic Gregorian calendar, years 1 to 9999; no clock, no time zone database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/imap/command.h"

namespace twinspool::imap {

/// Days since 1970-01-01 of a day that exists.
std::int32_t DaysFromCivil(int year, int month, int day);

/// "1-Feb-2024" or "01-Feb-2024" (RFC 3501 date-text) as days since 1970; nothing when it is none.
std::optional<std::int32_t> ParseDate(std::string_view text);

/// " 1-Feb-2024 13:05:09 +0100" (RFC 3501 date-time, without quotes): 26 octets exactly, the day
/// padded by a space or a zero. Second 60 is read as 59, since a leap second has no number here.
std::optional<DateTime> ParseDateTime(std::string_view text);

/// Writes what ParseDateTime reads, without quotes; the instant shown in its own zone. Instants
/// outside the years 1 to 9999 are shown as the nearest end.
void AppendDateTime(std::string* out, DateTime date);

}  // namespace twinspool::imap
