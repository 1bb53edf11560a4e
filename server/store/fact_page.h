// What never changes about the messages of a page, and what SORT and THREAD compare of them, packed
// into one row: a mailbox of a hundred thousand messages is four hundred of these.
//
//   varint version · varint messages · for each: varint distance from the UID before, GUID,
//   varints: body no, size, zigzag internal date, zigzag zone, zigzag save date, created modseq;
//   string: head of the summary
//
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "server/mail_store.h"

namespace twinspool::store {

/// From the octets of a RecordHeader; kDataLoss when they are none.
Result<MessageRecord> ParseRecord(std::string_view row);

/// Takes messages in rising order of their UIDs.
class FactPageWriter {
 public:
  void Add(Uid uid, const MessageRecord& record, std::string_view head);
  std::string Take() const;

 private:
  std::uint64_t count_ = 0;
  std::uint32_t previous_ = 0;
  std::string messages_;
};

struct Facts {
  Uid uid;
  MessageRecord record;
  std::string_view head;
};

/// kDataLoss for octets that are no page of the present version: it is made anew. Views into
/// `page`.
Result<std::vector<Facts>> ReadFactPage(std::string_view page);

}  // namespace twinspool::store
