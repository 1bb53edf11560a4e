// Breadth-first search over all worlds within bounds, on every core; counterexamples by replay.
//
// States are remembered by 64-bit fingerprints: a state may be missed, with a probability of about
// n²/2^65 (1e-5 at 20 million states). Counts of an exhausted search are the same on every run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/roles/world.h"

namespace twinspool::replica::core::explore {

struct Outcomes {
  std::string violation;  // empty: none found
  std::vector<std::string> trace;
  std::size_t states = 0, transitions = 0, depth = 0, healed = 0, stale_reads = 0, reported = 0;
  /// Nothing is left within the bounds. False: cut off at Bounds::states, or by a violation.
  bool exhausted = false;
  /// How often each kind of move led somewhere.
  std::array<std::size_t, Move::kKinds> moves{};
};

/// From Runner::Initial on. `threads` 0: one per core.
Outcomes Explore(const Bounds& bounds, unsigned threads = 0);

}  // namespace twinspool::replica::core::explore
