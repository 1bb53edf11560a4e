// The disk under a store: how much is free, and a ballast file that is given up when nothing is.
//
// Collecting garbage needs room to write before it frees any. The ballast is that room: octets
// really allocated, dropped when the disk is full and made again once there is plenty. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "common/status.h"

namespace twinspool::store {

/// Octets that this process may still write below `directory` (0 when it can't be told).
std::uint64_t FreeDiskBytes(const std::string& directory);

/// Makes the file "ballast" of `bytes` allocated octets, unless it is there already with that size.
/// kOverQuota: no room for it. Nothing is left behind on failure.
Status MakeBallast(const std::string& directory, std::uint64_t bytes);

/// Gives the ballast's room back. OK when there was none.
Status DropBallast(const std::string& directory);

/// Size of the ballast; 0: none.
std::uint64_t BallastBytes(const std::string& directory);

}  // namespace twinspool::store
