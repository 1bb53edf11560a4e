// Clock and Random: the two seams through which time and chance enter, so that tests drive both.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>

namespace twinspool {

/// Nanoseconds of a clock that never jumps and counts through suspend (CLOCK_BOOTTIME).
struct Instant {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant PlusMs(std::int64_t ms) const { return {ns + ms * 1'000'000}; }
  constexpr std::int64_t MsSince(Instant earlier) const { return (ns - earlier.ns) / 1'000'000; }
};

/// Source of time. Implementations are safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() = 0;
  /// Nanoseconds since 1970 UTC; may jump. For dates of mail only, never for decisions of the pair.
  virtual std::int64_t WallNs() = 0;
  std::int64_t WallSeconds() { return WallNs() / 1'000'000'000; }
};

/// The machine's clock.
Clock& SystemClock();

/// A clock that tests move. Thread-safe.
class ManualClock : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_ns = 1'700'000'000'000'000'000) : wall_ns_(wall_ns) {}
  Instant Now() override;
  std::int64_t WallNs() override;
  void AdvanceMs(std::int64_t ms);
  /// The wall clock alone is set, forward or back.
  void JumpWall(std::int64_t ms);

 private:
  std::mutex mutex_;
  std::int64_t now_ns_ = 0;
  std::int64_t wall_ns_;
};

/// Source of chance. Implementations are safe to call from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::uint8_t* out, std::size_t size) = 0;
  std::uint64_t Next();
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }
  template <typename IdType>
  IdType NewId() {
    IdType id;
    Fill(id.data(), IdType::kSize);
    return id;
  }
};

/// The kernel's generator.
Random& SystemRandom();

/// Reproducible from its seed. Thread-safe.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void Fill(std::uint8_t* out, std::size_t size) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace twinspool
