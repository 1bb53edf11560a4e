// The role machine: what the peer's messages do.
#include <algorithm>

#include "common/limits.h"
#include "replica/core/role_machine.h"

namespace twinspool::replica::core {

// An upper bound on one step keeps a damaged or malicious number from eating all epochs. A node
// that never promised anything has nothing to protect.
bool Machine::Believable(Epoch epoch) {
  const bool near = epoch.value() <= c_.epoch.value() + limits::kEpochStepMax;
  if (epoch <= kEpochMax && (near || c_.epoch == Epoch() || epoch <= s_.accepted_epoch)) {
    return true;
  }
  s_.refused_epoch = epoch;
  return false;
}

void Machine::On(const Message& message) {
  if (const auto* hello = std::get_if<Hello>(&message.body)) {
    OnHello(message, *hello);
    return;
  }
  const bool bound = s_.peer_incarnation != Incarnation() && message.from == s_.peer_incarnation &&
                     message.to == c_.incarnation;
  if (!bound || message.epoch < c_.epoch || c_.grant == Grant::kStanding) {
    return;
  }
  if (c_.expelled && !std::holds_alternative<Expel>(message.body)) {
    return;
  }
  if (message.epoch > c_.epoch) {
    if (Believable(message.epoch)) {
      Adopt(message.epoch);
    }
    return;
  }
  std::visit([this](const auto& body) { Get(body); }, message.body);
}

void Machine::OnHello(const Message& message, const Hello& hello) {
  const bool stale = message.from < s_.peer_incarnation || message.from == Incarnation();
  // The reply names our incarnation: it was said after we started, so it is no echo of older times.
  const bool echo = hello.reply && message.to != c_.incarnation;
  if (c_.grant == Grant::kStanding || stale || echo) {
    return;
  }
  NotePeer(message.from);
  s_.peer_epoch = message.epoch;
  s_.peer_is_primary = hello.is_primary;
  // Before anything is answered: a primary that acknowledges alone must find no eligible standby.
  s_.mode_differs = hello.mode != settings_.mode;
  s_.eligible = s_.eligible && !s_.mode_differs;
  if (message.epoch > c_.epoch && !c_.expelled) {
    if (!Believable(message.epoch)) {
      return;
    }
    Adopt(message.epoch);
  } else if (message.epoch == c_.epoch && hello.reply) {
    OnContact();
  }
  if (message.epoch == c_.epoch && hello.is_primary && !c_.expelled) {
    Follow();
  }
  if (!hello.reply) {
    SendHello(true, message.from);
  }
  if (s_.role == Role::kStandby && message.epoch == c_.epoch && hello.is_primary) {
    Send(Ack{s_.log_end});
  }
}

// Rules 3, 9, 10: the peer answered this start and knows no higher epoch.
void Machine::OnContact() {
  if (settings_.arbiter) {
    return;  // rule 15: only a swap in this incarnation proves it
  }
  if (MayResume()) {
    Say("the peer knows no higher epoch: resumed");
    Resume(true);
  } else if (Primary() && !s_.confirmed) {
    s_.confirmed = s_.complete = true;
    if (c_.grant != Grant::kNone && settings_.mode != Mode::kStrict) {
      UseGrant();
    }
  } else if (c_.held_resignation) {
    s_.confirmed = true;
  } else if (s_.role == Role::kFenced && c_.resigned && !c_.held_down &&
             s_.handover == Handover::kNone) {
    Send(Reclaim{NextCfgno()});
  }
}

// Rule 4.
void Machine::Follow() {
  if (s_.role != Role::kFenced || c_.last_primary) {
    return;
  }
  s_.role = WholeStore() ? Role::kStandby : Role::kCatchingUp;
  Say("follows the primary");
}

// Rules 5 and 6.
void Machine::Get(const Ack& ack) {
  if (!Primary() || ack.durable_upto > s_.log_end) {
    return;
  }
  s_.peer_pos = std::max(s_.peer_pos, ack.durable_upto);
  s_.peer_acked = true;
  if (!s_.reads && s_.peer_pos >= s_.reads_need) {
    s_.reads = true;
  }
  Advance();
  MaybeReadmit();
  MaybeResign();
}

// Rule 7: the only way to become eligible.
void Machine::Get(const InSync& in_sync) {
  if (s_.role != Role::kStandby || !WholeStore() || in_sync.cfgno <= s_.cfgno ||
      in_sync.length > s_.log_end) {
    return;
  }
  s_.cfgno = in_sync.cfgno;
  s_.eligible = settings_.mode != Mode::kAsync && !s_.mode_differs;
}

// Rule 8. Dropping a held resignation is durable before the answer leaves.
void Machine::Get(const Revoke& revoke) {
  // Said again under its number: nothing newer came since, and it was carried out.
  if (Primary() || c_.last_primary || revoke.cfgno < s_.cfgno) {
    return;
  }
  s_.cfgno = revoke.cfgno;
  s_.eligible = c_.held_resignation = false;
  Send(Revoked{revoke.cfgno});
}

// Only the newest configuration counts: an InSync sent later may still be on its way. With an
// arbiter the peer's word is worth nothing: a promotion that it asked for may be under way.
void Machine::Get(const Revoked& revoked) {
  if (!Primary() || settings_.arbiter || revoked.cfgno != s_.cfgno) {
    return;
  }
  s_.revoke_wanted = s_.readmitting = s_.in_sync_sent = s_.peer_acked = s_.asking = false;
  if (c_.grant == Grant::kNone) {
    TakeGrant(Grant::kPeer);
  } else if (settings_.mode != Mode::kStrict) {
    UseGrant();
  }
}

// Rule 9.
void Machine::Get(const Resign& resign) {
  const bool again = c_.held_resignation && resign.cfgno == s_.cfgno;
  if (s_.role != Role::kStandby || !WholeStore() || (resign.cfgno <= s_.cfgno && !again) ||
      resign.seq > s_.log_end) {
    return;
  }
  s_.cfgno = resign.cfgno;
  c_.held_resignation = true;
  s_.confirmed = true;
  s_.peer_is_primary = false;
  const Epoch next = NextEpoch();
  if (resign.take_over && !c_.held_down && next <= kEpochMax) {
    Say("switchover: the former primary resigned to this node");
    BecomePrimary(Failover::kSwitchover, next, Grant::kResign);
    return;
  }
  Send(ResignHeld{resign.cfgno});
}

void Machine::Get(const ResignHeld& held) {
  if (s_.role != Role::kFenced || !c_.resigned || held.cfgno != s_.cfgno) {
    return;
  }
  if (s_.handover == Handover::kStop) {
    s_.stopping = true;
    EndHandover(Outcome::kDone, "resigned to the standby, which may be promoted at any time");
  } else if (s_.handover == Handover::kDemote) {
    EndHandover(Outcome::kDone, "resigned to the standby; this node stays down until undemote",
                "on the peer: twinspoolctl promote");
  } else if (s_.handover == Handover::kSwitchover) {
    // A standby that may take over does so instead of answering. The resignation is taken back at
    // the next contact.
    EndHandover(Outcome::kNotEligible, "the standby was told to stay down (demote or fence)",
                "on the peer: twinspoolctl undemote");
  }
}

// Rule 9: after this answer neither eligibility nor the resignation may lead to a promotion here.
void Machine::Get(const Reclaim& reclaim) {
  if (Primary() || c_.last_primary || reclaim.cfgno <= s_.cfgno) {
    return;
  }
  s_.cfgno = reclaim.cfgno;
  s_.eligible = c_.held_resignation = false;
  Send(Reclaimed{reclaim.cfgno});
}

void Machine::Get(const Reclaimed& reclaimed) {
  if (s_.role != Role::kFenced || !c_.resigned || c_.held_down || reclaimed.cfgno != s_.cfgno) {
    return;
  }
  c_.resigned = false;
  s_.handover = Handover::kNone;
  Say("took the resignation back");
  Resume(true);
}

// Rule 16. Said again by a node whose answer was lost.
void Machine::Get(const Expel& expel) {
  if (Primary() || c_.last_primary || expel.cfgno < s_.cfgno) {
    return;
  }
  s_.cfgno = expel.cfgno;
  c_.expelled = true;
  c_.held_resignation = false;
  StepDown();
  Say("the pair was dissolved");
  Send(Expelled{expel.cfgno});
}

void Machine::Get(const Expelled& expelled) {
  if (!Primary() || s_.handover != Handover::kDissolve || expelled.cfgno != s_.cfgno) {
    return;
  }
  BecomeSingle();
  EndHandover(Outcome::kDone, "the pair is dissolved; this node goes on alone");
}

}  // namespace twinspool::replica::core
