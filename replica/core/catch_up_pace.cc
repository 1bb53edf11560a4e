#include "replica/core/catch_up_pace.h"

#include <algorithm>

#include "common/limits.h"

namespace twinspool::replica::core {

void CatchUpPace::Begin(bool again, std::uint64_t calls, Instant now) {
  round_ = again ? round_ + 1 : 0;
  calls_ = calls;
  measured_at_ = now;
  next_at_ = now;
  beside_clients_ = beside_clients_ && again && Rests() > 0;
}

std::int64_t CatchUpPace::Rests() const {
  return limits::kCatchUpRests >> std::min(round_, 16U);
}

void CatchUpPace::Measure(std::uint64_t calls, bool writes, Instant now) {
  const std::int64_t ms = now.MsSince(measured_at_);
  if (ms < limits::kCatchUpMeasureMs) {
    return;
  }
  const auto enough = limits::kCatchUpBesideCallsPerSecond * static_cast<std::uint64_t>(ms) / 1000;
  beside_clients_ = writes && Rests() > 0 && calls - calls_ >= std::max<std::uint64_t>(enough, 1);
  calls_ = calls;
  measured_at_ = now;
}

void CatchUpPace::OnUnitDone(std::uint64_t calls, bool writes, Instant now) {
  Measure(calls, writes, now);
  next_at_ = now;
  if (!beside_clients_) {
    return;
  }
  const std::int64_t ms = Rests() * now.MsSince(begun_at_);
  next_at_ = now.PlusMs(std::clamp<std::int64_t>(ms, 0, limits::kCatchUpRestMsMax));
}

std::size_t CatchUpPace::unit_bytes() const {
  return beside_clients_ ? limits::kCatchUpSmallUnitBytes : limits::kCatchUpUnitBytes;
}

}  // namespace twinspool::replica::core
