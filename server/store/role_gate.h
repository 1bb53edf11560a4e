// RoleGate: what this node may do now, and the door that every write passes through. A change of
// role closes the door, waits until nobody is inside, and opens it with the new state; so no
// transaction ever runs partly under one epoch and partly under another.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

#include "replica/ports.h"

namespace twinspool::store {

using ServingPtr = std::shared_ptr<const replica::ServingState>;

/// Thread-safe.
class RoleGate {
 public:
  RoleGate() : state_(std::make_shared<replica::ServingState>()) {}

  /// Being inside; short, and never while waiting for a sync or a peer.
  class Pass {
   public:
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    Pass(Pass&& other) noexcept : gate_(other.gate_) { other.gate_ = nullptr; }
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) {
        gate_->Leave();
      }
    }

   private:
    friend class RoleGate;
    explicit Pass(RoleGate* gate) : gate_(gate) {}
    RoleGate* gate_;
  };
  /// Waits while the gate is closed.
  Pass Enter();
  /// Nothing while the gate is closed.
  std::optional<Pass> TryEnter();

  ServingPtr state() const;
  /// Publishes without closing: for what does not matter to transactions under way (reads, writes).
  void Set(const replica::ServingState& state);
  /// Returns once nobody is inside; nobody gets in before Open. Not from inside.
  void Close();
  void Open(const replica::ServingState& state);

 private:
  void Leave();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ServingPtr state_;
  std::size_t inside_ = 0;
  bool closed_ = false;
};

}  // namespace twinspool::store
