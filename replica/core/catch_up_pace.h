// How fast a catch-up goes: as fast as it can while nobody else works here, and beside clients no
// faster than leaves them most of this node. Pure: time and counts in, decisions out.
//
// Units and the rest between them are measured against each other: a unit that took long, because
// disk, processor or wire are busy, is followed by a long rest. Who does not catch up that way gets
// a larger share with every further round: being without a standby is worse than being slow.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/env.h"

namespace twinspool::replica::core {

/// Of one primary; one thread. See the head of this file.
class CatchUpPace {
 public:
  /// A catch-up begins. `again`: the one before ended too far behind to follow live. `calls`:
  /// what clients have asked for so far, ever.
  void Begin(bool again, std::uint64_t calls, Instant now);
  void OnUnitBegun(Instant now) { begun_at_ = now; }
  /// The standby has a unit. `writes`: clients may write; if not, being without a standby may be
  /// why, and nothing rests for those who read.
  void OnUnitDone(std::uint64_t calls, bool writes, Instant now);

  /// Clients work here: one unit at a time, and small ones.
  bool beside_clients() const { return beside_clients_; }
  std::size_t unit_bytes() const;
  /// No further unit is begun before.
  Instant next_at() const { return next_at_; }

 private:
  void Measure(std::uint64_t calls, bool writes, Instant now);
  /// How many times as long as a unit its rest is.
  std::int64_t Rests() const;

  std::uint32_t round_ = 0;
  std::uint64_t calls_ = 0;  // when last measured
  Instant measured_at_;
  bool beside_clients_ = false;
  Instant begun_at_;
  Instant next_at_;
};

}  // namespace twinspool::replica::core
