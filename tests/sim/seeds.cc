#include "tests/sim/seeds.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

namespace twinspool::test {
namespace {

// Kinds of events that must have happened, or the run shows less than it says.
constexpr const char* kMustFire[] = {"append",
                                     "acked",
                                     "outcome unknown",
                                     "became primary",
                                     "became standby",
                                     "became catching-up",
                                     "catch-up coalesced",
                                     "catch-up compare",
                                     "catch-up rewind",
                                     "clock jump",
                                     "both crash",
                                     "crash",
                                     "crash inside a step",
                                     "cut",
                                     "graceful stop",
                                     "message doubled",
                                     "message delayed",
                                     "message lost",
                                     "one-way cut",
                                     "order force done",
                                     "order promote fenced done",
                                     "order solo fenced done",
                                     "order stop done",
                                     "pause",
                                     "restart",
                                     "stalled time",
                                     "forget",
                                     "forgotten",
                                     "digests compared"};

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What went wrong, or nothing.
std::string RunSeed(std::uint64_t seed, std::uint64_t steps, const std::filesystem::path& dir,
                    Counts* counts, const PairWorld::MakeStore& make_store) {
  PairWorld world(seed, dir, counts, make_store);
  bool fine = true;
  for (std::uint64_t i = 0; i < steps && fine; ++i) {
    fine = world.Step();
  }
  if (fine && world.Heal()) {
    return "";
  }
  return "seed " + std::to_string(seed) + ", step " + std::to_string(world.steps()) + ": " +
         world.why() + "\nreplay: SIM_FIRST=" + std::to_string(seed) +
         " SIM_SEEDS=1 SIM_STEPS=" + std::to_string(steps) + "\n" + world.Trace();
}

}  // namespace

void RunSeeds(const Seeds& wanted, const PairWorld::MakeStore& make_store) {
  const std::uint64_t first = FromEnvironment("SIM_FIRST", 1);
  const std::uint64_t seeds = FromEnvironment("SIM_SEEDS", wanted.seeds);
  const std::uint64_t steps = FromEnvironment("SIM_STEPS", wanted.steps);
  const std::filesystem::path root =
      std::filesystem::path(::testing::TempDir()) / ("pair-sim-" + std::to_string(getpid()));
  Counts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const std::filesystem::path dir = root / std::to_string(seed);
    ASSERT_EQ(RunSeed(seed, steps, dir, &counts, make_store), "");
    std::filesystem::remove_all(dir);
  }
  std::filesystem::remove_all(root);
  std::cout << seeds << " seeds of " << steps << " events and a healing each\n";
  for (const auto& [what, count] : counts) {
    std::cout << "  " << what << ": " << count << "\n";
  }
  const auto expect = [&](std::span<const char* const> kinds) {
    for (const char* what : kinds) {
      EXPECT_TRUE(counts.contains(what) || seeds < wanted.seeds) << what << " never happened";
    }
  };
  expect(kMustFire);
  expect(wanted.must_fire);
}

}  // namespace twinspool::test
