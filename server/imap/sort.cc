#include "server/imap/sort.h"

#include <algorithm>
#include <numeric>

namespace twinspool::imap {
namespace {

bool IsNumber(SortKey key) {
  return key == SortKey::kArrival || key == SortKey::kDate || key == SortKey::kSize;
}

std::int64_t NumberOf(SortKey key, const MessageRecord& record, const mime::SortSummary& summary) {
  switch (key) {
    case SortKey::kArrival:
      return record.internal_date;
    case SortKey::kDate:
      return SentSeconds(record, summary);
    default:
      return static_cast<std::int64_t>(record.size);
  }
}

const std::string& TextOf(SortKey key, const mime::SortFields& fields) {
  switch (key) {
    case SortKey::kCc:
      return fields.cc;
    case SortKey::kFrom:
      return fields.from;
    case SortKey::kTo:
      return fields.to;
    case SortKey::kDisplayFrom:
      return fields.display_from;
    case SortKey::kDisplayTo:
      return fields.display_to;
    default:
      return fields.subject;
  }
}

template <typename Value>
int Compare(const Value& a, const Value& b) {
  return a < b ? -1 : static_cast<int>(b < a);
}

bool Before(const std::vector<SortCriterion>& criteria, const SortRow& a, const SortRow& b) {
  std::size_t number = 0;
  std::size_t text = 0;
  for (const SortCriterion& criterion : criteria) {
    int order = 0;
    if (IsNumber(criterion.key)) {
      order = Compare(a.numbers[number], b.numbers[number]);
      ++number;
    } else {
      order = a.texts[text].compare(b.texts[text]);
      ++text;
    }
    if (order != 0) {
      return (order < 0) != criterion.reverse;
    }
  }
  return a.number < b.number;
}

}  // namespace

bool NeedsSummary(const std::vector<SortCriterion>& criteria) {
  return std::any_of(criteria.begin(), criteria.end(), [](const SortCriterion& criterion) {
    return criterion.key != SortKey::kArrival && criterion.key != SortKey::kSize;
  });
}

std::int64_t SentSeconds(const MessageRecord& record, const mime::SortSummary& summary) {
  // A year before 1900 is no year (RFC 5322 §3.3): some mailers wrote 2002 as 0102.
  constexpr std::int64_t kYear1900 = -2'208'988'800;
  const bool good = summary.date && summary.date->utc_seconds >= kYear1900;
  return good ? summary.date->utc_seconds : record.internal_date;
}

SortRow MakeSortRow(const std::vector<SortCriterion>& criteria, std::uint32_t number,
                    const MessageRecord& record, const mime::SortSummary& summary) {
  SortRow row;
  row.number = number;
  for (const SortCriterion& criterion : criteria) {
    if (IsNumber(criterion.key)) {
      row.numbers.push_back(NumberOf(criterion.key, record, summary));
    } else {
      row.texts.push_back(TextOf(criterion.key, summary.sort));
    }
  }
  return row;
}

std::vector<std::uint32_t> Sorted(const std::vector<SortCriterion>& criteria,
                                  const std::vector<SortRow>& rows) {
  std::vector<std::uint32_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return Before(criteria, rows[a], rows[b]); });
  for (std::uint32_t& place : order) {
    place = rows[place].number;
  }
  return order;
}

}  // namespace twinspool::imap
