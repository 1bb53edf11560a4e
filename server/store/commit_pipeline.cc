#include "server/store/commit_pipeline.h"

#include <iterator>
#include <unordered_map>
#include <utility>

#include "common/executor.h"
#include "common/failed_write.h"
#include "common/limits.h"
#include "server/store/change_log.h"
#include "server/store/engine.h"
#include "server/store/frame.h"

namespace twinspool::store {
namespace {

/// Digests of a group: each object once where it was first touched, with its last value.
std::vector<DigestBytes> MergeDigests(
    const std::vector<std::pair<TouchedDigest, DigestBytes>>& touched) {
  TouchedOrder order;
  std::unordered_map<UserId, DigestBytes> users;
  std::unordered_map<MailboxId, DigestBytes> mailboxes;
  for (const auto& [object, digest] : touched) {
    order.Add(object);
    if (object.mailbox.nil()) {
      users[object.user] = digest;
    } else {
      mailboxes[object.mailbox] = digest;
    }
  }
  std::vector<DigestBytes> digests;
  for (const TouchedDigest& object : order.order()) {
    digests.push_back(object.mailbox.nil() ? users[object.user] : mailboxes[object.mailbox]);
  }
  return digests;
}

}  // namespace

std::size_t QueuedTxn::bytes() const {
  std::size_t total = rows.bytes() + outbox_items.size();
  for (const std::string& encoded : changes) {
    total += encoded.size();
  }
  return total;
}

CommitPipeline::CommitPipeline(Engine& engine, OutboxLog& log, HeadState& head,
                               VisibilityControl& visibility, Clock& clock)
    : engine_(engine), log_(log), head_(head), visibility_(visibility), clock_(clock) {}

CommitPipeline::~CommitPipeline() {
  Stop();
}

void CommitPipeline::SetFailureHandler(std::function<void(const Status&)> handler) {
  on_failure_ = std::move(handler);
}

void CommitPipeline::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void CommitPipeline::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void CommitPipeline::SetListener(replica::CommitListener* listener) {
  const std::lock_guard<std::mutex> lock(mutex_);
  listener_ = listener;
}

CommitSeq CommitPipeline::Restart(const replica::ServingState& state) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TWINSPOOL_CHECK(queue_.empty() && !busy_, "the log changes hands while writes are queued");
  last_ = EntryId{state.epoch, state.incarnation, log_.last().seq};
  keep_outbox_ = state.keep_outbox;
  return last_.seq;
}

Ticket CommitPipeline::Enqueue(QueuedTxn txn) {
  Ticket ticket;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ticket = Ticket(next_ticket_++);
    queue_.push_back({ticket, std::move(txn)});
  }
  work_.notify_one();
  return ticket;
}

Ticket CommitPipeline::last_ticket() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Ticket(next_ticket_ - 1);
}

void CommitPipeline::Drain() {
  TWINSPOOL_CHECK(std::this_thread::get_id() != thread_.get_id(),
                  "the commit thread would wait for itself");
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

bool CommitPipeline::idle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.empty() && !busy_;
}

void CommitPipeline::AtBarrier(std::function<void(EntryId)> fn) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    barriers_.push_back(std::move(fn));
  }
  work_.notify_one();
}

void CommitPipeline::Loop() {
  NameThisThread("commit");
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stop_ || !queue_.empty() || !barriers_.empty(); });
    if (queue_.empty() && barriers_.empty()) {
      return;
    }
    busy_ = true;
    if (!barriers_.empty()) {
      auto barriers = std::exchange(barriers_, {});
      const EntryId last = last_;
      lock.unlock();
      for (auto& barrier : barriers) {
        barrier(last);
      }
      lock.lock();
    }
    if (!queue_.empty()) {
      std::vector<Waiting> group = TakeGroupLocked();
      lock.unlock();
      if (!failed_) {
        Commit(std::move(group));
      }
      lock.lock();
    }
    busy_ = false;
    if (queue_.empty()) {
      idle_.notify_all();
    }
  }
}

std::vector<CommitPipeline::Waiting> CommitPipeline::TakeGroupLocked() {
  std::vector<Waiting> group;
  std::size_t bytes = 0;
  std::size_t items = 0;
  while (!queue_.empty()) {
    const QueuedTxn& next = queue_.front().txn;
    bytes += next.bytes();
    items += next.items;
    if (!group.empty() &&
        (bytes > limits::kCommitGroupBytesMax || items > limits::kCommitGroupItemsMax)) {
      break;
    }
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  last_.seq = last_.seq.Next();
  return group;
}

std::shared_ptr<const std::string> CommitPipeline::AddToLog(const std::vector<Waiting>& group,
                                                            RowBatch* rows) {
  if (!keep_outbox_) {
    log_.AddNumber(last_, rows);
    return nullptr;
  }
  FrameParts parts;
  parts.id = last_;
  parts.wall_ns = clock_.WallNs();
  std::string outbox_items;
  std::vector<std::pair<TouchedDigest, DigestBytes>> touched;
  for (const Waiting& waiting : group) {
    parts.changes.insert(parts.changes.end(), waiting.txn.changes.begin(),
                         waiting.txn.changes.end());
    outbox_items += waiting.txn.outbox_items;
    touched.insert(touched.end(), waiting.txn.digests.begin(), waiting.txn.digests.end());
  }
  parts.digests = MergeDigests(touched);
  parts.trim_upto = log_.low_water();
  auto frame = std::make_shared<const std::string>(EncodeFrame(parts));
  log_.AddEntry({last_, parts.wall_ns, frame->size()}, outbox_items, rows);
  return frame;
}

void CommitPipeline::Commit(std::vector<Waiting> group) {
  // last_, keep_outbox_ and listener_ change only while nothing is queued, so they stand still
  // here.
  DurableGroup durable;
  durable.seq = last_.seq;
  durable.last_ticket = group.back().ticket;
  RowBatch rows;
  for (Waiting& waiting : group) {
    durable.users.push_back(waiting.txn.user);
    durable.bytes += waiting.txn.bytes();
    durable.news.Append(std::move(waiting.txn.news));
    std::move(waiting.txn.pages.begin(), waiting.txn.pages.end(),
              std::back_inserter(durable.pages));
    rows.Append(std::move(waiting.txn.rows));
  }
  if (group.size() > 1) {
    rows.Coalesce();
  }
  const std::size_t before = rows.bytes();
  const std::shared_ptr<const std::string> frame = AddToLog(group, &rows);
  const std::size_t added = rows.bytes() - before;
  if (const Status written = engine_.Write(rows, WriteMode::kSync); !written.ok()) {
    if (!on_failure_) {
      EndAfterFailedWrite(written);
    }
    on_failure_(written);
    failed_ = true;
    visibility_.End(OutcomeUnknown("the disk failed"));
    return;
  }
  durable.snapshot = engine_.TakeSnapshot();
  log_.SetDurable(last_, keep_outbox_ ? added : 0,
                  keep_outbox_ ? std::nullopt : std::optional(last_.seq));
  head_.SetDurable(durable.last_ticket);
  visibility_.OnDurable(std::move(durable));
  if (listener_ != nullptr) {
    listener_->OnCommitted({last_, frame});
  }
}

}  // namespace twinspool::store
