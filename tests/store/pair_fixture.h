// TestNode: engine, newest state, log and sink of one node, without threads; and Writer: random,
// valid transactions of a primary over it. For tests of replication between two stores.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <rocksdb/env.h>

#include "proto/replication.pb.h"
#include "proto/types.pb.h"

#include "common/env.h"
#include "server/store/apply.h"
#include "server/store/change_log.h"
#include "server/store/change_sink.h"
#include "server/store/engine.h"
#include "server/store/head.h"
#include "server/store/picture.h"
#include "server/store/row_view.h"
#include "tests/support/temp_dir.h"

namespace twinspool::store {

class TestNode {
 public:
  explicit TestNode(rocksdb::Env* env = nullptr) : env_(env) { Reopen(); }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;
  ~TestNode() { Close(); }

  /// As after a crash of the process. False: the store could not be opened.
  bool Reopen();
  void Close();

  /// What the commit thread of a primary does with one group: nothing when a digest or a row can't
  /// be made (that is a failure of the test).
  Result<proto::Frame> Commit(const std::vector<proto::UserChanges>& changes);
  void SetEpoch(std::uint32_t epoch) { epoch_ = Epoch(epoch); }
  Epoch epoch() const { return epoch_; }

  Engine& engine() { return *engine_; }
  HeadState& head() { return *head_; }
  OutboxLog& log() { return *log_; }
  StoreSink& sink() { return *sink_; }
  RowView view() { return RowView(*engine_); }
  ManualClock& clock() { return clock_; }
  /// Writes that the engine said had failed.
  int failed_writes() const { return failed_writes_; }

 private:
  testing::TempDir dir_;
  rocksdb::Env* env_;
  ManualClock clock_;
  Epoch epoch_{2};
  int failed_writes_ = 0;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<HeadState> head_;
  std::unique_ptr<OutboxLog> log_;
  std::unique_ptr<StoreSink> sink_;
};

struct DumpOptions {
  bool outbox = true;
  /// The users' counters of given modseqs may run ahead after an undo.
  bool last_modseq = true;
};
/// Every row that both nodes must have alike, by family and key; what is one node's own (operand
/// counts, times of loose bodies, what the peer knows) is left out.
std::map<std::string, std::string> Dump(TestNode& node, const DumpOptions& options = {});
/// Keys whose rows differ, for messages of failed tests.
std::string Difference(const std::map<std::string, std::string>& a,
                       const std::map<std::string, std::string>& b);

/// Stored digests and counters against a recount of every mailbox and user; empty: all right.
std::string CheckDerived(TestNode& node);

class Writer {
 public:
  Writer(TestNode& node, std::uint64_t seed)
      : node_(node), random_(seed), suffix_("-" + std::to_string(seed)) {}

  /// Makes and commits one random transaction; frames are appended to frames().
  void Step();
  void Steps(int count) {
    for (int i = 0; i < count; ++i) {
      Step();
    }
  }
  /// Purging, collecting and forgetting can't be undone; off: none of them.
  void AllowIrreversible(bool allow) { irreversible_ = allow; }

  std::vector<proto::Frame>& frames() { return frames_; }

  // Single moves; each commits one group and answers what it made.
  UserId CreateUser();
  MailboxId CreateMailbox(UserId user);
  Uid Append(UserId user, MailboxId mailbox, const std::string& octets);
  void SetFlags(UserId user, MailboxId mailbox, const UidSet& uids, std::uint32_t flags,
                bool expunge = false);
  void Purge(UserId user, MailboxId mailbox);
  void CollectLoose(UserId user);
  /// Every entry goes, as of a mailbox that was deleted long ago.
  void PurgeAll(UserId user, MailboxId mailbox);
  void DeleteMailbox(UserId user, MailboxId mailbox);
  /// With the floor that remembers its UIDVALIDITY; nothing but the tombstone may be left.
  void ForgetMailbox(UserId user, MailboxId mailbox);
  /// A tombstone, or with `deleted` false a live row; `key` as below the user.
  void SetMisc(UserId user, const std::string& key, bool deleted);
  void ForgetMisc(UserId user, const std::string& key);
  /// The header's and the mailboxes' tombstones.
  void DeleteUser(UserId user);
  /// Everything that is left of a deleted user, in the order of the jobs.
  void ForgetUser(UserId user);
  /// A large body, chunk by chunk, each in a group of its own.
  BodyNo Stage(UserId user, const std::string& octets, std::size_t chunk_bytes, bool finish);

  /// Live ones.
  std::vector<UserId> Users();
  std::vector<MailboxId> Mailboxes(UserId user);
  /// Tombstones.
  std::vector<UserId> DeletedUsers();
  std::vector<MailboxId> DeletedMailboxes(UserId user);

 private:
  void Commit(const proto::UserChanges& changes);
  void Commit(const std::vector<proto::UserChanges>& changes);
  Modseq Next(UserId user);
  proto::UserChanges Changes(UserId user);
  void AddRecord(proto::UserChanges* changes, UserId user, MailboxId mailbox, Uid uid, BodyNo body,
                 const Guid& guid, std::uint64_t size);
  std::optional<PoolEntry> Pooled(UserId user, const Guid& guid);
  proto::MailboxHeader Header(UserId user, MailboxId mailbox);
  void PutHeader(UserId user, MailboxId mailbox, const proto::MailboxHeader& header);
  std::string RandomOctets();
  UidSet SomeUids(MailboxId mailbox);
  Uid UidNext(MailboxId mailbox);

  void RandomAppend(UserId user, MailboxId mailbox);
  void RandomCopy(UserId user, MailboxId mailbox);
  void RandomCopyBetween(UserId user);
  void RandomSmallRow(UserId user);
  void RandomHeader(UserId user, MailboxId mailbox);
  void RandomForget(UserId user);
  void RandomUserGoes(UserId user);
  bool IsDeleted(UserId user);
  void PurgeSet(UserId user, MailboxId mailbox, const UidSet& gone, Modseq floor);
  void PurgeWhere(UserId user, MailboxId mailbox, bool live);
  void ForgetTokens(UserId user);

  TestNode& node_;
  std::mt19937_64 random_;
  bool irreversible_ = true;
  std::map<UserId, Modseq> given_;
  std::vector<proto::Frame> frames_;
  int names_ = 0;
  std::string suffix_;  // of names: two writers of one user never mean the same mailbox
};

}  // namespace twinspool::store
