// All transitions of a World, and the breadth-first search over them.
#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "tests/replica/role_world_impl.h"

namespace twinspool::replica::core::explore {
namespace {

std::string Name(int who, std::string_view what) {
  return "node " + std::to_string(who) + ": " + std::string(what);
}

bool Closing(const RoleState& s) {
  return s.handover != Handover::kNone && s.handover != Handover::kDissolve;
}

bool MayWrite(const RoleState& s) {
  return s.role == Role::kPrimary && (s.confirmed || GrantInUse(s)) && !Closing(s) &&
         s.control.uid_jump == UidJump::kNone;
}

bool TooFar(const World& w, const Bounds& bounds) {
  return w.node[0].cfgno > bounds.cfgno || w.node[1].cfgno > bounds.cfgno ||
         w.node[0].control.epoch > Epoch(120) || w.node[1].control.epoch > Epoch(120);
}

std::uint64_t Hash(const World& w) {
  std::array<std::uint64_t, sizeof(World) / 8> words{};
  static_assert(sizeof(World) % 8 == 0);
  std::memcpy(words.data(), &w, sizeof w);
  std::uint64_t h = 0x9E3779B97F4A7C15ull;
  for (const std::uint64_t word : words) {
    h = (h ^ word) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53ull;
    h ^= h >> 29;
  }
  return h;
}

}  // namespace

void Runner::Try(const World& world, const Emit& emit, const std::string& name,
                 const Change& change) {
  World next = world;
  change(next);
  for (const int who : {0, 1, 0}) {  // one going away may let the other end its own stop
    if (next.node[static_cast<std::size_t>(who)].stopping) {
      PowerOff(next, who);
    }
  }
  if (!bounds_.links && !next.off[0] && !next.off[1]) {
    for (const int who : {0, 1}) {
      if (!next.node[static_cast<std::size_t>(who)].link_up) {
        Feed(next, who, LinkUp{});
      }
    }
  }
  CheckServing(next);
  if (!violation.empty() || !TooFar(next, bounds_)) {
    emit(next, name);
  }
}

void Runner::Successors(const World& world, const Emit& emit) {
  for (int who = 0; who < 2; ++who) {
    if (!world.off[static_cast<std::size_t>(who)]) {
      Local(world, who, emit);
      if (world.orders < bounds_.orders) {
        Orders(world, who, emit);
      }
    }
    Power(world, who, emit);
  }
  Wire(world, emit);
}

void Runner::Local(const World& world, int who, const Emit& emit) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = world.node[me];
  const auto feed = [&](const char* name, const Event& event) {
    Try(world, emit, Name(who, name), [&](World& w) { Feed(w, who, event); });
  };
  if (s.link_up) {
    feed("tick", Tick{});
  } else if (!world.off[1 - me]) {
    feed("link up", LinkUp{});
  }
  if (bounds_.links && s.link_up && world.cuts < bounds_.cuts) {
    Try(world, emit, Name(who, "link down"), [&](World& w) {
      ++w.cuts;
      Feed(w, who, LinkDown{});
    });
  }
  if (s.role == Role::kStandby) {
    feed("acks again", Applied{CommitSeq(world.log[me].length)});
  }
  if (s.role == Role::kPrimary && s.link_up && !s.revoke_wanted) {
    feed("peer is behind", PeerBehind{});
  }
  if (s.role == Role::kPrimary && s.control.uid_jump != UidJump::kNone) {
    feed("UIDs jumped", UidsJumped{});
  }
  if (s.handover != Handover::kNone) {
    feed("order times out", OrderTimedOut{});
  }
  if (MayWrite(s) && world.writes < bounds_.writes && world.log[me].length < kLogMax) {
    Try(world, emit, Name(who, "write"), [&](World& w) {
      Log& log = w.log[me];
      log.id[log.length++] = w.writes++;
      Feed(w, who, Committed{CommitSeq(log.length)});
    });
  }
  for (const int what : {0, 1, 2}) {
    World next = world;
    if (Ship(next, who, what == 2, what == 1 ? 1 : 0)) {
      Try(world, emit, Name(who, what == 2 ? "ships a snapshot" : "ships"),
          [&next](World& w) { w = next; });
    }
  }
}

bool Runner::Ship(World& w, int who, bool snapshot, std::uint8_t ahead) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  const std::uint64_t at = s.peer_pos.value() + ahead;
  if (w.off[me] || !MayShip(s) || (!snapshot && at >= w.log[me].length)) {
    return false;
  }
  Packet p = Pack({s.control.epoch, s.control.incarnation, s.peer_incarnation, Ack{}}, 1 - who);
  p.body = 0;
  p.kind = snapshot ? Packet::kSnapshot : Packet::kAppend;
  if (snapshot) {
    p.log = w.log[me];
  } else {
    p.seq = static_cast<std::uint8_t>(at);
    p.id = w.log[me].id[at];
  }
  return Put(w, p);
}

// An order that is refused leads nowhere new.
void Runner::Give(World& w, int who, const Order& order) {
  const auto me = static_cast<std::size_t>(who);
  ++w.orders;
  Feed(w, who, order);
  if (Closing(w.node[me])) {
    Feed(w, who, Drained{});
  }
}

// What a primary accepted before it closes becomes durable while it does.
void Runner::FenceAmidWrite(const World& world, int who, const Emit& emit) {
  const auto me = static_cast<std::size_t>(who);
  if (!MayWrite(world.node[me]) || world.writes >= bounds_.writes ||
      world.log[me].length >= kLogMax) {
    return;
  }
  Try(world, emit, Name(who, "fence amid a write"), [&](World& w) {
    Give(w, who, Order{Fence{}, {}, "operator"});
    Log& log = w.log[me];
    log.id[log.length++] = w.writes++;
    Feed(w, who, Committed{CommitSeq(log.length)});
  });
}

void Runner::Orders(const World& world, int who, const Emit& emit) {
  const auto me = static_cast<std::size_t>(who);
  const auto give = [&](const char* name, const auto& what, bool fences, bool cuts) {
    World next = world;
    if (fences && !next.off[1 - me]) {
      PowerOff(next, 1 - who);  // the claim is true
    }
    if (cuts || fences) {
      Cut(next, who);
    }
    const RoleState before = next.node[me];
    Give(next, who, Order{what, {}, "operator"});
    if (next.node[me] != before) {
      Try(world, emit, Name(who, name), [&next](World& w) { w = next; });
    }
  };
  give("promote", Promote{}, false, true);
  give("promote --peer-fenced", Promote{.peer_fenced = true}, true, false);
  give("solo --peer-fenced", Solo{.peer_fenced = true}, true, false);
  if (!world.forced) {  // after a forced promotion these claims may be false
    give("solo", Solo{}, false, false);
    give("promote --peer-not-promoted", Promote{.peer_not_promoted = true}, false, false);
  }
  give("switchover", Switchover{}, false, false);
  if (bounds_.holds) {
    give("demote", Demote{}, false, false);
    give("fence", Fence{}, false, false);
    FenceAmidWrite(world, who, emit);
  }
  if (world.node[me].control.held_down) {
    give("undemote", Undemote{}, false, false);
  }
  give("stop", StopGracefully{}, false, false);
  give("join", Join{}, false, false);
  give("dissolve", Dissolve{}, false, false);
  const bool promotable = world.node[me].role != Role::kPrimary && !world.node[me].control.expelled;
  if (bounds_.force && !world.forced && promotable && !IsSingle(world.node[1 - me])) {
    Try(world, emit, Name(who, "promote --allow-data-loss"), [&](World& w) {
      if (!w.off[1 - me]) {
        PowerOff(w, 1 - who);
      }
      Cut(w, who);
      const World was = w;
      Give(w, who, Order{Promote{.peer_fenced = true, .allow_data_loss = true}, {}, "operator"});
      if (w.node[me].control.uid_jump == UidJump::kNone) {
        return;  // refused, or no force was needed
      }
      const auto gone = static_cast<std::uint8_t>((was.acked | was.seen) & ~Mask(w.log[me]));
      w.lost |= gone;
      w.acked = static_cast<std::uint8_t>(w.acked & ~gone);
      w.seen = static_cast<std::uint8_t>(w.seen & ~gone);
      w.forced = true;
    });
  }
}

void Runner::Power(const World& world, int who, const Emit& emit) {
  const auto me = static_cast<std::size_t>(who);
  if (world.off[me]) {
    Try(world, emit, Name(who, "power on"), [&](World& w) { StartNode(w, who); });
    return;
  }
  if (world.crashes >= bounds_.crashes) {
    return;
  }
  Try(world, emit, Name(who, "crash and restart"), [&](World& w) {
    ++w.crashes;
    Cut(w, 1 - who);
    StartNode(w, who);
  });
  Try(world, emit, Name(who, "power off"), [&](World& w) {
    ++w.crashes;
    PowerOff(w, who);
  });
  if (who == 0 && !world.off[1]) {
    Try(world, emit, "both lose power and start", [&](World& w) {
      ++w.crashes;
      StartNode(w, 0);
      StartNode(w, 1);
    });
  }
}

// --- liveness ----------------------------------------------------------------------------------

void Runner::Flush(World& w) {
  for (int turn = 0; turn < 60 && w.wire[0].kind != Packet::kNone; ++turn) {
    const Packet packet = w.wire[0];
    std::copy(w.wire.begin() + 1, w.wire.end(), w.wire.begin());
    w.wire.back() = Packet();
    Deliver(w, packet);
  }
}

bool Runner::InSyncAndServing(const World& w, int primary) const {
  const auto p = static_cast<std::size_t>(primary);
  const RoleState& a = w.node[p];
  const RoleState& b = w.node[1 - p];
  return ServesReads(a) && a.confirmed && a.peer_acked && b.role == Role::kStandby &&
         (b.eligible || bounds_.mode == Mode::kAsync) && w.log[0] == w.log[1];
}

void Runner::HealRound(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  Feed(w, who, Tick{});
  Flush(w);
  if (w.node[me].control.uid_jump != UidJump::kNone && w.node[me].role == Role::kPrimary) {
    Feed(w, who, UidsJumped{});
  }
  for (int i = 0; i < 6 && w.node[1 - me].role != Role::kStandby; ++i) {
    Ship(w, who, true, 0);
    Flush(w);
  }
  for (int i = 0; i < 6 && w.node[me].peer_pos < w.node[me].log_end && Ship(w, who, false, 0);
       ++i) {
    Flush(w);
  }
  Flush(w);
}

bool Runner::Heals(World w) {
  Bounds bounds = bounds_;
  bounds.wire = 4;
  Runner runner(bounds);
  w.wire.fill(Packet());
  for (int who = 0; who < 2; ++who) {
    const auto me = static_cast<std::size_t>(who);
    if (w.off[me]) {
      runner.StartNode(w, who);
    }
    // What only an operator can lift: held down, expelled, single.
    const Control& c = w.node[me].control;
    if (c.held_down || c.expelled || IsSingle(w.node[me])) {
      return true;
    }
    if (w.node[me].handover != Handover::kNone) {
      runner.Feed(w, who, OrderTimedOut{});
      if (w.node[me].stopping) {
        runner.StartNode(w, who);
      }
    }
  }
  for (int who = 0; who < 2; ++who) {
    runner.Cut(w, who);
  }
  runner.Feed(w, 0, LinkUp{});
  runner.Feed(w, 1, LinkUp{});
  runner.Flush(w);
  for (int round = 0; round < 12; ++round) {
    for (int who = 0; who < 2; ++who) {
      runner.HealRound(w, who);
      if (runner.InSyncAndServing(w, who)) {
        return runner.violation.empty();
      }
    }
  }
  return false;
}

// --- search ------------------------------------------------------------------------------------

World Runner::Initial() {
  World w;
  Control first;
  first.epoch = Epoch(2);
  first.last_primary = true;
  Control second;
  second.epoch = Epoch(2);
  if (bounds_.single) {
    first = NewSingle(Settings{});
    second = NewMember();
  }
  w.disk = {first, second};
  StartNode(w, 0);
  StartNode(w, 1);
  if (!bounds_.single) {
    Bounds bounds = bounds_;
    bounds.wire = 4;
    Runner runner(bounds);
    runner.Feed(w, 0, LinkUp{});
    runner.Feed(w, 1, LinkUp{});
    runner.Flush(w);
    for (int round = 0; round < 4 && !runner.InSyncAndServing(w, 0); ++round) {
      runner.HealRound(w, 0);
      runner.HealRound(w, 1);
    }
    if (!runner.InSyncAndServing(w, 0)) {
      violation = "the first two starts do not lead to a pair in sync";
    }
  }
  return w;
}

Outcomes Explore(const Bounds& bounds) {
  struct Step {
    std::uint32_t parent;
    std::string name;
  };
  Outcomes out;
  Runner runner(bounds);
  std::vector<std::pair<World, std::uint32_t>> frontier{{runner.Initial(), 0}};
  std::vector<Step> steps{{0, "start"}};
  std::unordered_set<std::uint64_t> seen{Hash(frontier[0].first)};
  std::uint32_t guilty = 0;
  while (!frontier.empty() && runner.violation.empty() && seen.size() < bounds.states) {
    std::vector<std::pair<World, std::uint32_t>> next;
    for (const auto& [world, id] : frontier) {
      if (bounds.heal_every > 0 && id % bounds.heal_every == 0) {
        ++out.healed;
        if (!runner.Heals(world)) {
          runner.violation = "P8: the pair does not come back by itself";
          guilty = id;
          break;
        }
      }
      runner.Successors(world, [&, at = id](const World& w, const std::string& name) {
        ++out.transitions;
        const bool bad = !runner.violation.empty();
        if (guilty == 0 && (seen.insert(Hash(w)).second || bad)) {
          steps.push_back({at, name});
          const auto number = static_cast<std::uint32_t>(steps.size() - 1);
          guilty = bad ? number : 0;
          next.emplace_back(w, number);
        }
      });
      if (!runner.violation.empty() || seen.size() >= bounds.states) {
        break;
      }
    }
    ++out.depth;
    out.exhausted = next.empty();
    frontier = std::move(next);
  }
  out.violation = runner.violation;
  out.states = seen.size();
  for (std::uint32_t at = guilty; at != 0; at = steps[at].parent) {
    out.trace.insert(out.trace.begin(), steps[at].name);
  }
  return out;
}

}  // namespace twinspool::replica::core::explore
