// LoadBudget: how many octets of large messages may be held whole at once, all sessions together.
//
// Most of what sessions read comes in small batches. What needs a large message as a whole
// (whether its text holds a word) first asks for a place here, waits in line, and gives the place
// back with the octets. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "common/limits.h"
#include "server/mail_store.h"

namespace twinspool::imap {

class LoadBudget : public std::enable_shared_from_this<LoadBudget> {
 public:
  /// Room for a load, given back when the last holder lets go.
  class Place {
   public:
    Place(std::shared_ptr<LoadBudget> budget, std::uint64_t bytes)
        : budget_(std::move(budget)), bytes_(bytes) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { budget_->GiveBack(bytes_); }

   private:
    const std::shared_ptr<LoadBudget> budget_;
    const std::uint64_t bytes_;
  };
  using PlacePtr = std::shared_ptr<const Place>;

  explicit LoadBudget(std::uint64_t bytes = limits::kLargeLoadBytes)
      : bytes_max_(bytes), free_(bytes) {}

  /// Calls `done` with a place for `bytes` (more than the whole budget counts as all of it), in the
  /// order of asking: at once, or later on the thread that gives back. It always succeeds; whoever
  /// has lost interest drops the place.
  void Ask(std::uint64_t bytes, Done<PlacePtr> done);

 private:
  struct Waiting {
    std::uint64_t bytes = 0;
    Done<PlacePtr> done;
  };

  void GiveBack(std::uint64_t bytes);
  void Serve();

  const std::uint64_t bytes_max_;
  std::mutex mutex_;
  std::uint64_t free_;           // guarded by mutex_
  bool serving_ = false;         // guarded by mutex_
  std::deque<Waiting> waiting_;  // guarded by mutex_
};

}  // namespace twinspool::imap
