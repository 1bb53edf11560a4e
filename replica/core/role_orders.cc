// The role machine: what operators order, and why it is refused.
#include "common/limits.h"
#include "replica/core/role_machine.h"

namespace twinspool::replica::core {
namespace {

constexpr char kPromote[] = "twinspoolctl promote";
constexpr char kPromoteFenced[] = "twinspoolctl promote --peer-fenced";
constexpr char kPromoteForced[] = "twinspoolctl promote --allow-data-loss --peer-fenced";
constexpr char kPromoteNotPromoted[] = "twinspoolctl promote --peer-not-promoted";
constexpr char kSolo[] = "twinspoolctl solo";
constexpr char kSoloFenced[] = "twinspoolctl solo --peer-fenced";
constexpr char kSwitchover[] = "on the peer: twinspoolctl switchover";
constexpr char kUndemote[] = "twinspoolctl undemote";
constexpr char kStatus[] = "twinspoolctl status";
constexpr char kHeldDown[] = "this node was told to stay down (demote or fence)";

std::string AtEpoch(std::string_view what, Epoch epoch) {
  return std::string(what) + " at epoch " + std::to_string(epoch.value());
}

// Orders that make sense only for a member of a pair (or a single node).
bool NeedsMembership(const Order& order) {
  return !std::holds_alternative<Fence>(order.what) &&
         !std::holds_alternative<Undemote>(order.what) &&
         !std::holds_alternative<StopGracefully>(order.what);
}

bool WantsPrimary(const Order& order) {
  return std::holds_alternative<Promote>(order.what) || std::holds_alternative<Solo>(order.what);
}

}  // namespace

void Machine::On(const Order& order) {
  actor_ = order.actor;
  if (RefusedBeforehand(order)) {
    return;
  }
  std::visit([this](const auto& what) { Do(what); }, order.what);
}

bool Machine::RefusedBeforehand(const Order& order) {
  const bool stop = std::holds_alternative<StopGracefully>(order.what);
  if (s_.stopping) {
    Reject(Outcome::kTimeoutUnchanged, "this node is stopping");
  } else if (order.expect_epoch != Epoch() && order.expect_epoch != c_.epoch) {
    Reject(Outcome::kNotEligible,
           AtEpoch("this node is", c_.epoch) + ", not at the expected one: somebody else has acted",
           kStatus);
  } else if (c_.expelled && NeedsMembership(order)) {
    Reject(Outcome::kNotEligible,
           "this node was expelled when its pair was dissolved; it can only join anew, with an "
           "empty data "
           "directory",
           "twinspoolctl pair join");
  } else if (s_.refused_epoch > c_.epoch && WantsPrimary(order)) {
    const std::string epoch = std::to_string(s_.refused_epoch.value());
    Reject(Outcome::kPeerReachable, "the peer claims epoch " + epoch + ", which is far above ours",
           "twinspoolctl accept-epoch " + epoch);
  } else if (settings_.arbiter && RefusedWithArbiter(order)) {
    return true;
  } else if (s_.handover != Handover::kNone && !stop) {
    Reject(Outcome::kTimeoutUnchanged, "another order is still under way; try again", kStatus);
  } else {
    return false;
  }
  return true;
}

// What the arbiter decides, no operator does; `solo` has a form of its own.
bool Machine::RefusedWithArbiter(const Order& order) {
  const bool allowed = std::holds_alternative<Fence>(order.what) ||
                       std::holds_alternative<Undemote>(order.what) ||
                       std::holds_alternative<StopGracefully>(order.what) ||
                       std::holds_alternative<AcceptEpoch>(order.what);
  const auto* solo = std::get_if<Solo>(&order.what);
  if (allowed || (solo != nullptr && !solo->peer_fenced && Primary() && c_.grant != Grant::kNone)) {
    return false;
  }
  if (solo != nullptr && !solo->peer_fenced && Primary()) {
    AskToGoOnAlone();
    Reject(Outcome::kTimeoutUnchanged,
           "the arbiter is asked to let this node go on alone; try again in a moment", kSolo);
    return true;
  }
  Reject(Outcome::kNotEligible, "the arbiter of this pair decides that", kStatus);
  return true;
}

bool Machine::EpochFits(Epoch epoch) {
  if (epoch <= kEpochMax) {
    return true;
  }
  Reject(Outcome::kNotEligible, "the epochs are used up (" + std::to_string(kEpochMax.value()) +
                                    " at most); the mail must be moved to a new pair");
  return false;
}

// --- promotion -------------------------------------------------------------------------

// Rule 10. In async nobody is ever eligible: the primary answers what the standby may lack.
bool Machine::Promotable() const {
  if (Primary() || c_.last_primary || c_.held_down || c_.expelled || !WholeStore()) {
    return false;
  }
  return s_.eligible || (c_.held_resignation && s_.confirmed);
}

void Machine::PromoteTo(Failover kind, Epoch epoch, Grant how, bool use_now) {
  BecomePrimary(kind, epoch, how);
  if (use_now) {
    UseGrant();
  }
  AnswerPromoted();
}

void Machine::AnswerPromoted() {
  const std::string text = AtEpoch("primary", c_.epoch);
  if (GrantInUse(s_)) {
    Answer(Outcome::kDone, text + "; it needs no peer until one is in sync");
  } else if (c_.grant != Grant::kNone) {
    Answer(Outcome::kWritesBlocked,
           text + "; strict: neither reads nor writes before the peer follows, or `solo`", kSolo);
  } else {
    Answer(Outcome::kWritesBlocked,
           text + "; neither reads nor writes before the peer follows, or is fenced", kSoloFenced);
  }
}

void Machine::Do(const Promote& order) {
  if (order.allow_data_loss && !order.peer_fenced) {
    Reject(Outcome::kBadRequest, "--allow-data-loss needs --peer-fenced: switch the peer off first",
           kPromoteForced);
  } else if (Primary()) {
    PromoteAgain(order);
  } else if (c_.held_down) {
    Reject(Outcome::kNotEligible, kHeldDown, kUndemote);
  } else if (!PeerForbids(order)) {
    PromoteNow(order);
  }
}

// Typed again on a node that is primary already: it may still lack a grant.
void Machine::PromoteAgain(const Promote& order) {
  if (order.peer_fenced && !GrantInUse(s_)) {
    SoloByFence();
  } else if (ViewOf(settings_, s_).gate == WriteGate::kOpen) {
    Answer(Outcome::kDone, AtEpoch("already primary", c_.epoch));
  } else {
    AnswerPromoted();
  }
}

// A peer that answers is not switched off, and a primary that answers can hand over.
bool Machine::PeerForbids(const Promote& order) {
  if (!s_.link_up) {
    return false;
  }
  if (order.peer_fenced) {
    Reject(Outcome::kPeerReachable, "the peer still answers, so it is not switched off",
           s_.peer_is_primary ? kSwitchover : kPromote);
    return true;
  }
  if (s_.peer_is_primary && s_.peer_epoch >= c_.epoch) {
    Reject(Outcome::kPeerReachable, "the peer is primary and answers", kSwitchover);
    return true;
  }
  return false;
}

void Machine::PromoteNow(const Promote& order) {
  const Epoch next = NextEpoch();
  const bool claimed = order.peer_not_promoted && c_.held_resignation && WholeStore();
  if (!Promotable() && !claimed) {
    if (order.allow_data_loss && WholeStore()) {
      Force();
    } else {
      RefusePromotion();
    }
    return;
  }
  if (!EpochFits(next)) {
    return;
  }
  if (Promotable()) {
    const Grant own = c_.held_resignation ? Grant::kResign : Grant::kNone;
    Say(order.peer_fenced ? "promote --peer-fenced" : "promote");
    PromoteTo(Failover::kPromote, next, order.peer_fenced ? Grant::kFence : own, order.peer_fenced);
  } else {
    Say("promote --peer-not-promoted");
    PromoteTo(Failover::kPromote, next, Grant::kResign, true);
  }
}

// Rule 12. The leap passes over an epoch that the absent peer may have opened unseen.
void Machine::Force() {
  const Epoch next = NextEpoch(limits::kForcedEpochLeap);
  if (!EpochFits(next)) {
    return;
  }
  c_.uid_jump = c_.last_primary ? UidJump::kJumpAndRenumber : UidJump::kJump;
  jump_uids_ = true;
  Say("forced promotion (--allow-data-loss --peer-fenced)");
  PromoteTo(Failover::kForced, next, Grant::kFence, true);
}

void Machine::RefusePromotion() {
  if (!WholeStore()) {
    Reject(Outcome::kNotEligible,
           std::string(c_.incomplete ? "a catch-up" : "a rewind") +
               " is unfinished here, so even force is refused; bring the primary back");
  } else if (c_.held_resignation) {
    Reject(
        Outcome::kDataLoss,
        "the primary resigned to this node, but this node restarted since and has not heard from "
        "it; claim that the peer was not promoted meanwhile, or bring it back",
        kPromoteNotPromoted);
  } else if (c_.last_primary && c_.resigned) {
    Reject(Outcome::kDataLoss,
           "this node resigned to its peer; it takes that back by itself when the peer answers",
           std::string("on the peer: ") + kPromoteFenced);
  } else if (c_.last_primary && c_.grant != Grant::kNone) {
    Reject(Outcome::kDataLoss,
           AtEpoch("this node was primary and holds a grant", c_.epoch) +
               "; if the peer was promoted since, using it splits the mail",
           kSolo);
  } else if (c_.last_primary) {
    Reject(Outcome::kDataLoss,
           "this node was primary, and its peer may have been promoted since; bring the peer back",
           kPromoteForced);
  } else if (settings_.mode == Mode::kAsync) {
    Reject(
        Outcome::kDataLoss,
        "async: the last writes that the primary answered may be missing here; bring it back, or "
        "give them up",
        kPromoteForced);
  } else {
    Reject(Outcome::kDataLoss,
           "this node may lack acknowledged writes (not eligible); bring the primary back, or give "
           "them up",
           kPromoteForced);
  }
}

// --- one node alone --------------------------------------------------------------------

// Rule 11. A new epoch: the fenced peer may hold a higher one already when it comes back otherwise.
void Machine::SoloByFence() {
  if (s_.link_up) {
    Reject(Outcome::kPeerReachable, "the peer still answers, so it is not switched off", kStatus);
  } else if (!s_.complete) {
    Reject(Outcome::kDataLoss,
           "this node does not know that it holds every acknowledged write; bring the peer back",
           kPromoteForced);
  } else if (EpochFits(NextEpoch())) {
    Say("solo --peer-fenced");
    PromoteTo(Failover::kSolo, NextEpoch(), Grant::kFence, true);
  }
}

void Machine::Do(const Solo& order) {
  const bool granted = c_.grant != Grant::kNone;
  if (Primary() && granted) {
    if (!GrantInUse(s_)) {
      UseGrant();
    }
    Answer(Outcome::kDone, AtEpoch("goes on without the peer", c_.epoch));
  } else if (Primary() && order.peer_fenced) {
    SoloByFence();
  } else if (Primary()) {
    Reject(s_.link_up ? Outcome::kPeerReachable : Outcome::kNotEligible,
           s_.link_up ? "the peer answers and may be promoted"
                      : "the peer may be promoted; switch it off first",
           kSoloFenced);
  } else if (c_.held_down) {
    Reject(Outcome::kNotEligible, kHeldDown, kUndemote);
  } else if (MayResume() && granted && !order.peer_fenced) {
    Say("solo");
    Resume(false);
    UseGrant();
    Answer(Outcome::kDone, AtEpoch("goes on without the peer", c_.epoch));
  } else if (Promotable()) {
    Reject(Outcome::kNotEligible, "this node is not primary; promote it instead", kPromoteFenced);
  } else {
    RefusePromotion();
  }
}

// --- handing over ----------------------------------------------------------------------

// Writes close at once; the resignation follows when all that was accepted is on both nodes.
bool Machine::BeginHandover(Handover kind) {
  if (!s_.link_up || !s_.confirmed || !s_.peer_acked) {
    Reject(s_.link_up ? Outcome::kNotEligible : Outcome::kNotReachable,
           s_.link_up ? "the standby does not follow yet" : "the standby does not answer", kStatus);
    return false;
  }
  AbortReadmission();
  s_.handover = kind;
  s_.drained = false;
  return true;
}

void Machine::Do(const Switchover&) {
  if (!Primary() || !HasPeer()) {
    Reject(Outcome::kNotEligible,
           Primary() ? "a single node has nobody to hand over to" : "this node is not primary",
           Primary() ? "twinspoolctl pair invite" : kSwitchover);
    return;
  }
  BeginHandover(Handover::kSwitchover);
}

// Rule 17.
void Machine::Do(const Demote&) {
  if (!Primary()) {
    c_.held_down = true;
    Answer(Outcome::kDone, "stays down until undemote", kUndemote);
    return;
  }
  if (!HasPeer()) {
    Reject(Outcome::kNotReachable, "a single node has nobody to hand over to",
           "twinspoolctl fence");
  } else if (!BeginHandover(Handover::kDemote)) {
    std::get<Refuse>(*answer_).next = "twinspoolctl fence";
  }
}

// Rule 17. Like a restart, but for the promise not to come back by itself.
void Machine::Do(const Fence&) {
  c_.held_down = true;
  if (Primary()) {
    Say("fence");
    StepDown();
    if (s_.link_up) {
      SendHello(false, Incarnation());  // no primary any more: the peer may be promoted
    }
  }
  Answer(Outcome::kDone, "stays down until undemote", kUndemote);
}

void Machine::Do(const Undemote&) {
  c_.held_down = false;
  if (c_.grant == Grant::kStanding && MayResume()) {
    Say("undemote");
    Resume(true);
  } else if (s_.link_up && HasPeer()) {
    SendHello(false, Incarnation());
  }
  Answer(Outcome::kDone, "may become primary again");
}

void Machine::Do(const StopGracefully&) {
  if (Primary() && HasPeer() && s_.link_up && s_.confirmed && s_.peer_acked && !settings_.arbiter) {
    BeginHandover(Handover::kStop);
    return;
  }
  if (s_.role == Role::kFenced && c_.resigned && s_.handover != Handover::kNone) {
    s_.handover = Handover::kStop;
    return;
  }
  // Rule 8: a standby steps back first, so that the primary goes on without a pause.
  const bool steps_back = s_.role == Role::kStandby && !c_.held_resignation;
  Say("graceful stop");
  if (s_.role == Role::kPrimary || steps_back) {
    StepDown();
  }
  if (steps_back && s_.link_up && !settings_.arbiter) {
    Send(Revoked{s_.cfgno});
  }
  s_.stopping = true;
  s_.handover = Handover::kNone;
  Answer(Outcome::kDone, "stopped");
}

// --- making and ending a pair ----------------------------------------------------------

// Rule 16: from here on a restart asks before it goes on alone.
void Machine::Do(const Join&) {
  if (!Primary() || c_.grant != Grant::kStanding) {
    Reject(Outcome::kNotEligible, "only a running single node can take in a second one", kStatus);
    return;
  }
  c_.grant = Grant::kPeer;
  s_.peer_incarnation = Incarnation();
  s_.peer_epoch = Epoch();
  s_.confirmed = false;
  Answer(Outcome::kDone, "ready for the second node");
}

void Machine::Do(const Dissolve& order) {
  if (!Primary() || !HasPeer()) {
    Reject(Outcome::kNotEligible, "only the primary of a pair can dissolve it", kStatus);
  } else if (order.peer_never_returns && GrantInUse(s_)) {
    BecomeSingle();
    Answer(Outcome::kDone, "the pair is dissolved; the other disk must never start as a member");
  } else if (order.peer_never_returns) {
    Reject(Outcome::kNotEligible, "the peer may still be promoted; go on without it first",
           kSoloFenced);
  } else if (s_.link_up && s_.confirmed && s_.complete && s_.reads) {
    s_.handover = Handover::kDissolve;
    Send(Expel{NextCfgno()});
    s_.asking = true;
  } else {
    Reject(Outcome::kNotReachable, "the other node must answer, or must never return",
           "twinspoolctl pair dissolve --peer-never-returns");
  }
}

void Machine::Do(const AcceptEpoch& order) {
  if (order.epoch <= c_.epoch || order.epoch > kEpochMax) {
    Reject(Outcome::kBadRequest, AtEpoch("nothing to accept: this node is", c_.epoch) +
                                     "; at most " + std::to_string(kEpochMax.value()) + " exist");
    return;
  }
  s_.accepted_epoch = order.epoch;
  s_.refused_epoch = Epoch();
  if (s_.link_up) {
    SendHello(false, Incarnation());
  }
  Answer(Outcome::kDone, AtEpoch("believes the peer up to and including one", order.epoch));
}

}  // namespace twinspool::replica::core
