// The primary's half of the conversation: brings a standby to the end of the log by the cheapest
// way that is right, then keeps it there.
//
// The ladder: rewind what the standby has too much; tail from the ring; coalesced catch-up through
// the outbox; comparing users by digest. A wrong digest on the standby leads to a repair, which is
// a catch-up that sends the named mailboxes first. No thread, lock or clock; whether anything may
// be sent at all is the role machine's word (MayShip).
#pragma once

#include <optional>
#include <utility>

#include "replica/catch_up_sender.h"
#include "replica/core/history.h"
#include "replica/core/shipper_core.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// See the head of this file.
class PrimarySide {
 public:
  explicit PrimarySide(Shared& shared)
      : shared_(shared), catch_up_(shared), shipper_(shared.options.shipper) {}

  void OnPrimaryBegins(CommitSeq log_end);
  void OnGroup(const CommittedGroup& group, Instant at);
  void OnPeerDurable(CommitSeq seq, Instant now);
  /// An ack that counts, also one that says nothing new.
  void OnAck(CommitSeq seq);

  /// The link is gone, or this node is not primary any more.
  void Reset();
  /// A reply that counts under this epoch: where the standby stands.
  void OnPeerFacts(const proto::Hello& hello, Instant now);
  void OnRewindDone(const proto::RewindDone& done, Instant now);
  void OnCatchUpReady(Instant now);
  void OnUserWanted(const proto::UserWanted& wanted, Instant now);
  void OnUnitDone(const proto::UnitDone& done, Instant now);
  void OnRepairWanted(const proto::RepairWanted& wanted, Instant now);

  /// A catch-up that sends these mailboxes anew and, if wanted, compares all users. False: no
  /// standby follows.
  bool ReplaceOnStandby(const std::vector<MailboxId>& mailboxes, bool compare, Instant now);

  /// Queues the next message, if there is one and the windows have room; true: perhaps more.
  bool Pump(Instant now);
  /// Whether Pump would do something.
  bool WantsToSend() const;
  /// About once per heartbeat: asks again, watches for a stall, trims the outbox.
  void OnTick(Instant now);

  /// `send` is queued after entry `seq` and before the next one; an earlier request is replaced.
  /// False when the standby does not follow live.
  bool HoldAt(CommitSeq seq, proto::PeerMessage send);

  enum class Phase { kIdle, kRewind, kCatchUp, kTail };
  Phase phase() const { return phase_; }
  const core::ShipperCore& shipper() const { return shipper_; }
  /// Units sent in the catch-up under way; how many there will be is not known beforehand.
  std::uint64_t catch_up_units() const;
  /// When a catch-up that rests for the clients' sake goes on.
  std::optional<Instant> next_unit_at() const {
    return phase_ == Phase::kCatchUp ? catch_up_.next_at() : std::nullopt;
  }
  /// When the standby last acknowledged something in this time as primary.
  std::optional<Instant> acked_at() const { return acked_at_; }

 private:
  void Align(Instant now);
  void AskForRewind(bool refill, Instant now);
  void Ladder(CommitSeq after, bool incomplete, Instant now);
  void BeginCatchUp(CatchUpPlan plan, const char* kind, Instant now);
  bool MayBringBack() const;
  void Enter(Phase phase, Instant now);
  bool InMyLog(const EntryId& last) const;
  std::optional<EntryId> Mine(CommitSeq seq) const;
  core::CommonPoint Common() const;
  void SendRewindTo();
  Result<bool> PumpTail();
  bool PumpCatchUp(Instant now);
  void Trim();

  Shared& shared_;
  CatchUpSender catch_up_;
  core::ShipperCore shipper_;
  Phase phase_ = Phase::kIdle;
  std::optional<proto::Hello> facts_;
  proto::RewindTo rewind_;
  /// A catch-up that waits until the arbiter lets this node go on alone, and its kind.
  std::optional<std::pair<CatchUpPlan, const char*>> waiting_;
  Instant progress_at_;
  std::optional<Instant> acked_at_;
  /// Target of a catch-up whose end was sent and is not acknowledged yet.
  std::optional<CommitSeq> ending_;
  std::optional<proto::PeerMessage> held_;
  CommitSeq hold_at_;
};

}  // namespace twinspool::replica
