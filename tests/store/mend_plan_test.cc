// Which parts of a damaged object are taken from the other node: only what is proven by the digest.
#include "server/store/mend_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/digest.h"

namespace twinspool::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Step = MendPlan::Step;

DigestBytes D(const std::string& text) {
  return DigestBytes::FromBytes(GuidOf(text).bytes().substr(0, DigestBytes::kSize));
}

DigestBytes SumOf(const std::vector<std::string>& texts) {
  Digest128 sum;
  for (const std::string& text : texts) {
    sum.Add(Digest128::FromBytes(D(text)));
  }
  return sum.bytes();
}

/// Parts 0, 1, … with these contents: "" is damaged, "-" is not there.
ObjectView View(const std::optional<DigestBytes>& stored, const std::vector<std::string>& parts) {
  ObjectView view{true, stored, {}};
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != "-") {
      view.parts.push_back({i, parts[i].empty() ? std::nullopt : std::optional(D(parts[i]))});
    }
  }
  return view;
}

const DigestBytes kAgreed = SumOf({"a", "b", "c"});

TEST(MendPlanTest, AnUnreadablePartIsTaken) {
  const MendPlan plan =
      PlanMend(View(kAgreed, {"a", "", "c"}), View(kAgreed, {"a", "b", "c"}), false);
  EXPECT_EQ(plan.step, Step::kTake);
  EXPECT_THAT(plan.take, ElementsAre(1));
  EXPECT_THAT(plan.drop, IsEmpty());
  EXPECT_EQ(plan.agreed, kAgreed);
}

TEST(MendPlanTest, AWrongPartIsTakenWhoeverHasIt) {
  EXPECT_THAT(PlanMend(View(kAgreed, {"a", "x", "c"}), View(kAgreed, {"a", "b", "c"}), false).take,
              ElementsAre(1));
  const MendPlan mixed =
      PlanMend(View(kAgreed, {"a", "x", "c"}), View(kAgreed, {"y", "b", "c"}), false);
  EXPECT_THAT(mixed.take, ElementsAre(1)) << "its own part 0 is the right one";
  EXPECT_THAT(PlanMend(View(kAgreed, {"a", "", "c"}), View(kAgreed, {"", "b", "z"}), false).take,
              ElementsAre(1));
}

TEST(MendPlanTest, APartThatShouldNotBeThereIsDropped) {
  const MendPlan plan =
      PlanMend(View(kAgreed, {"a", "b", "c", "d"}), View(kAgreed, {"a", "b", "c", "-"}), false);
  EXPECT_EQ(plan.step, Step::kTake);
  EXPECT_THAT(plan.take, IsEmpty());
  EXPECT_THAT(plan.drop, ElementsAre(3));
  EXPECT_THAT(
      PlanMend(View(kAgreed, {"a", "b", "c", ""}), View(kAgreed, {"a", "b", "c"}), false).drop,
      ElementsAre(3));
}

TEST(MendPlanTest, WhatDoesNotComeToTheDigestIsLeftAlone) {
  EXPECT_EQ(PlanMend(View(kAgreed, {"a", "", "c"}), View(kAgreed, {"a", "x", "c"}), false).step,
            Step::kGiveUp);
  EXPECT_EQ(PlanMend(View(kAgreed, {"a", "", "c"}), View(kAgreed, {"a", "", "c"}), false).step,
            Step::kGiveUp);
  EXPECT_EQ(PlanMend(View(kAgreed, {"x", "y", "z"}), View(kAgreed, {"u", "v", "w"}), true).step,
            Step::kGiveUp);
}

TEST(MendPlanTest, ManyDifferencesAreTakenAllOrNone) {
  std::vector<std::string> right;
  for (char c = 'a'; c < 'u'; ++c) {
    right.emplace_back(1, c);
  }
  std::vector<std::string> wrong = right;
  for (std::string& part : wrong) {
    part += "!";
  }
  const DigestBytes agreed = SumOf(right);
  EXPECT_EQ(PlanMend(View(agreed, wrong), View(agreed, right), false).take.size(), right.size());
  wrong.front() = right.front();
  right.front() = "!";
  EXPECT_EQ(PlanMend(View(agreed, wrong), View(agreed, right), false).step, Step::kGiveUp);
}

TEST(MendPlanTest, TwoStatesAreWaitedFor) {
  EXPECT_EQ(PlanMend(View(kAgreed, {"a", "", "c"}), View(D("later"), {"a", "b", "d"}), false).step,
            Step::kWait);
  EXPECT_EQ(PlanMend(View(kAgreed, {"a", "", "c"}), ObjectView(), false).step, Step::kWait);
}

TEST(MendPlanTest, RightRowsBesideAWrongDigestAreCountedAnew) {
  const ObjectView theirs = View(kAgreed, {"a", "b", "c"});
  EXPECT_EQ(PlanMend(View(D("wrong"), {"a", "b", "c"}), theirs, false).step, Step::kRecount);
  EXPECT_EQ(PlanMend(View(std::nullopt, {"a", "b", "c"}), theirs, false).step, Step::kRecount);
  EXPECT_EQ(PlanMend(View(kAgreed, {"a", "b", "c"}), View(std::nullopt, {"a", "b", ""}), true).step,
            Step::kTake)
      << "there is nothing to take";
}

TEST(MendPlanTest, ALostDigestIsThePrimarysToTell) {
  const ObjectView own = View(std::nullopt, {"a", "", "c"});
  const ObjectView theirs = View(kAgreed, {"a", "b", "c"});
  EXPECT_THAT(PlanMend(own, theirs, true).take, ElementsAre(1));
  EXPECT_EQ(PlanMend(own, theirs, false).step, Step::kGiveUp);
  EXPECT_EQ(PlanMend(own, View(std::nullopt, {"a", "b", "c"}), true).step, Step::kGiveUp);
}

}  // namespace
}  // namespace twinspool::store
