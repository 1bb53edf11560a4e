#include "replica/core/scrub_pace.h"

#include <algorithm>

namespace twinspool::replica::core {
namespace {

constexpr std::int64_t kHourNs = 3600ll * 1'000'000'000;

}  // namespace

bool PassIsDue(const ScrubSettings& settings, const ScrubMemory& memory, std::int64_t now_ns) {
  if (settings.mib_per_second == 0 || settings.interval_h == 0) {
    return false;
  }
  return memory.under_way || memory.ended_ns <= 0 || memory.ended_ns > now_ns ||
         now_ns - memory.ended_ns >= settings.interval_h * kHourNs;
}

std::int64_t ScrubPace::AfterRead(std::uint64_t bytes, Instant now) {
  if (mib_per_second_ == 0) {
    return 0;
  }
  const double seconds =
      static_cast<double>(bytes) / (static_cast<double>(mib_per_second_) * (1 << 20));
  paid_until_ = std::max(paid_until_, now);
  paid_until_.ns += static_cast<std::int64_t>(seconds * 1e9);
  return paid_until_.MsSince(now);
}

}  // namespace twinspool::replica::core
