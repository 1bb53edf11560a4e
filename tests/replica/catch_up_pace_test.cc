// How fast a catch-up goes beside clients.
#include "replica/core/catch_up_pace.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::replica::core {
namespace {

constexpr std::int64_t kMeasureMs = limits::kCatchUpMeasureMs;

class CatchUpPaceTest : public testing::Test {
 protected:
  /// A unit that takes so long, while clients call so often a second.
  void Unit(std::int64_t ms, std::uint64_t calls_per_second) {
    pace_.OnUnitBegun(now_);
    now_ = now_.PlusMs(ms);
    calls_ += calls_per_second * static_cast<std::uint64_t>(ms) / 1000;
    pace_.OnUnitDone(calls_, writes_, now_);
  }
  /// … and until the next one may begin.
  void Sleep(std::uint64_t calls_per_second) {
    calls_ += calls_per_second * static_cast<std::uint64_t>(Rest()) / 1000;
    now_ = pace_.next_at();
  }
  std::int64_t Rest() const { return pace_.next_at().MsSince(now_); }

  CatchUpPace pace_;
  Instant now_{1'000'000'000'000};
  std::uint64_t calls_ = 4'711;
  bool writes_ = true;
};

TEST_F(CatchUpPaceTest, NobodyElseWorksHereSoNothingWaits) {
  pace_.Begin(false, calls_, now_);
  for (int i = 0; i < 10; ++i) {
    Unit(200, 0);
    EXPECT_EQ(Rest(), 0);
    EXPECT_FALSE(pace_.beside_clients());
    EXPECT_EQ(pace_.unit_bytes(), limits::kCatchUpUnitBytes);
  }
}

TEST_F(CatchUpPaceTest, BesideClientsUnitsAreSmallAndRestsLong) {
  pace_.Begin(false, calls_, now_);
  Unit(kMeasureMs, 1000);
  EXPECT_TRUE(pace_.beside_clients());
  EXPECT_EQ(pace_.unit_bytes(), limits::kCatchUpSmallUnitBytes);
  EXPECT_EQ(Rest(), limits::kCatchUpRests * kMeasureMs);
  Sleep(1000);
  Unit(7, 1000);
  EXPECT_EQ(Rest(), limits::kCatchUpRests * 7) << "in proportion to what the unit took";
}

TEST_F(CatchUpPaceTest, ASlowDiskIsNotWaitedForWithoutEnd) {
  pace_.Begin(false, calls_, now_);
  Unit(60'000, 1000);
  EXPECT_EQ(Rest(), limits::kCatchUpRestMsMax);
}

TEST_F(CatchUpPaceTest, AFewCallsAreNotWorthWaitingFor) {
  pace_.Begin(false, calls_, now_);
  Unit(1000, limits::kCatchUpBesideCallsPerSecond - 1);
  EXPECT_EQ(Rest(), 0);
  Unit(1000, limits::kCatchUpBesideCallsPerSecond);
  EXPECT_GT(Rest(), 0);
}

// Writes may be refused because of the very catch-up that would rest (strict, a handover).
TEST_F(CatchUpPaceTest, NothingRestsForReadersWhileNobodyMayWrite) {
  pace_.Begin(false, calls_, now_);
  writes_ = false;
  Unit(kMeasureMs, 1000);
  EXPECT_EQ(Rest(), 0);
  EXPECT_FALSE(pace_.beside_clients());
}

TEST_F(CatchUpPaceTest, ClientsThatLeaveGiveTheNodeBack) {
  pace_.Begin(false, calls_, now_);
  Unit(kMeasureMs, 1000);
  Sleep(0);
  Unit(kMeasureMs, 0);
  EXPECT_FALSE(pace_.beside_clients());
  EXPECT_EQ(Rest(), 0);
}

TEST_F(CatchUpPaceTest, WhoDoesNotCatchUpGetsALargerShareWithEveryRound) {
  pace_.Begin(false, calls_, now_);
  Unit(kMeasureMs, 1000);
  std::int64_t before = Rest();
  for (int round = 0; round < 3; ++round) {
    pace_.Begin(true, calls_, now_);
    EXPECT_EQ(Rest(), 0);
    EXPECT_TRUE(pace_.beside_clients()) << "known from the round before";
    Unit(kMeasureMs, 1000);
    EXPECT_EQ(Rest(), before / 2);
    before = Rest();
  }
  for (int round = 0; round < 100; ++round) {
    pace_.Begin(true, calls_, now_);
  }
  Unit(kMeasureMs, 1000);
  EXPECT_EQ(Rest(), 0) << "in the end as fast as it can";
  EXPECT_FALSE(pace_.beside_clients()) << "with large units, too";
  pace_.Begin(false, calls_, now_);
  Unit(kMeasureMs, 1000);
  EXPECT_EQ(Rest(), limits::kCatchUpRests * kMeasureMs) << "the next one begins modestly again";
}

}  // namespace
}  // namespace twinspool::replica::core
