// The world around two role machines, for exhaustive exploration: logs, a wire that loses, delays
// and repeats, power, and operators whose claims are true. The machines are the shipped ones; only
// what they are told and what becomes of their actions is modelled here.
//
// Ghosts (acked, seen, …) remember what clients were told and never reach a machine.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "replica/core/role.h"

namespace twinspool::replica::core::explore {

inline constexpr std::size_t kLogMax = 4;
inline constexpr std::uint8_t kHole = 0xEE;  // not brought yet by a catch-up under way

struct Log {
  std::uint8_t length = 0;
  std::array<std::uint8_t, kLogMax> id{};
  auto operator<=>(const Log&) const = default;
};

/// What is on the wire; bytes only, so that worlds hash as memory.
struct Packet {
  enum Kind : std::uint8_t { kNone, kMessage, kAppend, kSnapshot };
  Kind kind = kNone;
  std::uint8_t to_node = 0;
  std::uint8_t body = 0;   // index in MessageBody
  std::uint8_t flags = 0;  // 1 is_primary or take_over, 2 reply
  std::uint8_t epoch = 0, from = 0, to = 0;
  std::uint8_t cfgno = 0, seq = 0, id = 0;
  Log log;
  std::uint8_t spare = 0;
  auto operator<=>(const Packet&) const = default;
};
static_assert(std::has_unique_object_representations_v<Packet>);

/// One state of everything.
struct World {
  std::array<RoleState, 2> node;
  std::array<Control, 2> disk;
  /// Epochs (below 128) in which a node has acknowledged something.
  std::array<std::array<std::uint64_t, 2>, 2> acked_in{};
  std::array<Log, 2> log;
  std::array<bool, 2> off{};
  std::array<Packet, 4> wire;  // a set: kept sorted, empty slots last
  std::uint8_t writes = 0, crashes = 0, orders = 0, cuts = 0;
  std::uint8_t acked = 0, seen = 0, lost = 0;  // bit per write
  bool forced = false;
  std::uint8_t top = 2;  // highest epoch that had a primary
  std::array<std::uint8_t, 3> spare{};
};
static_assert(std::has_unique_object_representations_v<World>);

/// Breaks one rule from outside, to show that the properties can fail.
enum class Mutation {
  kNone,
  kEligibleSurvivesRestart,
  kResignationNotPersisted,
  kRewindMarkNotPersisted,
  kIncompleteMarkForgotten,
  kReadmitKeepsGrant,
  kAckBeforeStored,
  kAnyRevoked,
  kAnyIncarnation,
  kReadsAtPromotion,
  kResumeWithoutContact,
  kFenceKeepsEpoch,
  kNoParity,
  kGrantWithoutContact,
};

struct Bounds {
  Mode mode = Mode::kAvailable;
  bool force = false;   // orders include forced promotion (once)
  bool single = false;  // node 0 starts single, node 1 empty
  int writes = 2, crashes = 1, orders = 2, cuts = 1;
  bool links = false;    // links come and go by themselves; else: always there when both run
  bool repeats = true;   // a message may be delivered twice
  bool holds = true;     // orders include demote, fence, undemote
  std::size_t wire = 1;  // messages under way at once, at most 4
  std::uint32_t cfgno = 3;
  std::size_t states = 100'000;
  std::size_t heal_every = 0;  // > 0: check liveness from every n-th state
  Mutation mutation = Mutation::kNone;
};

struct Outcomes {
  std::string violation;  // empty: none found
  std::vector<std::string> trace;
  std::size_t states = 0, transitions = 0, depth = 0, healed = 0;
  bool exhausted = false;
};

/// Breadth-first search from a pair in sync (or a single node).
Outcomes Explore(const Bounds& bounds);

}  // namespace twinspool::replica::core::explore
