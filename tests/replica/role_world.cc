// The world around two role machines: one transition at a time, with its properties.
#include "tests/replica/role_world.h"

#include <algorithm>

#include "tests/replica/role_world_impl.h"

namespace twinspool::replica::core::explore {
namespace {

Settings SettingsOf(const Bounds& bounds, int who) {
  Settings settings;
  settings.node_index =
      bounds.mutation == Mutation::kNoParity ? 0 : static_cast<std::uint32_t>(who);
  settings.mode = bounds.mode;
  return settings;
}

std::uint8_t Small(std::uint64_t value) {
  return static_cast<std::uint8_t>(value);
}

}  // namespace

std::uint8_t Mask(const Log& log, std::uint64_t upto) {
  unsigned mask = 0;
  for (std::size_t i = 0; i < log.length && i < upto; ++i) {
    mask |= log.id[i] == kHole ? 0u : 1u << log.id[i];
  }
  return Small(mask);
}

Packet Pack(const Message& message, int to_node) {
  Packet p;
  p.kind = Packet::kMessage;
  p.to_node = Small(static_cast<std::uint64_t>(to_node));
  p.body = Small(message.body.index());
  p.epoch = Small(message.epoch.value());
  p.from = Small(message.from.value());
  p.to = Small(message.to.value());
  std::visit(
      [&p](const auto& body) {
        if constexpr (requires { body.is_primary; }) {
          p.flags = Small((body.is_primary ? 1u : 0u) | (body.reply ? 2u : 0u));
        }
        if constexpr (requires { body.cfgno; }) {
          p.cfgno = Small(body.cfgno);
        }
        if constexpr (requires { body.length; }) {
          p.seq = Small(body.length.value());
        }
        if constexpr (requires { body.durable_upto; }) {
          p.seq = Small(body.durable_upto.value());
        }
        if constexpr (requires { body.take_over; }) {
          p.seq = Small(body.seq.value());
          p.flags = body.take_over ? 1 : 0;
        }
      },
      message.body);
  return p;
}

Message Unpack(const Packet& p, Mode mode) {
  Message m{Epoch(p.epoch), Incarnation(p.from), Incarnation(p.to), Hello{}};
  const bool first = (p.flags & 1) != 0;
  const std::array<MessageBody, 11> bodies = {Hello{first, (p.flags & 2) != 0, mode},
                                              Ack{CommitSeq(p.seq)},
                                              InSync{p.cfgno, CommitSeq(p.seq)},
                                              Revoke{p.cfgno},
                                              Revoked{p.cfgno},
                                              Resign{p.cfgno, CommitSeq(p.seq), first},
                                              ResignHeld{p.cfgno},
                                              Reclaim{p.cfgno},
                                              Reclaimed{p.cfgno},
                                              Expel{p.cfgno},
                                              Expelled{p.cfgno}};
  m.body = bodies[p.body];
  return m;
}

bool ServesReads(const RoleState& s) {
  return s.role == Role::kPrimary && s.reads && s.control.uid_jump == UidJump::kNone;
}

void Runner::Bad(const char* what) {
  // async promises neither; only that a rewind keeps what nobody else has.
  if (violation.empty() && bounds_.mode != Mode::kAsync) {
    violation = what;
  }
}

// Clients were told that everything up to `seq` is safe, and may see it.
void Runner::Acknowledge(World& w, int who, std::uint64_t seq, const RoleState& before) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  const Log& other = w.log[1 - me];
  const std::uint8_t shown = Mask(w.log[me], seq);
  const auto fresh = Small(shown & ~w.acked & ~w.lost);
  const std::uint32_t epoch = s.control.epoch.value();
  if (fresh == 0) {
    return;
  }
  w.acked_in[me][epoch / 64] |= 1ull << epoch % 64;
  if ((w.acked_in[0][epoch / 64] & w.acked_in[1][epoch / 64]) != 0) {
    Bad("P1: two nodes acknowledged in one epoch");
  }
  if (epoch < w.top && (fresh & ~Mask(w.log[w.top % 2])) != 0) {
    Bad("P2: a superseded primary acknowledged what the newer one lacks");
  }
  const bool resumed =
      before.role != Role::kPrimary || before.control.epoch != s.control.epoch || !before.reads;
  const bool peer_moved_on = w.node[1 - me].control.epoch > s.control.epoch;
  if (!GrantInUse(s) && !resumed && !peer_moved_on && (fresh & ~Mask(other)) != 0) {
    Bad("P6: acknowledged without the peer's copy");
  }
  w.acked |= fresh;
}

void Runner::CheckDropped(const World& w, int who, std::uint8_t dropped) {
  const auto peer = static_cast<std::size_t>(1 - who);
  if ((dropped & (w.acked | w.seen) & ~Mask(w.log[peer])) != 0) {
    Bad("P5: a rewind or catch-up dropped the last copy of an acknowledged write");
  }
}

void Runner::CheckServing(World& w) {
  const bool both = w.node[0].role == Role::kPrimary && w.node[1].role == Role::kPrimary;
  if (both && w.node[0].control.epoch == w.node[1].control.epoch) {
    Bad("P1: two primaries in one epoch");
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const RoleState& s = w.node[i];
    if (w.off[i] || s.role != Role::kPrimary) {
      continue;
    }
    const bool reads = ServesReads(s);
    const std::uint8_t shown = reads ? Mask(w.log[i], s.visible.value()) : std::uint8_t{0};
    const bool newest = s.control.epoch.value() == w.top;
    if (newest && (reads || GrantInUse(s)) && (w.acked & ~Mask(w.log[i])) != 0) {
      Bad("P2: an acknowledged write is missing at the serving primary");
    }
    if (reads && (w.seen & ~shown) != 0 && (newest || !w.forced)) {
      Bad(newest ? "P3: a write once seen is not visible at the serving primary"
                 : "P4: a superseded node does not show what another showed");
    }
    if (reads && !w.off[1 - i] && ServesReads(w.node[1 - i])) {
      Bad("P4: two nodes serve reads");
    }
    w.seen |= Small(shown & ~w.lost);
  }
}

// One event on one machine, and what becomes of its actions.
void Runner::Feed(World& w, int who, const Event& event) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState before = w.node[me];
  const Actions actions = Step(SettingsOf(bounds_, who), w.node[me], event);
  MutateAfter(w, me, before, event);
  CarryOut(w, who, before, actions);
}

// A full wire loses what is sent; the same message twice is one.
bool Runner::Put(World& w, const Packet& packet) const {
  std::size_t used = 0;
  while (used < w.wire.size() && w.wire[used].kind != Packet::kNone) {
    if (w.wire[used++] == packet) {
      return true;
    }
  }
  if (used >= bounds_.wire) {
    return false;
  }
  w.wire[used] = packet;
  std::sort(w.wire.begin(), w.wire.begin() + static_cast<std::ptrdiff_t>(used) + 1);
  return true;
}

void Runner::CarryOut(World& w, int who, const RoleState& before, const Actions& actions) {
  const auto me = static_cast<std::size_t>(who);
  bool told = false;
  for (const Action& action : actions) {
    if (const auto* persist = std::get_if<Persist>(&action)) {
      if (told) {
        Bad("a message left before the control state was durable");
      }
      w.disk[me] = bounds_.mutation == Mutation::kNone ? persist->control : w.node[me].control;
      MutateDisk(w.disk[me]);
    } else if (const auto* send = std::get_if<SendMessage>(&action)) {
      told = true;
      Put(w, Pack(send->message, 1 - who));
    } else if (const auto* visible = std::get_if<AdvanceVisible>(&action)) {
      Acknowledge(w, who, visible->seq.value(), before);
    }
  }
  if (w.node[me].control != w.disk[me] && bounds_.mutation == Mutation::kNone) {
    Bad("the control state changed without Persist");
  }
  if (w.node[me].role == Role::kPrimary) {
    w.top = std::max(w.top, Small(w.node[me].control.epoch.value()));
  }
}

void Runner::StartNode(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  const bool was_eligible = w.node[me].eligible;
  Started started = Start(SettingsOf(bounds_, who), w.disk[me], CommitSeq(w.log[me].length));
  w.node[me] = started.state;
  w.off[me] = false;
  CarryOut(w, who, started.state, started.actions);
  if (bounds_.mutation == Mutation::kEligibleSurvivesRestart) {
    w.node[me].eligible = was_eligible;
  }
  MutateStart(w, who);
}

void Runner::PowerOff(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  const Incarnation incarnation = w.node[me].control.incarnation;
  const bool eligible = w.node[me].eligible;
  w.node[me] = RoleState();
  w.node[me].control.incarnation = incarnation;
  w.node[me].eligible = bounds_.mutation == Mutation::kEligibleSurvivesRestart && eligible;
  w.off[me] = true;
  Cut(w, 1 - who);
}

void Runner::Cut(World& w, int who) {
  if (!w.off[static_cast<std::size_t>(who)] && w.node[static_cast<std::size_t>(who)].link_up) {
    Feed(w, who, LinkDown{});
  }
}

// --- mutations from outside ------------------------------------------------------------------

void Runner::MutateDisk(Control& disk) const {
  if (bounds_.mutation == Mutation::kResignationNotPersisted) {
    disk.resigned = false;
  }
  if (bounds_.mutation == Mutation::kRewindMarkNotPersisted) {
    disk.rewinding = false;
  }
}

void Runner::MutateStart(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  RoleState& s = w.node[me];
  if (bounds_.mutation == Mutation::kResumeWithoutContact) {
    Feed(w, who,
         Message{s.control.epoch, Incarnation(99), s.control.incarnation, Hello{false, true}});
    s.peer_incarnation = Incarnation();
  }
  if (bounds_.mutation == Mutation::kGrantWithoutContact && s.control.grant != Grant::kNone) {
    Feed(w, who, Order{Solo{}, {}, "nobody"});
  }
}

Message Runner::MutateMessage(const World& w, std::size_t me, Message message) const {
  if (bounds_.mutation == Mutation::kAnyRevoked && std::holds_alternative<Revoked>(message.body)) {
    message.body = Revoked{w.node[me].cfgno};
  }
  if (bounds_.mutation == Mutation::kAnyIncarnation &&
      !std::holds_alternative<Hello>(message.body)) {
    message.from = w.node[me].peer_incarnation;
    message.to = w.node[me].control.incarnation;
  }
  return message;
}

void Runner::MutateAfter(World& w, std::size_t me, const RoleState& before, const Event& event) {
  RoleState& s = w.node[me];
  const auto* order = std::get_if<Order>(&event);
  const bool promoted =
      s.role == Role::kPrimary && before.role != Role::kPrimary && order != nullptr;
  if (bounds_.mutation == Mutation::kReadsAtPromotion && promoted) {
    s.reads = true;
    s.visible = s.log_end;
  }
  if (bounds_.mutation == Mutation::kFenceKeepsEpoch && order != nullptr &&
      before.role == Role::kPrimary && s.control.epoch > before.control.epoch) {
    s.control.epoch = before.control.epoch;
  }
  if (bounds_.mutation == Mutation::kReadmitKeepsGrant && s.in_sync_sent && !before.in_sync_sent &&
      before.control.grant != Grant::kNone) {
    s.control.grant = before.control.grant;
    s.grant_usable = true;
  }
  if (bounds_.mutation == Mutation::kIncompleteMarkForgotten && s.control.incomplete &&
      !before.control.incomplete) {
    s.control.incomplete = false;
    s.role = Role::kStandby;
    s.log_end = CommitSeq(w.log[me].length);
  }
}

}  // namespace twinspool::replica::core::explore
