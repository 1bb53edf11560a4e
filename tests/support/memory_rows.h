// Rows of a MemoryStore and what is derived from them: keys, digests, lists. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/replication.pb.h"
#include "proto/types.pb.h"

#include "common/types.h"

namespace twinspool::test {

/// A row: the change item that made it, as octets, and its modseq.
struct MemoryRow {
  std::uint64_t modseq = 0;
  std::string item;
  bool operator==(const MemoryRow&) const = default;
};
using MemoryRows = std::map<std::string, MemoryRow>;    // key -> row
using MemoryUsers = std::map<std::string, MemoryRows>;  // user id -> rows

std::string RecordKey(const std::string& mailbox, std::uint32_t uid);
std::string BodyKey(std::uint64_t number);
/// Key and modseq of the row that an item makes or, of a forget item, takes away.
std::pair<std::string, std::uint64_t> RowOf(const proto::ChangeItem& item);
bool IsBody(const std::string& key);
/// Mailbox of a record's row; empty for other rows.
std::string MailboxOf(const std::string& key);
proto::ChangeItem ParseItem(const MemoryRow& row);

/// Order-free; bodies are not in it.
std::string DigestOf(const MemoryRows& rows);
/// Of one mailbox's records; adds their number to `*exists`.
std::string MailboxDigest(const MemoryRows& rows, const std::string& mailbox,
                          std::uint64_t* exists);
std::vector<proto::UserDigest> UserDigests(const MemoryUsers& users);
/// At most `limit` of the mailboxes after `after`, by id.
std::vector<proto::MailboxDigest> MailboxDigestsOf(const MemoryUsers& users, MailboxId after,
                                                   std::size_t limit);

}  // namespace twinspool::test
