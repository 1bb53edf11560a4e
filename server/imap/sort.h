// The order of SORT (RFC 5256 §3, RFC 5957). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/imap/command.h"
#include "server/mail_store.h"
#include "server/mime/summary.h"

namespace twinspool::imap {

/// Whether any of the criteria needs more than record and date.
bool NeedsSummary(const std::vector<SortCriterion>& criteria);

/// What is compared of the messages of a SORT, and only that, in few pieces of memory: a hundred
/// thousand messages are usual.
class SortTable {
 public:
  explicit SortTable(std::vector<SortCriterion> criteria) : criteria_(std::move(criteria)) {}

  const std::vector<SortCriterion>& criteria() const { return criteria_; }
  /// `number`: what the answer names the message by; breaks ties.
  void Add(std::uint32_t number, const MessageRecord& record, const mime::SortSummaryView& summary);
  /// The numbers in order.
  std::vector<std::uint32_t> Sorted() const;

 private:
  struct Row {
    /// Orders rows as the first criterion does, but that some which differ may be equal here.
    std::uint64_t first = 0;
    std::uint32_t number = 0;
    std::uint32_t place = 0;  // times criteria: where its values begin
  };
  /// A number, or where a text lies.
  struct Value {
    std::int64_t number = 0;
    std::size_t length = 0;
  };

  std::string_view TextOf(const Value& value) const;
  std::uint64_t FirstOf(const Value& value) const;
  int Compare(const SortCriterion& criterion, const Value& a, const Value& b) const;
  bool Before(const Row& a, const Row& b) const;

  std::vector<SortCriterion> criteria_;
  std::vector<Row> rows_;
  std::vector<Value> values_;  // of all rows, each as many as there are criteria
  std::string texts_;
};

/// The date that SORT DATE and THREAD go by: of the Date: field if that is one, else INTERNALDATE
/// (RFC 5256 §2.2).
std::int64_t SentSeconds(const MessageRecord& record, const std::optional<mime::Date>& date);

}  // namespace twinspool::imap
