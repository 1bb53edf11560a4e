#include "tests/support/memory_link.h"

#include <utility>

namespace twinspool::test {

/// One end: a queue of what happens to it, and the thread that tells the listener.
class MemoryLink::End : public replica::PeerLink {
 public:
  End(MemoryLink* link, int index) : link_(link), index_(index) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() override { End::Stop(); }

  void Start(replica::LinkListener* listener) override {
    {
      const std::lock_guard lock(link_->mutex_);
      listener_ = listener;
      const std::lock_guard queue(mutex_);
      queue_.clear();
      stop_ = false;
    }
    thread_ = std::thread([this] { Read(); });
    const std::lock_guard lock(link_->mutex_);
    link_->MaybeUp();
  }
  bool Send(const proto::PeerMessage& message) override {
    const std::lock_guard lock(link_->mutex_);
    if (!link_->connected_) {
      return false;
    }
    if (!link_->lose_frames_ || !message.has_frame_part()) {
      link_->ends_[1 - index_]->Push({Event::Kind::kMessage, message});
    }
    return true;
  }
  void Drop(const Status& /*why*/) override {
    link_->Cut();
    link_->Connect();
  }
  void Stop() override {
    {
      const std::lock_guard lock(link_->mutex_);
      if (link_->connected_) {
        link_->connected_ = false;
        link_->PushBoth(Event::Kind::kDown);
      }
      listener_ = nullptr;
    }
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  std::string last_error() const override { return ""; }

  bool started() const { return listener_ != nullptr; }
  void Push(Event event) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(event));
    }
    changed_.notify_all();
  }

 private:
  void Read() {
    replica::LinkListener* listener = nullptr;
    {
      const std::lock_guard lock(link_->mutex_);
      listener = listener_;
    }
    while (true) {
      Event event;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (stop_ || listener == nullptr) {
          return;
        }
        event = std::move(queue_.front());
        queue_.pop_front();
      }
      switch (event.kind) {
        case Event::Kind::kUp:
          listener->OnLinkUp();
          break;
        case Event::Kind::kDown:
          listener->OnLinkDown(IoError("cut"));
          break;
        case Event::Kind::kMessage:
          listener->OnMessage(std::move(event.message));
          break;
      }
    }
  }

  MemoryLink* link_;
  const int index_;
  replica::LinkListener* listener_ = nullptr;  // guarded by link_->mutex_
  std::mutex mutex_;                           // after link_->mutex_
  std::condition_variable changed_;
  std::deque<Event> queue_;  // guarded by mutex_
  bool stop_ = false;        // guarded by mutex_
  std::thread thread_;
};

MemoryLink::MemoryLink() : ends_{std::make_unique<End>(this, 0), std::make_unique<End>(this, 1)} {}

MemoryLink::~MemoryLink() {
  for (const auto& made : ends_) {
    made->Stop();
  }
}

replica::PeerLink& MemoryLink::end(int index) {
  return *ends_[index];
}

void MemoryLink::PushBoth(Event::Kind kind) {
  for (const auto& made : ends_) {
    made->Push({kind, {}});
  }
}

void MemoryLink::MaybeUp() {
  if (wanted_ && !connected_ && ends_[0]->started() && ends_[1]->started()) {
    connected_ = true;
    PushBoth(Event::Kind::kUp);
  }
}

void MemoryLink::Connect() {
  const std::lock_guard lock(mutex_);
  wanted_ = true;
  MaybeUp();
}

void MemoryLink::LoseFrames(bool lose) {
  const std::lock_guard lock(mutex_);
  lose_frames_ = lose;
}

void MemoryLink::Cut() {
  const std::lock_guard lock(mutex_);
  wanted_ = false;
  if (connected_) {
    connected_ = false;
    PushBoth(Event::Kind::kDown);
  }
}

}  // namespace twinspool::test
