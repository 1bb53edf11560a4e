// Every move that the world can make.
#include <algorithm>
#include <utility>

#include "tests/roles/mutated.h"
#include "tests/roles/world.h"

namespace twinspool::replica::core::explore {
namespace {

bool Closing(const RoleState& s) {
  return s.handover != Handover::kNone && s.handover != Handover::kDissolve;
}

// The driver does nothing else before the store has jumped.
bool Jumping(const RoleState& s) {
  return s.role == Role::kPrimary && s.control.uid_jump != UidJump::kNone;
}

struct NumberedOrder {
  const char* name = "";
  Order order;
  bool fences = false;  // claims that the peer is off, which the world makes true
  bool cuts = false;    // is refused while the peer answers
};

const std::array<NumberedOrder, kOrders>& Numbered() {
  static const std::array<NumberedOrder, kOrders> kAll = {{
      {"promote", {Promote{}, {}, "operator"}, false, true},
      {"promote --peer-fenced", {Promote{.peer_fenced = true}, {}, "operator"}, true, true},
      {"promote --peer-not-promoted",
       {Promote{.peer_not_promoted = true}, {}, "operator"},
       false,
       false},
      {"solo --peer-fenced", {Solo{.peer_fenced = true}, {}, "operator"}, true, true},
      {"solo", {Solo{}, {}, "operator"}, false, false},
      {"switchover", {Switchover{}, {}, "operator"}, false, false},
      {"stop", {StopGracefully{}, {}, "operator"}, false, false},
      {"demote", {Demote{}, {}, "operator"}, false, false},
      {"fence", {Fence{}, {}, "operator"}, false, false},
      {"undemote", {Undemote{}, {}, "operator"}, false, false},
      {"pair join", {Join{}, {}, "operator"}, false, false},
      {"pair dissolve", {Dissolve{}, {}, "operator"}, false, false},
      {"pair dissolve --peer-never-returns",
       {Dissolve{.peer_never_returns = true}, {}, "operator"},
       false,
       false},
  }};
  return kAll;
}
constexpr std::uint8_t kNotPromoted = 2, kSoloPlain = 4, kDemoteNumber = 7, kFenceNumber = 8,
                       kUndemoteNumber = 9, kNeverReturns = 12;

}  // namespace

// --- one move --------------------------------------------------------------------------

bool Runner::Apply(World* world, const Move& move) {
  const World before = *world;
  out_.clear();
  picks_ = 1;
  if (!Do(*world, move)) {
    return false;
  }
  Settle(*world);
  Post(*world, move.pick);
  CheckServing(*world, before);
  return !violation.empty() || (!TooFar(*world) && !(*world == before));
}

bool Runner::TooFar(const World& w) const {
  return w.node[0].cfgno > bounds_.cfgno || w.node[1].cfgno > bounds_.cfgno ||
         w.node[0].control.epoch > Epoch(120) || w.node[1].control.epoch > Epoch(120) ||
         w.arbiter.revision > 12;
}

// Processes that are done end, and where links do not come and go by themselves, they are there.
void Runner::Settle(World& w) {
  for (const int who : {0, 1, 0}) {  // one going away may let the other end its own stop
    const auto i = static_cast<std::size_t>(who);
    if (!w.off[i] && w.node[i].stopping) {
      PowerOff(w, who);
    }
  }
  if (bounds_.links || w.off[0] || w.off[1]) {
    return;
  }
  for (const int who : {0, 1}) {
    const RoleState& s = w.node[static_cast<std::size_t>(who)];
    if (!s.link_up && !Jumping(s)) {
      Feed(w, who, LinkUp{});
    }
  }
}

bool Runner::Do(World& w, const Move& move) {
  if (move.kind >= Move::kLose) {
    return DoWire(w, move);
  }
  if (move.kind >= Move::kCrash) {
    return DoPower(w, move);
  }
  if (w.off[move.who] || Jumping(w.node[move.who]) != (move.kind == Move::kUidsJumped)) {
    return false;
  }
  if (move.kind < Move::kOrder) {
    return DoLocal(w, move);
  }
  if (w.orders >= bounds_.orders) {
    return false;
  }
  switch (move.kind) {
    case Move::kOrder:
      return GiveNumbered(w, move.who, move.arg);
    case Move::kForce:
      return Force(w, move.who);
    case Move::kFenceAmidWrite:
      return FenceAmidWrite(w, move.who);
    default:
      return false;
  }
}

// --- what a node does by itself --------------------------------------------------------

bool Runner::DoLocal(World& w, const Move& move) {
  const int who = move.who;
  const std::size_t me = move.who;
  const RoleState& s = w.node[me];
  const bool primary = s.role == Role::kPrimary;
  const auto feed = [&](bool possible, const Event& event) {
    if (possible) {
      Feed(w, who, event);
    }
    return possible;
  };
  switch (move.kind) {
    case Move::kTick:
      return feed(s.link_up || bounds_.arbiter, Tick{});
    case Move::kLinkUp:
      return feed(!s.link_up && !w.off[1 - me], LinkUp{});
    case Move::kLinkDown:
      return feed(bounds_.links && s.link_up && w.cuts++ < bounds_.cuts, LinkDown{});
    case Move::kAckAgain:
      return feed(s.role == Role::kStandby, Applied{CommitSeq(w.log[me].length)});
    case Move::kPeerBehind:
      return feed(primary && (s.link_up || bounds_.arbiter) && !s.revoke_wanted, PeerBehind{});
    case Move::kUidsJumped:
      JumpUids(w, who);
      Feed(w, who, UidsJumped{});
      return true;
    case Move::kOrderTimedOut:
      return feed(s.handover != Handover::kNone, OrderTimedOut{});
    case Move::kWrite:
      return Write(w, who);
    case Move::kShip:
      return Ship(w, who, false, 0);
    case Move::kShipNext:
      return Ship(w, who, false, 1);
    case Move::kShipSnapshot:
      return bounds_.snapshots && Ship(w, who, true, 0);
    case Move::kArbiterSilent:
      return feed(s.ask != Ask::kNone, ArbiterSilent{});
    case Move::kLeaderGone:
      return feed(bounds_.arbiter && !primary && w.orders++ < bounds_.orders, LeaderGone{});
    default:
      return false;
  }
}

// The store's rule 13: never further ahead of the peer's copy than a jump.
bool Runner::MayWrite(const World& w, int who) const {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  const bool distant = bounds_.uids && !Mutated(Mutation::kNoUidDistance) &&
                       UidNext(w, who) >= w.uid_peer[me] + kUidJump;
  return s.role == Role::kPrimary && (s.confirmed || GrantInUse(s)) && !distant &&
         w.writes < bounds_.writes && w.log[me].length < kLogMax;
}

void Runner::AddEntry(World& w, int who) {
  Log& log = w.log[static_cast<std::size_t>(who)];
  log.uid[log.length] = bounds_.uids ? UidNext(w, who) : std::uint8_t{0};
  log.id[log.length++] = w.writes++;
  Feed(w, who, Committed{CommitSeq(log.length)});
}

bool Runner::Write(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  if (!MayWrite(w, who) || Closing(w.node[me])) {
    return false;
  }
  AddEntry(w, who);
  return true;
}

bool Runner::Ship(World& w, int who, bool snapshot, std::uint8_t ahead) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = w.node[me];
  const std::uint64_t at = s.peer_pos.value() + ahead;
  const bool may = snapshot ? MayBringBack(SettingsOf(who), s) : MayShip(s);
  if (!may || (!snapshot && at >= w.log[me].length)) {
    return false;
  }
  Packet p = Pack({s.control.epoch, s.control.incarnation, s.peer_incarnation, Ack{}}, 1 - who);
  p.body = 0;
  p.kind = snapshot ? Packet::kSnapshot : Packet::kAppend;
  p.uid_floor = w.uid_floor[me];
  if (snapshot) {
    p.log = w.log[me];
  } else {
    p.seq = static_cast<std::uint8_t>(at);
    p.id = w.log[me].id[at];
    p.uid = w.log[me].uid[at];
  }
  out_.push_back(p);
  return true;
}

// --- orders ----------------------------------------------------------------------------

// An order that is refused leads nowhere new.
bool Runner::Give(World& w, int who, const Order& order) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState before = w.node[me];
  ++w.orders;
  Feed(w, who, order);
  if (w.node[me] == before && out_.empty()) {
    return false;
  }
  const bool word = std::holds_alternative<Solo>(order.what) ||
                    std::holds_alternative<Promote>(order.what) ||
                    std::holds_alternative<Join>(order.what);
  w.worded[me] = w.worded[me] || (word && bounds_.mode == Mode::kStrict);
  if (Closing(w.node[me])) {
    Feed(w, who, Drained{});
  }
  return true;
}

bool Runner::GiveNumbered(World& w, int who, std::uint8_t number) {
  const auto me = static_cast<std::size_t>(who);
  const NumberedOrder& n = Numbered().at(number);
  const bool hold = number == kDemoteNumber || number == kFenceNumber;
  const bool claims_not_promoted = number == kSoloPlain || number == kNotPromoted;
  const bool held = w.node[me].control.held_down;
  if ((hold && !bounds_.holds) || (number == kUndemoteNumber && !held) ||
      (claims_not_promoted && w.forced && !bounds_.contradict) ||
      (number == kNeverReturns && (!bounds_.single || !w.off[1 - me]))) {
    return false;
  }
  if (n.fences && !w.off[1 - me]) {
    PowerOff(w, 1 - who);
  }
  if (n.cuts) {
    Cut(w, who);
  }
  if (!Give(w, who, n.order)) {
    return false;
  }
  if (number == kNeverReturns) {
    w.node[1 - me].control.expelled = true;  // the claim is true: that disk is no member any more
  }
  return true;
}

// What a primary accepted before it closes becomes durable while it does.
bool Runner::FenceAmidWrite(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  if (!bounds_.holds || !MayWrite(w, who) || Closing(w.node[me]) ||
      !Give(w, who, Order{Fence{}, {}, "operator"})) {
    return false;
  }
  AddEntry(w, who);
  return true;
}

// Forced promotion: what was acknowledged or shown and is not here is the declared loss.
bool Runner::Force(World& w, int who) {
  const auto me = static_cast<std::size_t>(who);
  if (!bounds_.force || w.forced || w.node[me].role == Role::kPrimary ||
      (bounds_.single && w.node[me].control.epoch == Epoch())) {
    return false;
  }
  if (!w.off[1 - me]) {
    PowerOff(w, 1 - who);
  }
  Cut(w, who);
  const World was = w;
  Order order{Promote{.peer_fenced = true, .allow_data_loss = true}, {}, "operator"};
  if (!Give(w, who, order) || w.node[me].control.uid_jump == UidJump::kNone) {
    return false;  // refused, or no force was needed
  }
  const auto gone = static_cast<std::uint8_t>((was.acked | was.seen) & ~Mask(w.log[me]));
  w.lost |= gone;
  w.acked = static_cast<std::uint8_t>(w.acked & ~gone);
  w.seen = static_cast<std::uint8_t>(w.seen & ~gone);
  w.forced = true;
  return true;
}

// --- power -----------------------------------------------------------------------------

bool Runner::DoPower(World& w, const Move& move) {
  const int who = move.who;
  const std::size_t me = move.who;
  if (move.kind == Move::kPowerOn) {
    if (w.off[me]) {
      StartNode(w, who);
      return true;
    }
    return false;
  }
  if (w.off[me] || w.crashes >= bounds_.crashes) {
    return false;
  }
  ++w.crashes;
  switch (move.kind) {
    case Move::kCrash:
      Cut(w, 1 - who);
      StartNode(w, who);
      return true;
    case Move::kPowerOff:
      PowerOff(w, who);
      return true;
    case Move::kBothLosePower:
      if (who != 0 || w.off[1]) {
        return false;
      }
      StartNode(w, 0);
      StartNode(w, 1);
      return true;
    case Move::kTailLost:
      // Only where an entry may leave before it is durable: a crash then takes the newest one.
      if (!Mutated(Mutation::kSendBeforeDurable) || w.node[me].role != Role::kPrimary ||
          w.log[me].length == 0 || GrantInUse(w.node[me])) {
        return false;
      }
      --w.log[me].length;
      w.log[me].id[w.log[me].length] = w.log[me].uid[w.log[me].length] = 0;
      Cut(w, 1 - who);
      StartNode(w, who);
      return true;
    default:
      return false;
  }
}

// --- the wire --------------------------------------------------------------------------

bool Runner::DoWire(World& w, const Move& move) {
  const Packet packet = w.wire.at(move.arg);
  const bool arbiter = packet.kind == Packet::kAsk;
  const bool swap = arbiter && packet.body != static_cast<std::uint8_t>(Ask::kRead);
  if (packet.kind == Packet::kNone ||
      (move.kind != Move::kLose && !arbiter &&
       (w.off[packet.to_node] || Jumping(w.node[packet.to_node]))) ||
      // One call is never carried out twice.
      (move.kind == Move::kRepeat && (!bounds_.repeats || swap))) {
    return false;
  }
  if (move.kind != Move::kRepeat) {
    w.wire.at(move.arg) = Packet();
  }
  if (move.kind != Move::kLose) {
    Deliver(w, packet);
  }
  return true;
}

// --- names -----------------------------------------------------------------------------

namespace {

std::string PacketName(const Packet& p) {
  static constexpr std::array kMessages = {"Hello",     "Ack",    "InSync",     "Revoke",
                                           "Revoked",   "Resign", "ResignHeld", "Reclaim",
                                           "Reclaimed", "Expel",  "Expelled"};
  static constexpr std::array kAsks = {"nothing", "read",    "promote",
                                       "degrade", "readmit", "resume"};
  std::string name = "Append";
  if (p.kind == Packet::kMessage) {
    name = kMessages.at(p.body);
  } else if (p.kind == Packet::kSnapshot) {
    name = "Snapshot";
  } else if (p.kind == Packet::kAsk || p.kind == Packet::kAnswer) {
    name = std::string(p.kind == Packet::kAsk ? "question " : "answer ") + kAsks.at(p.body);
  }
  return name + "(from " + std::to_string(p.from_node) + ", epoch " + std::to_string(p.epoch) +
         ", cfgno " + std::to_string(p.cfgno) + ", seq " + std::to_string(p.seq) + ", flags " +
         std::to_string(p.flags) + ")";
}

}  // namespace

std::string Name(const World& world, const Move& move) {
  static constexpr std::array kNames = {"start",
                                        "tick",
                                        "link up",
                                        "link down",
                                        "acks again",
                                        "peer behind",
                                        "UIDs jumped",
                                        "order times out",
                                        "write",
                                        "ships",
                                        "ships ahead",
                                        "ships a snapshot",
                                        "arbiter silent",
                                        "leader gone",
                                        "order",
                                        "promote --allow-data-loss --peer-fenced",
                                        "fence amid a write",
                                        "crash and restart",
                                        "power off",
                                        "power on",
                                        "both lose power and start",
                                        "crash loses the unsynced tail",
                                        "lost: ",
                                        "gets ",
                                        "gets, to come again, "};
  static_assert(kNames.size() == Move::kKinds);
  const std::string what = kNames.at(move.kind);
  if (move.kind >= Move::kLose) {
    const Packet& p = world.wire.at(move.arg);
    const std::string to =
        p.to_node == kArbiterNode ? "arbiter" : "node " + std::to_string(p.to_node);
    return (move.kind == Move::kLose ? "" : to + " ") + what + PacketName(p);
  }
  return "node " + std::to_string(move.who) + ": " +
         (move.kind == Move::kOrder ? Numbered().at(move.arg).name : what);
}

std::string Show(const World& world, int who) {
  const auto me = static_cast<std::size_t>(who);
  const RoleState& s = world.node[me];
  const Control& c = s.control;
  std::string line =
      (world.off[me] ? "off" : RoleName(s.role)) + " e" + std::to_string(c.epoch.value());
  const auto mark = [&line](bool set, const std::string& name) { line += set ? " " + name : ""; };
  mark(c.grant != Grant::kNone, "grant=" + GrantName(c.grant) + (s.grant_usable ? "" : "(asleep)"));
  mark(s.eligible, "eligible");
  mark(s.complete, "complete");
  mark(s.confirmed, "confirmed");
  mark(c.last_primary, "last-primary");
  mark(c.resigned, "resigned");
  mark(c.held_resignation, "holds-resignation");
  mark(c.rewinding, "rewinding");
  mark(c.incomplete, "incomplete");
  mark(c.held_down, "held-down");
  mark(c.expelled, "expelled");
  line += " log=";
  for (std::size_t i = 0; i < world.log[me].length; ++i) {
    const std::uint8_t id = world.log[me].id[i];
    line += id == kHole ? '?' : static_cast<char>('a' + id);
    line += world.log[me].uid[i] == 0 ? "" : std::to_string(world.log[me].uid[i]);
  }
  mark(s.reads, "visible=" + std::to_string(s.visible.value()));
  return line;
}

}  // namespace twinspool::replica::core::explore
