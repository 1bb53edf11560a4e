// The role machine: what links, time and the log do.
#include <algorithm>

#include "common/check.h"
#include "replica/core/role_machine.h"

namespace twinspool::replica::core {

// --- links and time --------------------------------------------------------------------

void Machine::On(const LinkUp&) {
  s_.link_up = true;
  s_.peer_acked = s_.in_sync_sent = false;
  if (HasPeer()) {
    SendHello(false, Incarnation());
  }
}

void Machine::On(const LinkDown&) {
  s_.link_up = s_.peer_acked = s_.in_sync_sent = s_.peer_is_primary = false;
  AbortReadmission();
  if (s_.handover == Handover::kNone) {
    return;
  }
  if (s_.handover == Handover::kStop) {
    StepDown();
    s_.stopping = true;
    EndHandover(Outcome::kDone, "the peer went away during the handover; stopped without it");
  } else if (Primary() && s_.handover != Handover::kDissolve) {
    EndHandover(Outcome::kNotReachable, "the peer went away; nothing was handed over");
  } else {
    EndHandover(Outcome::kTimeoutUnknown, "the peer went away before it confirmed the handover",
                "twinspoolctl status");
  }
}

void Machine::On(const Tick&) {
  if (settings_.arbiter) {
    TickArbiter();
  }
  if (!s_.link_up || !HasPeer()) {
    return;
  }
  const bool resigned = s_.role == Role::kFenced && c_.resigned;
  if (resigned && s_.handover != Handover::kNone) {
    SendResign();
    return;
  }
  if (s_.handover == Handover::kDissolve) {
    Send(Expel{AskingCfgno()});
    return;
  }
  if (s_.role == Role::kFenced || (Primary() && !s_.peer_acked) ||
      (c_.held_resignation && !s_.confirmed)) {
    SendHello(false, Incarnation());
  }
  MaybeRevoke();
  MaybeReadmit();
}

void Machine::On(const OrderTimedOut&) {
  if (s_.handover == Handover::kNone) {
    return;
  }
  if (s_.handover == Handover::kStop) {
    StepDown();
    s_.stopping = true;
    EndHandover(Outcome::kDone, "the peer did not confirm in time; stopped");
  } else if (Primary() && s_.handover != Handover::kDissolve) {
    EndHandover(Outcome::kTimeoutUnchanged,
                "the standby did not catch up in time; this node goes on as primary");
  } else {
    EndHandover(Outcome::kTimeoutUnknown, "the peer did not confirm in time",
                "twinspoolctl status");
  }
}

// --- the log ---------------------------------------------------------------------------

void Machine::On(const Committed& event) {
  s_.log_end = std::max(s_.log_end, event.seq);
  Advance();
}

void Machine::On(const Applied& event) {
  TWINSPOOL_CHECK(!Primary(), "a frame was applied on a primary");
  s_.log_end = std::max(s_.log_end, event.seq);
  if (s_.role == Role::kStandby) {
    Send(Ack{s_.log_end});
  }
}

void Machine::On(const WaitOver& event) {
  s_.waited_upto = std::max(s_.waited_upto, event.seq);
  Advance();
}

void Machine::On(const PeerBehind&) {
  if (!Primary() || !HasPeer()) {
    return;
  }
  s_.peer_acked = s_.in_sync_sent = false;
  s_.revoke_wanted = true;
  AbortReadmission();
  MaybeRevoke();
}

void Machine::On(const RewindStarted&) {
  if (c_.last_primary) {
    return;
  }
  c_.rewinding = true;
  s_.eligible = false;
  s_.role = Role::kCatchingUp;
  Say("the primary lacks entries that are here");
}

void Machine::On(const RewindFinished& event) {
  if (event.epoch != c_.epoch || !c_.rewinding || c_.last_primary) {
    return;
  }
  s_.log_end = event.log_end;
  if (c_.incomplete) {
    return;  // only a catch-up makes a mix of times whole
  }
  c_.rewinding = false;
  s_.role = Role::kStandby;
  Say("rewound to the primary's history");
  Send(Ack{s_.log_end});
}

// Rule 14. A target of an older epoch says nothing about the history of this one.
void Machine::On(const CatchUpStarted& event) {
  if (event.epoch != c_.epoch || c_.last_primary) {
    return;
  }
  const bool stands = c_.incomplete && !c_.rewinding;
  c_.incomplete_target = stands ? std::max(c_.incomplete_target, event.target) : event.target;
  c_.incomplete = true;
  s_.eligible = false;
  s_.role = Role::kCatchingUp;
  Say("catching up");
}

void Machine::On(const CatchUpFinished& event) {
  if (event.epoch != c_.epoch || !c_.incomplete || c_.last_primary ||
      event.log_end < c_.incomplete_target) {
    return;
  }
  c_.incomplete = c_.rewinding = false;
  c_.incomplete_target = CommitSeq();
  s_.log_end = event.log_end;
  s_.role = Role::kStandby;
  Say("caught up");
  Send(Ack{s_.log_end});
}

void Machine::On(const Drained&) {
  s_.drained = s_.handover != Handover::kNone;
  MaybeResign();
}

void Machine::On(const UidsJumped&) {
  c_.uid_jump = UidJump::kNone;
}

}  // namespace twinspool::replica::core
