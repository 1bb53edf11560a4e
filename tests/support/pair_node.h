// A running node for tests: a Pair with its threads over a store in memory.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/env.h"
#include "replica/pair.h"
#include "tests/support/memory_ports.h"

namespace twinspool::test {

/// The control file in memory; keeps what the last Save said. Thread-safe.
class RamControl : public replica::ControlStore {
 public:
  Status Save(const replica::core::Control& control,
              const replica::core::EpochHistory& history) override {
    const std::lock_guard lock(mutex_);
    control_ = control;
    history_ = history;
    return OkStatus();
  }
  replica::core::Control control() const {
    const std::lock_guard lock(mutex_);
    return control_;
  }
  replica::core::EpochHistory history() const {
    const std::lock_guard lock(mutex_);
    return history_;
  }

 private:
  mutable std::mutex mutex_;
  replica::core::Control control_;
  replica::core::EpochHistory history_;
};

/// Forgets what it is told.
class QuietObserver : public replica::PairObserver {
 public:
  void OnLog(replica::Severity, const std::string&) override {}
  void OnTransition(const replica::core::Transition&) override {}
  void OnDigestMismatch(UserId, const std::string&) override {}
  void OnCatchUp(const std::string&) override {}
};

/// See the head of this file.
class PairNode {
 public:
  PairNode(int index, std::filesystem::path dir,
           replica::core::Mode mode = replica::core::Mode::kAvailable);
  PairNode(const PairNode&) = delete;
  PairNode& operator=(const PairNode&) = delete;
  ~PairNode() { Stop(); }

  /// A process that begins with what control and store hold.
  void Start();
  /// The process is gone at once.
  void Stop();
  void Connect(replica::PeerLink& link) {
    pair().Connect({options.pair_id, options.settings.node_index}, link);
  }
  replica::Pair& pair() { return *pair_; }

  /// Writes one change and waits for its ack; false when it is refused or its outcome unknown.
  bool Write(const std::string& key);
  bool Append(const std::string& octets);
  /// Waits for a role; a standby counts once it is eligible, a primary once it takes writes.
  bool WaitFor(replica::core::Role role, std::int64_t timeout_ms = 20'000);
  replica::OrderResult Run(const decltype(replica::core::Order::what)& what,
                           std::int64_t timeout_ms = 10'000) {
    return pair().Run({what, Epoch(), "test"}, timeout_ms);
  }

  replica::ConversationOptions options;
  replica::ScrubStore* scrub = nullptr;  // who searches; null: nobody
  replica::core::ScrubSettings scrub_settings;
  std::function<void(replica::StorePorts*)> adjust_ports;  // before each start
  MemoryStore store;
  RamControl control;

 private:
  std::filesystem::path dir_;
  QuietObserver observer_;
  std::unique_ptr<replica::Pair> pair_;
};

/// Control states of a pair that was just joined: node 0 is primary, node 1 is to be filled.
void MakeJoined(PairNode* first, PairNode* second);

}  // namespace twinspool::test
