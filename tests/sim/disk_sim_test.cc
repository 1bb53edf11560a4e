// The pair simulated by seed over the real store on RocksDB: random events and faults of the disk
// besides those of pair_sim_test.cc, invariants after each, healing at the end.
#include <memory>

#include <gtest/gtest.h>

#include "tests/sim/disk_sim_store.h"
#include "tests/sim/seeds.h"

namespace twinspool::test {
namespace {

constexpr const char* kMustFire[] = {"disk full", "flush", "compaction", "sync fails", "power cut"};

TEST(DiskSim, SurvivesEverySeed) {
  RunSeeds({.seeds = 200, .steps = 1'000, .must_fire = kMustFire},
           [](Clock& clock, const std::filesystem::path& dir) {
             return std::make_unique<DiskSimStore>(clock, dir);
           });
}

}  // namespace
}  // namespace twinspool::test
