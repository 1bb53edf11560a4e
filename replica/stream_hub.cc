#include "replica/stream_hub.h"

#include <utility>

namespace twinspool::replica {

void StreamHub::Start(LinkListener* listener) {
  const std::lock_guard lock(mutex_);
  listener_ = listener;
}

void StreamHub::CancelLocked(const Status& why) {
  if (current_ != nullptr) {
    why_ = why_.ok() ? why : why_;
    current_->Cancel();
  }
}

Status StreamHub::Serve(RawStream& stream) {
  std::uint64_t mine = 0;
  {
    const std::lock_guard lock(mutex_);
    if (listener_ == nullptr || stopped_) {
      return Unavailable("this node does not talk to its peer at the moment");
    }
    mine = ++generation_;
    CancelLocked(Unavailable("a newer connection of the peer replaces this one"));
  }
  const std::lock_guard turn(turn_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || mine != generation_) {
      return Unavailable("a newer connection of the peer replaces this one");
    }
    why_ = OkStatus();
    current_ = &stream;
  }
  listener_->OnLinkUp();
  proto::PeerMessage message;
  while (stream.Read(&message)) {
    listener_->OnMessage(std::move(message));
    message.Clear();
  }
  stream.Ended();
  Status why;
  {
    const std::lock_guard writer(write_mutex_);
    const std::lock_guard lock(mutex_);
    current_ = nullptr;
    why = why_.ok() ? Unavailable("the connection ended") : why_;
  }
  listener_->OnLinkDown(why);
  return why;
}

bool StreamHub::Send(const proto::PeerMessage& message) {
  const std::lock_guard writer(write_mutex_);
  RawStream* stream = nullptr;
  {
    const std::lock_guard lock(mutex_);
    stream = current_;
  }
  return stream != nullptr && stream->Write(message);
}

void StreamHub::Drop(const Status& why) {
  const std::lock_guard lock(mutex_);
  CancelLocked(why);
}

void StreamHub::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    CancelLocked(Unavailable("this node is stopping"));
  }
  const std::lock_guard turn(turn_mutex_);
}

bool StreamHub::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

}  // namespace twinspool::replica
