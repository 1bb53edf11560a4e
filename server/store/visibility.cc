#include "server/store/visibility.h"

#include <algorithm>

#include "common/limits.h"
#include "server/store/engine.h"

namespace twinspool::store {
namespace {

/// Marks kept for PeerHas; with more, every second goes: that only makes the answer more careful.
constexpr std::size_t kPeerMarksMax = 4096;

}  // namespace

Status VisibilityControl::AdmitPending(UserId user) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = pending_.find(user);
  if (pending_writes_ >= limits::kPendingWritesMax ||
      pending_bytes_ >= limits::kPendingWriteBytesMax ||
      (it != pending_.end() && it->second >= limits::kPendingWritesPerUserMax)) {
    return Unavailable("too many writes are waiting for the disk or the other node; try again");
  }
  return OkStatus();
}

void VisibilityControl::AddPending(UserId user, std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++pending_[user];
  ++pending_writes_;
  pending_bytes_ += bytes;
}

void VisibilityControl::ReleaseLocked(const DurableGroup& group) {
  for (const UserId user : group.users) {
    auto it = pending_.find(user);
    if (--it->second == 0) {
      pending_.erase(it);
    }
    --pending_writes_;
  }
  pending_bytes_ -= group.bytes;
}

void VisibilityControl::OnDurable(DurableGroup group) {
  for (const PageChange& change : group.pages) {
    changed_pages_.Note(change);
  }
  const CommitSeq seq = group.seq;
  bool acked = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    peer_marks_.emplace_back(seq, group.last_ticket);
    if (peer_marks_.size() > kPeerMarksMax) {
      std::deque<std::pair<CommitSeq, Ticket>> kept;
      for (std::size_t i = 1; i < peer_marks_.size(); i += 2) {
        kept.push_back(peer_marks_[i]);
      }
      peer_marks_ = std::move(kept);
    }
    unacked_.push_back(std::move(group));
    acked = acked_ >= seq;
  }
  if (acked) {
    AdvanceTo(seq);
  }
}

void VisibilityControl::Begin(DurableGroup base) {
  changed_pages_.Clear();
  grants_.Clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  live_ = true;
  acked_ = CommitSeq();
  peer_ticket_.reset();
  peer_marks_.clear();
  peer_marks_.emplace_back(base.seq, base.last_ticket);
  unacked_.clear();
  unacked_.push_back(std::move(base));
}

void VisibilityControl::End(const Status& why) {
  Functions functions;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    live_ = false;
    for (const DurableGroup& group : unacked_) {
      ReleaseLocked(group);
    }
    unacked_.clear();
    view_ = nullptr;
    peer_marks_.clear();
    peer_ticket_.reset();
    TakeWaitersLocked(Ticket(UINT64_MAX), why, &functions);
  }
  runner_.Run(std::move(functions));
  watchers_.WakeAll();
}

void VisibilityControl::TakeWaitersLocked(Ticket ticket, const Status& status, Functions* out) {
  const auto end = waiters_.upper_bound(ticket);
  for (auto it = waiters_.begin(); it != end; ++it) {
    out->push_back([done = std::move(it->second.done), status] { done(status); });
  }
  waiters_.erase(waiters_.begin(), end);
}

void VisibilityControl::AdvanceTo(CommitSeq seq) {
  Functions functions;
  CommitNews news;
  SnapshotPtr old;  // released outside the lock
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    acked_ = std::max(acked_, seq);
    std::shared_ptr<View> next;
    while (!unacked_.empty() && unacked_.front().seq <= seq) {
      DurableGroup& group = unacked_.front();
      next = std::make_shared<View>(View{std::move(group.snapshot), group.seq, group.last_ticket});
      news.Append(std::move(group.news));
      ReleaseLocked(group);
      unacked_.pop_front();
    }
    if (next == nullptr) {
      return;
    }
    if (view_ != nullptr) {
      old = view_->snapshot;
    }
    view_ = next;
    functions.push_back([this, news = std::move(news)] { watchers_.Wake(news); });
    TakeWaitersLocked(next->ticket, OkStatus(), &functions);
  }
  runner_.Run(std::move(functions));
}

void VisibilityControl::Refresh(SnapshotPtr snapshot) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!unacked_.empty()) {
    std::swap(unacked_.back().snapshot, snapshot);
  } else if (view_ != nullptr) {
    view_ = std::make_shared<View>(View{std::move(snapshot), view_->seq, view_->ticket});
  }
}

void VisibilityControl::PeerHas(CommitSeq seq) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!peer_marks_.empty() && peer_marks_.front().first <= seq) {
    peer_ticket_ = peer_marks_.front().second;
    peer_marks_.pop_front();
  }
}

std::optional<Ticket> VisibilityControl::peer_ticket() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return peer_ticket_;
}

void VisibilityControl::WhenAcked(Ticket ticket, std::function<void(Status)> done) {
  Functions functions;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (live_ && (view_ == nullptr || view_->ticket < ticket)) {
      waiters_.emplace(ticket, Waiter{clock_.Now().PlusMs(limits::kWriteHoldMs), std::move(done)});
      return;
    }
    const Status status = live_ ? OkStatus() : OutcomeUnknown("this node is not primary any more");
    functions.push_back([done = std::move(done), status] { done(status); });
  }
  runner_.Run(std::move(functions));
}

void VisibilityControl::Tick() {
  Functions functions;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Instant now = clock_.Now();
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      functions.push_back([done = std::move(it->second.done)] {
        done(OutcomeUnknown("the write was not acknowledged in time; it may or may not be kept"));
      });
      it = waiters_.erase(it);
    }
  }
  runner_.Run(std::move(functions));
}

std::shared_ptr<const View> VisibilityControl::view() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return view_;
}

std::size_t VisibilityControl::waiting() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return waiters_.size();
}

}  // namespace twinspool::store
