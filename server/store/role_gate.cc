#include "server/store/role_gate.h"

namespace twinspool::store {

RoleGate::Pass RoleGate::Enter() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return !closed_; });
  ++inside_;
  return Pass(this);
}

std::optional<RoleGate::Pass> RoleGate::TryEnter() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) {
    return std::nullopt;
  }
  ++inside_;
  return Pass(this);
}

void RoleGate::Leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--inside_ == 0 && closed_) {
    changed_.notify_all();
  }
}

ServingPtr RoleGate::state() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return state_;
}

void RoleGate::Set(const replica::ServingState& state) {
  auto next = std::make_shared<const replica::ServingState>(state);
  const std::lock_guard<std::mutex> lock(mutex_);
  state_ = std::move(next);
}

void RoleGate::Close() {
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  changed_.wait(lock, [this] { return inside_ == 0; });
}

void RoleGate::Open(const replica::ServingState& state) {
  Set(state);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = false;
  }
  changed_.notify_all();
}

}  // namespace twinspool::store
