#include "replica/standby_side.h"

#include <algorithm>
#include <utility>

#include "replica/core/history.h"
#include "replica/role_driver.h"

namespace twinspool::replica {

void StandbySide::Reset() {
  primed_ = false;
  repair_wanted_ = false;
  primary_.reset();
  catch_up_.reset();
  ForgetCatchUp();
}

void StandbySide::ForgetCatchUp() {
  listed_.clear();
  refills_.clear();
  compared_ = comparing_ = false;
  wanted_.clear();
  asked_.clear();
  awaited_.clear();
  whole_ = passing_ = false;
}

void StandbySide::OnPrimaryHistory(const proto::Hello& hello) {
  primary_ = hello;
}

// --- frames --------------------------------------------------------------------------------

bool StandbySide::MayApply(const proto::PeerMessage& message) const {
  return !repair_wanted_ && core::MayApply(shared_.role->state(), Epoch(message.epoch()),
                                           Incarnation(message.from_incarnation()),
                                           Incarnation(message.to_incarnation()));
}

void StandbySide::OnPart(const proto::PeerMessage& message) {
  const proto::FramePart& part = message.frame_part();
  if (part.unit() ? !catch_up_.has_value() : !MayApply(message)) {
    return;
  }
  if (!primed_) {
    applier_.Reset(shared_.ports.sink->last());
    primed_ = true;
  }
  const Result<core::ApplierCore::Taken> taken = applier_.Take(part, shared_.role->control().epoch);
  if (!taken.ok()) {
    shared_.Drop(taken.status());
    return;
  }
  if (*taken == core::ApplierCore::Taken::kUnit) {
    OnUnit(applier_.TakeUnit());
  } else if (applier_.ShouldFlush()) {
    Flush();
  }
}

void StandbySide::Flush() {
  if (!applier_.has_queue()) {
    return;
  }
  const std::vector<proto::Frame> frames = applier_.TakeQueue();
  const Result<ApplyOutcome> outcome = shared_.ports.sink->Apply(frames);
  if (!outcome.ok()) {
    primed_ = false;
    shared_.Drop(outcome.status().Annotate("a frame of the primary cannot be applied"));
    return;
  }
  const ApplyOutcome& applied = outcome.value();
  applier_.Applied(applied.last);
  shared_.role->Step(core::Applied{applied.last.seq});
  if (applied.mismatch) {
    AskForRepair(*applied.mismatch);
  }
}

void StandbySide::AskForRepair(const ApplyOutcome::Mismatch& mismatch) {
  ++digest_mismatches_;
  shared_.observer.OnDigestMismatch(mismatch.user, mismatch.reason);
  shared_.Log(Severity::kError, "entry " + std::to_string(mismatch.seq.value()) + " of user " +
                                    mismatch.user.ToHex() + " does not fit what is here (" +
                                    mismatch.reason + "); it is not acknowledged before a repair");
  proto::RepairWanted wanted;
  wanted.set_seq(mismatch.seq.value());
  wanted.set_user_id(std::string(mismatch.user.bytes()));
  wanted.set_reason(mismatch.reason);
  for (const MailboxId& mailbox : mismatch.mailboxes) {
    wanted.add_mailbox_ids(std::string(mailbox.bytes()));
  }
  WantRepair(mismatch.seq, std::move(wanted));
}

void StandbySide::WantRepair(CommitSeq target, proto::RepairWanted wanted) {
  repair_wanted_ = true;
  shared_.role->Step(core::CatchUpStarted{shared_.role->control().epoch, target});
  proto::PeerMessage message;
  *message.mutable_repair_wanted() = std::move(wanted);
  shared_.Send(std::move(message));
}

bool StandbySide::AskReplacement(const std::vector<MailboxId>& mailboxes,
                                 const std::vector<UserId>& users) {
  if (shared_.role->role() != core::Role::kStandby || repair_wanted_ || catch_up_) {
    return false;
  }
  Flush();
  const CommitSeq last = shared_.ports.sink->last().seq;
  refill_.insert(users.begin(), users.end());
  proto::RepairWanted wanted;
  wanted.set_seq(last.Next().value());
  wanted.set_reason("damage was found that could not be healed row by row");
  wanted.set_compare(!users.empty());
  for (const MailboxId& mailbox : mailboxes) {
    wanted.add_mailbox_ids(std::string(mailbox.bytes()));
  }
  WantRepair(last, std::move(wanted));
  return true;
}

// --- rewind --------------------------------------------------------------------------------

/// This node follows the sender: neither primary nor about to resume as one.
bool StandbySide::Follows() const {
  const core::Role role = shared_.role->role();
  return (role == core::Role::kCatchingUp || role == core::Role::kStandby) &&
         !shared_.role->control().last_primary;
}

void StandbySide::OnRewindTo(const proto::RewindTo& rewind) {
  if (!Follows()) {
    return;
  }
  const EntryId common = core::FromProto(rewind.common());
  ChangeSink& sink = *shared_.ports.sink;
  if (!shared_.role->control().rewinding) {
    if (sink.last().seq <= common.seq && !rewind.refill()) {
      return;  // said again: done before
    }
    shared_.role->Step(core::RewindStarted{});
  }
  primed_ = false;
  Status status = UndoDownTo(common);
  if (status.ok()) {
    status = FinishRewind(rewind);
  }
  if (!status.ok()) {
    shared_.Drop(status.Annotate("the rewind cannot go on"));
  }
}

Status StandbySide::UndoDownTo(const EntryId& common) {
  ChangeSink& sink = *shared_.ports.sink;
  const EntryId last = sink.last();
  if (last.seq <= common.seq) {
    return OkStatus();
  }
  shared_.Log(Severity::kWarning,
              "rewinding from entry " + std::to_string(last.seq.value()) + " to " +
                  std::to_string(common.seq.value()) +
                  "; what the primary never got is saved in the salvage folder first");
  TRY(salvage_.BeginRewind(last.epoch, common.seq.Next()));
  while (sink.last().seq > common.seq && sink.last().seq > shared_.ports.log->low_water()) {
    TRY(SaveNewest());
    TRY(sink.UndoLast());
  }
  return OkStatus();
}

Status StandbySide::SaveNewest() {
  ChangeSink& sink = *shared_.ports.sink;
  ASSIGN_OR_RETURN(std::vector<SalvageRecord> records, sink.ReadForSalvage());
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].acknowledged = MayBeAcknowledged(records[i].entry.epoch);
    TRY(Save(records[i], i));
  }
  return salvage_.Sync();
}

/// Otherwise an answer takes the peer's copy or a grant, and only force promotes past a grant.
bool StandbySide::MayBeAcknowledged(Epoch epoch) const {
  return shared_.role->settings().mode == core::Mode::kAsync ||
         shared_.role->control().epoch.value() >= epoch.value() + limits::kForcedEpochLeap;
}

Status StandbySide::Save(const SalvageRecord& record, std::size_t index) {
  return salvage_.Save(record, index, [&](std::uint64_t offset, std::size_t length) {
    return shared_.ports.sink->ReadSalvageBody(record.user, BodyNo(record.record.body_no()), offset,
                                               length);
  });
}

Status StandbySide::FinishRewind(const proto::RewindTo& rewind) {
  ASSIGN_OR_RETURN(const std::vector<UserId> users, shared_.ports.sink->FinishRewind());
  refill_ = {users.begin(), users.end()};
  const EntryId last = shared_.ports.sink->last();
  const EntryId common = core::FromProto(rewind.common());
  // A log that was dropped down to an entry above the common one cannot be undone to it.
  const bool refill = rewind.refill() || !users.empty() || shared_.role->control().incomplete ||
                      last.seq > common.seq ||
                      (last.seq.value() > 0 && last.seq == common.seq && last != common);
  TRY(SaveForks(refill));
  if (!refill) {
    AdoptHistory();
    shared_.role->Step(core::RewindFinished{shared_.role->control().epoch, last.seq});
  }
  proto::PeerMessage message;
  *message.mutable_rewind_done()->mutable_last() = core::ToProto(last);
  message.mutable_rewind_done()->set_refill(refill);
  shared_.Send(std::move(message));
  return OkStatus();
}

/// `refill`: what the undoing led to is not what both had.
Status StandbySide::SaveForks(bool refill) {
  std::map<UserId, Modseq> modseqs;
  if (!refill && salvage_.size() > 0) {
    ASSIGN_OR_RETURN(const std::vector<proto::UserDigest> users, shared_.ports.sink->Users());
    for (const proto::UserDigest& user : users) {
      modseqs[UserId::FromBytes(user.user_id())] = Modseq(user.modseq());
    }
  }
  return salvage_.SaveForks(modseqs);
}

/// This log is a prefix of the primary's: so are the epochs that wrote it.
void StandbySide::AdoptHistory() {
  if (primary_) {
    shared_.role->SetHistory(core::FromProto(primary_->history()));
    shared_.role->SaveHistory();
  }
}

// --- catching up ---------------------------------------------------------------------------

void StandbySide::OnCatchUpBegin(const proto::CatchUpBegin& begin) {
  if (!Follows()) {
    return;
  }
  const EntryId target = core::FromProto(begin.target());
  if (catch_up_ != target) {
    shared_.role->Step(core::CatchUpStarted{shared_.role->control().epoch, target.seq});
    if (!shared_.role->control().incomplete) {
      return;
    }
    catch_up_ = target;
    ForgetCatchUp();
    compared_ = begin.compare();
    applier_.Reset(shared_.ports.sink->last());
    primed_ = true;
  }
  proto::PeerMessage message;
  message.mutable_catch_up_ready();
  shared_.Send(std::move(message));
}

void StandbySide::OnUserList(const proto::UserList& list) {
  if (!catch_up_) {
    return;
  }
  listed_.insert(listed_.end(), list.users().begin(), list.users().end());
  if (!list.last()) {
    return;
  }
  if (Status status = CompareUsers(); !status.ok()) {
    shared_.Drop(status.Annotate("comparing users with the primary"));
  }
}

Status StandbySide::CompareUsers() {
  ASSIGN_OR_RETURN(const std::vector<proto::UserDigest> own, shared_.ports.sink->Users());
  std::map<std::string, std::string> mine;
  for (const proto::UserDigest& user : own) {
    mine[user.user_id()] = user.digest();
  }
  for (const proto::UserDigest& user : std::exchange(listed_, {})) {
    const UserId id = UserId::FromBytes(user.user_id());
    const auto found = mine.find(user.user_id());
    const bool same =
        found != mine.end() && !user.digest().empty() && found->second == user.digest();
    if (found != mine.end()) {
      mine.erase(found);
    }
    if (!same || refill_.contains(id)) {
      wanted_.push_back(id);
      awaited_.insert(id);
    }
  }
  for (const auto& [id, digest] : mine) {
    TRY(SaveDoomed(UserId::FromBytes(id)));
    TRY(shared_.ports.sink->DropUser(UserId::FromBytes(id), shared_.role->control().rewinding));
  }
  comparing_ = true;
  return AskForUsers();
}

/// A few users at a time: the bodies that this node has of them are named, and these lists would be
/// large together.
Status StandbySide::AskForUsers() {
  while (!wanted_.empty() && asked_.size() < limits::kUsersAskedAtOnce) {
    const UserId user = wanted_.front();
    wanted_.pop_front();
    asked_.insert(user);
    TRY(WantUser(user));
  }
  if (comparing_ && wanted_.empty()) {
    comparing_ = false;
    proto::UserWanted all;
    all.set_all_sent(true);
    SendWanted(std::move(all));
  }
  return OkStatus();
}

Status StandbySide::WantUser(const UserId& user) {
  ASSIGN_OR_RETURN(const std::vector<proto::BodyRef> bodies, shared_.ports.sink->BodiesOf(user));
  proto::UserWanted wanted;
  wanted.set_user_id(std::string(user.bytes()));
  for (const proto::BodyRef& body : bodies) {
    *wanted.add_bodies() = body;
    if (static_cast<std::size_t>(wanted.bodies_size()) == limits::kBodyRefsPerMessage) {
      SendWanted(wanted);
      wanted.clear_bodies();
    }
  }
  wanted.set_last(true);
  SendWanted(std::move(wanted));
  return OkStatus();
}

void StandbySide::SendWanted(proto::UserWanted wanted) {
  proto::PeerMessage message;
  *message.mutable_user_wanted() = std::move(wanted);
  shared_.Send(std::move(message));
}

/// What this node accepted as primary and has no log of any more, so that no rewind could save it:
/// with the user's rows it would go. Only an unfinished rewind says that there may be such a thing.
Status StandbySide::SaveDoomed(UserId user) {
  if (!shared_.role->control().rewinding) {
    return OkStatus();
  }
  const EntryId last = shared_.ports.sink->last();
  TRY(salvage_.BeginRewind(last.epoch, last.seq.Next()));
  MailboxId mailbox;
  Uid uid;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<SalvageRecord> records,
                     shared_.ports.sink->ReadDoomed(user, mailbox, uid));
    if (records.empty()) {
      return salvage_.Sync();
    }
    for (const SalvageRecord& record : records) {
      TRY(Save(record, 0));
    }
    mailbox = records.back().mailbox;
    uid = records.back().uid;
  }
}

Result<bool> StandbySide::ApplyUnit(const proto::CatchUpUnit& unit) {
  if (unit.first() && unit.replace() && unit.only_mailbox().empty()) {
    TRY(SaveDoomed(UserId::FromBytes(unit.user_id())));
  }
  return shared_.ports.sink->ApplyUnit(unit);
}

void StandbySide::OnUnit(const proto::CatchUpUnit& unit) {
  const UserId user = UserId::FromBytes(unit.user_id());
  if (unit.first()) {
    whole_ = unit.replace() && unit.only_mailbox().empty();
    // Of a user who is to come whole, anything else that is still on its way is let pass.
    passing_ = !whole_ && awaited_.contains(user);
    if (whole_) {
      awaited_.erase(user);
    }
  }
  Status status = passing_ ? OkStatus() : TakeUnit(user, unit);
  if (unit.last() && whole_) {
    asked_.erase(user);
  }
  if (status.ok()) {
    status = AskForUsers();  // before UnitDone, so that the primary does not think it is over
  }
  if (!status.ok()) {
    shared_.Drop(status.Annotate("a catch-up unit of the primary cannot be applied"));
    return;
  }
  proto::PeerMessage message;
  message.mutable_unit_done()->set_number(unit.number());
  message.mutable_unit_done()->set_mismatch(passing_);
  message.mutable_unit_done()->set_user_id(unit.user_id());
  shared_.Send(std::move(message));
}

Status StandbySide::TakeUnit(const UserId& user, const proto::CatchUpUnit& unit) {
  const Result<bool> right = ApplyUnit(unit);
  if (right.ok() && right.value()) {
    return OkStatus();
  }
  if (!right.ok() && right.code() != Code::kDataLoss) {
    return right.status();
  }
  const std::string why = right.ok() ? "a digest after a catch-up differs from the primary's"
                                     : std::string(right.status().message());
  ++digest_mismatches_;
  shared_.observer.OnDigestMismatch(user, why);
  shared_.Log(Severity::kError, "user " + user.ToHex() + " is to be sent whole: " + why);
  if (++refills_[user] > limits::kUserRefillsMax) {
    return DataLoss("user " + user.ToHex() +
                    " differs from the primary even after it was sent whole: " + why);
  }
  passing_ = true;
  if (awaited_.insert(user).second) {
    wanted_.push_front(user);
  }
  return OkStatus();
}

// A repair that was cut short has dropped rows that nothing in the log speaks of: only comparing
// finds them. Their users are marked, and so have no digest.
Result<bool> StandbySide::AskForHalfReplaced() {
  if (compared_) {
    return false;
  }
  ASSIGN_OR_RETURN(const std::vector<proto::UserDigest> users, shared_.ports.sink->Users());
  if (std::ranges::none_of(users, [](const auto& user) { return user.digest().empty(); })) {
    return false;
  }
  proto::RepairWanted wanted;
  wanted.set_seq(shared_.ports.sink->last().seq.Next().value());
  wanted.set_reason("users were begun to be replaced and never were");
  wanted.set_compare(true);
  WantRepair(catch_up_->seq, std::move(wanted));
  catch_up_.reset();
  return true;
}

void StandbySide::OnCatchUpEnd(const proto::CatchUpEnd& end) {
  const EntryId target = core::FromProto(end.target());
  if (catch_up_ != target || !Follows()) {
    return;
  }
  const Result<bool> asked = AskForHalfReplaced();
  if (!asked.ok()) {
    shared_.Drop(asked.status().Annotate("the catch-up cannot be finished"));
    return;
  }
  if (*asked) {
    return;
  }
  if (Status status = shared_.ports.sink->FinishCatchUp(target); !status.ok()) {
    shared_.Drop(status.Annotate("the catch-up cannot be finished"));
    return;
  }
  catch_up_.reset();
  repair_wanted_ = false;
  refill_.clear();
  applier_.Reset(target);
  primed_ = true;
  AdoptHistory();
  shared_.role->Step(core::CatchUpFinished{shared_.role->control().epoch, target.seq});
}

}  // namespace twinspool::replica
