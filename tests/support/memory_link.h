// The two ends of a link in memory, with a reading thread each; tests connect and cut it.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "replica/ports.h"

namespace twinspool::test {

/// Both ends. Connect and Cut from any thread; messages that a cut meets are lost.
class MemoryLink {
 public:
  MemoryLink();
  ~MemoryLink();
  MemoryLink(const MemoryLink&) = delete;
  MemoryLink& operator=(const MemoryLink&) = delete;

  replica::PeerLink& end(int index);
  /// Takes effect when both ends are started.
  void Connect();
  void Cut();
  /// While true, frames are lost on their way and everything else arrives.
  void LoseFrames(bool lose);

 private:
  struct Event {
    enum class Kind { kUp, kDown, kMessage } kind;
    proto::PeerMessage message;
  };
  class End;
  void PushBoth(Event::Kind kind);
  void MaybeUp();

  std::mutex mutex_;
  bool wanted_ = false;       // guarded by mutex_
  bool connected_ = false;    // guarded by mutex_
  bool lose_frames_ = false;  // guarded by mutex_
  std::unique_ptr<End> ends_[2];
};

}  // namespace twinspool::test
