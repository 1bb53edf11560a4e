// The pair simulated by seed: random events and faults, invariants after each, healing at the end.
#include <unistd.h>

#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

#include "tests/sim/memory_sim_store.h"
#include "tests/sim/pair_world.h"
#include "tests/sim/seeds.h"

namespace twinspool::test {
namespace {

// Beside what every store must see (seeds.cc).
constexpr const char* kMustFire[] = {"catch-up repair",
                                     "arbiter cut or back",
                                     "arbiter late",
                                     "arbiter lost",
                                     "arbiter silent",
                                     "arbiter swap refused",
                                     "arbiter wrote",
                                     "arbiter: leader gone",
                                     "bit rot",
                                     "digest mismatch",
                                     "dropped by a node",
                                     "order demote done",
                                     "order promote done",
                                     "order solo done",
                                     "order switchover done",
                                     "shown positions checked",
                                     "slow disk",
                                     "undo spoiled",
                                     "declared lost"};

PairWorld::MakeStore InMemory(MemoryStore::Defect defect = MemoryStore::Defect::kNone) {
  return [defect](Clock&, const std::filesystem::path&) {
    return std::make_unique<MemorySimStore>(defect);
  };
}

TEST(PairSim, SurvivesEverySeed) {
  RunSeeds({.seeds = 2'000, .steps = 2'000, .must_fire = kMustFire}, InMemory());
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
    PairWorld world(seed, root / std::to_string(seed), &counts, InMemory(GetParam().defect));
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
