// What becomes of packets on the wire, and of the logs that they carry.
#include <algorithm>
#include <string>

#include "tests/replica/role_world_impl.h"

namespace twinspool::replica::core::explore {
namespace {

std::string Name(int who, std::string_view what) {
  return "node " + std::to_string(who) + ": " + std::string(what);
}

std::size_t CommonPrefix(const Log& a, const Log& b) {
  std::size_t n = 0;
  while (n < a.length && n < b.length && a.id[n] == b.id[n] && a.id[n] != kHole) {
    ++n;
  }
  return n;
}

}  // namespace

void Runner::Wire(const World& world, const Emit& emit) {
  for (std::size_t i = 0; i < world.wire.size(); ++i) {
    const Packet packet = world.wire[i];
    if (packet.kind == Packet::kNone) {
      continue;
    }
    const auto take = [i](World& w) {
      w.wire[i] = Packet();
      std::stable_partition(w.wire.begin(), w.wire.end(),
                            [](const Packet& p) { return p.kind != Packet::kNone; });
    };
    const std::string what = "packet kind " + std::to_string(packet.kind) + " body " +
                             std::to_string(packet.body) + " cfgno " +
                             std::to_string(packet.cfgno) + " seq " + std::to_string(packet.seq);
    Try(world, emit, "lost: " + what, take);
    if (world.off[packet.to_node]) {
      continue;
    }
    Try(world, emit, Name(packet.to_node, "gets " + what), [&](World& w) {
      take(w);
      Deliver(w, packet);
    });
    if (bounds_.repeats) {
      Try(world, emit, Name(packet.to_node, "gets, to come again, " + what),
          [&](World& w) { Deliver(w, packet); });
    }
  }
}

void Runner::Deliver(World& w, const Packet& packet) {
  switch (packet.kind) {
    case Packet::kMessage:
      Feed(w, packet.to_node, MutateMessage(w, packet.to_node, Unpack(packet, bounds_.mode)));
      break;
    case Packet::kAppend:
      DeliverAppend(w, packet);
      break;
    case Packet::kSnapshot:
      DeliverSnapshot(w, packet);
      break;
    case Packet::kNone:
      break;
  }
}

void Runner::DeliverAppend(World& w, const Packet& p) {
  const RoleState& s = w.node[p.to_node];
  Log& log = w.log[p.to_node];
  const bool any = bounds_.mutation == Mutation::kAnyIncarnation;
  if (!MayApply(s, Epoch(p.epoch), any ? s.peer_incarnation : Incarnation(p.from),
                any ? s.control.incarnation : Incarnation(p.to)) ||
      p.seq > log.length) {
    return;
  }
  if (bounds_.mutation == Mutation::kAckBeforeStored) {
    Feed(w, p.to_node, Applied{CommitSeq(p.seq + 1u)});
    return;
  }
  if (p.seq == log.length) {
    log.id[log.length++] = p.id;
  }
  Feed(w, p.to_node, Applied{CommitSeq(log.length)});
}

// One durable step of a rewind or of a catch-up; delivered again, it does the next.
void Runner::DeliverSnapshot(World& w, const Packet& p) {
  const std::size_t me = p.to_node;
  const RoleState& s = w.node[me];
  Log& log = w.log[me];
  if (!CountsNow(s, Epoch(p.epoch), Incarnation(p.from), Incarnation(p.to)) ||
      s.role == Role::kPrimary || s.control.last_primary) {
    return;
  }
  const std::size_t common = CommonPrefix(log, p.log);
  const CommitSeq end(p.log.length);
  if (s.control.incomplete) {
    if (s.control.rewinding) {
      Feed(w, p.to_node, CatchUpStarted{Epoch(p.epoch), end});
    }
    if (end >= s.control.incomplete_target) {
      const auto gone = static_cast<std::uint8_t>(Mask(log) & ~Mask(p.log));
      log = p.log;
      CheckDropped(w, p.to_node, gone);
      Feed(w, p.to_node, CatchUpFinished{Epoch(p.epoch), end});
    }
  } else if (s.control.rewinding && log.length > common) {
    const std::uint8_t id = log.id[--log.length];
    log.id[log.length] = 0;
    CheckDropped(w, p.to_node, static_cast<std::uint8_t>(id == kHole ? 0 : 1u << id));
  } else if (s.control.rewinding) {
    Feed(w, p.to_node, RewindFinished{Epoch(p.epoch), CommitSeq(log.length)});
  } else if (s.role == Role::kStandby && p.log.length > log.length && common == log.length) {
    Feed(w, p.to_node, CatchUpStarted{Epoch(p.epoch), end});
    for (std::size_t i = log.length; i < p.log.length; ++i) {
      log.id[i] = kHole;
    }
    if (p.log.length > log.length + 1) {
      log.id[p.log.length - 1u] = p.log.id[p.log.length - 1u];  // newest first: the worst order
    }
    log.length = p.log.length;
  }
}

}  // namespace twinspool::replica::core::explore
