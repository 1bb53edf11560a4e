// Damage: what a store calls by that name, and how it is told.
#pragma once

#include <string>

#include "proto/replication.pb.h"

#include "common/status.h"

namespace twinspool::store {

/// Rows that cannot be read (a checksum of the database fails, the disk has a bad sector) or do not
/// parse; as against a read that was called off.
inline bool IsDamage(const Status& status) {
  return status.Is(Code::kDataLoss) || status.Is(Code::kIo);
}

/// Kinds of proto::Damage.
inline constexpr char kDamagedMailbox[] = "mailbox";
inline constexpr char kDamagedUser[] = "user";
inline constexpr char kDamagedBody[] = "body";
inline constexpr char kDamagedCounters[] = "counters";
inline constexpr char kDamagedNames[] = "names";
inline constexpr char kDamagedReferences[] = "references";
inline constexpr char kDamagedLog[] = "log";
inline constexpr char kDamagedTable[] = "table";

}  // namespace twinspool::store
