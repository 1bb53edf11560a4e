// Seeds of a simulated pair, one after the other; a failure prints the last events and the command
// that replays it.
//
// SIM_SEEDS sets the number of seeds, SIM_FIRST the first of them, SIM_STEPS the events of each.
#pragma once

#include <cstdint>
#include <span>

#include "tests/sim/pair_world.h"

namespace twinspool::test {

struct Seeds {
  std::uint64_t seeds = 0;
  std::uint64_t steps = 0;
  /// Kinds of events that this store must see, beside those of every store.
  std::span<const char* const> must_fire;
};

void RunSeeds(const Seeds& seeds, const PairWorld::MakeStore& make_store);

}  // namespace twinspool::test
