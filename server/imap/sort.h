// The order of SORT (RFC 5256 §3, RFC 5957). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/imap/command.h"
#include "server/mail_store.h"
#include "server/mime/summary.h"

namespace twinspool::imap {

/// One message's values for the criteria of a SORT, in their order. Only what is compared is kept:
/// a hundred thousand messages are usual.
struct SortRow {
  std::uint32_t number = 0;  // what the answer names it by; breaks ties
  std::vector<std::int64_t> numbers;
  std::vector<std::string> texts;
};

/// Whether any of the criteria needs more than record and date.
bool NeedsSummary(const std::vector<SortCriterion>& criteria);

SortRow MakeSortRow(const std::vector<SortCriterion>& criteria, std::uint32_t number,
                    const MessageRecord& record, const mime::SortSummary& summary);

/// The numbers of the rows in order.
std::vector<std::uint32_t> Sorted(const std::vector<SortCriterion>& criteria,
                                  const std::vector<SortRow>& rows);

/// The date that SORT DATE and THREAD go by: of the Date: field if that is one, else INTERNALDATE
/// (RFC 5256 §2.2).
std::int64_t SentSeconds(const MessageRecord& record, const mime::SortSummary& summary);

}  // namespace twinspool::imap
