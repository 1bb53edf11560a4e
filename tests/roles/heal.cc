// P8: from a reached state, with both nodes on, the network whole and nobody typing, one serving
// primary with a standby in sync results. And the first state of a search, which comes about the
// same way.
#include <algorithm>

#include "tests/roles/mutated.h"
#include "tests/roles/world.h"

namespace twinspool::replica::core::explore {

// In the order of the set: one fair schedule, which shows a way out, not that every one finds it.
void Runner::Flush(World& w) {
  Post(w, 0);
  for (int turn = 0; turn < 60 && w.wire[0].kind != Packet::kNone; ++turn) {
    const Packet packet = w.wire[0];
    w.wire[0] = Packet();
    Deliver(w, packet);
    Post(w, 0);
  }
}

bool Runner::InSyncAndServing(const World& w, int primary) const {
  const auto p = static_cast<std::size_t>(primary);
  const RoleState& a = w.node[p];
  const RoleState& b = w.node[1 - p];
  const bool promotable = bounds_.arbiter ? w.arbiter.in_sync == 3 && w.arbiter.leader == p
                                          : b.eligible || bounds_.mode == Mode::kAsync;
  return ServesReads(a) && a.confirmed && a.peer_acked && b.role == Role::kStandby && promotable &&
         w.log[0] == w.log[1];
}

void Runner::HealRound(World& w, int who, int round) {
  const auto me = static_cast<std::size_t>(who);
  RoleState& s = w.node[me];
  if (s.ask != Ask::kNone) {
    Feed(w, who, ArbiterSilent{});
  }
  // Both are on, so a lease runs out only where its holder leads no more.
  const bool leaderless = w.arbiter.leader != who && w.node[1 - me].role != Role::kPrimary;
  if (bounds_.arbiter && leaderless && round > 3) {
    Feed(w, who, LeaderGone{});
    Flush(w);
  }
  const bool behind =
      w.node[1 - me].role != Role::kStandby || s.peer_pos < s.log_end || !s.peer_acked;
  if (bounds_.arbiter && s.role == Role::kPrimary && behind && round % 2 == 1) {
    Feed(w, who, PeerBehind{});
    Flush(w);
  }
  if (s.role == Role::kPrimary && s.control.uid_jump != UidJump::kNone) {
    JumpUids(w, who);
    Feed(w, who, UidsJumped{});
  }
  Feed(w, who, Tick{});
  Flush(w);
  for (int i = 0; i < 6 && w.node[1 - me].role != Role::kStandby && Ship(w, who, true, 0); ++i) {
    Flush(w);
  }
  for (int i = 0; i < 6 && s.peer_pos < s.log_end && Ship(w, who, false, 0); ++i) {
    Flush(w);
  }
}

// False: something that only an operator can lift (held down, expelled, single, strict without a
// word).
bool Runner::ReadyToHeal(World& w) {
  w.wire.fill(Packet());
  for (int who = 0; who < 2; ++who) {
    const auto me = static_cast<std::size_t>(who);
    if (w.off[me]) {
      StartNode(w, who);
    }
    const Control& c = w.node[me].control;
    if (c.held_down || c.expelled || IsSingle(w.node[me])) {
      return false;
    }
    if (w.node[me].handover != Handover::kNone) {
      Feed(w, who, OrderTimedOut{});
      if (w.node[me].stopping) {
        StartNode(w, who);
      }
    }
  }
  return true;
}

bool Runner::Heals(World w) {
  healing_ = true;
  out_.clear();
  bool healed = !ReadyToHeal(w);
  if (!healed) {
    for (const int who : {0, 1}) {
      Cut(w, who);
    }
    out_.clear();
    for (const int who : {0, 1}) {
      Feed(w, who, LinkUp{});
    }
    Flush(w);
  }
  for (int round = 0; round < 16 && !healed; ++round) {
    for (int who = 0; who < 2 && !healed; ++who) {
      HealRound(w, who, round);
      healed = InSyncAndServing(w, who);
    }
  }
  healing_ = false;
  out_.clear();
  return healed && violation.empty();
}

// Only the arbiter is heard.
void Runner::GoOnAlone(World& w) {
  Feed(w, 0, PeerBehind{});
  Feed(w, 0, Tick{});
  while (!out_.empty()) {
    const Packet packet = out_.back();
    out_.pop_back();
    if (packet.kind == Packet::kAsk || packet.kind == Packet::kAnswer) {
      Deliver(w, packet);
    }
  }
  if (w.node[0].control.grant != Grant::kArbiter) {
    violation = "the arbiter does not let the first node go on alone";
  }
}

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
  if (bounds_.arbiter) {
    w.arbiter.revision = 1;
    w.arbiter.epoch = Epoch(2);
    w.arbiter.in_sync = 3;
  }
  w.node[0].control = first;
  w.node[1].control = second;
  w.uid_peer = bounds_.uids ? std::array<std::uint8_t, 2>{1, 1} : std::array<std::uint8_t, 2>{};
  StartNode(w, 0);
  StartNode(w, 1);
  if (bounds_.single) {
    Settle(w);
    out_.clear();
    return w;
  }
  healing_ = true;
  Feed(w, 0, LinkUp{});
  Feed(w, 1, LinkUp{});
  Flush(w);
  for (int round = 0; round < 4 && !InSyncAndServing(w, 0); ++round) {
    HealRound(w, 0, round);
    HealRound(w, 1, round);
  }
  healing_ = false;
  if (bounds_.alone) {
    GoOnAlone(w);
  } else if (!InSyncAndServing(w, 0)) {
    violation = "the first two starts do not lead to a pair in sync";
  }
  return w;
}

}  // namespace twinspool::replica::core::explore
