// A named pool of worker threads with a bounded queue.
//
// Used for work that may touch the disk (store) or take long by design (password hashing), so that
// the threads that move bytes never wait. Tasks must not block on a peer. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace twinspool {

class Executor {
 public:
  /// `name` (at most 12 characters) names the threads "name-0", "name-1", …
  Executor(std::string name, int threads, std::size_t queue_max);
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor();

  /// False when the queue is full or the pool has stopped: the task was not taken.
  [[nodiscard]] bool TryPost(std::function<void()> task);
  /// Runs what is queued, then joins. Idempotent.
  void Stop();
  std::size_t queued() const;

 private:
  void Run(int index);

  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

/// Names the calling thread for debuggers and top (15 characters are kept).
void NameThisThread(const std::string& name);

}  // namespace twinspool
