// The host of strings.
#include "tests/support/driven_session.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/limits.h"

namespace twinspool::testing {

void DrivenSession::Begin(const net::SessionFactory& factory) {
  session_ = factory(*this);
  session_->Start();
}

void DrivenSession::Send(std::string_view bytes) {
  TWINSPOOL_CHECK(session_ != nullptr, "send to a session that has ended");
  if (!closed_) {
    session_->Input(bytes);
  }
}

bool DrivenSession::RunOne() {
  if (posted_->empty()) {
    return false;
  }
  const std::function<void()> fn = std::move(posted_->front());
  posted_->pop_front();
  if (session_ != nullptr && !closed_) {
    fn();
  }
  return true;
}

bool DrivenSession::Run() {
  bool any = false;
  while (RunOne()) {
    any = true;
  }
  if (tls_wanted_) {
    tls_wanted_ = false;
    tls_.active = true;
    secure_enough_ = true;
    session_->OnTls();
    any = true;
  }
  return any;
}

void DrivenSession::PassTimeout() {
  if (!closed_) {
    session_->OnTimeout();
  }
}

void DrivenSession::PassDeadline() {
  if (!closed_ && deadline_ms_ > 0) {
    deadline_ms_ = 0;
    session_->OnDeadline();
  }
}

void DrivenSession::Shutdown(std::string_view reason) {
  if (!closed_) {
    session_->OnShutdown(reason);
  }
}

void DrivenSession::Drop() {
  session_.reset();
  closed_ = true;
}

net::Poster DrivenSession::poster() {
  return [weak = std::weak_ptr<Queue>(posted_)](std::function<void()> fn) {
    if (const std::shared_ptr<Queue> queue = weak.lock()) {
      queue->push_back(std::move(fn));
    }
  };
}

void DrivenSession::Write(std::string_view bytes) {
  TWINSPOOL_CHECK(!closed_, "the session writes after Close");
  ++writes_;
  output_ += bytes;
  if (slow_) {
    pending_ += bytes.size();
    pending_max_ = std::max(pending_max_, pending_);
    was_high_ = was_high_ || pending_ > limits::kOutputHighBytes;
  }
}

void DrivenSession::TakeOutput() {
  pending_ = 0;
  if (std::exchange(was_high_, false) && !closed_) {
    session_->OnDrained();
  }
}

void DrivenSession::StartTls() {
  output_ += kTlsMark;
  tls_wanted_ = true;
}

bool DrivenSession::StartCompression() {
  output_ += kCompressMark;
  compressed_ = true;
  return true;
}

void DrivenSession::Close() {
  closed_ = true;
  output_ += kCloseMark;
}

}  // namespace twinspool::testing
