#include "server/imap/sort.h"

#include <algorithm>

namespace twinspool::imap {
namespace {

bool IsNumber(SortKey key) {
  return key == SortKey::kArrival || key == SortKey::kDate || key == SortKey::kSize;
}

std::int64_t NumberOf(SortKey key, const MessageRecord& record,
                      const mime::SortSummaryView& summary) {
  switch (key) {
    case SortKey::kArrival:
      return record.internal_date;
    case SortKey::kDate:
      return SentSeconds(record, summary.date);
    default:
      return static_cast<std::int64_t>(record.size);
  }
}

std::string_view TextOf(SortKey key, const mime::SortFieldsView& fields) {
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

}  // namespace

bool NeedsSummary(const std::vector<SortCriterion>& criteria) {
  return std::any_of(criteria.begin(), criteria.end(), [](const SortCriterion& criterion) {
    return criterion.key != SortKey::kArrival && criterion.key != SortKey::kSize;
  });
}

std::int64_t SentSeconds(const MessageRecord& record, const std::optional<mime::Date>& date) {
  // A year before 1900 is no year (RFC 5322 §3.3): some mailers wrote 2002 as 0102.
  constexpr std::int64_t kYear1900 = -2'208'988'800;
  return date && date->utc_seconds >= kYear1900 ? date->utc_seconds : record.internal_date;
}

void SortTable::Add(std::uint32_t number, const MessageRecord& record,
                    const mime::SortSummaryView& summary) {
  const std::size_t place = values_.size();
  for (const SortCriterion& criterion : criteria_) {
    if (IsNumber(criterion.key)) {
      values_.push_back({NumberOf(criterion.key, record, summary), 0});
    } else {
      const std::string_view text = imap::TextOf(criterion.key, summary.sort);
      values_.push_back({static_cast<std::int64_t>(texts_.size()), text.size()});
      texts_ += text;
    }
  }
  rows_.push_back({FirstOf(values_[place]), number, static_cast<std::uint32_t>(rows_.size())});
}

std::string_view SortTable::TextOf(const Value& value) const {
  return std::string_view(texts_).substr(static_cast<std::size_t>(value.number), value.length);
}

std::uint64_t SortTable::FirstOf(const Value& value) const {
  const SortCriterion& criterion = criteria_.front();
  std::uint64_t first = static_cast<std::uint64_t>(value.number) ^ std::uint64_t{1} << 63;
  if (!IsNumber(criterion.key)) {
    const std::string_view text = TextOf(value);
    first = 0;
    for (std::size_t i = 0; i < sizeof first; ++i) {
      first = first << 8 | (i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0);
    }
  }
  return criterion.reverse ? ~first : first;
}

int SortTable::Compare(const SortCriterion& criterion, const Value& a, const Value& b) const {
  const int order = IsNumber(criterion.key) ? static_cast<int>(a.number > b.number) -
                                                  static_cast<int>(a.number < b.number)
                                            : TextOf(a).compare(TextOf(b));
  return criterion.reverse ? -order : order;
}

bool SortTable::Before(const Row& a, const Row& b) const {
  if (a.first != b.first) {
    return a.first < b.first;
  }
  const std::size_t count = criteria_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const int order =
        Compare(criteria_[i], values_[a.place * count + i], values_[b.place * count + i]);
    if (order != 0) {
      return order < 0;
    }
  }
  return a.number < b.number;
}

std::vector<std::uint32_t> SortTable::Sorted() const {
  std::vector<Row> rows = rows_;
  const auto before = [this](const Row& a, const Row& b) { return Before(a, b); };
  // By date or arrival most mailboxes are in order as they are.
  if (!std::is_sorted(rows.begin(), rows.end(), before)) {
    std::sort(rows.begin(), rows.end(), before);
  }
  std::vector<std::uint32_t> order;
  order.reserve(rows.size());
  for (const Row& row : rows) {
    order.push_back(row.number);
  }
  return order;
}

}  // namespace twinspool::imap
