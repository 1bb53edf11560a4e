// The world around two role machines, for exhaustive exploration: logs with UIDs, a wire that
// loses, delays, reorders and repeats, power, an arbiter, and operators. The machines are the
// shipped ones; only what they are told and what becomes of their actions is modelled here.
//
// Ghosts (acked, seen, led, …) remember what clients were told and never reach a machine.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "replica/core/role.h"

namespace twinspool::replica::core::explore {

inline constexpr std::size_t kLogMax = 4;
inline constexpr std::size_t kWireMax = 4;
inline constexpr std::size_t kUidsMax = 32;
inline constexpr std::uint8_t kHole = 0xEE;  // not brought yet by a catch-up under way
inline constexpr std::uint8_t kArbiterNode = 2;

/// The writes that a node holds, in order, and the UID of each (0 where a run has none).
struct Log {
  std::uint8_t length = 0;
  std::array<std::uint8_t, kLogMax> id{};
  std::array<std::uint8_t, kLogMax> uid{};
  auto operator<=>(const Log&) const = default;
};

/// What is on the wire; bytes only, so that worlds compare as memory. To and from the arbiter
/// `body` is the Ask, `seq` and `id` are leader and in_sync, `cfgno` the revision expected or
/// found.
struct Packet {
  enum Kind : std::uint8_t { kNone, kMessage, kAppend, kSnapshot, kAsk, kAnswer };
  Kind kind = kNone;
  std::uint8_t to_node = 0;
  std::uint8_t from_node = 0;
  std::uint8_t body = 0;   // index in MessageBody
  std::uint8_t flags = 0;  // 1 is_primary, take_over or written; 2 reply
  std::uint8_t epoch = 0, from = 0, to = 0;
  std::uint8_t cfgno = 0, seq = 0, id = 0, uid = 0, uid_floor = 0;
  std::uint8_t expected = 0;  // kAnswer: the revision that the question expected
  Log log;
  auto operator<=>(const Packet&) const = default;
};
static_assert(std::has_unique_object_representations_v<Packet>);

/// One state of everything.
struct World {
  /// While a node is off, only its control state is meant.
  std::array<RoleState, 2> node;
  PairConfig arbiter;
  /// Epochs (below 128) in which a node was primary.
  std::array<std::array<std::uint64_t, 2>, 2> led{};
  std::array<Packet, kWireMax> wire;  // a set: kept sorted, empty slots last
  std::array<Log, 2> log;
  std::array<bool, 2> off{};
  std::array<std::uint8_t, 2> uid_floor{};  // a forced promotion's jump; UIDNEXT is at least that
  std::array<std::uint8_t, 2> uid_peer{};   // UIDNEXT that the peer surely knows
  std::array<std::uint8_t, kUidsMax> shown_as{};  // by UID: the write seen under it, plus 1
  std::uint8_t writes = 0, crashes = 0, orders = 0, cuts = 0;
  std::uint8_t acked = 0, seen = 0, lost = 0;  // bit per write
  std::uint8_t top = 2;                        // highest epoch that had a primary
  bool forced = false;
  /// strict: an operator's word made this node's grant count, in this epoch and start.
  std::array<bool, 2> worded{};
  std::uint8_t spare = 0;

  bool operator==(const World&) const = default;
};
static_assert(std::has_unique_object_representations_v<World>);

/// One thing that can happen. `pick`: which of several messages gets the last free slot of the
/// wire.
struct Move {
  enum Kind : std::uint8_t {
    kStart,
    kTick,
    kLinkUp,
    kLinkDown,
    kAckAgain,
    kPeerBehind,
    kUidsJumped,
    kOrderTimedOut,
    kWrite,
    kShip,
    kShipNext,
    kShipSnapshot,
    kArbiterSilent,
    kLeaderGone,
    kOrder,
    kForce,
    kFenceAmidWrite,
    kCrash,
    kPowerOff,
    kPowerOn,
    kBothLosePower,
    kTailLost,
    kLose,
    kDeliver,
    kRepeat,
    kKinds
  };
  Kind kind = kStart;
  std::uint8_t who = 0;
  std::uint8_t arg = 0;  // number of the order, or slot of the wire
  std::uint8_t pick = 0;
  bool operator==(const Move&) const = default;
};
static_assert(sizeof(Move) == 4);

/// Orders by number (Move::arg).
inline constexpr std::uint8_t kOrders = 13;

/// How much may happen, and what.
struct Bounds {
  Mode mode = Mode::kAvailable;
  bool arbiter = false;
  bool alone = false;       // … which has just let node 0 go on alone
  bool force = false;       // orders include forced promotion (once)
  bool contradict = false;  // … and afterwards claims that it makes false
  bool single = false;      // node 0 starts single, node 1 empty
  bool uids = false;        // messages have UIDs, with a jump of kUidJump
  int writes = 2, crashes = 1, orders = 2, cuts = 1;
  bool links = false;     // links come and go by themselves; else: always there when both run
  bool repeats = true;    // a message may be delivered twice
  bool holds = true;      // orders include demote, fence, undemote
  bool snapshots = true;  // a standby may be brought back by rewind and catch-up
  std::size_t wire = 1;   // messages under way at once, at most kWireMax
  std::uint32_t cfgno = 3;
  std::size_t states = 4'000'000;  // the search is cut off there
  std::size_t heal_every = 0;      // > 0: check that the pair comes back, from every n-th state
};
inline constexpr std::uint8_t kUidJump = 2;

/// Writes held, a bit each; `upto`: among the first so many.
std::uint8_t Mask(const Log& log, std::uint64_t upto = kLogMax);
Packet Pack(const Message& message, int to_node);
Message Unpack(const Packet& packet, Mode mode);
/// Reads are open for clients.
bool ServesReads(const RoleState& state);
/// "node 1: gets Ack(epoch 4, cfgno 1, seq 2)"; `world`: before the move.
std::string Name(const World& world, const Move& move);
/// One line on a node: role, marks, log.
std::string Show(const World& world, int who);

/// Runs moves, one at a time, and checks the properties after each. One per thread.
class Runner {
 public:
  explicit Runner(const Bounds& bounds);

  /// A pair in sync, or a single node and an empty one.
  World Initial();
  /// Changes `world`. False: the move is impossible or beyond the bounds. Sets `violation`.
  bool Apply(World* world, const Move& move);
  /// Variants of the last move that differ in `pick`.
  std::uint8_t picks() const { return picks_; }
  /// Every move that may be possible.
  template <typename Fn>
  void ForEachMove(const World& world, const Fn& fn) const;
  /// Both powered, wire whole, nobody types: does one serving primary with a standby in sync come?
  bool Heals(World world);

  std::string violation;        // of a property; empty: none
  std::size_t stale_reads = 0;  // arbiter: allowed within a lease that is not modelled
  std::size_t reported = 0;     // contradict: writes that ended in salvage

 private:
  Settings SettingsOf(int who) const;
  // moves.cc
  bool Do(World& w, const Move& move);
  bool DoLocal(World& w, const Move& move);
  bool DoPower(World& w, const Move& move);
  bool DoWire(World& w, const Move& move);
  bool Write(World& w, int who);
  void AddEntry(World& w, int who);
  bool MayWrite(const World& w, int who) const;
  bool FenceAmidWrite(World& w, int who);
  bool GiveNumbered(World& w, int who, std::uint8_t number);
  bool Force(World& w, int who);
  bool Give(World& w, int who, const Order& order);
  bool Ship(World& w, int who, bool snapshot, std::uint8_t ahead);
  void Settle(World& w);
  bool TooFar(const World& w) const;
  // wire.cc
  void Deliver(World& w, const Packet& packet);
  void DeliverAppend(World& w, const Packet& packet);
  void DeliverSnapshot(World& w, const Packet& packet);
  void BeginCatchUp(World& w, const Packet& packet);
  void EndCatchUp(World& w, const Packet& packet);
  void RewindOne(World& w, const Packet& packet);
  void Learn(World& w, const Packet& packet) const;
  void AskArbiterNow(World& w, const Packet& packet);
  bool Dead(const World& w, const Packet& packet) const;
  void DropDead(World& w) const;
  void Post(World& w, std::uint8_t pick);
  // world.cc
  void Feed(World& w, int who, const Event& event);
  void CarryOut(World& w, int who, const RoleState& before, const Actions& actions);
  void StartNode(World& w, int who);
  void PowerOff(World& w, int who);
  void Cut(World& w, int who);
  std::uint8_t UidNext(const World& w, int who, std::uint64_t upto = kLogMax) const;
  void JumpUids(World& w, int who) const;
  // properties.cc
  void Bad(const char* what, bool also_async = false);
  void Acknowledge(World& w, int who, std::uint64_t seq, const RoleState& before);
  void CheckDropped(World& w, int who, std::uint8_t dropped);
  void CheckServing(World& w, const World& before);
  void CheckHeld(const World& w, int who);
  void CheckShown(World& w, int who, std::uint8_t shown, bool began);
  void CheckUids(World& w, int who);
  // heal.cc
  void Flush(World& w);
  void GoOnAlone(World& w);
  bool InSyncAndServing(const World& w, int primary) const;
  void HealRound(World& w, int who, int round);
  bool ReadyToHeal(World& w);

  const Bounds bounds_;
  std::vector<Packet> out_;  // sent by the move under way
  std::uint8_t picks_ = 1;
  bool healing_ = false;
};

template <typename Fn>
void Runner::ForEachMove(const World& world, const Fn& fn) const {
  for (std::uint8_t who = 0; who < 2; ++who) {
    for (std::uint8_t kind = Move::kTick; kind < Move::kOrder; ++kind) {
      fn(Move{static_cast<Move::Kind>(kind), who, 0, 0});
    }
    for (std::uint8_t number = 0; number < kOrders; ++number) {
      fn(Move{Move::kOrder, who, number, 0});
    }
    for (std::uint8_t kind = Move::kForce; kind < Move::kLose; ++kind) {
      fn(Move{static_cast<Move::Kind>(kind), who, 0, 0});
    }
  }
  for (std::uint8_t slot = 0; slot < kWireMax && world.wire[slot].kind != Packet::kNone; ++slot) {
    for (std::uint8_t kind = Move::kLose; kind < Move::kKinds; ++kind) {
      fn(Move{static_cast<Move::Kind>(kind), 0, slot, 0});
    }
  }
}

}  // namespace twinspool::replica::core::explore
