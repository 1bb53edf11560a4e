// The world around two role machines: one event on one machine, and what becomes of its actions.
#include "tests/roles/world.h"

#include <algorithm>

#include "tests/roles/mutated.h"

namespace twinspool::replica::core::explore {
namespace {

std::uint8_t Small(std::uint64_t value) {
  return static_cast<std::uint8_t>(value);
}

}  // namespace

Runner::Runner(const Bounds& bounds) : bounds_(bounds) {
  out_.reserve(8);
}

Settings Runner::SettingsOf(int who) const {
  Settings settings;
  settings.node_index = static_cast<std::uint32_t>(who);
  settings.mode = bounds_.mode;
  settings.arbiter = bounds_.arbiter;
  return settings;
}

std::uint8_t Mask(const Log& log, std::uint64_t upto) {
  unsigned mask = 0;
  for (std::size_t i = 0; i < log.length && i < upto; ++i) {
    mask |= log.id[i] == kHole ? 0u : 1u << log.id[i];
  }
  return Small(mask);
}

bool ServesReads(const RoleState& s) {
  return s.role == Role::kPrimary && s.reads && s.control.uid_jump == UidJump::kNone;
}

void Runner::Feed(World& w, int who, const Event& event) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState before = w.node[me];
  const Actions actions = Step(SettingsOf(who), w.node[me], event);
  CarryOut(w, who, before, actions);
}

void Runner::CarryOut(World& w, int who, const RoleState& before, const Actions& actions) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  Control durable = before.control;
  for (const Action& action : actions) {
    if (const auto* persist = std::get_if<Persist>(&action)) {
      durable = persist->control;
    } else if (const auto* send = std::get_if<SendMessage>(&action)) {
      if (durable != s.control) {
        Bad("a message left before the control state was durable", true);
      }
      out_.push_back(Pack(send->message, 1 - who));
    } else if (const auto* ask = std::get_if<AskArbiter>(&action)) {
      Packet p;
      p.kind = Packet::kAsk;
      p.to_node = kArbiterNode;
      p.from_node = Small(me);
      p.body = Small(static_cast<std::uint64_t>(ask->what));
      p.from = Small(s.control.incarnation.value());
      p.epoch = Small(ask->want.epoch.value());
      p.seq = ask->want.leader;
      p.id = ask->want.in_sync;
      p.cfgno = Small(ask->expected);
      out_.push_back(p);
    } else if (const auto* visible = std::get_if<AdvanceVisible>(&action)) {
      Acknowledge(w, who, visible->seq.value(), before);
    } else if (const auto* upto = std::get_if<PeerDurable>(&action);
               upto != nullptr && bounds_.uids) {
      w.uid_peer[me] = std::max(w.uid_peer[me], UidNext(w, who, upto->seq.value()));
    }
  }
  if (s.control != durable) {
    Bad("the control state changed without Persist", true);
  }
  if (s.role != Role::kPrimary || s.control.epoch != before.control.epoch) {
    w.worded[me] = false;
  }
  if (s.role == Role::kPrimary) {
    const std::uint32_t epoch = s.control.epoch.value();
    w.led[me][epoch / 64] |= 1ull << epoch % 64;
    w.top = std::max(w.top, Small(epoch));
  }
}

void Runner::StartNode(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState was = w.node[me];
  Started started = Start(SettingsOf(who), w.node[me].control, CommitSeq(w.log[me].length));
  w.node[me] = started.state;
  w.off[me] = false;
  RoleState before;
  before.control = was.control;
  CarryOut(w, who, before, started.actions);
  RememberVolatile(was, &w.node[me]);
  DropDead(w);
}

void Runner::PowerOff(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState was = w.node[me];
  w.node[me] = RoleState();
  w.node[me].control = was.control;
  w.node[me].eligible = was.eligible && Mutated(Mutation::kEligiblePersisted);
  w.node[me].complete = was.complete && Mutated(Mutation::kCompleteSurvivesRestart);
  w.off[me] = true;
  Cut(w, 1 - who);
}

void Runner::Cut(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  if (!w.off[me] && w.node[me].link_up) {
    Feed(w, who, LinkDown{});
  }
}

// --- UIDs: what the store does with them -----------------------------------------------

std::uint8_t Runner::UidNext(const World& w, int who, std::uint64_t upto) const {
  const auto me = static_cast<std::size_t>(who);
  unsigned next = std::max<unsigned>(1, w.uid_floor[me]);
  for (std::size_t i = 0; i < w.log[me].length && i < upto; ++i) {
    next = std::max(next, w.log[me].uid[i] + 1u);
  }
  return Small(next);
}

// Own entries that the peer is not known to have may stand for other messages there.
void Runner::JumpUids(World& w, int who) const {
  const auto me = static_cast<std::size_t>(who);
  if (!bounds_.uids) {
    return;
  }
  const bool renumber = w.node[me].control.uid_jump == UidJump::kJumpAndRenumber;
  if (!Mutated(Mutation::kNoUidJump)) {
    w.uid_floor[me] = Small(UidNext(w, who) + std::uint64_t{kUidJump});
  }
  for (std::size_t i = 0; renumber && i < w.log[me].length; ++i) {
    if (w.log[me].uid[i] >= w.uid_peer[me]) {
      w.log[me].uid[i] = UidNext(w, who);
    }
  }
  w.uid_peer[me] = UidNext(w, who);
}

}  // namespace twinspool::replica::core::explore
