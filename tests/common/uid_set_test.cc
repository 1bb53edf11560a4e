#include "common/uid_set.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace twinspool {
namespace {

TEST(UidSet, MergesTouchingRanges) {
  UidSet set;
  set.Add(5);
  set.Add(1, 3);
  set.Add(4);
  EXPECT_EQ(set.ToString(), "1:5");
  set.Add(UINT32_MAX);
  EXPECT_EQ(set.ToString(), "1:5,4294967295");
  EXPECT_EQ(set.Count(), 6u);
}

TEST(UidSet, IgnoresZeroAndEmptyRanges) {
  UidSet set;
  set.Add(0);
  set.Add(5, 4);
  EXPECT_TRUE(set.empty());
}

TEST(UidSet, AgreesWithStdSetUnderRandomOperations) {
  std::mt19937 rng(7);
  UidSet ours;
  std::set<std::uint32_t> model;
  for (int i = 0; i < 3000; ++i) {
    const auto a = static_cast<std::uint32_t>(rng() % 200 + 1);
    if (rng() % 3 == 0) {
      ours.Remove(a);
      model.erase(a);
    } else {
      const auto b = static_cast<std::uint32_t>(a + rng() % 5);
      ours.Add(a, b);
      for (std::uint32_t n = a; n <= b; ++n) {
        model.insert(n);
      }
    }
    ASSERT_EQ(ours.Count(), model.size());
    ASSERT_EQ(ours.Contains(a), model.contains(a));
  }
  std::string bytes;
  ours.Encode(&bytes);
  EXPECT_EQ(*UidSet::Decode(bytes), ours);
}

TEST(UidSet, IntersectAndMinus) {
  UidSet a = UidSet::Of(1, 10);
  UidSet b;
  b.Add(3);
  b.Add(8, 20);
  EXPECT_EQ(a.Intersect(b).ToString(), "3,8:10");
  EXPECT_EQ(a.Minus(b).ToString(), "1:2,4:7");
}

TEST(UidSet, DecodeRefusesGarbage) {
  EXPECT_FALSE(UidSet::Decode("").ok());
  EXPECT_FALSE(UidSet::Decode("\x01").ok());
  EXPECT_FALSE(UidSet::Decode(std::string("\x01\x00\x00", 3)).ok());
  EXPECT_FALSE(UidSet::Decode("\x7f", 3).ok());
}

}  // namespace
}  // namespace twinspool
