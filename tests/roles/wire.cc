// What becomes of packets on the wire, of the logs that they carry, and of questions to the
// arbiter.
#include <algorithm>

#include "tests/roles/mutated.h"
#include "tests/roles/world.h"

namespace twinspool::replica::core::explore {
namespace {

std::uint8_t Small(std::uint64_t value) {
  return static_cast<std::uint8_t>(value);
}

std::size_t CommonPrefix(const Log& a, const Log& b) {
  std::size_t n = 0;
  while (n < a.length && n < b.length && a.id[n] == b.id[n] && a.id[n] != kHole &&
         a.uid[n] == b.uid[n]) {
    ++n;
  }
  return n;
}

bool IsHello(const Packet& p) {
  return p.kind == Packet::kMessage && p.body == 0;
}

}  // namespace

Packet Pack(const Message& message, int to_node) {
  Packet p;
  p.kind = Packet::kMessage;
  p.to_node = Small(static_cast<std::uint64_t>(to_node));
  p.from_node = Small(1u - p.to_node);
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
  const bool first = (p.flags & 1) != 0;
  const auto body = [&]() -> MessageBody {
    switch (p.body) {
      case 0:
        return Hello{first, (p.flags & 2) != 0, mode};
      case 1:
        return Ack{CommitSeq(p.seq)};
      case 2:
        return InSync{p.cfgno, CommitSeq(p.seq)};
      case 3:
        return Revoke{p.cfgno};
      case 4:
        return Revoked{p.cfgno};
      case 5:
        return Resign{p.cfgno, CommitSeq(p.seq), first};
      case 6:
        return ResignHeld{p.cfgno};
      case 7:
        return Reclaim{p.cfgno};
      case 8:
        return Reclaimed{p.cfgno};
      case 9:
        return Expel{p.cfgno};
      default:
        return Expelled{p.cfgno};
    }
  };
  return {Epoch(p.epoch), Incarnation(p.from), Incarnation(p.to), body()};
}

// --- the wire as a set -----------------------------------------------------------------

// Messages to an earlier incarnation, and of an epoch that the receiver has left, never count
// again: as good as lost. A broken rule may make them count.
bool Runner::Dead(const World& w, const Packet& p) const {
  if (MutatedBinding() || p.kind == Packet::kNone || p.kind == Packet::kAsk) {
    return false;
  }
  const Control& receiver = w.node[p.to_node].control;
  if (IsHello(p) && (p.flags & 2) == 0) {
    return Incarnation(p.from) < w.node[p.from_node].control.incarnation;
  }
  if (Incarnation(p.to) != receiver.incarnation) {
    return true;
  }
  return !IsHello(p) && p.kind != Packet::kAnswer && Epoch(p.epoch) < receiver.epoch;
}

void Runner::DropDead(World& w) const {
  const auto keep = std::stable_partition(w.wire.begin(), w.wire.end(), [&](const Packet& p) {
    return p.kind != Packet::kNone && !Dead(w, p);
  });
  std::fill(keep, w.wire.end(), Packet());
  std::sort(w.wire.begin(), keep);
}

// A full wire loses what is sent; the same message twice is one. `pick` is sent first.
void Runner::Post(World& w, std::uint8_t pick) {
  DropDead(w);
  std::size_t used = 0;
  while (used < w.wire.size() && w.wire[used].kind != Packet::kNone) {
    ++used;
  }
  const std::size_t room = healing_ ? kWireMax : bounds_.wire;
  std::size_t fresh = 0;
  for (std::size_t i = 0; i < out_.size(); ++i) {
    const Packet& p = out_[(i + pick) % out_.size()];
    const auto end = w.wire.begin() + static_cast<std::ptrdiff_t>(used);
    if (Dead(w, p) || std::find(w.wire.begin(), end, p) != end) {
      continue;
    }
    ++fresh;
    if (used < room) {
      w.wire[used++] = p;
    }
  }
  std::sort(w.wire.begin(), w.wire.begin() + static_cast<std::ptrdiff_t>(used));
  picks_ = used >= room && fresh > 1 ? Small(out_.size()) : std::uint8_t{1};
  out_.clear();
}

// --- delivery --------------------------------------------------------------------------

void Runner::Deliver(World& w, const Packet& packet) {
  switch (packet.kind) {
    case Packet::kMessage:
      Feed(w, packet.to_node, Unpack(packet, bounds_.mode));
      break;
    case Packet::kAppend:
      DeliverAppend(w, packet);
      break;
    case Packet::kSnapshot:
      DeliverSnapshot(w, packet);
      break;
    case Packet::kAsk:
      AskArbiterNow(w, packet);
      break;
    case Packet::kAnswer:
      if (Incarnation(packet.to) == w.node[packet.to_node].control.incarnation) {
        PairConfig now;
        now.revision = packet.cfgno;
        now.epoch = Epoch(packet.epoch);
        now.leader = packet.seq;
        now.in_sync = packet.id;
        Feed(w, packet.to_node,
             ArbiterAnswer{static_cast<Ask>(packet.body), packet.expected, (packet.flags & 1) != 0,
                           now});
      }
      break;
    case Packet::kNone:
      break;
  }
}

// A transaction: compare the revision, then swap; the answer tells what is there now.
void Runner::AskArbiterNow(World& w, const Packet& p) {
  const bool read = p.body == static_cast<std::uint8_t>(Ask::kRead);
  const bool swap = !read && (p.cfgno == w.arbiter.revision || Mutated(Mutation::kArbNoCas));
  if (swap) {
    ++w.arbiter.revision;
    w.arbiter.epoch = Epoch(p.epoch);
    w.arbiter.leader = p.seq;
    w.arbiter.in_sync = p.id;
  }
  Packet answer;
  answer.kind = Packet::kAnswer;
  answer.to_node = p.from_node;
  answer.from_node = kArbiterNode;
  answer.body = p.body;
  answer.flags = swap ? 1 : 0;
  answer.to = p.from;
  answer.expected = p.cfgno;
  answer.cfgno = Small(w.arbiter.revision);
  answer.epoch = Small(w.arbiter.epoch.value());
  answer.seq = w.arbiter.leader;
  answer.id = w.arbiter.in_sync;
  out_.push_back(answer);
}

void Runner::DeliverAppend(World& w, const Packet& p) {
  const RoleState& s = w.node[p.to_node];
  Log& log = w.log[p.to_node];
  if (!MayApply(s, Epoch(p.epoch), Incarnation(p.from), Incarnation(p.to)) || p.seq > log.length ||
      p.seq >= kLogMax) {
    return;
  }
  if (Mutated(Mutation::kAckBeforeStored)) {
    Feed(w, p.to_node, Applied{CommitSeq(p.seq + 1u)});
    return;
  }
  if (p.seq == log.length) {
    log.uid[log.length] = p.uid;
    log.id[log.length++] = p.id;
    Learn(w, p);
  }
  Feed(w, p.to_node, Applied{CommitSeq(log.length)});
}

// One durable step of a rewind or of a catch-up; delivered again, it does the next.
void Runner::DeliverSnapshot(World& w, const Packet& p) {
  const RoleState& s = w.node[p.to_node];
  if (!CountsNow(s, Epoch(p.epoch), Incarnation(p.from), Incarnation(p.to)) ||
      s.role == Role::kPrimary || s.control.last_primary) {
    return;
  }
  if (s.control.incomplete) {
    EndCatchUp(w, p);
  } else if (s.control.rewinding) {
    RewindOne(w, p);
  } else if (s.role == Role::kStandby) {
    BeginCatchUp(w, p);
  }
}

void Runner::BeginCatchUp(World& w, const Packet& p) {
  Log& log = w.log[p.to_node];
  if (p.log.length <= log.length || CommonPrefix(log, p.log) < log.length) {
    return;
  }
  Feed(w, p.to_node, CatchUpStarted{Epoch(p.epoch), CommitSeq(p.log.length)});
  for (std::size_t i = log.length; i < p.log.length; ++i) {
    log.id[i] = kHole;
    log.uid[i] = 0;
  }
  if (p.log.length > log.length + 1) {
    log.id[p.log.length - 1u] = p.log.id[p.log.length - 1u];  // newest first: the worst order
    log.uid[p.log.length - 1u] = p.log.uid[p.log.length - 1u];
  }
  log.length = p.log.length;
}

void Runner::EndCatchUp(World& w, const Packet& p) {
  const Control& control = w.node[p.to_node].control;
  Log& log = w.log[p.to_node];
  const CommitSeq end(p.log.length);
  if (control.rewinding) {
    Feed(w, p.to_node, CatchUpStarted{Epoch(p.epoch), end});
  }
  if (end < control.incomplete_target && !Mutated(Mutation::kCatchUpEndsEarly)) {
    return;
  }
  const auto gone = Small(Mask(log) & ~Mask(p.log));
  const Log was = log;
  log = p.log;
  for (; log.length < was.length && Mutated(Mutation::kCatchUpEndsEarly); ++log.length) {
    log.id[log.length] = was.id[log.length];  // what a newer unit had brought is still there
  }
  CheckDropped(w, p.to_node, gone);
  Learn(w, p);
  Feed(w, p.to_node, CatchUpFinished{Epoch(p.epoch), end});
}

void Runner::RewindOne(World& w, const Packet& p) {
  Log& log = w.log[p.to_node];
  const bool diverges = log.length > CommonPrefix(log, p.log);
  if (diverges) {
    const std::uint8_t id = log.id[--log.length];
    log.id[log.length] = log.uid[log.length] = 0;
    CheckDropped(w, p.to_node, Small(id == kHole ? 0u : 1u << id));
  } else {
    Learn(w, p);
  }
  if (!diverges || Mutated(Mutation::kNoRewindMark)) {
    Feed(w, p.to_node, RewindFinished{Epoch(p.epoch), CommitSeq(log.length)});
  }
}

// Entries from the peer are surely known to it; a jump of UIDs travels with them.
void Runner::Learn(World& w, const Packet& p) const {
  w.uid_floor[p.to_node] = std::max(w.uid_floor[p.to_node], p.uid_floor);
  w.uid_peer[p.to_node] = bounds_.uids ? UidNext(w, p.to_node) : std::uint8_t{0};
}

}  // namespace twinspool::replica::core::explore
