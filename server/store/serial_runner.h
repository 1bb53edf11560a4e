// SerialRunner: runs functions one at a time, in the order they were added, on the threads that add
// them, with no lock held. Completions of writes go through one, so that their order is kept.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace twinspool::store {

/// Thread-safe.
class SerialRunner {
 public:
  /// Adds and, unless another thread is running already (which then runs these as well), runs until
  /// nothing is left.
  void Run(std::vector<std::function<void()>> functions);
  /// Waits until everything added before has run (returns at once on the running thread).
  void WaitIdle();

 private:
  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<std::function<void()>> queue_;
  bool running_ = false;
  std::thread::id runner_;
};

}  // namespace twinspool::store
