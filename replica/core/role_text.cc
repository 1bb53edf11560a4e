// The role machine in words: names, what clients may do, what helps, what would be lost.
#include "replica/core/role_machine.h"

namespace twinspool::replica::core {

// --- new nodes -------------------------------------------------------------------------

Control NewSingle(const Settings& settings) {
  Control control;
  control.epoch = Epoch(settings.node_index == 0 ? 2 : 1);
  control.last_primary = true;
  control.grant = Grant::kStanding;
  return control;
}

Control NewMember() {
  Control control;
  control.incomplete = true;
  return control;
}

// --- questions -------------------------------------------------------------------------

bool CountsNow(const RoleState& state, Epoch epoch, Incarnation from, Incarnation to) {
  return epoch == state.control.epoch && from != Incarnation() && from == state.peer_incarnation &&
         to == state.control.incarnation && !state.control.expelled && !IsSingle(state);
}

bool MayApply(const RoleState& state, Epoch epoch, Incarnation from, Incarnation to) {
  return state.role == Role::kStandby && !state.control.rewinding && !state.control.incomplete &&
         !state.stopping && CountsNow(state, epoch, from, to);
}

bool MayShip(const RoleState& state) {
  return state.role == Role::kPrimary && state.confirmed && !IsSingle(state) &&
         state.peer_incarnation != Incarnation() && state.peer_epoch == state.control.epoch &&
         state.link_up;
}

bool MayBringBack(const Settings& settings, const RoleState& state) {
  return MayShip(state) && (!settings.arbiter || state.control.grant != Grant::kNone);
}

bool MayBePromoted(const Settings& settings, const RoleState& state) {
  const bool in_sync =
      settings.arbiter ? (state.config.in_sync >> settings.node_index & 1) != 0 : state.eligible;
  return state.role == Role::kStandby && in_sync;
}

bool IsSingle(const RoleState& state) {
  return state.control.grant == Grant::kStanding;
}

bool GrantInUse(const RoleState& state) {
  return state.control.grant != Grant::kNone && state.grant_usable;
}

// --- what clients may do ---------------------------------------------------------------

namespace {

WriteGate GateOf(const Settings& settings, const RoleState& s) {
  if (s.role != Role::kPrimary) {
    return WriteGate::kNotPrimary;
  }
  if (s.control.uid_jump != UidJump::kNone) {
    return WriteGate::kJumping;
  }
  if (s.handover != Handover::kNone && s.handover != Handover::kDissolve) {
    return WriteGate::kHandover;
  }
  if (GrantInUse(s)) {
    return WriteGate::kOpen;
  }
  if (settings.mode == Mode::kAsync) {
    return s.reads ? WriteGate::kOpen : WriteGate::kNotConfirmed;
  }
  if (!s.link_up) {
    return WriteGate::kNoPeer;
  }
  return s.confirmed && s.peer_acked ? WriteGate::kOpen : WriteGate::kPeerBehind;
}

std::string_view GateText(WriteGate gate) {
  switch (gate) {
    case WriteGate::kOpen:
      return "";
    case WriteGate::kNotPrimary:
      return "this node is not the primary";
    case WriteGate::kJumping:
      return "this node has just been promoted and is not ready yet";
    case WriteGate::kHandover:
      return "this node is handing over to its peer; try again in a moment";
    case WriteGate::kNoPeer:
      return "the other node is away, and nothing is accepted on one copy alone; try again later";
    case WriteGate::kPeerBehind:
      return "the other node is catching up; try again later";
    case WriteGate::kNotConfirmed:
      return "this node waits for the other one before it serves; try again in a moment";
  }
  return "";
}

}  // namespace

ServingView ViewOf(const Settings& settings, const RoleState& state) {
  const bool primary = state.role == Role::kPrimary;
  return {primary, primary && state.reads && state.control.uid_jump == UidJump::kNone,
          GateOf(settings, state), state.control.epoch, IsSingle(state)};
}

Serving ToServing(const ServingView& view) {
  return {view.primary, view.reads, std::string(GateText(view.gate)), view.epoch, view.single};
}

Serving ServingOf(const Settings& settings, const RoleState& state) {
  return ToServing(ViewOf(settings, state));
}

// --- names -----------------------------------------------------------------------------

std::string RoleName(Role role) {
  switch (role) {
    case Role::kFenced:
      return "fenced";
    case Role::kCatchingUp:
      return "catching-up";
    case Role::kStandby:
      return "standby";
    case Role::kPrimary:
      return "primary";
  }
  return "";
}

std::string RoleDetail(const Settings& settings, const RoleState& state) {
  if (state.role != Role::kPrimary) {
    return "";
  }
  if (IsSingle(state)) {
    return "single";
  }
  const ServingView view = ViewOf(settings, state);
  if (!view.reads || view.gate != WriteGate::kOpen) {
    return "blocked";
  }
  if (GrantInUse(state)) {
    return "solo";
  }
  return settings.mode == Mode::kAsync ? "async" : "replicated";
}

std::string FailoverName(Failover failover) {
  switch (failover) {
    case Failover::kNone:
      return "";
    case Failover::kPromote:
      return "promote";
    case Failover::kSwitchover:
      return "switchover";
    case Failover::kForced:
      return "forced";
    case Failover::kSolo:
      return "solo";
  }
  return "";
}

std::string GrantName(Grant grant) {
  switch (grant) {
    case Grant::kNone:
      return "";
    case Grant::kPeer:
      return "peer";
    case Grant::kFence:
      return "fence";
    case Grant::kResign:
      return "resign";
    case Grant::kStanding:
      return "standing";
    case Grant::kArbiter:
      return "arbiter";
  }
  return "";
}

std::string ModeName(Mode mode) {
  switch (mode) {
    case Mode::kAvailable:
      return "available";
    case Mode::kStrict:
      return "strict";
    case Mode::kAsync:
      return "async";
  }
  return "";
}

std::optional<Mode> ParseMode(std::string_view name) {
  for (const Mode mode : {Mode::kAvailable, Mode::kStrict, Mode::kAsync}) {
    if (ModeName(mode) == name) {
      return mode;
    }
  }
  return std::nullopt;
}

// --- what helps ------------------------------------------------------------------------

namespace {

std::string GrantWarning(const RoleState& s) {
  return "It holds a grant of epoch " + std::to_string(s.control.epoch.value()) +
         ". Only if the other node was surely not promoted since: `twinspoolctl solo`; if it was, "
         "this splits the mail.";
}

std::string AdvicePrimary(const Settings& settings, const RoleState& s) {
  if (IsSingle(s) || ViewOf(settings, s).gate == WriteGate::kHandover) {
    return "";
  }
  if (GrantInUse(s)) {
    return s.peer_acked ? ""
                        : "Running on one copy: bring the other node back; it rejoins by itself.";
  }
  if (s.control.grant != Grant::kNone && !s.readmitting) {
    return "Strict mode waits for the other node. " + GrantWarning(s);
  }
  if (!s.link_up) {
    return "Writes wait for the other node. If it cannot come back soon, switch it off and type "
           "`twinspoolctl solo --peer-fenced`.";
  }
  return s.peer_acked ? "" : "The other node is there and catching up; nothing to do.";
}

std::string AdviceFenced(const RoleState& s) {
  const Control& c = s.control;
  if (!c.last_primary) {
    if (c.held_resignation && !s.confirmed) {
      return "Bring the other node back. If it was surely not promoted since it resigned to this "
             "one: `twinspoolctl promote --peer-not-promoted`.";
    }
    return "Waits for the primary: bring it back. This node may lack acknowledged writes; to give "
           "them up: `twinspoolctl promote --allow-data-loss --peer-fenced`.";
  }
  if (c.resigned) {
    return "It handed its role to the other node and takes it back by itself when that one "
           "answers. "
           "If it is needed now, type there: `twinspoolctl promote --peer-fenced`.";
  }
  if (c.grant != Grant::kNone) {
    return "Was primary; neither reads nor writes before the other node answers. " +
           GrantWarning(s);
  }
  return "Was primary; the other node may have been promoted since. Bring it back; only to give up "
         "what it may hold: `twinspoolctl promote --allow-data-loss --peer-fenced`.";
}

std::string AdviceStandby(const RoleState& s) {
  if (s.link_up && s.peer_is_primary) {
    return "";
  }
  const bool promotable = s.eligible || s.control.held_resignation;
  if (promotable && s.link_up) {
    return "The other node answers, but is not primary: `twinspoolctl promote`.";
  }
  if (promotable) {
    return "If the primary is gone, switch it off and type `twinspoolctl promote --peer-fenced`.";
  }
  return "The primary is away and this node may lack acknowledged writes: bring it back; to give "
         "them up: `twinspoolctl promote --allow-data-loss --peer-fenced`.";
}

}  // namespace

std::string Advice(const Settings& settings, const RoleState& state) {
  const Control& c = state.control;
  if (c.expelled) {
    return "The pair was dissolved without this node. To use it anew: stop it, give it an empty "
           "data "
           "directory, then `twinspoolctl pair join`.";
  }
  if (c.held_down) {
    return "Told to stay down: `twinspoolctl undemote` lets it become primary again.";
  }
  if (state.refused_epoch > c.epoch) {
    const std::string epoch = std::to_string(state.refused_epoch.value());
    return "The other node claims epoch " + epoch + ", far above " +
           std::to_string(c.epoch.value()) + ". If that is right: `twinspoolctl accept-epoch " +
           epoch + "`.";
  }
  if (state.mode_differs && state.link_up && !IsSingle(state)) {
    return "The two nodes run in different modes (here: " + ModeName(settings.mode) +
           "), so no standby becomes eligible. Set the same `mode` in both configuration files and "
           "restart the node that is wrong.";
  }
  switch (state.role) {
    case Role::kPrimary:
      return AdvicePrimary(settings, state);
    case Role::kStandby:
      return AdviceStandby(state);
    case Role::kCatchingUp:
      return state.link_up ? "" : "Its copy is not whole: bring the primary back.";
    case Role::kFenced:
      return c.rewinding || c.incomplete ? "Its copy is not whole: bring the primary back."
                                         : AdviceFenced(state);
  }
  return "";
}

std::string LossIfPromoted(const Settings& settings, const RoleState& state) {
  const Control& c = state.control;
  if (state.role == Role::kPrimary) {
    return "Nothing: this node is primary.";
  }
  if (c.rewinding || c.incomplete) {
    return "Promotion is refused, also by force: this copy is a mix of times.";
  }
  if (c.held_down || c.expelled) {
    return "Promotion is refused: this node was told to stay down or is no member any more.";
  }
  if (c.held_resignation) {
    return state.confirmed
               ? "Nothing: the primary resigned to this node."
               : "Nothing if the other node was not promoted since it resigned; otherwise what it "
                 "acknowledged since.";
  }
  if (c.last_primary) {
    return "Nothing if the other node was not promoted since; otherwise what it acknowledged "
           "since.";
  }
  if (state.eligible) {
    return "Nothing: every acknowledged write is here.";
  }
  if (settings.mode == Mode::kAsync) {
    return "Writes that the primary answered before they were here: those of the last moments, and "
           "of the time without a connection.";
  }
  return "Whatever the primary acknowledged since this node last was in sync.";
}

}  // namespace twinspool::replica::core
