// What the conversation of two nodes needs from a store and from a wire. Declared here, implemented
// elsewhere: server/store implements the store's ports, replica/grpc_link the wire; tests have both
// in memory. Nothing of RocksDB, gRPC or server/ is visible from replica/ but through this file.
//
// Threads are named per interface. Values are plain.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/replication.pb.h"
#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"

namespace twinspool::replica {

// --- the write path of the primary
// -----------------------------------------------------------------

/// A commit group that has just become durable here.
struct CommittedGroup {
  EntryId id;
  /// The encoded proto::Frame, ready to send; null in `single` (nobody will ever ask for it).
  std::shared_ptr<const std::string> frame;
};

/// Told of every durable group, in order, on the store's commit thread; must not block.
class CommitListener {
 public:
  virtual ~CommitListener() = default;
  virtual void OnCommitted(CommittedGroup group) = 0;
};

/// What this node may do, as the role machine last decided. Published to the store as a whole.
struct ServingState {
  bool primary = false;
  /// Readers may be answered (from the visible snapshot).
  bool reads = false;
  /// OK, or why writes are refused beforehand (the text reaches clients).
  Status writes = Unavailable("this node has just started");
  Epoch epoch;
  Incarnation incarnation;
  /// Entries are kept for a peer (false: `single`, commits are only numbered).
  bool keep_outbox = false;
  /// Appends stop at the UID distance from what the peer surely knows (false: `single`).
  bool limit_uid_distance = false;
};

/// The store's side of acknowledging. Any thread.
class Visibility {
 public:
  virtual ~Visibility() = default;
  /// Everything up to `seq` is acked: readers see it from now on, waiting commands complete.
  /// Never goes back; later calls with a lower seq are ignored.
  virtual void AdvanceTo(CommitSeq seq) = 0;
  /// Everything up to `seq` is durable on the peer (for the UID distance and trimming; not
  /// visibility).
  virtual void PeerHas(CommitSeq seq) = 0;
  /// Takes effect before it returns: when `primary` becomes false, no transaction of the old time
  /// is still under way and every waiting command was completed with kOutcomeUnknown.
  virtual void SetServing(const ServingState& state) = 0;
  /// The peer's free disk bytes as last told; decides the soft and hard reserves with our own.
  virtual void SetPeerFreeBytes(std::uint64_t bytes) = 0;
  virtual std::uint64_t FreeBytes() = 0;
};

// --- the log and pictures of the store, read by a primary
// ----------------------------------------------

/// The outbox. Any thread.
class ChangeLog {
 public:
  virtual ~ChangeLog() = default;
  /// End of the log; seq 0 and epoch 0 when empty.
  virtual EntryId last() = 0;
  /// Entries above this can still be read. A node without its history says last().seq.
  virtual CommitSeq low_water() = 0;
  /// Identity of the entry at `seq`; kNotFound outside (low_water, last]; at low_water itself the
  /// remembered identity of the newest dropped entry, if known.
  virtual Result<EntryId> Identify(CommitSeq seq) = 0;
  /// Forgets entries up to `upto`.
  virtual void Trim(CommitSeq upto) = 0;
  virtual std::uint64_t entries() = 0;
  virtual std::uint64_t bytes() = 0;
  /// Runs `fn` on the commit thread between two groups: everything up to the given position is
  /// durable, nothing above exists yet.
  virtual void AtBarrier(std::function<void(EntryId)> fn) = 0;
};

/// One consistent picture of the store, for catch-up, refill and comparing. Holds a snapshot until
/// it is destroyed. One thread at a time.
class Picture {
 public:
  virtual ~Picture() = default;
  /// The log position that the picture shows.
  virtual EntryId position() const = 0;

  /// Coalesced catch-up: newest state of everything touched after `after`, user by user; those with
  /// few octets before those with many. Call StartSince once, then NextUnit until it answers
  /// nothing.
  virtual Status StartSince(CommitSeq after) = 0;
  /// Whole of one user; bodies named in `have` (number and GUID equal) are not sent again.
  virtual Status StartUser(UserId user, std::vector<proto::BodyRef> have) = 0;
  /// Whole of one mailbox (its header, records, entries, the bodies they name), as a repair.
  virtual Status StartMailbox(MailboxId mailbox) = 0;
  /// At most `bytes_max` octets of it, unless a single item is larger.
  virtual Result<std::optional<proto::CatchUpUnit>> NextUnit(std::size_t bytes_max) = 0;

  /// Every user with its digest (over its own rows and all its mailboxes), in id order.
  virtual Result<std::vector<proto::UserDigest>> Users() = 0;
  /// Digests of mailboxes in id order, at most `limit` after `after`.
  virtual Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                                   std::size_t limit) = 0;
};

class PictureSource {
 public:
  virtual ~PictureSource() = default;
  virtual Result<std::unique_ptr<Picture>> TakePicture() = 0;
};

// --- the write path of a standby
// --------------------------------------------------------------------------

/// What came of applying frames.
struct ApplyOutcome {
  /// End of the log now; durable.
  EntryId last;
  /// Set when a frame does not fit what is here: it led to a digest other than its primary's, or
  /// could not be applied (another message under a UID, a body or record missing, damaged rows).
  /// Nothing of that frame was kept; the named mailboxes, or the user's own rows, are to be
  /// replaced.
  struct Mismatch {
    CommitSeq seq;
    UserId user;
    std::vector<MailboxId> mailboxes;
    std::string reason;
  };
  std::optional<Mismatch> mismatch;
};

/// What undoing one entry would lose, saved before it is undone.
struct SalvageRecord {
  EntryId entry;
  UserId user;
  std::string user_name;
  MailboxId mailbox;
  std::string mailbox_name;
  Uid uid;
  /// "append", "flags", "expunge", "mailbox", "user", "misc", "purge", "body"
  std::string kind;
  proto::RecordHeader record;     // append, flags, expunge: all of it
  proto::EntryState entry_state;  // the losing state
  proto::EntryState previous;     // the state it replaced
  std::vector<std::string> keywords;
  std::vector<std::string> previous_keywords;
  std::string header;           // mailbox, user: the losing header; misc: the losing row
  std::string previous_header;  // what it replaced; empty: nothing
  Modseq base_modseq;           // of what was replaced
  std::string key;              // misc: kind octet and key
  MailboxId from_mailbox;       // append by a MOVE: where the message was
  Uid from_uid;
  bool has_body = false;      // append: octets are read by ReadSalvageBody
  bool acknowledged = false;  // clients may have been told of it; said by whoever saves it
};

/// Where a standby's store takes frames, units and undo steps. One thread at a time (the stream's
/// handler). All calls are durable when they return.
class ChangeSink {
 public:
  virtual ~ChangeSink() = default;
  virtual EntryId last() = 0;
  /// Applies contiguous frames with one sync. A frame at or below last() is skipped; a gap is
  /// kConflict; one that does not fit what is here is a mismatch of the outcome.
  virtual Result<ApplyOutcome> Apply(const std::vector<proto::Frame>& frames) = 0;

  // Catch-up. The caller has made its own `incomplete` mark durable before the first unit.
  /// False: the digest after the user's last unit differs from the unit's. kDataLoss: the unit does
  /// not fit what is here. Either way the user is marked incomplete and to be sent whole.
  /// kOverQuota: no room; the same unit may come again.
  virtual Result<bool> ApplyUnit(const proto::CatchUpUnit& unit) = 0;
  virtual Result<std::vector<proto::UserDigest>> Users() = 0;
  virtual Result<std::vector<proto::BodyRef>> BodiesOf(UserId user) = 0;
  /// Messages of `user` that the peer is not known to have, and that replacing or dropping him
  /// would lose: live ones in live mailboxes, as "append" records of no entry (seq 0), ordered by
  /// mailbox and UID, a bounded number after the place given; none: that was all.
  virtual Result<std::vector<SalvageRecord>> ReadDoomed(UserId user, MailboxId after_mailbox,
                                                        Uid after_uid) = 0;
  /// Nothing of him is left. `only_here`: he may be missing on the primary because he was never
  /// there, not because he was deleted; then (unless he was deleted here) he is not one of
  /// ForgottenUsers.
  virtual Status DropUser(UserId user, bool only_here) = 0;
  /// The log ends at `target` from now on, with nothing below it; no user is incomplete.
  virtual Status FinishCatchUp(EntryId target) = 0;

  // Rewind.
  /// What undoing the newest entry would lose.
  virtual Result<std::vector<SalvageRecord>> ReadForSalvage() = 0;
  virtual Result<std::string> ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                              std::size_t length) = 0;
  /// Undoes the newest entry and removes it from the log, atomically; derived state (counters,
  /// digests) of what it touched may be stale until FinishRewind. Users whose change cannot be
  /// undone are marked and listed by FinishRewind.
  virtual Status UndoLast() = 0;
  /// Recounts what undo steps touched, drops all memory of the old time, and answers the users that
  /// must be sent whole. They are named again by every call until FinishCatchUp.
  virtual Result<std::vector<UserId>> FinishRewind() = 0;

  /// Digests of the applied state, as Picture's.
  virtual Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                                   std::size_t limit) = 0;
};

/// Users who were deleted and of whom the store has nothing any more, the retention being over:
/// what this node has of them elsewhere is to go, too. Any thread.
class ForgottenUsers {
 public:
  virtual ~ForgottenUsers() = default;
  /// On a primary those whose forgetting is acked. Elsewhere those of the whole log, which may
  /// still be taken back unless this node is a standby.
  virtual Result<std::vector<UserId>> Forgotten() = 0;
  /// Everything of him is gone: he is not named any more.
  virtual Status Settle(UserId user) = 0;
};

/// Takes back, on the new primary, what only the old one had accepted (semantics R10 to R19), with
/// all of `more` in one commit. What the new primary has changed since both were the same stands.
/// Tokens make repeating harmless. `done` runs when the outcome is acked.
class TakeBack {
 public:
  virtual ~TakeBack() = default;
  virtual void Take(proto::GiveBack given, std::string octets,
                    std::function<void(Result<proto::GivenBack>)> done) = 0;
};

/// What a forced promotion owes to clients that saw UIDs of the absent peer. Any thread but the
/// commit thread; may block.
class UidJumper {
 public:
  virtual ~UidJumper() = default;
  /// Raises every mailbox's UIDNEXT by limits::kUidJump and records the skipped range; `renumber`:
  /// and gives entries that the peer is not known to have new UIDs above it. Written as log entries
  /// of the given epoch and incarnation while no client writes, told to the CommitListener as any
  /// other, durable when it returns. Called again after a crash: repeating is harmless.
  virtual Status JumpUids(Epoch epoch, Incarnation incarnation, bool renumber) = 0;
};

// --- scrub
// -------------------------------------------------------------------------------------------------

/// What a store needs while it searches itself for damage: a pace, and the other node. Called on
/// the thread of the pass; every call may block.
class ScrubHost {
 public:
  virtual ~ScrubHost() = default;
  /// So much was read of the disk. Waits as the pace demands, and while this node has better to do:
  /// it is fenced, catches up, rewinds, or helps the other one with that. False: the pass must end.
  virtual bool Read(std::uint64_t bytes) = 0;
  /// Waits so long, the other node's questions being answered meanwhile. False: as above.
  virtual bool Wait(std::int64_t ms) = 0;
  virtual void Checked(std::uint64_t mailboxes, std::uint64_t bodies) = 0;
  virtual void Found(const proto::Damage& damage) = 0;
  /// This node follows a primary, whose word counts where it is alone.
  virtual bool follows() = 0;

  /// All messages of the answer. kUnavailable: there is no other node to ask; kTimeout: it did not
  /// answer (it may be of an earlier version).
  virtual Result<std::vector<proto::ObjectReply>> Ask(const proto::ObjectRequest& request) = 0;
  virtual Result<proto::BodyReply> Ask(const proto::BodyRequest& request) = 0;
  /// Runs `write` while nothing else changes the store: between two commit groups of a primary,
  /// between two messages of a standby's primary. kUnavailable: this node is neither.
  virtual Status Alone(const std::function<Status()>& write) = 0;
  /// On a standby: the primary replaces these mailboxes, and every user whose digest differs from
  /// its own or who is named; answers when this node is a standby again. kUnavailable: it is none.
  virtual Status Replace(const std::vector<MailboxId>& mailboxes,
                         const std::vector<UserId>& users) = 0;
};

/// How far the search for damage has come, as the store remembers it over a restart.
struct ScrubMemory {
  /// Wall clock; 0: never.
  std::int64_t began_ns = 0;  // the pass under way, or the last one
  std::int64_t ended_ns = 0;  // the last one that came to its end
  std::int64_t took_ms = 0;   // that one
  bool under_way = false;     // one that begins now goes on where that one was
};

/// A store's search for its own damage, and its help for the other node's. One pass at a time;
/// answers on any thread.
class ScrubStore {
 public:
  virtual ~ScrubStore() = default;
  virtual ScrubMemory Memory() = 0;
  /// False: the disk has no room for what a pass writes; none begins by itself.
  virtual bool HasRoom() { return true; }
  /// Somebody met damage since the last pass: one is wanted soon.
  virtual bool Urgent() { return false; }
  /// Reads everything and heals what it can; `whole`: from the beginning, even if an earlier pass
  /// was cut short. kUnavailable: the host ended it; kOverQuota: !HasRoom(); other errors: the
  /// disk.
  virtual Status Pass(ScrubHost& host, bool whole) = 0;
  /// At least one message, the last one marked so.
  virtual std::vector<proto::ObjectReply> Answer(const proto::ObjectRequest& request) = 0;
  virtual proto::BodyReply Answer(const proto::BodyRequest& request) = 0;
};

/// Everything replica::Pair needs of a store. The store outlives the Pair.
struct StorePorts {
  Visibility* visibility = nullptr;
  ChangeLog* log = nullptr;
  PictureSource* pictures = nullptr;
  ChangeSink* sink = nullptr;
  TakeBack* take_back = nullptr;
  UidJumper* uid_jump = nullptr;
  ForgottenUsers* forgotten = nullptr;
  ScrubStore* scrub = nullptr;  // null: nothing is searched
  /// How often clients have read, ever; null: nobody counts. Any thread.
  std::function<std::uint64_t()> client_reads = nullptr;
};

// --- the wire
// ------------------------------------------------------------------------------------------------

/// Receives what comes over the wire. Calls for one link are made one at a time, on the link's
/// reading thread; a slow handler is back-pressure on the peer.
class LinkListener {
 public:
  virtual ~LinkListener() = default;
  virtual void OnLinkUp() = 0;
  virtual void OnMessage(proto::PeerMessage message) = 0;
  virtual void OnLinkDown(const Status& why) = 0;
};

/// One end of the pair's stream, whoever dialled. Reconnects by itself with bounded back-off.
class PeerLink {
 public:
  virtual ~PeerLink() = default;
  /// Begins to listen or dial; `listener` outlives the link.
  virtual void Start(LinkListener* listener) = 0;
  /// Blocks while the wire's window is full; false when the link is down (the message is lost, as
  /// any message may be). Any thread; messages of one thread stay in order.
  virtual bool Send(const proto::PeerMessage& message) = 0;
  /// Drops the present connection (the peer is silent or misbehaves); OnLinkDown follows.
  virtual void Drop(const Status& why) = 0;
  virtual void Stop() = 0;
  /// Why the last attempt failed or the last connection ended; empty while connected. Any thread.
  virtual std::string last_error() const = 0;
};

}  // namespace twinspool::replica
