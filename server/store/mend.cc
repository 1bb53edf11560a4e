#include "server/store/mend.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/store/damage.h"
#include "server/store/engine.h"
#include "server/store/visibility.h"

namespace twinspool::store {
namespace {

ObjectView ViewOf(const ObjectParts& parts) {
  ObjectView view;
  view.exists = parts.exists();
  view.stored = parts.digest();
  for (const Part& part : parts.parts) {
    view.parts.push_back(
        {part.number, part.status.ok() ? std::optional(part.sum.digest.bytes()) : std::nullopt});
  }
  return view;
}

DigestBytes SumOf(const ObjectParts& parts) {
  Digest128 sum;
  for (const Part& part : parts.parts) {
    sum.Add(part.sum.digest);
  }
  return sum.bytes();
}

std::optional<DigestBytes> ToDigest(const std::string& bytes) {
  return bytes.empty() ? std::nullopt : std::optional(DigestBytes::FromBytes(bytes));
}

bool SameTotals(const UserState& a, const UserState& b) {
  return a.mailboxes == b.mailboxes && a.messages == b.messages && a.bytes == b.bytes;
}

/// Nothing of the object changed since it was read: every change moves its derived row, and those
/// on their way are known. Where that row cannot be read nobody can change anything.
Status Unchanged(const WritePath& path, const StripeLock& lock, const ObjectParts& own) {
  const Object& object = own.object;
  const Status changed = Conflict("it changes all the time");
  if (!path.head.Quiet(lock, object.user, object.mailbox)) {
    return changed;
  }
  const auto now = object.is_user()
                       ? path.engine.Get(Family::kUsers, UserStateKey(object.user))
                       : path.engine.Get(Family::kMailboxes, MailboxStateKey(object.mailbox));
  if (!now.ok()) {
    return IsDamage(now.status()) && own.state_row.empty() ? OkStatus() : changed;
  }
  return now->value_or("") == own.state_row ? OkStatus() : changed;
}

}  // namespace

Status WriteAlone(const WritePath& path, replica::ScrubHost& host,
                  const std::function<Status()>& write) {
  return host.Alone([&]() -> Status {
    TRY(path.disk.AdmitCopy());
    TRY(write());
    if (path.gate.state()->primary) {
      path.visibility.Refresh(path.engine.TakeSnapshot());
    }
    return OkStatus();
  });
}

Result<MendOutcome> Mender::Run() {
  for (int tries = 0; tries < limits::kMendTriesMax; ++tries) {
    if (tries > 0 && !host_.Wait(limits::kMendRetryMs)) {
      return Unavailable("the pass is to end");
    }
    ASSIGN_OR_RETURN(Ended ended, Try());
    if (ended) {
      return *std::move(ended);
    }
  }
  return MendOutcome{false, obstacle_};
}

Result<ObjectParts> Mender::Look(std::shared_ptr<const MailboxHeaderPart> header) const {
  const SnapshotPtr snapshot = path_.engine.TakeSnapshot();
  ReadPartsOptions options;
  options.header = std::move(header);
  options.late = TooLate(path_.clock);
  return ReadParts(RowView(path_.engine, snapshot.get()), object_, options);
}

Result<Mender::Ended> Mender::Try() {
  fetched_.clear();
  header_ = nullptr;
  ASSIGN_OR_RETURN(ObjectParts own, Look(nullptr));
  if (own.sound() || !own.exists()) {
    return Ended(MendOutcome{true, Told()});
  }
  if (own.whole() && SumOf(own) == own.digest()) {
    return FixCounters(own);
  }
  return Mend(std::move(own));
}

std::string Mender::Told() const {
  return written_.empty() ? "it was whole when it was read again" : written_;
}

/// What changed meanwhile is tried again.
Result<Mender::Ended> Mender::NotHealed(const Status& why) {
  obstacle_ = std::string(why.message());
  return why.Is(Code::kConflict) ? Ended() : Ended(MendOutcome{false, obstacle_});
}

// --- counters

Result<Mender::Ended> Mender::FixCounters(const ObjectParts& own) {
  if (object_.is_user() && !SameTotals(*own.user_counted, own.user)) {
    // They say how many mailboxes there should be: to write what is there would make the loss of
    // one final.
    if (const Status asked = AskDigests(); !asked.ok()) {
      return NotHealed(asked);
    }
    UserState theirs;
    theirs.mailboxes = head_.mailboxes();
    theirs.messages = head_.messages();
    theirs.bytes = head_.bytes();
    if (theirs_.stored != own.digest() || !SameTotals(*own.user_counted, theirs)) {
      obstacle_ = "the other node does not count what is here: a mailbox may be missing";
      return Ended();
    }
  }
  MendPlan plan;
  plan.agreed = *own.digest();
  return Carry(plan, own);
}

// --- rows

Status Mender::AskDigests() {
  proto::ObjectRequest request;
  request.set_user_id(std::string(object_.user.bytes()));
  request.set_mailbox_id(object_.is_user() ? "" : std::string(object_.mailbox.bytes()));
  const auto replies = host_.Ask(request);
  if (!replies.ok()) {
    return replies.status().Annotate("the other node cannot be asked");
  }
  theirs_ = ObjectView();
  for (const proto::ObjectReply& reply : *replies) {
    head_ = reply;
    theirs_.exists = reply.exists();
    theirs_.stored = ToDigest(reply.digest());
    for (const proto::PartDigest& part : reply.parts()) {
      theirs_.parts.push_back({part.part(), ToDigest(part.digest())});
    }
  }
  std::ranges::sort(theirs_.parts, {}, &PartView::number);
  return OkStatus();
}

Status Mender::FetchHeader(const ObjectParts& own) {
  const auto theirs = std::ranges::find(theirs_.parts, kHeaderPart, &PartView::number);
  const Part* mine = own.Find(kHeaderPart);
  if (object_.is_user() || theirs == theirs_.parts.end() || !theirs->digest ||
      (mine != nullptr && mine->status.ok() && mine->sum.digest.bytes() == *theirs->digest)) {
    return OkStatus();
  }
  TRY(Fetch({kHeaderPart}));
  header_ = fetched_.front().second.header;
  fetched_.clear();
  return OkStatus();
}

Result<Mender::Ended> Mender::Mend(ObjectParts own) {
  if (const Status asked = AskDigests(); !asked.ok()) {
    return NotHealed(asked);
  }
  if (const Status fetched = FetchHeader(own); !fetched.ok()) {
    return NotHealed(fetched);
  }
  if (header_ != nullptr) {
    ASSIGN_OR_RETURN(own, Look(header_));
  }
  header_ = own.header;
  const MendPlan plan = PlanMend(ViewOf(own), theirs_, host_.follows());
  switch (plan.step) {
    case MendPlan::Step::kGiveUp:
      return Ended(MendOutcome{false, plan.why});
    case MendPlan::Step::kWait:
      obstacle_ = theirs_.exists ? "the two nodes do not have the same state of it"
                                 : "the other node does not have it";
      return Ended();
    default:
      return Carry(plan, own);
  }
}

Result<Mender::Ended> Mender::Carry(const MendPlan& plan, const ObjectParts& own) {
  for (std::size_t from = 0; from < plan.take.size(); from += limits::kMendPartsPerRequest) {
    const std::size_t to = std::min(from + limits::kMendPartsPerRequest, plan.take.size());
    const Status fetched = Fetch({plan.take.begin() + static_cast<std::ptrdiff_t>(from),
                                  plan.take.begin() + static_cast<std::ptrdiff_t>(to)});
    if (!fetched.ok()) {
      return NotHealed(fetched);
    }
  }
  RowBatch rows;
  std::string names;
  for (const auto& [number, part] : fetched_) {
    rows.Append(part.rows);
    names += (names.empty() ? "" : ", ") + PartName(object_, number);
  }
  for (const std::uint32_t number : plan.drop) {
    DropPart(object_, number, &rows);
  }
  AddDerived(plan, own, &rows);
  const Status written = Write(own, rows);
  if (!written.ok()) {
    return NotHealed(written);
  }
  written_ = names.empty() ? "what is derived from its rows was made anew"
                           : "taken from the other node: " + names;
  return Ended();
}

Status Mender::Fetch(const std::vector<std::uint32_t>& parts) {
  proto::ObjectRequest request;
  request.set_user_id(std::string(object_.user.bytes()));
  request.set_mailbox_id(object_.is_user() ? "" : std::string(object_.mailbox.bytes()));
  request.mutable_parts()->Assign(parts.begin(), parts.end());
  const auto replies = host_.Ask(request);
  if (!replies.ok()) {
    return replies.status().Annotate("the other node cannot be asked");
  }
  return TakeContents(*replies, parts);
}

Status Mender::TakeContents(const std::vector<proto::ObjectReply>& replies,
                            const std::vector<std::uint32_t>& parts) {
  for (const std::uint32_t number : parts) {
    std::vector<proto::ObjectReply> contents;
    std::ranges::copy_if(replies, std::back_inserter(contents), [number](const auto& reply) {
      return reply.part() == number && (reply.items_size() > 0 || reply.pool_size() > 0);
    });
    const auto announced = std::ranges::find(theirs_.parts, number, &PartView::number);
    ASSIGN_OR_RETURN(PartRows rows, MakePartRows(object_, number, header_.get(), contents));
    if (announced == theirs_.parts.end() || rows.sum.digest.bytes() != announced->digest) {
      return Conflict("it changed on the other node meanwhile");
    }
    fetched_.emplace_back(number, std::move(rows));
  }
  return OkStatus();
}

// --- what is derived

std::vector<PartSum> Mender::SumsAfter(const MendPlan& plan, const ObjectParts& own) const {
  std::vector<PartSum> sums;
  for (const Part& part : own.parts) {
    const bool gone = std::ranges::find(plan.take, part.number) != plan.take.end() ||
                      std::ranges::find(plan.drop, part.number) != plan.drop.end();
    if (!gone) {
      sums.push_back(part.sum);
    }
  }
  for (const auto& [number, part] : fetched_) {
    sums.push_back(part.sum);
  }
  return sums;
}

void Mender::AddDerived(const MendPlan& plan, const ObjectParts& own, RowBatch* rows) const {
  object_.is_user() ? AddUserRow(plan, own, rows) : AddMailboxRow(plan, own, rows);
}

void Mender::AddMailboxRow(const MendPlan& plan, const ObjectParts& own, RowBatch* rows) const {
  MailboxRow row;
  if (own.mailbox_counted && plan.take.empty() && plan.drop.empty() && own.state.ok()) {
    row = *own.mailbox_counted;
  } else {
    row = HeaderCounts(*own.header);
    row.owner = object_.user;
    row.uid_peer = own.mailbox.uid_peer;
    row.purge_floor = own.state.ok() ? own.mailbox.purge_floor : Modseq(head_.purge_floor());
    row.uid_next = std::max(row.uid_next, own.state.ok() ? own.mailbox.uid_next : head_.uid_next());
    row.highest_modseq = std::max(row.highest_modseq, row.purge_floor);
    for (const PartSum& sum : SumsAfter(plan, own)) {
      AddCounts(sum.counts, &row);
    }
  }
  row.digest = plan.agreed;
  rows->Put(Family::kMailboxes, MailboxStateKey(object_.mailbox), EncodeMailboxRow(row));
}

void Mender::AddUserRow(const MendPlan& plan, const ObjectParts& own, RowBatch* rows) const {
  UserState state = own.user_counted.value_or(own.user);
  if (!own.state.ok()) {
    state.last_modseq = Modseq(head_.last_modseq());
    state.uid_validity = head_.uid_validity();
    state.mailboxes = head_.mailboxes();
    state.messages = head_.messages();
    state.bytes = head_.bytes();
  }
  state.subscriptions = 0;
  for (const PartSum& sum : SumsAfter(plan, own)) {
    state.subscriptions += sum.subscriptions;
  }
  state.digest = plan.agreed;
  rows->Put(Family::kUsers, UserStateKey(object_.user), EncodeUserState(state));
}

Status Mender::Write(const ObjectParts& own, const RowBatch& rows) {
  return WriteAlone(path_, host_, [&]() -> Status {
    const StripeLock lock(path_.head, object_.user);
    TRY(Unchanged(path_, lock, own));
    TRY(path_.engine.Write(rows, WriteMode::kSync));
    path_.head.Forget(lock, object_.user, object_.mailbox);
    return OkStatus();
  });
}

}  // namespace twinspool::store
