#include "server/store/change_sink.h"

#include <algorithm>
#include <set>

#include "server/store/apply.h"
#include "server/store/engine.h"
#include "server/store/row_batch.h"
#include "server/store/row_view.h"

namespace twinspool::store {
namespace {

EntryId IdOf(const proto::Frame& frame) {
  return {Epoch(frame.epoch()), Incarnation(frame.incarnation()), CommitSeq(frame.seq())};
}

std::string Name(const TouchedDigest& touched) {
  return touched.mailbox.nil() ? "the own rows of user " + touched.user.ToHex()
                               : "mailbox " + touched.mailbox.ToHex();
}

/// Calls fn(user, item) for every change of these frames.
template <typename Fn>
void ForEachItem(const std::vector<const proto::Frame*>& frames, Fn&& fn) {
  for (const proto::Frame* frame : frames) {
    for (const proto::UserChanges& changes : frame->changes()) {
      const UserId user = UserId::FromBytes(changes.user_id());
      for (const proto::ChangeItem& item : changes.items()) {
        fn(user, item);
      }
    }
  }
}

/// What is to be replaced when these changes of the frame can't be applied to what is here.
replica::ApplyOutcome::Mismatch Unfit(const proto::Frame& frame, const proto::UserChanges& changes,
                                      const Status& why) {
  replica::ApplyOutcome::Mismatch mismatch;
  mismatch.seq = CommitSeq(frame.seq());
  mismatch.user = UserId::FromBytes(changes.user_id());
  mismatch.reason = std::string(why.message());
  TouchedOrder order;
  order.Add(changes);
  for (const TouchedDigest& touched : order.order()) {
    if (!touched.mailbox.nil()) {
      mismatch.mailboxes.push_back(touched.mailbox);
    }
  }
  return mismatch;
}

/// Compares what the frame says with what came out here.
Status CompareDigests(const proto::Frame& frame, HeadEdit& edit,
                      std::optional<replica::ApplyOutcome::Mismatch>* mismatch) {
  TouchedOrder order;
  for (const proto::UserChanges& changes : frame.changes()) {
    order.Add(changes);
  }
  const auto count = static_cast<std::size_t>(frame.digests_size());
  if (order.order().size() != count) {
    return DataLoss("frame " + std::to_string(frame.seq()) + " carries " + std::to_string(count) +
                    " digests for " + std::to_string(order.order().size()) + " objects");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const TouchedDigest& touched = order.order()[i];
    ASSIGN_OR_RETURN(const DigestBytes digest, DigestOf(edit, touched));
    if (digest.bytes() == frame.digests(static_cast<int>(i))) {
      continue;
    }
    if (!*mismatch) {
      mismatch->emplace();
      (*mismatch)->seq = CommitSeq(frame.seq());
      (*mismatch)->user = touched.user;
      (*mismatch)->reason = "digests differ of " + Name(touched);
    } else {
      (*mismatch)->reason += ", " + Name(touched);
    }
    if (!touched.mailbox.nil()) {
      (*mismatch)->mailboxes.push_back(touched.mailbox);
    }
  }
  return OkStatus();
}

/// The body that is complete with this item.
std::optional<BodyNo> WholeBodyOf(const proto::ChangeItem& item) {
  if (item.has_body() && !item.body().guid().empty()) {
    return BodyNo(item.body().body_no());
  }
  return item.has_copy_body() ? std::optional(BodyNo(item.copy_body().body_no())) : std::nullopt;
}

}  // namespace

StoreSink::StoreSink(Engine& engine, HeadState& head, OutboxLog& log, Clock& clock)
    : engine_(engine),
      head_(head),
      log_(log),
      clock_(clock),
      refill_(engine, head, clock),
      undo_(engine, head, log, clock) {}

void StoreSink::SetBodyListener(
    std::function<void(std::vector<std::pair<UserId, BodyNo>>)> listener) {
  body_listener_ = std::move(listener);
}

// --- frames

Result<std::vector<const proto::Frame*>> StoreSink::NewFrames(
    const std::vector<proto::Frame>& frames) {
  std::vector<const proto::Frame*> fresh;
  std::uint64_t next = log_.last().seq.value() + 1;
  for (const proto::Frame& frame : frames) {
    if (frame.seq() < next && fresh.empty()) {
      continue;  // Sent again after a lost connection.
    }
    if (frame.seq() != next) {
      return Conflict("frame " + std::to_string(frame.seq()) + " came where " +
                      std::to_string(next) + " should follow");
    }
    fresh.push_back(&frame);
    ++next;
  }
  return fresh;
}

Result<replica::ApplyOutcome> StoreSink::Apply(const std::vector<proto::Frame>& frames) {
  ASSIGN_OR_RETURN(std::vector<const proto::Frame*> fresh, NewFrames(frames));
  replica::ApplyOutcome outcome;
  outcome.last = log_.last();
  if (fresh.empty()) {
    return outcome;
  }
  ASSIGN_OR_RETURN(Run run, ApplyRun(fresh));
  if (!run.whole()) {
    // Nothing of the run was kept, since its changes can't be told apart any more: once more with
    // the good ones alone.
    fresh.resize(run.good);
    if (!fresh.empty()) {
      ASSIGN_OR_RETURN(const Run again, ApplyRun(fresh));
      if (!again.whole()) {
        return Internal("the same frames gave two different results");
      }
    }
  }
  TRY(run.error);
  TellBodies(fresh);
  outcome.last = log_.last();
  outcome.mismatch = std::move(run.mismatch);
  return outcome;
}

Result<StoreSink::Run> StoreSink::ApplyRun(const std::vector<const proto::Frame*>& frames) {
  std::set<UserId> users;
  for (const proto::Frame* frame : frames) {
    const std::vector<UserId> some = UsersOf(*frame);
    users.insert(some.begin(), some.end());
  }
  Run run;
  RowBatch batch;
  added_bytes_ = 0;
  const StripeLock lock(head_, std::vector<UserId>(users.begin(), users.end()));
  HeadEdit edit(lock);
  CommitSeq trim;
  for (const proto::Frame* frame : frames) {
    run.error = ApplyFrame(*frame, edit, &batch, &run);
    if (!run.whole()) {
      return run;
    }
    ++run.good;
    trim = std::max(trim, CommitSeq(frame->trim_upto()));
  }
  edit.AppendRows(&batch);
  // Only what was durable before this run is dropped with it; the rest waits for the next frame.
  ASSIGN_OR_RETURN(const std::optional<CommitSeq> low, log_.AddTrim(trim, &batch));
  batch.Coalesce();
  TRY(engine_.Write(batch, WriteMode::kSync));
  edit.Publish(Ticket(0));
  log_.SetDurable(IdOf(*frames.back()), added_bytes_, low);
  NoteBodies(frames);
  return run;
}

void StoreSink::NoteBodies(const std::vector<const proto::Frame*>& frames) {
  ForEachItem(frames, [&](UserId user, const proto::ChangeItem& item) {
    if (item.has_body()) {
      arriving_.Add(user, item.body());
    }
  });
}

Status StoreSink::ApplyFrame(const proto::Frame& frame, HeadEdit& edit, RowBatch* batch, Run* run) {
  ApplyOptions options;
  options.now_s = clock_.WallSeconds();
  options.from_peer = true;
  options.arriving = &arriving_;
  ApplyResult result;
  for (const proto::UserChanges& changes : frame.changes()) {
    const Status applied = store::Apply(changes, options, edit, &result);
    if (applied.Is(Code::kDataLoss)) {
      run->mismatch = Unfit(frame, changes, applied);
      return OkStatus();
    }
    if (!applied.ok()) {
      return applied.Annotate("frame " + std::to_string(frame.seq()));
    }
  }
  TRY(CompareDigests(frame, edit, &run->mismatch));
  EntryFacts facts;
  facts.id = IdOf(frame);
  facts.wall_ns = frame.wall_ns();
  facts.frame_bytes = frame.ByteSizeLong();
  log_.AddEntry(facts, result.outbox_items, batch);
  added_bytes_ += result.outbox_items.size();
  return OkStatus();
}

void StoreSink::TellBodies(const std::vector<const proto::Frame*>& frames) {
  std::vector<std::pair<UserId, BodyNo>> bodies;
  ForEachItem(frames, [&](UserId user, const proto::ChangeItem& item) {
    if (const std::optional<BodyNo> body = WholeBodyOf(item)) {
      bodies.emplace_back(user, *body);
    }
  });
  TellBodies(std::move(bodies));
}

void StoreSink::TellBodies(std::vector<std::pair<UserId, BodyNo>> bodies) {
  if (body_listener_ && !bodies.empty()) {
    body_listener_(std::move(bodies));
  }
}

// --- catch-up

Result<bool> StoreSink::ApplyUnit(const proto::CatchUpUnit& unit) {
  TRY(room_check_());
  arriving_.Clear();
  ASSIGN_OR_RETURN(const bool equal, refill_.ApplyUnit(unit));
  std::vector<std::pair<UserId, BodyNo>> bodies;
  for (const proto::ChangeItem& item : unit.items()) {
    if (const std::optional<BodyNo> body = WholeBodyOf(item)) {
      bodies.emplace_back(UserId::FromBytes(unit.user_id()), *body);
    }
  }
  TellBodies(std::move(bodies));
  return equal;
}

Result<std::vector<proto::UserDigest>> StoreSink::Users() {
  return RowView(engine_).UserDigests();
}

Result<std::vector<proto::BodyRef>> StoreSink::BodiesOf(UserId user) {
  return refill_.BodiesOf(user);
}

Result<std::vector<replica::SalvageRecord>> StoreSink::ReadDoomed(UserId user,
                                                                  MailboxId after_mailbox,
                                                                  Uid after_uid) {
  return undo_.ReadDoomed(user, after_mailbox, after_uid);
}

Status StoreSink::DropUser(UserId user, bool only_here) {
  arriving_.Clear();
  return refill_.DropUser(user, only_here);
}

Status StoreSink::FinishCatchUp(EntryId target) {
  RowBatch batch;
  log_.AddRestart(target, &batch);
  TRY(refill_.AddClearMarks(&batch));
  TRY(engine_.Write(batch, WriteMode::kSync));
  log_.SetEnds(target, target.seq);
  head_.Clear();
  return OkStatus();
}

// --- rewind

Result<std::vector<replica::SalvageRecord>> StoreSink::ReadForSalvage() {
  return undo_.ReadForSalvage();
}

Result<std::string> StoreSink::ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                               std::size_t length) {
  return undo_.ReadSalvageBody(user, body, offset, length);
}

Status StoreSink::UndoLast() {
  arriving_.Clear();
  return undo_.UndoLast();
}

Result<std::vector<UserId>> StoreSink::FinishRewind() {
  return undo_.FinishRewind();
}

Result<std::vector<proto::MailboxDigest>> StoreSink::MailboxDigests(MailboxId after,
                                                                    std::size_t limit) {
  return RowView(engine_).MailboxDigests(after, limit);
}

}  // namespace twinspool::store
