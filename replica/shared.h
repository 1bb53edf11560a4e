// What the parts of the conversation share: options, ports, the outgoing queue, and those who
// watch. Included by the parts of replica/ only.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/limits.h"
#include "common/types.h"
#include "replica/core/role.h"
#include "replica/core/shipper_core.h"
#include "replica/pair_status.h"
#include "replica/ports.h"

namespace twinspool::replica {

/// Version of the wire's vocabulary; a peer that speaks a newer one is refused by the older.
inline constexpr std::uint32_t kProtocolVersion = 1;
/// A node goes on talking to a peer of the version before its own, so that a pair can be updated
/// one node after the other. What the older one does not know is not said to it.
inline constexpr std::uint32_t kOldestProtocolVersion = 1;

/// Who this node is and how it paces itself. Fixed for a process.
struct ConversationOptions {
  core::Settings settings;
  PairId pair_id;
  NodeId node_id;
  std::string version;
  std::int64_t certificate_expires_ns = 0;  // of this node, for the pair; 0: it has none
  /// async: how long an answer waits for the standby (0: not at all).
  std::int64_t sync_wait_ms = 0;
  std::uint64_t outbox_bytes_max = limits::kOutboxBytesMax;
  core::ShipperLimits shipper = core::ShipperLimits::Default();
  std::size_t unit_window_bytes = limits::kSendWindowBytes;
  std::int64_t stall_ms = limits::kConversationStallMs;
};

enum class Severity { kInfo, kWarning, kError };

/// Is told what happens, for logs and metrics; calls come from inside the conversation and must not
/// call back. Texts hold no mail content.
class PairObserver {
 public:
  virtual ~PairObserver() = default;
  virtual void OnLog(Severity severity, const std::string& text) = 0;
  virtual void OnTransition(const core::Transition& transition) = 0;
  /// A frame or unit led to another digest than the primary's.
  virtual void OnDigestMismatch(UserId user, const std::string& reason) = 0;
  /// kind: "coalesced", "compare", "repair", "rewind".
  virtual void OnCatchUp(const std::string& kind) = 0;
  /// The standby has durably what was committed here `ns` nanoseconds ago: the lag of the oldest
  /// entry that an acknowledgement covers.
  virtual void OnAcknowledged(std::int64_t /*ns*/) {}
  // The search for damage tells on its own thread.
  /// So many more were read.
  virtual void OnScrubbed(std::uint64_t /*mailboxes*/, std::uint64_t /*bodies*/) {}
  virtual void OnDamage(const proto::Damage& /*damage*/) {}
  /// A pass is over; not OK: it was cut short.
  virtual void OnScrubPass(const Status& /*ended*/, const ScrubStatus& /*status*/) {}
};

/// Where the conversation puts what the other node says to the search for damage. Never blocks.
class ScrubInbox {
 public:
  virtual ~ScrubInbox() = default;
  virtual void OnScrubMessage(const proto::PeerMessage& message) = 0;
  virtual void OnPeerGone() = 0;
};

/// A third party that keeps one value of the pair and changes it by compare-and-swap alone.
class Arbiter {
 public:
  virtual ~Arbiter() = default;
  /// Called inside the conversation; never blocks. What comes of it reaches Conversation::OnArbiter
  /// later, or never; and it may be carried out late, also after nobody waits for it any more.
  virtual void Ask(const core::AskArbiter& question) = 0;
};

/// Messages on their way to the link, in order.
class Outgoing {
 public:
  void Push(proto::PeerMessage message) { queue_.push_back(std::move(message)); }
  bool empty() const { return queue_.empty(); }
  proto::PeerMessage Pop() {
    proto::PeerMessage message = std::move(queue_.front());
    queue_.pop_front();
    return message;
  }
  void Clear() { queue_.clear(); }

 private:
  std::deque<proto::PeerMessage> queue_;
};

/// Runs a closure inside the conversation, later. Safe from any thread.
using Post = std::function<void(std::function<void()>)>;

/// Runs work that may take long elsewhere, soon, one after the other. False: it was not taken. Safe
/// from any thread.
using Background = std::function<bool(std::function<void()>)>;

class RoleDriver;

/// References that every part holds. Outlived by the conversation that owns it.
struct Shared {
  ConversationOptions options;
  StorePorts ports;
  Clock& clock;
  PairObserver& observer;
  Post post;
  Background background;
  Arbiter* arbiter = nullptr;  // with core::Settings::arbiter
  RoleDriver* role = nullptr;
  Outgoing out = {};
  /// Set by whoever finds the stream not worth going on with; the conversation then drops it.
  Status drop = {};

  /// Adds the envelope and queues the message.
  void Send(proto::PeerMessage message);
  void Log(Severity severity, const std::string& text) const { observer.OnLog(severity, text); }
  /// The stream cannot go on: it is dropped, and begun anew by the link.
  void Drop(const Status& why);
};

}  // namespace twinspool::replica
