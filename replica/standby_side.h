// The standby's half of the conversation: applies frames, rewinds, catches up, answers digests.
//
// Whether a message may do anything is asked of the role machine first; every durable step comes
// before the answer that tells of it, and every one may be repeated after a crash. No thread, lock
// or clock.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "replica/core/applier_core.h"
#include "replica/salvage.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// See the head of this file.
class StandbySide {
 public:
  StandbySide(Shared& shared, Salvage& salvage) : shared_(shared), salvage_(salvage) {}

  /// The link is gone, or the epoch has changed: nothing under way counts any more.
  void Reset();
  /// What the primary last said of its log; adopted when this log is a prefix of it.
  void OnPrimaryHistory(const proto::Hello& hello);

  /// A part of a frame or of a unit. Whole frames wait for Flush.
  void OnPart(const proto::PeerMessage& message);
  /// Applies what waits, with one sync, and acknowledges it. After every batch of messages, and
  /// before anything that is not a frame part.
  void Flush();

  void OnRewindTo(const proto::RewindTo& rewind);
  void OnCatchUpBegin(const proto::CatchUpBegin& begin);
  void OnUserList(const proto::UserList& list);
  void OnCatchUpEnd(const proto::CatchUpEnd& end);
  void OnDigestRequest(const proto::DigestRequest& request);

  /// Asks the primary to replace these; with users, all users are compared, too. False: not now.
  bool AskReplacement(const std::vector<MailboxId>& mailboxes, const std::vector<UserId>& users);

  /// The primary was asked for a repair and has not begun it.
  bool waits_for_repair() const { return repair_wanted_; }
  std::uint64_t digest_mismatches() const { return digest_mismatches_; }

 private:
  // Frames.
  bool MayApply(const proto::PeerMessage& message) const;
  void AskForRepair(const ApplyOutcome::Mismatch& mismatch);
  /// No frame is taken before the primary begins.
  void WantRepair(CommitSeq target, proto::RepairWanted wanted);
  // Rewind.
  bool Follows() const;
  Status UndoDownTo(const EntryId& common);
  Status SaveNewest();
  Status Save(const SalvageRecord& record, std::size_t index);
  Status FinishRewind(const proto::RewindTo& rewind);
  Status SaveForks(bool refill);
  /// Whether clients may have been told of entries of this epoch that the primary lacks.
  bool MayBeAcknowledged(Epoch epoch) const;
  void AdoptHistory();
  // Catch-up.
  void ForgetCatchUp();
  void OnUnit(const proto::CatchUpUnit& unit);
  Result<bool> ApplyUnit(const proto::CatchUpUnit& unit);
  Status SaveDoomed(UserId user);
  /// Applies it; a user whom it does not lead to what the primary has is wanted whole.
  Status TakeUnit(const UserId& user, const proto::CatchUpUnit& unit);
  Status CompareUsers();
  /// Asks for a comparing catch-up if the one that ends left users as an earlier one had begun to
  /// replace them. True: it did.
  Result<bool> AskForHalfReplaced();
  Status AskForUsers();
  Status WantUser(const UserId& user);
  void SendWanted(proto::UserWanted wanted);
  // Verify.
  Status SendDigests(const proto::DigestReply& head);
  void SendReply(proto::DigestReply reply);

  Shared& shared_;
  Salvage& salvage_;
  core::ApplierCore applier_;
  bool primed_ = false;         // applier_ knows the log's end
  bool repair_wanted_ = false;  // frames are ignored until the catch-up begins
  std::optional<proto::Hello> primary_;
  std::optional<EntryId> catch_up_;  // target of the catch-up under way
  std::vector<proto::UserDigest> listed_;
  std::set<UserId> refill_;
  std::map<UserId, int> refills_;  // how often a user was sent whole
  bool compared_ = false;          // the catch-up under way compares all users
  bool comparing_ = false;         // the primary has not been told that all differing are named
  std::deque<UserId> wanted_;      // to be asked for whole
  std::set<UserId> asked_;         // asked for, and not come to their last unit yet
  std::set<UserId> awaited_;       // wanted or asked for, and not begun yet
  bool whole_ = false;             // the units of the present user replace him
  bool passing_ = false;           // … are let pass
  std::uint64_t digest_mismatches_ = 0;
};

}  // namespace twinspool::replica
