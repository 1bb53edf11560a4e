// ServingControl: the store's side of the pair's decisions (replica::Visibility). Puts together
// what a change of role means: close the gate, write what is queued, end the old time, begin the
// new one.
#pragma once

#include <mutex>

#include "replica/ports.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// Thread-safe. SetServing waits for the commit thread and for completions: not to be called from
/// OnCommitted, from a completion, or while holding a lock that those take.
class ServingControl final : public replica::Visibility {
 public:
  explicit ServingControl(const WritePath& path) : path_(path) {}

  void AdvanceTo(CommitSeq seq) override;
  void PeerHas(CommitSeq seq) override;
  void SetServing(const replica::ServingState& state) override;
  void SetPeerFreeBytes(std::uint64_t bytes) override;
  std::uint64_t FreeBytes() override;

 private:
  const WritePath& path_;
  std::mutex mutex_;  // one change at a time
};

}  // namespace twinspool::store
