// Runs transitions of a World. Shared by role_world.cc (one event) and role_search.cc (all of
// them).
#pragma once

#include <functional>
#include <string>

#include "tests/replica/role_world.h"

namespace twinspool::replica::core::explore {

std::uint8_t Mask(const Log& log, std::uint64_t upto = kLogMax);
Packet Pack(const Message& message, int to_node);
Message Unpack(const Packet& packet, Mode mode);
bool ServesReads(const RoleState& state);

class Runner {
 public:
  explicit Runner(const Bounds& bounds) : bounds_(bounds) {}

  /// Told of every state that can follow, with the name of the step. `violation` may be set.
  using Emit = std::function<void(const World&, const std::string&)>;
  void Successors(const World& world, const Emit& emit);
  /// Both powered, wire whole, nobody types: does one serving primary with a standby in sync come?
  bool Heals(World world);
  World Initial();

  std::string violation;

 private:
  using Change = std::function<void(World&)>;
  void Try(const World& world, const Emit& emit, const std::string& name, const Change& change);
  void Local(const World& world, int who, const Emit& emit);
  void FenceAmidWrite(const World& world, int who, const Emit& emit);
  void Orders(const World& world, int who, const Emit& emit);
  void Power(const World& world, int who, const Emit& emit);
  void Wire(const World& world, const Emit& emit);
  void Deliver(World& world, const Packet& packet);
  void DeliverAppend(World& world, const Packet& packet);
  void DeliverSnapshot(World& world, const Packet& packet);
  bool Ship(World& world, int who, bool snapshot, std::uint8_t ahead);
  void Flush(World& world);
  bool InSyncAndServing(const World& world, int primary) const;
  void HealRound(World& world, int who);
  void Give(World& world, int who, const Order& order);
  bool Put(World& world, const Packet& packet) const;

  void Bad(const char* what);
  void Feed(World& w, int who, const Event& event);
  void CarryOut(World& w, int who, const RoleState& before, const Actions& actions);
  void Acknowledge(World& w, int who, std::uint64_t seq, const RoleState& before);
  void CheckDropped(const World& w, int who, std::uint8_t dropped);
  void CheckServing(World& w);
  void StartNode(World& w, int who);
  void PowerOff(World& w, int who);
  void Cut(World& w, int who);

  void MutateDisk(Control& disk) const;
  void MutateStart(World& w, int who);
  Message MutateMessage(const World& w, std::size_t me, Message message) const;
  void MutateAfter(World& w, std::size_t me, const RoleState& before, const Event& event);

  const Bounds bounds_;
};

}  // namespace twinspool::replica::core::explore
