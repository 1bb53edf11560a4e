// Background jobs: purge of expunged entries and forgetting of tombstones past their retention,
// collection of bodies that nothing refers to, forgetting of expired results. They run on a primary
// only and only as StoreTxns, so the standby does the same by applying the log, and both nodes have
// the same floors.
#pragma once

#include <cstdint>

#include "common/status.h"
#include "server/store/txn.h"

namespace twinspool::store {

struct JobOptions {
  /// Expunged entries, and whole deleted mailboxes and users, stay this long, for QRESYNC and for
  /// recovery; so do the tombstones of small rows.
  std::int64_t purge_after_s = 7 * 24 * 3600;
  /// Bodies that nothing refers to any more stay this long.
  std::int64_t collect_after_s = 3600;
  /// Uploads that were never finished stay this long.
  std::int64_t abandon_after_s = 24 * 3600;
};

struct JobReport {
  std::uint64_t purged = 0;      // entries
  std::uint64_t collected = 0;   // bodies
  std::uint64_t forgotten = 0;   // results
  std::uint64_t tombstones = 0;  // mailboxes, small rows and users that were forgotten
  std::uint64_t failed_users = 0;
};

/// One round over all users; what it did is durable here when it answers. What there is to do is
/// looked for without a lock; no transaction is made where there is nothing. A user who can't be
/// worked on (damage) is logged and passed over; a refusal (not primary, blocked) ends the round:
/// the next one goes on. One thread at a time.
Result<JobReport> RunJobs(const WritePath& path, const JobOptions& options);

}  // namespace twinspool::store
