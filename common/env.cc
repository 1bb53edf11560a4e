#include "common/env.h"

#include <time.h>

#include <cstring>

#include <sys/random.h>

#include "common/check.h"

namespace twinspool {
namespace {

std::int64_t ReadClock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

class MachineClock final : public Clock {
 public:
  Instant Now() override { return {ReadClock(CLOCK_BOOTTIME)}; }
  std::int64_t WallNs() override { return ReadClock(CLOCK_REALTIME); }
};

class KernelRandom final : public Random {
 public:
  void Fill(std::uint8_t* out, std::size_t size) override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = getrandom(out + done, size - done, 0);
      TWINSPOOL_CHECK(n > 0, "getrandom failed");
      done += static_cast<std::size_t>(n);
    }
  }
};

}  // namespace

Clock& SystemClock() {
  static MachineClock clock;
  return clock;
}

Random& SystemRandom() {
  static KernelRandom random;
  return random;
}

Instant ManualClock::Now() {
  const std::lock_guard lock(mutex_);
  return {now_ns_};
}

std::int64_t ManualClock::WallNs() {
  const std::lock_guard lock(mutex_);
  return wall_ns_;
}

void ManualClock::AdvanceMs(std::int64_t ms) {
  const std::lock_guard lock(mutex_);
  now_ns_ += ms * 1'000'000;
  wall_ns_ += ms * 1'000'000;
}

void ManualClock::JumpWall(std::int64_t ms) {
  const std::lock_guard lock(mutex_);
  wall_ns_ += ms * 1'000'000;
}

std::uint64_t Random::Next() {
  std::uint8_t bytes[8];
  Fill(bytes, sizeof bytes);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

void SeededRandom::Fill(std::uint8_t* out, std::size_t size) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(engine_() >> 24);
  }
}

}  // namespace twinspool
