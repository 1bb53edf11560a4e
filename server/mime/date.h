// The Date: field (RFC 5322 §3.3, obsolete forms of §4.3) as numbers.
//
// Tolerant of what old mailers write: any or no day name, comments, two-digit years, no seconds,
// named or missing zones, asctime order ("Mon Jan  5 12:00:00 1998").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace twinspool::mime {

struct Date {
  std::int64_t utc_seconds = 0;  // since 1970-01-01; negative before
  int zone_minutes = 0;          // east of Greenwich; 0 if unknown
  bool operator==(const Date&) const = default;

  /// Days since 1970-01-01 of the calendar day that the sender wrote: SENTON, SENTBEFORE and
  /// SENTSINCE compare it "disregarding time and timezone" (RFC 3501 §6.4.4).
  std::int64_t LocalDay() const;
};

/// Nothing unless day, month and year are there and are a date of the years 1 to 9999.
std::optional<Date> ParseDate(std::string_view value);

/// Days since 1970-01-01 of a Gregorian date; month 1-12, day 1-31.
std::int64_t DaysFromCivil(std::int64_t year, int month, int day);

}  // namespace twinspool::mime
