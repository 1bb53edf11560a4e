// A store in memory behind the ports of the replica layer, for tests of the conversation.
//
// Rows per user, a log with previous values, real digests. Every call is atomic and durable, so a
// crash is a new Conversation over the same MemoryStore; CrashAfter makes one happen in the middle
// of the conversation's work. Frames carry one digest per UserChanges, over all of the user's rows.
// Thread-safe; the caller of WriteMisc and Append is the commit thread. Not for production:
// everything is copied freely.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replica/ports.h"
#include "tests/support/memory_rows.h"

namespace twinspool::test {

/// Thrown by a port when the node dies there.
struct SimCrash {};

/// See the head of this file.
class MemoryStore final : public replica::Visibility,
                          public replica::ChangeLog,
                          public replica::PictureSource,
                          public replica::ChangeSink,
                          public replica::TakeBack,
                          public replica::UidJumper,
                          public replica::ForgottenUsers {
  using Guard = std::lock_guard<std::recursive_mutex>;

 public:
  replica::StorePorts Ports();
  /// Who is told of commits.
  void SetListener(replica::CommitListener* listener);

  // --- the client's side
  /// A small change of a user under a unique key; nothing while writes are refused. `done(true)`
  /// when acked, `done(false)` when its outcome is unknown.
  std::optional<EntryId> WriteMisc(UserId user, const std::string& key, const std::string& value,
                                   std::function<void(bool)> done);
  /// Takes such a change away again, as the retention job does long after its deletion.
  std::optional<EntryId> ForgetMisc(UserId user, const std::string& key,
                                    std::function<void(bool)> done);
  /// A message with a body in a mailbox; its octets are unique.
  std::optional<EntryId> Append(UserId user, MailboxId mailbox, const std::string& octets,
                                std::function<void(bool)> done);
  bool HasMisc(UserId user, const std::string& key) const;
  /// Messages with these octets.
  std::size_t CountMessages(const std::string& octets) const;
  bool primary() const {
    const Guard guard(mutex_);
    return serving_.primary;
  }
  bool serves_reads() const {
    const Guard guard(mutex_);
    return serving_.primary && serving_.reads;
  }
  bool writable() const {
    const Guard guard(mutex_);
    return serving_.primary && serving_.writes.ok();
  }
  replica::ServingState serving() const {
    const Guard guard(mutex_);
    return serving_;
  }

  /// As if the user had been deleted and forgotten; his rows stay.
  void MarkForgotten(UserId user);
  /// What clients of this node may see.
  CommitSeq visible() const {
    const Guard guard(mutex_);
    return visible_;
  }

  // --- faults
  /// From now on accepted writes reach the log with SyncDisk() only, or when the time as primary
  /// ends; a crash takes those that wait.
  void SlowDisk() { slow_ = true; }
  void SyncDisk();
  bool slow() const { return slow_; }
  /// How this store breaks its word, for tests of those who watch it.
  enum class Defect { kNone, kLosesWrite, kAcksTwice, kAcksOutOfOrder, kShowsEarly };
  void Break(Defect defect) { defect_ = defect; }
  /// `writes` runs when the time as primary is about to end: what is accepted there was on its way
  /// to the log and becomes durable before SetServing returns, as in the real store.
  void BeforeClosing(std::function<void()> writes) { before_closing_ = std::move(writes); }
  /// The n-th call of a port that changes something from now on throws SimCrash before it does.
  void CrashAfter(int calls) { crash_in_ = calls; }
  /// A row silently goes away: a subscription's key or a message's octets are answered, or nothing.
  std::optional<std::string> Rot(std::uint64_t chance);
  /// The next undone entry of this store cannot be undone for its user.
  void SpoilNextUndo() { spoil_undo_ = true; }
  /// As if a catch-up that was to replace this user had been cut short: his rows are gone.
  void LeaveHalfReplaced(UserId user);
  /// The next catch-up unit does not fit what is here.
  void SpoilNextUnit() { spoil_unit_ = true; }
  /// Messages with these octets cannot be taken back.
  void RefuseToTake(const std::string& octets) { not_taken_ = octets; }
  /// The process is gone: waiting clients learn nothing, nobody listens.
  void Die();

  // --- disks
  std::atomic<std::uint64_t> free_bytes{1u << 30};         // what this node tells
  std::atomic<std::uint64_t> peer_free_bytes{UINT64_MAX};  // what counts of the other's here

  // --- looking
  /// Most users whose bodies were asked for and who had not come whole, at any time.
  std::size_t asked_most() const {
    const Guard guard(mutex_);
    return asked_most_;
  }
  std::string Digest() const;
  EntryId End() const;

  // Visibility.
  void AdvanceTo(CommitSeq seq) override;
  void PeerHas(CommitSeq seq) override {
    const Guard guard(mutex_);
    peer_has_ = std::max(peer_has_, seq);
  }
  void SetServing(const replica::ServingState& state) override;
  void SetPeerFreeBytes(std::uint64_t bytes) override { peer_free_bytes = bytes; }
  std::uint64_t FreeBytes() override { return free_bytes; }
  // ChangeLog and ChangeSink.
  EntryId last() override { return End(); }
  CommitSeq low_water() override {
    const Guard guard(mutex_);
    return low_.seq;
  }
  Result<EntryId> Identify(CommitSeq seq) override;
  void Trim(CommitSeq upto) override;
  std::uint64_t entries() override {
    const Guard guard(mutex_);
    return log_.size();
  }
  std::uint64_t bytes() override { return entries() * 100; }
  void AtBarrier(std::function<void(EntryId)> fn) override {
    const Guard commit(commit_mutex_);
    fn(End());
  }
  // PictureSource.
  Result<std::unique_ptr<replica::Picture>> TakePicture() override;
  // ChangeSink.
  Result<replica::ApplyOutcome> Apply(const std::vector<proto::Frame>& frames) override;
  Result<bool> ApplyUnit(const proto::CatchUpUnit& unit) override;
  Result<std::vector<proto::UserDigest>> Users() override;
  Result<std::vector<proto::BodyRef>> BodiesOf(UserId user) override;
  Result<std::vector<replica::SalvageRecord>> ReadDoomed(UserId user, MailboxId after_mailbox,
                                                         Uid after_uid) override;
  Status DropUser(UserId user, bool only_here) override;
  Status FinishCatchUp(EntryId target) override;
  Result<std::vector<replica::SalvageRecord>> ReadForSalvage() override;
  Result<std::string> ReadSalvageBody(UserId user, BodyNo body, std::uint64_t offset,
                                      std::size_t length) override;
  Status UndoLast() override;
  Result<std::vector<UserId>> FinishRewind() override;
  Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                           std::size_t limit) override;
  // TakeBack.
  void Take(proto::GiveBack message, std::string octets,
            std::function<void(Result<proto::GivenBack>)> done) override;
  // ForgottenUsers.
  Result<std::vector<UserId>> Forgotten() override;
  Status Settle(UserId user) override;
  // UidJumper.
  Status JumpUids(Epoch epoch, Incarnation incarnation, bool renumber) override;

 private:
  struct Previous {
    std::string user;
    std::string key;
    std::optional<MemoryRow> row;
  };
  struct LogEntry {
    EntryId id;
    proto::Frame frame;
    std::vector<Previous> previous;
  };
  struct WaitingClient {
    CommitSeq seq;
    std::function<void(bool)> done;
  };
  void MaybeCrash();
  Modseq NextModseq(Epoch epoch) const;
  /// A client's write of the one item that `make` makes; nothing while writes are refused.
  std::optional<EntryId> WriteOne(UserId user, std::function<proto::ChangeItem(Modseq)> make,
                                  std::function<void(bool)> done);
  EntryId Write(UserId user, std::vector<proto::ChangeItem> items, const replica::ServingState& as,
                std::function<void(bool)> done);
  std::vector<proto::ChangeItem> MessageItems(UserId user, MailboxId mailbox,
                                              const std::string& octets, Modseq modseq) const;
  std::optional<EntryId> Accept(std::function<EntryId(const replica::ServingState&)> write);
  EntryId Commit(UserId user, std::vector<proto::ChangeItem> items, Epoch epoch,
                 Incarnation incarnation);
  std::vector<Previous> ApplyFrame(const proto::Frame& frame);
  void Undo(const std::vector<Previous>& previous);
  std::uint32_t NextUid(UserId user, MailboxId mailbox) const;

  mutable std::recursive_mutex commit_mutex_;  // one commit at a time; before mutex_
  mutable std::recursive_mutex mutex_;         // guards everything below
  replica::CommitListener* listener_ = nullptr;
  replica::ServingState serving_;
  CommitSeq visible_;
  CommitSeq peer_has_;
  MemoryUsers users_;
  std::deque<LogEntry> log_;
  EntryId low_;  // newest dropped entry
  std::vector<WaitingClient> clients_;
  std::set<UserId> refill_;
  std::set<UserId> forgotten_;
  bool slow_ = false;
  std::deque<std::function<void()>> unsynced_;  // with a slow disk: writes in their order
  Defect defect_ = Defect::kNone;
  bool spoil_undo_ = false;
  std::set<std::string> half_;  // users that are not whole
  bool spoil_unit_ = false;
  std::string not_taken_;
  std::set<std::string> asked_;  // users whose bodies were asked for, until their last unit
  std::size_t asked_most_ = 0;
  int crash_in_ = -1;
  std::function<void()> before_closing_;
};

}  // namespace twinspool::test
