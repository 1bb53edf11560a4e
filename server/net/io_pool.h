// IoPool: the threads that move bytes, "net-0", "net-1", … Each runs one event loop, and a
// connection stays on one of them for life, so a session needs no lock.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace twinspool::net {

class IoThread;

/// Owns the threads. Listeners must be stopped (destroyed) before their pool is.
class IoPool {
 public:
  /// Starts `threads` (>= 1) threads.
  explicit IoPool(std::size_t threads);
  /// Stops and joins.
  ~IoPool();
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  std::size_t size() const { return threads_.size(); }
  /// For the folder's own files.
  const std::shared_ptr<IoThread>& thread(std::size_t index) const { return threads_[index]; }

 private:
  std::vector<std::shared_ptr<IoThread>> threads_;
};

}  // namespace twinspool::net
