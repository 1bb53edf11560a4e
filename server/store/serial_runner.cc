#include "server/store/serial_runner.h"

#include <utility>

namespace twinspool::store {

void SerialRunner::Run(std::vector<std::function<void()>> functions) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (auto& function : functions) {
    queue_.push_back(std::move(function));
  }
  if (running_) {
    return;
  }
  running_ = true;
  runner_ = std::this_thread::get_id();
  while (!queue_.empty()) {
    std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    next();
    next = nullptr;  // what it holds goes before the lock is taken again
    lock.lock();
  }
  running_ = false;
  runner_ = {};
  idle_.notify_all();
}

void SerialRunner::WaitIdle() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (runner_ == std::this_thread::get_id()) {
    return;
  }
  idle_.wait(lock, [this] { return !running_; });
}

}  // namespace twinspool::store
