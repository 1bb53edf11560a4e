// DiskPolicy: which writes are admitted when a disk of the pair is nearly full.
//
// Two reserves on the free bytes of either node. Below the soft one bodies are refused, while
// flags, expunges and renames go on; below the hard one every write is refused beforehand, except
// those that give room back. For these a ballast file is given up, and made again once there is
// plenty. A disk that is full is thus met before a sync fails.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "common/env.h"
#include "common/status.h"

namespace twinspool::store {

/// What a write brings.
enum class Admission {
  kSmall,   // flags, expunges, names: refused below the hard reserve only
  kBodies,  // octets: refused below the soft reserve, too
  kFree,    // gives room back (collection, purge): refused on limits::kDiskLastBytes only
};

struct DiskReserves {
  std::uint64_t soft_bytes = 1ull << 30;
  std::uint64_t hard_bytes = 256ull << 20;
  std::uint64_t ballast_bytes = 64ull << 20;
};

/// Thread-safe.
class DiskPolicy {
 public:
  DiskPolicy(std::string directory, DiskReserves reserves, Clock& clock);

  /// kOverQuota below a reserve or on the last octets, naming the node whose disk it is.
  Status Admit(Admission admission);
  /// kOverQuota below the own hard reserve: a standby takes no units of a catch-up then, and the
  /// search for damage rests. Frames a standby does take: below either node's reserve a primary
  /// sends only what gives room back.
  Status AdmitCopy();
  void SetPeerFreeBytes(std::uint64_t bytes) { peer_free_.store(bytes); }
  /// As of a moment ago.
  std::uint64_t FreeBytes();
  /// As of now: for what is written without a client asking for it, which may well wait.
  std::uint64_t FreeBytesNow();
  /// Gives up or makes the ballast, as the free bytes ask. Called about once a second.
  void TendBallast();
  /// Tests only: what the own disk answers.
  void OverrideFreeBytes(std::function<std::uint64_t()> probe);

 private:
  const std::string directory_;
  const DiskReserves reserves_;
  Clock& clock_;
  std::atomic<std::uint64_t> peer_free_{UINT64_MAX};
  std::mutex mutex_;
  std::function<std::uint64_t()> probe_;
  Instant asked_{-1};
  std::uint64_t own_free_ = 0;
};

}  // namespace twinspool::store
