// The role machine: a step as a whole, and the moves that several rules share.
#include "replica/core/role.h"

#include <algorithm>

#include "common/limits.h"
#include "replica/core/role_machine.h"

namespace twinspool::replica::core {

// --- moves -----------------------------------------------------------------------------

Epoch Machine::NextEpoch(std::uint32_t leap) const {
  return NextEpochAbove(Epoch(c_.epoch.value() + leap));
}

// Parity: no two nodes can open the same epoch.
Epoch Machine::NextEpochAbove(Epoch epoch) const {
  const Epoch next = epoch.Next();
  return next.value() % 2 == settings_.node_index ? next : next.Next();
}

bool Machine::MayResume() const {
  return s_.role == Role::kFenced && c_.last_primary && WholeStore() && !c_.resigned &&
         !c_.held_down && !c_.expelled;
}

void Machine::StopServing() {
  s_.eligible = s_.complete = s_.grant_usable = s_.reads = s_.peer_acked = false;
  s_.readmitting = s_.in_sync_sent = s_.revoke_wanted = s_.drained = s_.asking = false;
  s_.visible = s_.reads_need = s_.peer_pos = s_.readmit_at = s_.waited_upto = CommitSeq();
  s_.ask = Ask::kNone;
}

// The same epoch may go on later, so the numbering of InSync and Revoke must go on too.
void Machine::StepDown() {
  StopServing();
  s_.role = Role::kFenced;
  s_.confirmed = false;
}

// Rule 2. Whatever this node was, its log is suspect until it has been compared.
void Machine::Adopt(Epoch epoch) {
  const Handover was = s_.handover;
  c_.epoch = epoch;
  c_.last_primary = c_.resigned = c_.held_resignation = false;
  c_.grant = Grant::kNone;
  c_.uid_jump = UidJump::kNone;
  c_.rewinding = true;
  StopServing();
  s_.cfgno = 0;
  s_.role = Role::kCatchingUp;
  s_.confirmed = false;
  s_.refused_epoch = Epoch();
  start_rewind_ = true;
  Say("the peer has a higher epoch");
  if (was == Handover::kSwitchover || was == Handover::kDemote || was == Handover::kStop) {
    EndHandover(Outcome::kDone,
                "handed over; the peer is at epoch " + std::to_string(epoch.value()) + " now");
  } else if (was == Handover::kDissolve) {
    EndHandover(Outcome::kPeerReachable, "the peer has been promoted meanwhile");
  }
}

// Rules 6 and 10: like a restart, reads wait for the peer's ack under this epoch, or for a grant.
void Machine::BecomePrimary(Failover kind, Epoch epoch, Grant how) {
  failover_ = kind;
  c_.epoch = epoch;
  c_.last_primary = true;
  c_.resigned = c_.held_resignation = false;
  c_.grant = Grant::kNone;
  StopServing();
  s_.cfgno = 0;
  s_.handover = Handover::kNone;
  s_.role = Role::kPrimary;
  s_.confirmed = s_.complete = true;
  s_.reads_need = s_.log_end;
  if (how != Grant::kNone) {
    TakeGrant(how);
  }
  if (s_.link_up) {
    SendHello(false, s_.peer_incarnation);
  }
}

// Rule 3: the same epoch goes on. Only contact proves that nothing newer was acknowledged
// elsewhere.
void Machine::Resume(bool contact) {
  const bool standing = c_.grant == Grant::kStanding;
  s_.role = Role::kPrimary;
  s_.complete = s_.confirmed = contact || standing;
  s_.peer_acked = s_.reads = s_.readmitting = s_.in_sync_sent = false;
  s_.peer_pos = s_.visible = CommitSeq();
  s_.reads_need = s_.log_end;
  jump_uids_ = c_.uid_jump != UidJump::kNone;
  if (standing || (contact && c_.grant != Grant::kNone && settings_.mode != Mode::kStrict)) {
    UseGrant();
  }
  if (s_.link_up && !standing) {
    SendHello(false, s_.peer_incarnation);
  }
}

// Rule 16.
void Machine::BecomeSingle() {
  c_.grant = Grant::kStanding;
  s_.peer_incarnation = Incarnation();
  s_.peer_epoch = Epoch();
  s_.peer_pos = CommitSeq();
  s_.peer_acked = s_.peer_is_primary = s_.revoke_wanted = s_.in_sync_sent = false;
  UseGrant();
}

// The whole local log is covered, also what the peer never saw.
void Machine::UseGrant() {
  s_.grant_usable = s_.reads = true;
  s_.readmitting = false;
  s_.visible = s_.log_end;
}

// Rule 11: in strict mode a grant sleeps until `solo`.
void Machine::TakeGrant(Grant how) {
  c_.grant = how;
  s_.grant_usable = false;
  if (settings_.mode != Mode::kStrict) {
    UseGrant();
  }
}

// Rule 1.
void Machine::NotePeer(Incarnation incarnation) {
  if (incarnation == s_.peer_incarnation) {
    return;
  }
  s_.peer_incarnation = incarnation;
  s_.peer_pos = CommitSeq();
  s_.peer_acked = s_.in_sync_sent = false;
  AbortReadmission();
  if (!Primary()) {
    s_.cfgno = 0;
  }
}

void Machine::Advance() {
  if (!Primary() || !s_.reads) {
    return;
  }
  AckPolicy policy = AckPolicy::kPeer;
  if (GrantInUse(s_)) {
    policy = AckPolicy::kOwn;
  } else if (settings_.mode == Mode::kAsync) {
    policy = settings_.async_waits ? AckPolicy::kOwnAfterWaiting : AckPolicy::kOwn;
  }
  s_.visible = std::max(s_.visible, AckedUpTo(policy, {s_.log_end, s_.peer_pos, s_.waited_upto}));
}

// Rule 7, in two moves so that a busy primary gets there, too. First the grant goes out of use (not
// off the disk): from now on only the peer's acks acknowledge. Once the peer has all that was in
// the log at that moment, it has everything ever acknowledged; the grant goes durably, then InSync.
void Machine::MaybeReadmit() {
  if (!Primary() || !HasPeer() || !s_.confirmed || !s_.peer_acked || PeerToldInSync() ||
      s_.mode_differs || s_.handover != Handover::kNone || c_.uid_jump != UidJump::kNone) {
    return;
  }
  if (!s_.readmitting) {
    const std::uint64_t lag = s_.log_end.value() - s_.peer_pos.value();
    if (GrantInUse(s_) && lag > limits::kReadmitLagEntries) {
      return;
    }
    s_.readmitting = true;
    s_.readmit_at = s_.log_end;
    s_.grant_usable = false;
  }
  if (s_.peer_pos < s_.readmit_at) {
    return;
  }
  if (settings_.arbiter) {
    AskToReadmit();
    return;
  }
  c_.grant = Grant::kNone;
  s_.readmitting = s_.revoke_wanted = false;
  s_.in_sync_sent = true;
  Send(InSync{NextCfgno(), s_.peer_pos});
}

// The grant is still on disk, so the peer is still not eligible: it may be used again. Strict stays
// with the operator's word.
void Machine::AbortReadmission() {
  if (!s_.readmitting) {
    return;
  }
  s_.readmitting = false;
  if (Primary() && c_.grant != Grant::kNone && settings_.mode != Mode::kStrict) {
    UseGrant();
  }
}

// Rule 8.
void Machine::MaybeRevoke() {
  if (Primary() && s_.revoke_wanted && s_.confirmed && HasPeer() && c_.grant == Grant::kNone &&
      !settings_.arbiter && s_.peer_incarnation != Incarnation() &&
      settings_.mode != Mode::kStrict && s_.link_up && s_.handover == Handover::kNone) {
    s_.in_sync_sent = false;
    Send(Revoke{AskingCfgno()});
  }
}

// Rule 9: drained, the whole log acked.
void Machine::MaybeResign() {
  const bool handing = s_.handover == Handover::kSwitchover || s_.handover == Handover::kDemote ||
                       s_.handover == Handover::kStop;
  if (Primary() && handing && s_.drained && s_.confirmed && s_.peer_acked &&
      s_.peer_pos >= s_.log_end) {
    ResignNow();
  }
}

void Machine::ResignNow() {
  c_.resigned = true;
  c_.grant = Grant::kNone;
  c_.held_down = c_.held_down || s_.handover == Handover::kDemote;
  StepDown();
  NextCfgno();
  Say("resigned to the peer");
  SendResign();
}

void Machine::SendResign() {
  Send(Resign{s_.cfgno, s_.log_end, s_.handover == Handover::kSwitchover});
}

void Machine::EndHandover(Outcome code, std::string text, std::string next) {
  s_.handover = Handover::kNone;
  s_.drained = false;
  if (code == Outcome::kDone) {
    Answer(code, std::move(text), std::move(next));
  } else {
    Reject(code, std::move(text), std::move(next));
  }
}

std::uint32_t Machine::NextCfgno() {
  s_.asking = false;
  return ++s_.cfgno;
}

// A question said again keeps its number: an answer that takes longer than a tick still fits.
std::uint32_t Machine::AskingCfgno() {
  if (!s_.asking) {
    NextCfgno();
    s_.asking = true;
  }
  return s_.cfgno;
}

void Machine::Send(MessageBody body) {
  sent_.push_back({c_.epoch, c_.incarnation, s_.peer_incarnation, body});
}

void Machine::SendHello(bool reply, Incarnation to) {
  sent_.push_back({c_.epoch, c_.incarnation, to, Hello{Primary(), reply, settings_.mode}});
}

void Machine::Answer(Outcome code, std::string text, std::string next) {
  answer_ = Done{code, std::move(text), std::move(next)};
}

void Machine::Reject(Outcome code, std::string text, std::string next) {
  answer_ = Refuse{code, std::move(text), std::move(next)};
}

// --- a step ----------------------------------------------------------------------------

void Machine::Run(const Event& event) {
  std::visit([this](const auto& e) { On(e); }, event);
}

void Machine::RunStart() {
  c_.incarnation = c_.incarnation.Next();
  if (c_.grant == Grant::kStanding && MayResume()) {
    Say("a single node resumes at its start");
    Resume(true);
  }
}

namespace {

// What may be said before the control state is durable: it only takes away.
bool Closes(const ServingView& before, const ServingView& after) {
  return (before.primary && !after.primary) || (before.reads && !after.reads) ||
         (before.gate == WriteGate::kOpen && after.gate != WriteGate::kOpen);
}

bool ShowsNews(const RoleState& before, const RoleState& after, const ServingView& was) {
  return after.visible != before.visible || !was.reads || was.epoch != after.control.epoch;
}

}  // namespace

Actions Machine::Finish(const RoleState& before) && {
  Actions actions;
  const ServingView was = ViewOf(settings_, before);
  const ServingView now = ViewOf(settings_, s_);
  const bool closes = Closes(was, now);
  if (closes) {
    actions.emplace_back(ToServing(now));
  }
  if (c_ != before.control) {
    actions.emplace_back(Persist{c_});
  }
  if (jump_uids_) {
    actions.emplace_back(JumpUids{c_.uid_jump == UidJump::kJumpAndRenumber});
  }
  if (was != now && !closes) {
    actions.emplace_back(ToServing(now));
  }
  if (s_.role != before.role || (Primary() && c_.epoch != before.control.epoch)) {
    actions.emplace_back(Transition{before.role, s_.role, c_.epoch, failover_, std::string(reason_),
                                    std::move(actor_)});
  }
  if (start_rewind_) {
    actions.emplace_back(StartRewind{});
  }
  for (const Message& message : sent_) {
    actions.emplace_back(SendMessage{message});
  }
  if (ask_) {
    actions.emplace_back(*ask_);
  }
  if (Primary() && s_.peer_pos > before.peer_pos) {
    actions.emplace_back(PeerDurable{s_.peer_pos});
  }
  if (now.reads && ShowsNews(before, s_, was)) {
    actions.emplace_back(AdvanceVisible{s_.visible});
  }
  if (answer_) {
    actions.push_back(std::move(*answer_));
  }
  return actions;
}

Started Start(const Settings& settings, const Control& stored, CommitSeq log_end) {
  Started started;
  started.state.control = stored;
  started.state.log_end = log_end;
  const RoleState before = started.state;
  Machine machine(settings, started.state);
  machine.RunStart();
  started.actions = std::move(machine).Finish(before);
  return started;
}

Actions Step(const Settings& settings, RoleState& state, const Event& event) {
  if (state.stopping && !std::holds_alternative<Order>(event)) {
    return {};
  }
  const RoleState before = state;
  Machine machine(settings, state);
  machine.Run(event);
  return std::move(machine).Finish(before);
}

}  // namespace twinspool::replica::core
