// Explores the shipped role machine exhaustively within small bounds, and shows that the
// exploration finds rules that are broken on purpose. TWINSPOOL_EXPLORE_STATES raises the bound on
// states.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replica/role_world.h"

namespace twinspool::replica::core::explore {
namespace {

std::size_t StatesMax(std::size_t fallback) {
  const char* text = std::getenv("TWINSPOOL_EXPLORE_STATES");
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

std::string Story(const Outcomes& out) {
  std::string text = out.violation;
  for (const std::string& step : out.trace) {
    text += "\n  " + step;
  }
  return text;
}

Outcomes Search(const char* name, Bounds bounds) {
  bounds.states = StatesMax(bounds.states);
  Outcomes out = Explore(bounds);
  std::printf("explored %-28s %9zu states %10zu transitions depth %2zu, %s, healed from %zu\n",
              name, out.states, out.transitions, out.depth, out.exhausted ? "exhausted" : "cut off",
              out.healed);
  return out;
}

TEST(RoleExplore, AvailablePairKeepsItsPromises) {
  const Outcomes out = Search("available", {.heal_every = 7});
  EXPECT_EQ(out.violation, "") << Story(out);
  EXPECT_GT(out.states, 50'000u);
}

TEST(RoleExplore, StrictPairKeepsItsPromises) {
  const Outcomes out = Search("strict", {.mode = Mode::kStrict});
  EXPECT_EQ(out.violation, "") << Story(out);
}

TEST(RoleExplore, ForcedPromotionLosesOnlyWhatItDeclares) {
  const Outcomes out = Search("available, force", {.force = true, .writes = 1});
  EXPECT_EQ(out.violation, "") << Story(out);
}

TEST(RoleExplore, SingleNodeBecomesAPairAndBack) {
  const Outcomes out = Search("single, join, dissolve", {.single = true, .writes = 1, .orders = 3});
  EXPECT_EQ(out.violation, "") << Story(out);
}

TEST(RoleExplore, TwoMessagesUnderWay) {
  const Outcomes out = Search("available, wire 2", {.writes = 1, .wire = 2});
  EXPECT_EQ(out.violation, "") << Story(out);
}

TEST(RoleExplore, LinksComeAndGo) {
  const Outcomes out = Search("available, links", {.links = true, .heal_every = 7});
  EXPECT_EQ(out.violation, "") << Story(out);
}

// Fewer kinds of steps, so that the search gets deeper.
Bounds Deep(int writes, std::size_t wire = 1) {
  Bounds bounds;
  bounds.writes = writes;
  bounds.wire = wire;
  bounds.repeats = bounds.holds = false;
  bounds.states = 600'000;
  return bounds;
}

struct Broken {
  const char* name;
  Mutation mutation;
  Bounds bounds;
};

class RoleMutation : public testing::TestWithParam<Broken> {};

TEST_P(RoleMutation, IsCaught) {
  Bounds bounds = GetParam().bounds;
  bounds.mutation = GetParam().mutation;
  const Outcomes out = Search(GetParam().name, bounds);
  EXPECT_NE(out.violation, "") << "a broken rule was not noticed";
  std::printf("  %s\n", Story(out).c_str());
}

INSTANTIATE_TEST_SUITE_P(
    BrokenRules, RoleMutation,
    testing::Values(Broken{"EligibleSurvivesRestart", Mutation::kEligibleSurvivesRestart, {}},
                    Broken{"ResignationNotPersisted", Mutation::kResignationNotPersisted, Deep(1)},
                    Broken{"RewindMarkNotPersisted", Mutation::kRewindMarkNotPersisted, Deep(2)},
                    Broken{"IncompleteMarkForgotten", Mutation::kIncompleteMarkForgotten, {}},
                    Broken{"ReadmitKeepsGrant", Mutation::kReadmitKeepsGrant, Deep(1)},
                    Broken{"AckBeforeStored", Mutation::kAckBeforeStored, {}},
                    Broken{"AnyRevoked", Mutation::kAnyRevoked, Deep(1, 2)},
                    Broken{"AnyIncarnation", Mutation::kAnyIncarnation, Deep(1, 2)},
                    Broken{"ReadsAtPromotion", Mutation::kReadsAtPromotion, {}},
                    Broken{"ResumeWithoutContact", Mutation::kResumeWithoutContact, {}},
                    Broken{"FenceKeepsEpoch", Mutation::kFenceKeepsEpoch, {}},
                    Broken{"NoParity", Mutation::kNoParity, Deep(1)},
                    Broken{"GrantWithoutContact", Mutation::kGrantWithoutContact, {.force = true}}),
    [](const auto& broken) { return std::string(broken.param.name); });

}  // namespace
}  // namespace twinspool::replica::core::explore
