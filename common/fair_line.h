// FairLine: things that wait, handed out in turns by key, so that whoever brings two hundred of
// them holds nobody else up by more than one.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace twinspool {

/// Unbounded: the caller counts what it lets in. Thread-safe.
template <typename T>
class FairLine {
 public:
  /// `item` goes to the end of its key's queue; a key that had nothing waiting goes last in turn.
  void Push(const std::string& key, T item) {
    const std::lock_guard lock(mutex_);
    std::deque<T>& queue = waiting_[key];
    if (queue.empty()) {
      turns_.push_back(key);
    }
    queue.push_back(std::move(item));
  }

  /// The oldest item of the key whose turn it is; nothing when nothing waits.
  std::optional<T> Pop() {
    const std::lock_guard lock(mutex_);
    if (turns_.empty()) {
      return std::nullopt;
    }
    const std::string key = std::move(turns_.front());
    turns_.pop_front();
    const auto found = waiting_.find(key);
    T item = std::move(found->second.front());
    found->second.pop_front();
    if (found->second.empty()) {
      waiting_.erase(found);
    } else {
      turns_.push_back(key);
    }
    return item;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::deque<T>> waiting_;  // no queue is empty; guarded by mutex_
  std::deque<std::string> turns_;  // the keys of waiting_, each once; guarded by mutex_
};

}  // namespace twinspool
