// One end of the pair's stream, whoever dialled: the present connection, its writer and its reader.
//
// A newer connection replaces an older one: the older is cancelled, and only when its reader has
// said OnLinkDown does the newer one begin. Nothing of gRPC is visible here.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "replica/ports.h"

namespace twinspool::replica {

/// A connection as grpc_link sees it. Read and Write may run side by side; Cancel ends both, from
/// any thread.
class RawStream {
 public:
  virtual ~RawStream() = default;
  virtual bool Read(proto::PeerMessage* message) = 0;
  virtual bool Write(const proto::PeerMessage& message) = 0;
  virtual void Cancel() = 0;
  /// Read has ended by itself: Write must not wait any more.
  virtual void Ended() = 0;
};

/// See the head of this file. Thread-safe.
class StreamHub {
 public:
  void Start(LinkListener* listener);
  /// Reads `stream` to its end on this thread, calling the listener. Answers why it ended;
  /// kUnavailable at once when nobody has started the hub, it was stopped, or a newer stream came.
  Status Serve(RawStream& stream);
  bool Send(const proto::PeerMessage& message);
  void Drop(const Status& why);
  /// Cancels the stream and waits until its reader has left the listener.
  void Stop();
  bool stopped() const;

 private:
  void CancelLocked(const Status& why);

  std::mutex turn_mutex_;   // held by the one reader
  std::mutex write_mutex_;  // held by the one writer
  mutable std::mutex mutex_;
  LinkListener* listener_ = nullptr;  // guarded by mutex_, as all that follows
  RawStream* current_ = nullptr;
  Status why_;
  std::uint64_t generation_ = 0;
  bool stopped_ = false;
};

}  // namespace twinspool::replica
