#include "server/imap/load_budget.h"

#include <algorithm>
#include <utility>

namespace twinspool::imap {

void LoadBudget::Ask(std::uint64_t bytes, Done<PlacePtr> done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::min(bytes, bytes_max_), std::move(done)});
  }
  Serve();
}

void LoadBudget::GiveBack(std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    free_ += bytes;
  }
  Serve();
}

void LoadBudget::Serve() {
  std::unique_lock lock(mutex_);
  if (serving_) {
    // Somebody is at it, perhaps this thread further up: a place may be dropped by who gets it.
    return;
  }
  serving_ = true;
  while (!waiting_.empty() && waiting_.front().bytes <= free_) {
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    free_ -= next.bytes;
    lock.unlock();
    next.done(std::make_shared<const Place>(shared_from_this(), next.bytes));
    lock.lock();
  }
  serving_ = false;
}

}  // namespace twinspool::imap
