// When a scrub reads and when it rests. Pure: time and facts in, decisions out.
#pragma once

#include <cstdint>

#include "common/env.h"
#include "replica/ports.h"

namespace twinspool::replica::core {

/// What an operator set; 0 in either: no pass begins by itself.
struct ScrubSettings {
  std::uint64_t mib_per_second = 0;
  std::int64_t interval_h = 0;
};

/// Whether a pass should be under way, as far as time is concerned. `now_ns` is wall clock: a jump
/// makes a pass early or late, nothing else. One that ended in the future may as well have ended
/// long ago. One that a restart cut short goes on.
bool PassIsDue(const ScrubSettings& settings, const ScrubMemory& memory, std::int64_t now_ns);

/// Spreads reading over time: what was read is paid for with waiting before more is read.
class ScrubPace {
 public:
  /// 0: no waiting at all.
  explicit ScrubPace(std::uint64_t mib_per_second = 0) : mib_per_second_(mib_per_second) {}
  /// Milliseconds to wait at `now`, when so much was just read.
  std::int64_t AfterRead(std::uint64_t bytes, Instant now);

 private:
  std::uint64_t mib_per_second_;
  Instant paid_until_;
};

}  // namespace twinspool::replica::core
