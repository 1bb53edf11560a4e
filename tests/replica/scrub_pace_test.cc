// When a search for damage begins, and how fast it reads.
#include "replica/core/scrub_pace.h"

#include <gtest/gtest.h>

namespace twinspool::replica::core {
namespace {

constexpr std::int64_t kHour = 3600ll * 1'000'000'000;
constexpr std::int64_t kNow = 1000 * kHour;

TEST(ScrubPaceTest, APassIsDueOnceTheIntervalIsOver) {
  const ScrubSettings weekly{8, 168};
  EXPECT_FALSE(PassIsDue(weekly, {.ended_ns = kNow - 167 * kHour}, kNow));
  EXPECT_TRUE(PassIsDue(weekly, {.ended_ns = kNow - 168 * kHour}, kNow));
  EXPECT_TRUE(PassIsDue(weekly, {}, kNow)) << "there never was one";
  EXPECT_TRUE(PassIsDue(weekly, {.ended_ns = kNow - kHour, .under_way = true}, kNow))
      << "a restart cut it short";
  EXPECT_TRUE(PassIsDue(weekly, {.ended_ns = kNow + kHour}, kNow)) << "the clock went back";
  EXPECT_TRUE(PassIsDue(weekly, {.ended_ns = INT64_MIN}, kNow)) << "what is remembered is damaged";
}

TEST(ScrubPaceTest, ZeroMeansNever) {
  EXPECT_FALSE(PassIsDue({0, 168}, {}, kNow));
  EXPECT_FALSE(PassIsDue({8, 0}, {.under_way = true}, kNow));
}

TEST(ScrubPaceTest, WhatWasReadIsPaidForWithWaiting) {
  ScrubPace pace(2);
  Instant now{kHour};
  EXPECT_EQ(pace.AfterRead(1 << 20, now), 500);
  EXPECT_EQ(pace.AfterRead(1 << 20, now), 1000) << "the debt adds up";
  now = now.PlusMs(900);
  EXPECT_EQ(pace.AfterRead(0, now), 100);
  now = now.PlusMs(60'000);
  EXPECT_EQ(pace.AfterRead(1 << 20, now), 500) << "idle time is not saved up";
}

TEST(ScrubPaceTest, WithoutARateNothingWaits) {
  ScrubPace pace;
  EXPECT_EQ(pace.AfterRead(1ull << 40, Instant{1}), 0);
}

}  // namespace
}  // namespace twinspool::replica::core
