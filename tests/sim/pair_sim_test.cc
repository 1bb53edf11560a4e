// The pair simulated by seed: random events and faults, invariants after each, healing at the end.
//
// SIM_SEEDS sets the number of seeds, SIM_FIRST the first of them, SIM_STEPS the events of each.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <gtest/gtest.h>

#include "tests/sim/pair_world.h"

namespace twinspool::test {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Kinds of events that must have happened, or the run shows less than it says.
constexpr const char* kMustFire[] = {"append",
                                     "acked",
                                     "outcome unknown",
                                     "became primary",
                                     "became standby",
                                     "became catching-up",
                                     "catch-up coalesced",
                                     "catch-up compare",
                                     "catch-up repair",
                                     "catch-up rewind",
                                     "bit rot",
                                     "digest mismatch",
                                     "clock jump",
                                     "both crash",
                                     "crash",
                                     "crash inside a step",
                                     "cut",
                                     "dropped by a node",
                                     "graceful stop",
                                     "message doubled",
                                     "message delayed",
                                     "message lost",
                                     "one-way cut",
                                     "order demote done",
                                     "order force done",
                                     "order promote done",
                                     "order promote fenced done",
                                     "order solo done",
                                     "order solo fenced done",
                                     "order stop done",
                                     "order switchover done",
                                     "pause",
                                     "restart",
                                     "shown positions checked",
                                     "slow disk",
                                     "stalled time",
                                     "undo spoiled",
                                     "forget",
                                     "forgotten",
                                     "declared lost",
                                     "digests compared"};

TEST(PairSim, SurvivesEverySeed) {
  const std::uint64_t first = FromEnvironment("SIM_FIRST", 1);
  const std::uint64_t seeds = FromEnvironment("SIM_SEEDS", 2'000);
  const std::uint64_t steps = FromEnvironment("SIM_STEPS", 2'000);
  const std::filesystem::path root =
      std::filesystem::path(testing::TempDir()) / ("pair-sim-" + std::to_string(getpid()));
  Counts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    PairWorld world(seed, root / std::to_string(seed), &counts);
    bool fine = true;
    for (std::uint64_t i = 0; i < steps && fine; ++i) {
      fine = world.Step();
    }
    fine = fine && world.Heal();
    ASSERT_TRUE(fine) << "seed " << seed << ", step " << world.steps() << ": " << world.why()
                      << "\nreplay: SIM_FIRST=" << seed << " SIM_SEEDS=1 SIM_STEPS=" << steps
                      << "\n"
                      << world.Trace();
    std::filesystem::remove_all(root / std::to_string(seed));
  }
  std::filesystem::remove_all(root);
  std::cout << seeds << " seeds of " << steps << " events and a healing each\n";
  for (const auto& [what, count] : counts) {
    std::cout << "  " << what << ": " << count << "\n";
  }
  for (const char* what : kMustFire) {
    EXPECT_TRUE(counts.contains(what) || seeds < 200) << what << " never happened";
  }
}

struct Broken {
  const char* name;
  MemoryStore::Defect defect;
  const char* report;
};

class BrokenStore : public testing::TestWithParam<Broken> {};

// Who watches must see: a store that breaks its word is reported, and for what it did.
TEST_P(BrokenStore, IsReported) {
  const std::filesystem::path root =
      std::filesystem::path(testing::TempDir()) / ("broken-sim-" + std::to_string(getpid()));
  Counts counts;
  std::string why;
  for (std::uint64_t seed = 1; seed <= 20 && why.empty(); ++seed) {
    PairWorld world(seed, root / std::to_string(seed), &counts);
    world.Break(GetParam().defect);
    bool fine = true;
    for (int i = 0; i < 2'000 && fine; ++i) {
      fine = world.Step();
    }
    if (!fine || !world.Heal()) {
      why = world.why();
    }
  }
  std::filesystem::remove_all(root);
  EXPECT_NE(why.find(GetParam().report), std::string::npos) << why;
}

INSTANTIATE_TEST_SUITE_P(
    Stores, BrokenStore,
    testing::Values(Broken{"LosesWrite", MemoryStore::Defect::kLosesWrite, "acknowledged"},
                    Broken{"AcksTwice", MemoryStore::Defect::kAcksTwice, "acknowledged twice"},
                    Broken{"AcksOutOfOrder", MemoryStore::Defect::kAcksOutOfOrder,
                           "after a later change"},
                    Broken{"ShowsEarly", MemoryStore::Defect::kShowsEarly, "the peer has only"}),
    [](const auto& broken) { return std::string(broken.param.name); });

}  // namespace
}  // namespace twinspool::test
