// What must hold: P1–P7 of the pair's rules. P8 (the pair comes back by itself) is heal.cc's.
#include "tests/roles/world.h"

namespace twinspool::replica::core::explore {
namespace {

std::uint8_t Small(unsigned value) {
  return static_cast<std::uint8_t>(value);
}

bool Led(const World& w, std::size_t who, std::uint32_t epoch) {
  return (w.led[who][epoch / 64] & 1ull << epoch % 64) != 0;
}

}  // namespace

// async promises neither P2 to P6: the primary answers before the standby has it.
void Runner::Bad(const char* what, bool also_async) {
  if (violation.empty() && (also_async || bounds_.mode != Mode::kAsync)) {
    violation = what;
  }
}

// Clients were told that everything up to `seq` is safe, and may see it.
void Runner::Acknowledge(World& w, int who, std::uint64_t seq, const RoleState& before) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  const std::uint8_t shown = Mask(w.log[me], seq);
  const auto fresh = Small(shown & ~w.acked & ~w.lost);
  const std::uint32_t epoch = s.control.epoch.value();
  if (fresh == 0) {
    return;
  }
  if (Led(w, 1 - me, epoch)) {
    Bad("P1: two nodes were primary in one epoch, and one acknowledged", true);
  }
  if (epoch < w.top && !bounds_.contradict && (fresh & ~Mask(w.log[w.top % 2])) != 0) {
    Bad("P2: a superseded primary acknowledged what the newer one lacks");
  }
  const bool resumed =
      before.role != Role::kPrimary || before.control.epoch != s.control.epoch || !before.reads;
  const bool peer_moved_on = w.node[1 - me].control.epoch > s.control.epoch;
  if (!GrantInUse(s) && !resumed && !peer_moved_on && (fresh & ~Mask(w.log[1 - me])) != 0) {
    Bad("P6: acknowledged without the peer's copy");
  }
  w.acked |= fresh;
}

// After a false claim two nodes acknowledged; what loses is in salvage, and reported.
void Runner::CheckDropped(World& w, int who, std::uint8_t dropped) {
  const auto peer = static_cast<std::size_t>(1 - who);
  const auto gone = Small(dropped & (w.acked | w.seen) & ~Mask(w.log[peer]));
  if (gone == 0) {
    return;
  }
  if (bounds_.contradict) {
    ++reported;
    w.acked = Small(w.acked & ~gone);
    w.seen = Small(w.seen & ~gone);
  } else {
    Bad("P5: a rewind or catch-up dropped the last copy of an acknowledged write");
  }
}

void Runner::CheckServing(World& w, const World& before) {
  const bool both = w.node[0].role == Role::kPrimary && w.node[1].role == Role::kPrimary &&
                    !w.off[0] && !w.off[1];
  if (both && w.node[0].control.epoch == w.node[1].control.epoch) {
    Bad("P1: two primaries in one epoch", true);
  }
  for (int who = 0; who < 2; ++who) {
    const auto i = static_cast<std::size_t>(who);
    const RoleState& s = w.node[i];
    if (w.off[i] || s.role != Role::kPrimary) {
      continue;
    }
    CheckHeld(w, who);
    const bool reads = ServesReads(s);
    const RoleState& was = before.node[i];
    const bool began = !(ServesReads(was) && was.control.epoch == s.control.epoch &&
                         was.control.incarnation == s.control.incarnation);
    const std::uint8_t shown = reads ? Mask(w.log[i], s.visible.value()) : std::uint8_t{0};
    const bool newest = s.control.epoch.value() == w.top;
    if (newest && !bounds_.contradict && (reads || GrantInUse(s)) &&
        (w.acked & ~Mask(w.log[i])) != 0) {
      Bad("P2: an acknowledged write is missing at the serving primary");
    }
    if (reads) {
      CheckShown(w, who, shown, began);
      CheckUids(w, who);
    }
  }
}

// Rules 11, 16 and 17: what an operator said, or has not said.
void Runner::CheckHeld(const World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  if (s.control.held_down) {
    Bad("a node that was told to stay down is primary", true);
  }
  if (s.control.expelled) {
    Bad("an expelled node is primary", true);
  }
  if (bounds_.mode == Mode::kStrict && GrantInUse(s) && !IsSingle(s) && !w.worded[me]) {
    Bad("strict: a grant is in use without an operator's word");
  }
}

void Runner::CheckShown(World& w, int who, std::uint8_t shown, bool began) {
  const auto me = static_cast<std::size_t>(who);
  const bool newest = w.node[me].control.epoch.value() == w.top;
  const bool judged = !bounds_.contradict;
  if ((w.seen & ~shown) != 0 && newest && judged) {
    Bad("P3: a write once seen is not visible at the serving primary");
  }
  if ((w.seen & ~shown) != 0 && !newest) {
    ++stale_reads;
    if (judged && !bounds_.arbiter && (!w.forced || began)) {
      Bad("P4: a superseded node does not show what another showed");
    }
  }
  if (judged && !bounds_.arbiter && !w.off[1 - me] && ServesReads(w.node[1 - me])) {
    Bad("P4: two nodes serve reads");
  }
  w.seen |= Small(shown & ~w.lost);
}

void Runner::CheckUids(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  const std::uint64_t visible = w.node[me].visible.value();
  for (std::size_t i = 0; bounds_.uids && i < w.log[me].length && i < visible; ++i) {
    std::uint8_t& shown = w.shown_as[w.log[me].uid[i] % kUidsMax];
    if (shown != 0 && shown != w.log[me].id[i] + 1) {
      Bad("P7: one UID was shown for two messages", true);
    }
    shown = Small(w.log[me].id[i] + 1u);
  }
}

}  // namespace twinspool::replica::core::explore
