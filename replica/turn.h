// Turn: a mutex that can be waited for with a bound, made of a plain mutex and a condition.
//
// std::timed_mutex would do, but the thread sanitizer does not see its timed lock, and a lock that
// cannot be checked is none. Works with std::lock_guard and std::unique_lock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace twinspool::replica {

/// See the head of this file. Not recursive; no order among those who wait.
class Turn {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return !taken_; });
    taken_ = true;
  }
  bool try_lock() {
    const std::lock_guard lock(mutex_);
    const bool got = !taken_;
    taken_ = true;
    return got;
  }
  template <typename Rep, typename Period>
  bool try_lock_for(const std::chrono::duration<Rep, Period>& most) {
    std::unique_lock lock(mutex_);
    if (!free_.wait_for(lock, most, [this] { return !taken_; })) {
      return false;
    }
    taken_ = true;
    return true;
  }
  void unlock() {
    {
      const std::lock_guard lock(mutex_);
      taken_ = false;
    }
    free_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;  // guarded by mutex_
};

}  // namespace twinspool::replica
