#include "server/store/txn.h"

#include <algorithm>

#include "common/limits.h"
#include "server/store/commit_pipeline.h"
#include "server/store/visibility.h"

namespace twinspool::store {

StoreTxn::StoreTxn(const WritePath& path, UserId user, std::optional<UserId> other, Effort effort)
    : path_(path),
      effort_(effort),
      pass_(effort == Effort::kWait ? path.gate.Enter() : path.gate.TryEnter()),
      serving_(path.gate.state()),
      lock_(std::in_place, path.head, user, other, effort),
      edit_(*lock_),
      user_(user),
      now_ns_(path.clock.WallNs()),
      depends_on_(lock_->last_ticket()) {}

StoreTxn::~StoreTxn() = default;

Status StoreTxn::Admit(Admission admission) {
  if (!serving_->primary) {
    return Fenced("this node is not the primary of its pair; use the other node");
  }
  TRY(serving_->writes);
  TRY(path_.disk.Admit(admission));
  return path_.visibility.AdmitPending(user_);
}

Status StoreTxn::AdmitBeforeServing() {
  return serving_->primary ? OkStatus() : Fenced("this node is not the primary of its pair");
}

Result<Modseq> StoreTxn::NextModseq(UserId user) {
  ASSIGN_OR_RETURN(const HeadUser* head, edit_.User(user));
  std::uint64_t epoch = serving_->epoch.value();
  if (head->header != nullptr) {
    epoch += head->header->decoded.modseq_bias();
  }
  Modseq& last = modseqs_[user];
  const std::uint64_t floor = epoch << kModseqEpochShift | 1;
  last = Modseq(std::max({last.value() + 1, head->state.last_modseq.value() + 1, floor}));
  return last;
}

proto::ChangeItem* StoreTxn::Add(UserId user) {
  const auto it = std::find_if(changes_.begin(), changes_.end(), [&](const auto& changes) {
    return changes.user_id() == user.bytes();
  });
  if (it != changes_.end()) {
    return it->add_items();
  }
  changes_.emplace_back();
  changes_.back().set_user_id(std::string(user.bytes()));
  return changes_.back().add_items();
}

Status StoreTxn::CheckUidDistance(UserId owner, MailboxId id, std::uint64_t count) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, edit_.Mailbox(owner, id));
  const std::uint64_t next = mailbox->row.uid_next + count;
  if (next > UINT32_MAX) {
    return LimitExceeded("this mailbox has used up its message numbers; make a new one");
  }
  if (!serving_->limit_uid_distance) {
    // `single`: a peer that joins later is filled with all of it before it may give out UIDs.
    ASSIGN_OR_RETURN(HeadMailbox * changed, edit_.EditMailbox(owner, id));
    changed->row.uid_peer = static_cast<std::uint32_t>(next);
    return OkStatus();
  }
  std::uint32_t known = mailbox->row.uid_peer;
  const std::optional<Ticket> peer = path_.visibility.peer_ticket();
  if (peer && mailbox->last_append <= *peer) {
    known = mailbox->row.uid_next;
    if (known != mailbox->row.uid_peer) {
      ASSIGN_OR_RETURN(HeadMailbox * changed, edit_.EditMailbox(owner, id));
      changed->row.uid_peer = known;
    }
  }
  if (next > std::uint64_t{known} + limits::kUidJump) {
    return LimitExceeded(
        "too many messages were stored here since the other node was last seen; bring it back");
  }
  return OkStatus();
}

Status StoreTxn::ApplyAll(QueuedTxn* queued) {
  ApplyOptions options;
  options.now_s = now_s();
  options.outbox = serving_->keep_outbox;
  ApplyResult result;
  TouchedOrder order;
  for (const proto::UserChanges& changes : changes_) {
    TRY(Apply(changes, options, edit_, &result));
    order.Add(changes);
    queued->news.Add(changes);
    queued->changes.push_back(serving_->keep_outbox ? changes.SerializeAsString() : "");
  }
  for (const TouchedDigest& touched : order.order()) {
    ASSIGN_OR_RETURN(const DigestBytes digest, DigestOf(edit_, touched));
    queued->digests.emplace_back(touched, digest);
  }
  queued->outbox_items = std::move(result.outbox_items);
  queued->items = result.item_count;
  return OkStatus();
}

Result<Ticket> StoreTxn::Commit() {
  if (changes_.empty()) {
    lock_.reset();
    return depends_on_;
  }
  std::size_t bytes = 0;
  for (const proto::UserChanges& changes : changes_) {
    bytes += changes.ByteSizeLong();
  }
  if (bytes > limits::kTransactionBytesMax) {
    return LimitExceeded("this changes too much at once; do it in several steps");
  }
  QueuedTxn queued;
  queued.user = user_;
  TRY(ApplyAll(&queued));
  edit_.AppendRows(&queued.rows);
  queued.pages = edit_.PageChanges();
  const std::vector<UserId> granting = std::move(queued.news.granting);
  path_.visibility.AddPending(user_, queued.bytes());
  const Ticket ticket = path_.pipeline.Enqueue(std::move(queued));
  for (const UserId owner : granting) {
    path_.visibility.grants().NoteChange(owner, ticket);
  }
  edit_.Publish(ticket);
  lock_.reset();
  return ticket;
}

bool StoreTxn::CommitThen(std::function<void(Status)> done) {
  const Result<Ticket> ticket = Commit();
  if (ticket.ok()) {
    path_.visibility.WhenAcked(*ticket, std::move(done));
    return true;
  }
  lock_.reset();
  if (effort_ == Effort::kInMemory && ticket.status().Is(Code::kTimeout)) {
    return false;
  }
  done(ticket.status());
  return true;
}

void StoreTxn::RefuseThen(std::function<void(Status)> done) {
  lock_.reset();
  path_.visibility.WhenAcked(depends_on_, std::move(done));
}

}  // namespace twinspool::store
