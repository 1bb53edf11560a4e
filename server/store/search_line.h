// SearchLine: searches of all sessions take turns on the read pool, batch by batch, and never have
// all of its threads: a FETCH beside them waits for one batch at most.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "common/executor.h"
#include "common/fair_line.h"

namespace twinspool::store {

/// Thread-safe.
class SearchLine {
 public:
  /// Half of the pool's `threads`, but one at least. `pool` outlives this.
  SearchLine(Executor& pool, int threads, std::size_t waiting_max)
      : pool_(pool), at_once_(threads > 1 ? threads / 2 : 1), waiting_max_(waiting_max) {}

  /// False: too much waits already. `who` takes turns with others.
  [[nodiscard]] bool Post(const std::string& who, std::function<void()> batch);

 private:
  void RunOne();
  std::function<void()> Take();
  bool Finished();

  Executor& pool_;
  const int at_once_;
  const std::size_t waiting_max_;
  std::mutex mutex_;
  FairLine<std::function<void()>> line_;  // guarded by mutex_
  int running_ = 0;                       // guarded by mutex_
  std::size_t waiting_ = 0;               // in line_ or running; guarded by mutex_
};

}  // namespace twinspool::store
