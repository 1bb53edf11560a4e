// Apply(): the one function that turns change items into state. The primary runs it inside
// StoreTxn, the standby for every frame, catch-up and repair for every unit; so both nodes derive
// rows, counters, HIGHESTMODSEQ, digests and outbox items by the same lines.
//
// It is total and idempotent: every item kind is handled in every state; an item whose stored
// modseq is not lower is ignored. It is free of clocks and chance: the same state and items give
// the same rows (but for `now_s`, kept only with loose bodies, which no digest covers).
//
// What it derives: of a mailbox uid_next (above every UID it saw, and the header's uid_floor),
// highest_modseq, exists, unseen, deleted, bytes, entries, purge floor, digest; of a user
// last_modseq, uid_validity, mailboxes, bytes, messages, digest of his own rows; names, refs,
// guids, loose bodies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "server/store/head.h"

namespace twinspool::store {

class ArrivingBodies;

struct ApplyOptions {
  /// Seconds since 1970, for the age of loose bodies.
  std::int64_t now_s = 0;
  /// The changes came from the peer, who therefore has them: moves MailboxRow::uid_peer along.
  bool from_peer = false;
  /// Spares the reading again of large bodies; null: none.
  ArrivingBodies* arriving = nullptr;
  /// False: no outbox items are wanted (catch-up, repair).
  bool outbox = true;
};

struct ApplyResult {
  /// proto::OutboxItems with previous values, each as it stands in an OutboxEntry (field tag,
  /// length, bytes): appended one after the other.
  std::string outbox_items;
  std::uint32_t item_count = 0;
};

/// Applies one user's changes to `edit`, whose lock must hold the stripe of that user (and of every
/// from_user of a CopyBodyItem). Errors leave a half-done edit that must be dropped:
///   kDataLoss  another message is stored under a UID ("guid mismatch …"; nothing is ever
///              overwritten), a record names a body that is not here, a mailbox that is not
///              known, or bytes that do not parse
///   kIo        the engine could not read
Status Apply(const proto::UserChanges& changes, const ApplyOptions& options, HeadEdit& edit,
             ApplyResult* result);

/// The user's own rows are his header alone, and no mailbox is live: he may be forgotten once his
/// deleted mailboxes are.
bool OnlyHeaderLeft(const HeadUser& user);

/// The mailbox that an item touches; nil: the user's own part.
MailboxId ItemMailbox(const proto::ChangeItem& item);

/// A digest that a frame carries: a mailbox's, or with a nil mailbox the user's own part.
struct TouchedDigest {
  UserId user;
  MailboxId mailbox;
  bool operator==(const TouchedDigest&) const = default;
};

/// What Frame.digests lists, in its order. Add every UserChanges of a frame in turn; `order` has
/// each object once, where it was first touched: for every UserChanges first the user's own part
/// (if any item is in it that names no mailbox), then its mailboxes.
class TouchedOrder {
 public:
  void Add(const proto::UserChanges& changes);
  void Add(const TouchedDigest& touched);
  const std::vector<TouchedDigest>& order() const { return order_; }

 private:
  std::vector<TouchedDigest> order_;
  std::unordered_map<MailboxId, std::size_t> mailboxes_;
  std::unordered_map<UserId, std::size_t> users_;
};

/// The digest as it stands in `edit`; nil-mailbox entries give the user's own part.
Result<DigestBytes> DigestOf(HeadEdit& edit, const TouchedDigest& touched);

/// Users whose stripes Apply() of this frame needs, unique.
std::vector<UserId> UsersOf(const proto::Frame& frame);

}  // namespace twinspool::store
