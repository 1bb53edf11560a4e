// Dates of IMAP.
#include "server/imap/date.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "server/imap/cursor.h"

namespace twinspool::imap {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::int64_t kDaySeconds = 86'400;

// All of `text` as digits, or -1.
int Digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return -1;
    }
    value = value * 10 + (c - '0');
  }
  return text.empty() ? -1 : value;
}

// 1 to 12, or 0.
int Month(std::string_view name) {
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (EqualsIgnoreCase(kMonths[i], name)) {
      return static_cast<int>(i) + 1;
    }
  }
  return 0;
}

bool IsLeapYear(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int DaysInMonth(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

struct Civil {
  int year = 1970;
  int month = 1;
  int day = 1;
};

// The inverse of DaysFromCivil, counting in eras of 400 years that begin on the first of March.
Civil CivilFromDays(std::int64_t days) {
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  Civil civil;
  civil.day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1);
  civil.month = static_cast<int>(march_month < 10 ? march_month + 3 : march_month - 9);
  civil.year = static_cast<int>(year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0));
  return civil;
}

std::optional<std::int32_t> DayNumber(std::string_view day, std::string_view month,
                                      std::string_view year) {
  const int d = Digits(day);
  const int m = Month(month);
  const int y = Digits(year);
  if (m == 0 || y < 1 || d < 1 || d > DaysInMonth(y, m)) {
    return std::nullopt;
  }
  return DaysFromCivil(y, m, d);
}

// "+hhmm" in minutes.
std::optional<std::int16_t> ZoneMinutes(std::string_view zone) {
  const int hours = Digits(zone.substr(1, 2));
  const int minutes = Digits(zone.substr(3, 2));
  if ((zone[0] != '+' && zone[0] != '-') || hours < 0 || hours > 23 || minutes < 0 ||
      minutes > 59) {
    return std::nullopt;
  }
  const int total = hours * 60 + minutes;
  return static_cast<std::int16_t>(zone[0] == '-' ? -total : total);
}

// "hh:mm:ss" in seconds.
std::optional<std::int64_t> SecondsOfDay(std::string_view time) {
  const int hour = Digits(time.substr(0, 2));
  const int minute = Digits(time.substr(3, 2));
  const int second = Digits(time.substr(6, 2));
  const bool in_range = hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 &&
                        second <= 60 && time[2] == ':' && time[5] == ':';
  if (!in_range) {
    return std::nullopt;
  }
  return hour * 3600 + minute * 60 + std::min(second, 59);
}

void AppendPadded(std::string* out, std::int64_t value, int width) {
  std::array<char, 4> digits{};
  for (int i = width - 1; i >= 0; --i) {
    digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out->append(digits.data(), static_cast<std::size_t>(width));
}

}  // namespace

std::int32_t DaysFromCivil(int year, int month, int day) {
  const int march_year = month <= 2 ? year - 1 : year;
  const int era = (march_year >= 0 ? march_year : march_year - 399) / 400;
  const int year_of_era = march_year - era * 400;
  const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

std::optional<std::int32_t> ParseDate(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || dash < 1 || dash > 2 || text.size() != dash + 9 ||
      text[dash + 4] != '-') {
    return std::nullopt;
  }
  return DayNumber(text.substr(0, dash), text.substr(dash + 1, 3), text.substr(dash + 5));
}

std::optional<DateTime> ParseDateTime(std::string_view text) {
  // " d-Mon-yyyy hh:mm:ss +zzzz"
  if (text.size() != 26 || text[2] != '-' || text[6] != '-' || text[11] != ' ' || text[20] != ' ') {
    return std::nullopt;
  }
  const std::size_t day_at = text[0] == ' ' ? 1 : 0;
  const auto day = DayNumber(text.substr(day_at, 2 - day_at), text.substr(3, 3), text.substr(7, 4));
  const auto seconds = SecondsOfDay(text.substr(12, 8));
  const auto zone = ZoneMinutes(text.substr(21, 5));
  if (!day || !seconds || !zone) {
    return std::nullopt;
  }
  DateTime date;
  date.seconds = *day * kDaySeconds + *seconds - *zone * 60;
  date.zone_minutes = *zone;
  return date;
}

void AppendDateTime(std::string* out, DateTime date) {
  static const std::int64_t kFirst = DaysFromCivil(1, 1, 1) * kDaySeconds;
  static const std::int64_t kLast = (DaysFromCivil(9999, 12, 31) + 1) * kDaySeconds - 1;
  const int zone = std::clamp<int>(date.zone_minutes, -(24 * 60 - 1), 24 * 60 - 1);
  const std::int64_t near = std::clamp(date.seconds, kFirst - kDaySeconds, kLast + kDaySeconds);
  const std::int64_t local = std::clamp(near + zone * 60, kFirst, kLast);
  const std::int64_t days = (local >= 0 ? local : local - kDaySeconds + 1) / kDaySeconds;
  const std::int64_t second = local - days * kDaySeconds;
  const Civil civil = CivilFromDays(days);
  AppendPadded(out, civil.day, 2);
  if (civil.day < 10) {
    (*out)[out->size() - 2] = ' ';
  }
  *out += '-';
  *out += kMonths[static_cast<std::size_t>(civil.month - 1)];
  *out += '-';
  AppendPadded(out, civil.year, 4);
  *out += ' ';
  AppendPadded(out, second / 3600, 2);
  *out += ':';
  AppendPadded(out, second / 60 % 60, 2);
  *out += ':';
  AppendPadded(out, second % 60, 2);
  *out += zone < 0 ? " -" : " +";
  AppendPadded(out, std::abs(zone) / 60, 2);
  AppendPadded(out, std::abs(zone) % 60, 2);
}

}  // namespace twinspool::imap
