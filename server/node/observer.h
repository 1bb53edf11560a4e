// NodeObserver: turns what happens between the nodes into log lines, metrics, and the goodbye to
// clients when this node is no longer primary.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "common/env.h"
#include "common/metrics.h"
#include "replica/shared.h"
#include "server/node/control.h"

namespace twinspool::node {

/// Called from inside the conversation, and of the scrub's thread: never calls back, never blocks.
class NodeObserver final : public replica::PairObserver {
 public:
  /// `on_primary_lost` runs when this node stops being primary; it must not block. References
  /// outlive this object.
  NodeObserver(Metrics& metrics, NodeControl& control, Clock& clock,
               std::function<void()> on_primary_lost);

  void OnLog(replica::Severity severity, const std::string& text) override;
  void OnTransition(const replica::core::Transition& transition) override;
  void OnDigestMismatch(UserId user, const std::string& reason) override;
  void OnCatchUp(const std::string& kind) override;
  void OnAcknowledged(std::int64_t ns) override;
  void OnScrubbed(std::uint64_t mailboxes, std::uint64_t bodies) override;
  void OnDamage(const proto::Damage& damage) override;
  void OnScrubPass(const twinspool::Status& ended, const replica::ScrubStatus& status) override;

 private:
  Metrics& metrics_;
  NodeControl& control_;
  Clock& clock_;
  const std::function<void()> on_primary_lost_;
  Counter& mismatches_;
  Counter& mailboxes_read_;
  Counter& bodies_read_;
  Counter& passes_;
  Counter& healed_;
  Histogram& lag_;
};

}  // namespace twinspool::node
