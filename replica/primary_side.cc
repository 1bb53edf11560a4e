#include "replica/primary_side.h"

#include <utility>

#include "replica/role_driver.h"

namespace twinspool::replica {

// --- the log -------------------------------------------------------------------------------

void PrimarySide::OnPrimaryBegins(CommitSeq log_end) {
  Reset();
  shipper_.Reset(log_end, shared_.clock.Now());
  acked_at_.reset();
}

void PrimarySide::OnGroup(const CommittedGroup& group, Instant at) {
  shipper_.Push(group.id, group.frame, at);
}

void PrimarySide::OnPeerDurable(CommitSeq seq, Instant now) {
  progress_at_ = now;
  acked_at_ = now;
  const CommitSeq before = shipper_.acked();
  const std::optional<Instant> committed = shipper_.oldest_unacked();
  if (Status status = shipper_.OnAck(seq); !status.ok()) {
    return shared_.Drop(status);
  }
  if (committed && shipper_.acked() > before) {
    shared_.observer.OnAcknowledged(now.ns - committed->ns);
  }
}

// The first ack of a standby after a catch-up, whatever it covers, says that the end was reached.
void PrimarySide::OnAck(CommitSeq seq) {
  if (phase_ == Phase::kTail && ending_ && seq >= *ending_) {
    ending_.reset();
  }
}

void PrimarySide::Reset() {
  phase_ = Phase::kIdle;
  facts_.reset();
  held_.reset();
  ending_.reset();
  waiting_.reset();
  catch_up_.Cancel();
  shipper_.StopTail();
}

bool PrimarySide::MayBringBack() const {
  return core::MayBringBack(shared_.role->settings(), shared_.role->state());
}

void PrimarySide::Enter(Phase phase, Instant now) {
  phase_ = phase;
  progress_at_ = now;
}

// --- where the standby stands ----------------------------------------------------------------

std::optional<EntryId> PrimarySide::Mine(CommitSeq seq) const {
  const Result<EntryId> mine = shared_.ports.log->Identify(seq);
  return mine.ok() ? std::optional(*mine) : std::nullopt;
}

bool PrimarySide::InMyLog(const EntryId& last) const {
  if (last.seq.value() == 0) {
    return true;
  }
  if (last.seq > shared_.ports.log->last().seq) {
    return false;
  }
  if (const std::optional<EntryId> mine = Mine(last.seq)) {
    return *mine == last;
  }
  // Below what is kept: the histories tell, and users are going to be compared anyway.
  return shared_.role->history().EpochOf(last.seq) == last.epoch;
}

core::CommonPoint PrimarySide::Common() const {
  const core::LogEnd mine{shared_.role->history(), shared_.ports.log->last().seq};
  const core::LogEnd theirs{core::FromProto(facts_->history()), CommitSeq(facts_->last().seq())};
  return core::FindCommon(mine, theirs);
}

void PrimarySide::OnPeerFacts(const proto::Hello& hello, Instant now) {
  const bool busy =
      phase_ == Phase::kTail || (phase_ == Phase::kCatchUp && !catch_up_.asked_only());
  const bool troubled = hello.rewinding() || hello.incomplete_target() > 0;
  // Until the end of a catch-up is acknowledged, trouble that the standby tells of is from before.
  const bool settled = phase_ == Phase::kTail && !ending_;
  if (busy && !(settled && troubled)) {
    return;
  }
  facts_ = hello;
  Align(now);
}

void PrimarySide::Align(Instant now) {
  if (!core::MayShip(shared_.role->state())) {
    return;
  }
  const EntryId last = core::FromProto(facts_->last());
  const CommitSeq end = shared_.ports.log->last().seq;
  if (core::ShowsLostEntries({shared_.role->control().epoch, end, Mine(last.seq)}, last)) {
    shared_.Drop(DataLoss(
        "this node lost entries that it had sent to the other one (its log ends at " +
        std::to_string(end.value()) + ", the other's at " + std::to_string(last.seq.value()) +
        "): stop it, promote the other node, and make this one anew"));
    return;
  }
  if (facts_->rewinding() || !InMyLog(last)) {
    AskForRewind(false, now);
    return;
  }
  Ladder(last.seq, facts_->incomplete_target() > 0, now);
}

void PrimarySide::AskForRewind(bool refill, Instant now) {
  waiting_.reset();
  shared_.role->Step(core::PeerBehind{});
  if (!MayBringBack()) {
    Enter(Phase::kIdle, now);
    return;  // OnTick tries again
  }
  const core::CommonPoint common = Common();
  EntryId id{common.epoch, Incarnation(0), common.seq};
  rewind_.Clear();
  rewind_.set_refill(refill || !common.known);
  if (common.seq.value() > 0) {
    const Result<EntryId> mine = shared_.ports.log->Identify(common.seq);
    if (mine.ok()) {
      id = *mine;
    } else {
      rewind_.set_refill(true);
    }
  }
  *rewind_.mutable_common() = core::ToProto(id);
  Enter(Phase::kRewind, now);
  shared_.observer.OnCatchUp("rewind");
  SendRewindTo();
}

void PrimarySide::SendRewindTo() {
  proto::PeerMessage message;
  *message.mutable_rewind_to() = rewind_;
  shared_.Send(std::move(message));
}

void PrimarySide::OnRewindDone(const proto::RewindDone& done, Instant now) {
  if (phase_ != Phase::kRewind) {
    return;
  }
  const EntryId last = core::FromProto(done.last());
  if (done.refill()) {
    BeginCatchUp({.compare = true, .after = {}}, "compare", now);
  } else if (InMyLog(last)) {
    Ladder(last.seq, false, now);
  } else {
    shared_.Log(Severity::kWarning,
                "the standby still ends in an entry that is not in this log after its rewind; its "
                "users are compared");
    AskForRewind(true, now);
  }
}

void PrimarySide::Ladder(CommitSeq after, bool incomplete, Instant now) {
  const EntryId last = shared_.ports.log->last();
  if (!incomplete && shipper_.CanTail(after)) {
    Enter(Phase::kTail, now);
    shipper_.StartTail(after);
    return;
  }
  const bool compare = after < shared_.ports.log->low_water() ||
                       (after.value() == 0 && last.seq.value() > 0 && incomplete);
  BeginCatchUp({.compare = compare, .after = after}, compare ? "compare" : "coalesced", now);
}

// --- catching up -----------------------------------------------------------------------------

void PrimarySide::BeginCatchUp(CatchUpPlan plan, const char* kind, Instant now) {
  shared_.role->Step(core::PeerBehind{});
  shipper_.StopTail();
  held_.reset();
  waiting_.reset();
  if (!MayBringBack()) {
    waiting_.emplace(std::move(plan), kind);
    Enter(Phase::kIdle, now);
    return;
  }
  Enter(Phase::kCatchUp, now);
  shared_.observer.OnCatchUp(kind);
  if (Status status = catch_up_.Begin(std::move(plan), now); !status.ok()) {
    shared_.Drop(status.Annotate("a catch-up of the standby cannot begin"));
  }
}

void PrimarySide::OnCatchUpReady(Instant now) {
  progress_at_ = now;
  catch_up_.OnReady();
}

void PrimarySide::OnUserWanted(const proto::UserWanted& wanted, Instant now) {
  progress_at_ = now;
  if (Status status = catch_up_.OnWanted(wanted); !status.ok()) {
    shared_.Drop(status);
  }
}

void PrimarySide::OnUnitDone(const proto::UnitDone& done, Instant now) {
  progress_at_ = now;
  catch_up_.OnUnitDone(done, now);
}

void PrimarySide::OnRepairWanted(const proto::RepairWanted& wanted, Instant now) {
  if (phase_ != Phase::kTail || wanted.seq() == 0) {
    return;
  }
  shared_.Log(Severity::kError, "the standby wants a repair at entry " +
                                    std::to_string(wanted.seq()) + ": " + wanted.reason() +
                                    "; what is named is sent whole");
  CatchUpPlan plan{.compare = wanted.compare(), .after = CommitSeq(wanted.seq() - 1)};
  for (const std::string& id : wanted.mailbox_ids()) {
    plan.repair.push_back(MailboxId::FromBytes(id));
  }
  if (plan.after < shared_.ports.log->low_water()) {
    plan = {.compare = true, .after = {}};
  }
  BeginCatchUp(std::move(plan), "repair", now);
}

bool PrimarySide::ReplaceOnStandby(const std::vector<MailboxId>& mailboxes, bool compare,
                                   Instant now) {
  if (phase_ != Phase::kTail || !core::MayShip(shared_.role->state())) {
    return false;
  }
  const CommitSeq after = shipper_.acked();
  const bool below = after < shared_.ports.log->low_water();
  BeginCatchUp({.compare = compare || below, .after = after, .repair = mailboxes}, "repair", now);
  return true;
}

std::uint64_t PrimarySide::catch_up_units() const {
  return phase_ == Phase::kTail || phase_ == Phase::kIdle ? 0 : catch_up_.units_sent();
}

// --- sending ---------------------------------------------------------------------------------

bool PrimarySide::HoldAt(CommitSeq seq, proto::PeerMessage send) {
  if (phase_ != Phase::kTail || shipper_.sent_upto() > seq) {
    return false;
  }
  held_ = std::move(send);
  hold_at_ = seq;
  return true;
}

Result<bool> PrimarySide::PumpTail() {
  if (held_ && shipper_.sent_upto() >= hold_at_) {
    shared_.Send(*std::exchange(held_, std::nullopt));
    return true;
  }
  ASSIGN_OR_RETURN(std::optional<proto::FramePart> part, shipper_.Next());
  if (!part) {
    return false;
  }
  proto::PeerMessage message;
  *message.mutable_frame_part() = *std::move(part);
  shared_.Send(std::move(message));
  return true;
}

bool PrimarySide::PumpCatchUp(Instant now) {
  const bool more = catch_up_.Pump(now);
  if (catch_up_.active()) {
    return more;
  }
  // The end is on its way: from its target on, the standby takes the tail, or catches up again.
  const CommitSeq target = catch_up_.target().seq;
  ending_ = target;
  if (shipper_.CanTail(target)) {
    Enter(Phase::kTail, now);
    shipper_.StartTail(target);
  } else {
    const bool compare = target < shared_.ports.log->low_water();
    BeginCatchUp({.compare = compare, .after = target, .again = true}, "coalesced", now);
  }
  return true;
}

bool PrimarySide::WantsToSend() const {
  if (phase_ != Phase::kTail) {
    return phase_ == Phase::kCatchUp;
  }
  return shipper_.fell_behind() || shipper_.HasMore() ||
         (held_ && shipper_.sent_upto() >= hold_at_);
}

bool PrimarySide::Pump(Instant now) {
  const bool may = phase_ == Phase::kTail ? core::MayShip(shared_.role->state()) : MayBringBack();
  if (!may) {
    return false;
  }
  Result<bool> sent = false;
  if (phase_ == Phase::kTail) {
    if (shipper_.fell_behind()) {
      Ladder(shipper_.acked(), false, now);
      return true;
    }
    sent = PumpTail();
  } else if (phase_ == Phase::kCatchUp) {
    sent = PumpCatchUp(now);
  }
  if (!sent.ok()) {
    shared_.Drop(sent.status().Annotate("the standby cannot be served"));
    return false;
  }
  return *sent;
}

void PrimarySide::OnTick(Instant now) {
  if (shared_.role->role() != core::Role::kPrimary) {
    return;
  }
  Trim();
  if (shared_.role->settings().arbiter && phase_ == Phase::kIdle && facts_) {
    if (waiting_) {
      BeginCatchUp(std::move(waiting_->first), waiting_->second, now);
    } else {
      Align(now);
    }
  }
  const bool quiet =
      phase_ == Phase::kIdle || (phase_ == Phase::kTail && shipper_.acked() >= shipper_.last());
  if (quiet || (phase_ == Phase::kCatchUp && catch_up_.resting(now))) {
    progress_at_ = now;
    return;
  }
  if (now.MsSince(progress_at_) > shared_.options.stall_ms) {
    shared_.Drop(Timeout("the standby has not answered for " +
                         std::to_string(shared_.options.stall_ms / 1000) + " s"));
    return;
  }
  if (phase_ == Phase::kRewind) {
    SendRewindTo();
  } else if (phase_ == Phase::kCatchUp) {
    catch_up_.AskAgain();
  }
}

/// The outbox serves a standby that is behind; what the peer has durably nobody will ask for, and
/// beyond its bound the peer is compared instead.
void PrimarySide::Trim() {
  ChangeLog& log = *shared_.ports.log;
  if (core::IsSingle(shared_.role->state()) ||
      shared_.ports.visibility->FreeBytes() < limits::kDiskLastBytes) {
    return;
  }
  if (shipper_.acked() > log.low_water()) {
    log.Trim(shipper_.acked());
  } else if (log.bytes() > shared_.options.outbox_bytes_max) {
    shared_.Log(Severity::kWarning,
                "the outbox kept for a peer that is away or far behind is full and is dropped; "
                "the peer will be compared user by user");
    log.Trim(log.last().seq);
  }
}

}  // namespace twinspool::replica
