#include "server/mime/date.h"

#include <array>
#include <vector>

#include "server/mime/ascii.h"

namespace twinspool::mime {
namespace {

constexpr std::size_t kWordsMax = 16;
constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
constexpr std::int64_t kDaySeconds = 86'400;

/// Words without comments; a comma is white space.
std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t pos = 0;
  while (words.size() < kWordsMax) {
    pos = SkipCfws(text, pos);
    if (pos >= text.size()) {
      break;
    }
    const std::size_t end = std::min(text.find_first_of(" \t\r\n,(", pos), text.size());
    if (end > pos) {
      words.push_back(text.substr(pos, end - pos));
    }
    pos = end < text.size() && text[end] == ',' ? end + 1 : end;
  }
  return words;
}

/// All of `text` as a number of at most `digits_max` digits, or -1.
int Number(std::string_view text, std::size_t digits_max) {
  if (text.empty() || text.size() > digits_max) {
    return -1;
  }
  int value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) {
      return -1;
    }
    value = value * 10 + (c - '0');
  }
  return value;
}

/// 1-12, or 0 if the word does not begin with a month's three letters.
int MonthNumber(std::string_view word) {
  if (word.size() < 3) {
    return 0;
  }
  const std::string key = Lowercase(word.substr(0, 3));
  for (int month = 0; month < 12; ++month) {
    if (kMonths.substr(static_cast<std::size_t>(month) * 3, 3) == key) {
      return month + 1;
    }
  }
  return 0;
}

/// RFC 5322 §4.3: two digits below 50 are of this century, other two or three digits of the last.
int FullYear(std::string_view word) {
  const int year = Number(word, 4);
  if (year < 0) {
    return -1;
  }
  if (word.size() == 2) {
    return year < 50 ? 2000 + year : 1900 + year;
  }
  return word.size() == 3 ? 1900 + year : year;
}

/// Seconds of the day from "hh:mm[:ss]" (or with dots, as some wrote); nothing if it is no time.
std::optional<std::int64_t> TimeOfDay(std::string_view word) {
  std::array<int, 3> fields = {0, 0, 0};
  std::size_t count = 0;
  while (count < fields.size()) {
    const std::size_t end = std::min(word.find_first_of(":."), word.size());
    fields[count] = Number(word.substr(0, end), 2);
    if (fields[count++] < 0) {
      return std::nullopt;
    }
    if (end == word.size()) {
      break;
    }
    word.remove_prefix(end + 1);
  }
  if (count < 2 || fields[0] > 23 || fields[1] > 59 || fields[2] > 60) {
    return std::nullopt;
  }
  return fields[0] * 3600 + fields[1] * 60 + fields[2];
}

/// Minutes of "+hhmm" or a name of RFC 5322 §4.3; nothing if the word is no zone.
std::optional<int> ZoneMinutes(std::string_view word) {
  if (word.starts_with('+') || word.starts_with('-')) {
    const int number = Number(word.substr(1), 4);
    if (number < 0 || word.size() != 5 || number % 100 > 59) {
      return std::nullopt;
    }
    const int minutes = number / 100 * 60 + number % 100;
    return word.front() == '-' ? -minutes : minutes;
  }
  struct Named {
    std::string_view name;
    int hours;
  };
  static constexpr Named kZones[] = {{"ut", 0},   {"utc", 0},  {"gmt", 0},  {"z", 0},
                                     {"edt", -4}, {"est", -5}, {"cdt", -5}, {"cst", -6},
                                     {"mdt", -6}, {"mst", -7}, {"pdt", -7}, {"pst", -8}};
  for (const Named& zone : kZones) {
    if (EqualsIgnoreCase(word, zone.name)) {
      return zone.hours * 60;
    }
  }
  return std::nullopt;
}

struct Fields {
  int day = -1;
  int month = 0;
  int year = -1;
  std::int64_t seconds = 0;
  int zone_minutes = 0;
};

bool ValidDay(const Fields& fields) {
  static constexpr std::array<int, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return fields.month > 0 && fields.year > 0 && fields.day > 0 &&
         fields.day <= kDays[static_cast<std::size_t>(fields.month - 1)];
}

/// "5-Jan-1998" of old mailers as three words.
void SplitDashes(std::vector<std::string_view>* words) {
  for (std::size_t i = 0; i < words->size(); ++i) {
    const std::string_view word = (*words)[i];
    const std::size_t dash = word.find('-');
    if (dash != std::string_view::npos && dash > 0 && MonthNumber(word.substr(dash + 1)) > 0) {
      const std::string_view rest = word.substr(dash + 1);
      const std::size_t second = std::min(rest.find('-'), rest.size());
      (*words)[i] = word.substr(0, dash);
      const auto at = words->begin() + static_cast<std::ptrdiff_t>(i) + 1;
      const std::string_view year = rest.substr(std::min(second + 1, rest.size()));
      words->insert(at, {rest.substr(0, second), year});
      return;
    }
  }
}

/// Each word is taken for the first thing that it can be and that is still missing, so the order
/// hardly matters: a day comes before a year, a time has a colon, a zone a sign or a known name.
Fields Sort(const std::vector<std::string_view>& words) {
  Fields fields;
  bool has_time = false;
  for (const std::string_view word : words) {
    if (fields.day < 0 && Number(word, 2) > 0) {
      fields.day = Number(word, 2);
    } else if (fields.month == 0 && MonthNumber(word) > 0) {
      fields.month = MonthNumber(word);
    } else if (fields.year < 0 && word.size() >= 2 && FullYear(word) >= 0) {
      fields.year = FullYear(word);
    } else if (const auto time = TimeOfDay(word); time && !has_time) {
      fields.seconds = *time;
      has_time = true;
    } else if (const auto zone = ZoneMinutes(word); zone && has_time) {
      fields.zone_minutes = *zone;
      break;
    }
  }
  return fields;
}

}  // namespace

std::int64_t DaysFromCivil(std::int64_t year, int month, int day) {
  // Years that begin in March put the leap day last; an era is 400 years of 146,097 days.
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

std::int64_t Date::LocalDay() const {
  const std::int64_t local = utc_seconds + std::int64_t{zone_minutes} * 60;
  return local >= 0 ? local / kDaySeconds : -((-local + kDaySeconds - 1) / kDaySeconds);
}

std::optional<Date> ParseDate(std::string_view value) {
  std::vector<std::string_view> words = SplitWords(value.substr(0, 1000));
  SplitDashes(&words);
  const Fields fields = Sort(words);
  if (!ValidDay(fields)) {
    return std::nullopt;
  }
  Date date;
  date.zone_minutes = fields.zone_minutes;
  date.utc_seconds = DaysFromCivil(fields.year, fields.month, fields.day) * kDaySeconds +
                     fields.seconds - std::int64_t{fields.zone_minutes} * 60;
  return date;
}

}  // namespace twinspool::mime
