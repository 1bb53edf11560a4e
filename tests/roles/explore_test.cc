// Explores the shipped role machine: exhaustively within the first bounds, the others up to a
// number of states, all of them further with TWINSPOOL_FULL=1 (scripts/test --full).
//
// TWINSPOOL_EXPLORE_STATES=N sets that number for every search.
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/roles/search.h"

namespace twinspool::replica::core::explore {
namespace {

constexpr std::size_t kMillion = 1'000'000;

struct Row {
  const char* name;
  Bounds bounds;
  std::size_t full_states;  // with --full
  bool exhausts = false;    // already within bounds.states
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

std::string Story(const Outcomes& out) {
  std::string text = out.violation;
  for (const std::string& step : out.trace) {
    text += "\n  " + step;
  }
  return text;
}

// Neither a full run nor a hand-picked number may call a search that was cut off exhausted.
Outcomes Search(const Row& row) {
  Bounds bounds = row.bounds;
  const char* states = std::getenv("TWINSPOOL_EXPLORE_STATES");
  if (states != nullptr) {
    bounds.states = std::strtoull(states, nullptr, 10);
  } else if (std::getenv("TWINSPOOL_FULL") != nullptr) {
    bounds.states = row.full_states;
  }
  Outcomes out = Explore(bounds);
  std::printf(
      "explored %-24s %d writes, %d crashes, %d orders, wire %zu: %zu states, %zu transitions, "
      "depth %zu, %s, comes back from %zu, stale reads %zu\n",
      row.name, bounds.writes, bounds.crashes, bounds.orders, bounds.wire, out.states,
      out.transitions, out.depth, out.exhausted ? "exhausted" : "cut off", out.healed,
      out.stale_reads);
  return out;
}

class RoleExplore : public testing::TestWithParam<Row> {};

TEST_P(RoleExplore, KeepsItsPromises) {
  const Outcomes out = Search(GetParam());
  EXPECT_EQ(out.violation, "") << Story(out);
  if (GetParam().exhausts && std::getenv("TWINSPOOL_EXPLORE_STATES") == nullptr) {
    EXPECT_TRUE(out.exhausted) << "the machine or its world has grown: raise the bound on states";
  }
}

std::vector<Row> Rows() {
  return {
      {"Available",
       {.holds = false, .states = 20 * kMillion, .heal_every = 7},
       20 * kMillion,
       true},
      {"Holds", {.writes = 1, .states = 600'000, .heal_every = 7}, 60 * kMillion},
      {"Strict",
       {.mode = Mode::kStrict, .holds = false, .states = 600'000, .heal_every = 11},
       20 * kMillion},
      {"TwoCrashes",
       {.writes = 1, .crashes = 2, .holds = false, .states = 600'000, .heal_every = 11},
       40 * kMillion},
      {"WireOfTwo", {.writes = 1, .holds = false, .wire = 2, .states = 600'000}, 40 * kMillion},
      {"Links",
       {.writes = 1, .links = true, .holds = false, .states = 600'000, .heal_every = 7},
       40 * kMillion},
      {"Force",
       {.force = true, .holds = false, .states = 600'000, .heal_every = 11},
       40 * kMillion},
      {"ForceUids",
       {.force = true, .uids = true, .writes = 4, .orders = 1, .holds = false, .states = 600'000},
       40 * kMillion},
      {"AsyncForceUids",
       {.mode = Mode::kAsync,
        .force = true,
        .uids = true,
        .writes = 4,
        .orders = 1,
        .holds = false,
        .states = 600'000},
       40 * kMillion},
      {"Contradict",
       {.force = true,
        .contradict = true,
        .writes = 1,
        .orders = 3,
        .holds = false,
        .states = 600'000},
       40 * kMillion},
      {"SingleAndBack",
       {.force = true, .single = true, .writes = 1, .orders = 3, .holds = false, .states = 600'000},
       40 * kMillion},
      {"Arbiter",
       {.arbiter = true, .writes = 1, .orders = 1, .states = 600'000, .heal_every = 11},
       120 * kMillion},
      {"ArbiterTwo",
       {.arbiter = true, .holds = false, .wire = 2, .states = 600'000},
       120 * kMillion},
      {"ArbiterAlone",
       {.arbiter = true,
        .alone = true,
        .writes = 1,
        .holds = false,
        .states = 600'000,
        .heal_every = 11},
       60 * kMillion},
      {"ArbiterStrict",
       {.mode = Mode::kStrict, .arbiter = true, .writes = 1, .states = 600'000, .heal_every = 11},
       40 * kMillion},
  };
}

INSTANTIATE_TEST_SUITE_P(Bounds, RoleExplore, testing::ValuesIn(Rows()),
                         [](const auto& row) { return std::string(row.param.name); });

// A kind of move that never leads anywhere would be a hole in all of the above.
TEST(RoleWorld, EveryKindOfMoveHappens) {
  std::array<std::size_t, Move::kKinds> moves{};
  for (Row row : Rows()) {
    row.bounds.states = 60'000;
    const Outcomes out = Explore(row.bounds);
    for (std::size_t i = 0; i < moves.size(); ++i) {
      moves[i] += out.moves[i];
    }
  }
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const bool outside =
        i == Move::kStart || i == Move::kTailLost;  // the latter: a mutation's alone
    EXPECT_EQ(moves[i] == 0, outside) << Name(World{}, {static_cast<Move::Kind>(i), 0, 0, 0});
  }
}

TEST(RoleWorld, OneThreadAndTwoFindTheSameStates) {
  const Bounds bounds{.writes = 1, .orders = 1, .holds = false};
  const Outcomes one = Explore(bounds, 1);
  const Outcomes two = Explore(bounds, 2);
  EXPECT_TRUE(one.exhausted);
  EXPECT_EQ(one.states, two.states);
  EXPECT_EQ(one.transitions, two.transitions);
  EXPECT_EQ(one.depth, two.depth);
}

}  // namespace
}  // namespace twinspool::replica::core::explore
