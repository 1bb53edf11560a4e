// What a primary sends next: frames from memory, and how far it may run ahead of the acks.
//
// Pure: no thread, lock, clock or I/O; its owner (replica/conversation.h) serialises calls. It
// knows nothing of roles and of catch-up: it only says when a position has left the ring, and the
// conversation then climbs down the ladder (coalesced catch-up, comparing).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "common/types.h"

namespace twinspool::replica::core {

/// Sizes that tests make small.
struct ShipperLimits {
  std::size_t ring_bytes;
  std::size_t window_bytes;
  /// limits::kRingBytes and limits::kSendWindowBytes.
  static ShipperLimits Default();
};

/// The ring of durable frames, the cursor in it, and the send window.
class ShipperCore {
 public:
  explicit ShipperCore(ShipperLimits limits = ShipperLimits::Default()) : limits_(limits) {}

  /// A new time as primary begins with a log that ends at `last`; the ring is empty and nothing is
  /// known of the peer, so what the log holds counts as unacked since `now`.
  void Reset(CommitSeq last, Instant now = Instant());

  /// The next durable group, contiguous with the one before; a gap empties the ring. A null frame
  /// (single), and one above limits::kFrameBytesMax, which can never travel, is only counted: a
  /// peer that lacks it catches up another way. Old frames leave when the ring is over its bytes,
  /// acked or not.
  void Push(EntryId id, std::shared_ptr<const std::string> frame, Instant now);

  /// Whether everything above `after` is in the ring (or there is nothing above it).
  bool CanTail(CommitSeq after) const;
  /// Live sending begins: the peer has everything up to `after` and CanTail(after).
  void StartTail(CommitSeq after);
  /// No live sending: the link is down, or a catch-up runs.
  void StopTail();
  /// The cursor's frame has left the ring: the peer is too slow and must catch up another way.
  bool fell_behind() const { return fell_behind_; }

  /// The next part to send while the window has room, whole frames in order, parts in order.
  /// Empty: nothing to send now.
  Result<std::optional<proto::FramePart>> Next();
  /// Whether Next would answer a part now.
  bool HasMore() const;
  /// Everything that was handed out by Next is acknowledged.
  bool nothing_in_flight() const { return in_flight_.empty(); }
  /// Everything up to this position has been handed out by Next, all parts of it.
  CommitSeq sent_upto() const { return sent_upto_; }

  /// Cumulative; an ack above what exists is kInvalidArgument, an older one is ignored. Counts
  /// from whatever the peer has, also while no tail runs.
  Status OnAck(CommitSeq durable_upto);

  CommitSeq last() const { return last_; }
  CommitSeq acked() const { return acked_; }
  std::size_t ring_bytes() const { return bytes_; }
  std::uint64_t lag_records() const { return last_.value() - acked_.value(); }
  /// Octets of unacked frames since Reset. After frames left the ring unacked, it falls only when
  /// all of those are acked.
  std::uint64_t lag_bytes() const;
  /// When the oldest unacked group became durable, or an earlier one when that left the ring;
  /// nothing when all is acked.
  std::optional<Instant> oldest_unacked() const { return oldest_unacked_; }

 private:
  struct Slot {
    CommitSeq seq;
    std::shared_ptr<const std::string> frame;
    Instant at;
  };
  const Slot* Find(CommitSeq seq) const;
  bool WindowHasRoom(std::size_t more) const;
  void Evict();

  ShipperLimits limits_;
  std::deque<Slot> ring_;  // contiguous, ends at last_ unless empty
  std::size_t bytes_ = 0;
  CommitSeq last_;
  CommitSeq acked_;
  std::optional<Instant> oldest_unacked_;
  CommitSeq gone_upto_;           // frames up to here left the ring unacked …
  std::uint64_t gone_bytes_ = 0;  // … and had so many octets

  bool tailing_ = false;
  bool fell_behind_ = false;
  CommitSeq sent_upto_;
  std::vector<proto::FramePart> parts_;  // of the frame being sent
  std::size_t next_part_ = 0;
  std::deque<std::pair<CommitSeq, std::size_t>> in_flight_;  // frames sent and not acked
  std::size_t in_flight_bytes_ = 0;
};

}  // namespace twinspool::replica::core
