#include "server/store/search_line.h"

#include <utility>

namespace twinspool::store {

bool SearchLine::Post(const std::string& who, std::function<void()> batch) {
  const std::lock_guard lock(mutex_);
  if (waiting_ >= waiting_max_) {
    return false;
  }
  if (running_ < at_once_) {
    if (!pool_.TryPost([this] { RunOne(); })) {
      return false;
    }
    ++running_;
  }
  line_.Push(who, std::move(batch));
  ++waiting_;
  return true;
}

std::function<void()> SearchLine::Take() {
  const std::lock_guard lock(mutex_);
  return *line_.Pop();
}

/// Runs the batch whose turn it is; the next one waits behind what else the pool has to do.
void SearchLine::RunOne() {
  do {
    Take()();
    if (Finished()) {
      return;
    }
  } while (!pool_.TryPost([this] { RunOne(); }));
}

/// Takes the batch that ran out of the books; true when no other waits.
bool SearchLine::Finished() {
  const std::lock_guard lock(mutex_);
  --waiting_;
  // Those that others are running still count as waiting.
  if (waiting_ >= static_cast<std::size_t>(running_)) {
    return false;
  }
  --running_;
  return true;
}

}  // namespace twinspool::store
