// The real store on RocksDB as the simulated world's store, over a file system that loses what was
// not synced, tears the last block, and fails syncs and writes.
//
// The store has threads of its own; Settle() waits until they are idle and hands what they had to
// say (commits, barriers, completions) to the world's thread, in their order. So a seed replays,
// but for the moments of RocksDB's own background work.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include <rocksdb/env.h>

#include "common/env.h"
#include "server/store/store.h"
#include "tests/sim/sim_store.h"
#include "tests/store/quick_credentials.h"
#include "tests/support/unsynced_fs.h"

namespace twinspool::test {

class DiskSimStore final : public SimStore,
                           private replica::CommitListener,
                           private replica::Visibility,
                           private replica::ChangeLog {
 public:
  DiskSimStore(Clock& clock, std::filesystem::path dir);
  DiskSimStore(const DiskSimStore&) = delete;
  DiskSimStore& operator=(const DiskSimStore&) = delete;
  ~DiskSimStore() override { Die(); }

  bool Boot() override;
  void Listen(replica::CommitListener& gate) override { gate_ = &gate; }
  void Die() override;
  bool Settle() override;
  replica::StorePorts Ports() override;

  bool WriteMisc(UserId user, const std::string& key, Acked acked) override {
    return PutMisc(user, key, false, std::move(acked));
  }
  bool ForgetMisc(UserId user, const std::string& key, Acked acked) override {
    return PutMisc(user, key, true, std::move(acked));
  }
  bool Append(UserId user, int mailbox, const std::string& octets, Acked acked) override;

  replica::ServingState Serving() override { return serving_; }
  CommitSeq Visible() override { return visible_; }
  EntryId End() override { return end_; }
  Result<EntryId> Identify(CommitSeq seq) override;
  std::string Digest() override;
  std::string DescribeDigest() override;
  bool HasMisc(UserId user, const std::string& key) override;
  std::size_t CountMessages(const std::string& octets) override;

  std::optional<StoreFault> Fault(std::uint64_t dice, bool standby) override;
  void NoMoreFaults() override;
  const char* Turn(std::uint64_t dice) override;

 private:
  using Make = std::function<Status(store::StoreTxn&)>;
  bool Write(UserId user, const Make& make, Acked acked);
  bool PutMisc(UserId user, const std::string& key, bool deleted, Acked acked);
  Status MakeUser(store::StoreTxn& txn, UserId user);
  void Say(std::function<void()> what);
  bool dead() const { return failed_ || fs_->off(); }
  void Look();
  static bool IsLive(store::Engine& engine, MailboxId mailbox, Uid uid);

  // CommitListener, on the commit thread.
  void OnCommitted(replica::CommittedGroup group) override;
  // Visibility: remembers what clients were told.
  void AdvanceTo(CommitSeq seq) override;
  void PeerHas(CommitSeq seq) override { ports_.visibility->PeerHas(seq); }
  void SetServing(const replica::ServingState& state) override;
  void SetPeerFreeBytes(std::uint64_t bytes) override {
    ports_.visibility->SetPeerFreeBytes(bytes);
  }
  std::uint64_t FreeBytes() override { return std::uint64_t{1} << 40; }
  // ChangeLog: barriers come in the order of commits.
  EntryId last() override { return ports_.log->last(); }
  CommitSeq low_water() override { return ports_.log->low_water(); }
  void Trim(CommitSeq upto) override { ports_.log->Trim(upto); }
  std::uint64_t entries() override { return ports_.log->entries(); }
  std::uint64_t bytes() override { return ports_.log->bytes(); }
  void AtBarrier(std::function<void(EntryId)> fn) override;

  Clock& clock_;
  const std::filesystem::path dir_;
  SeededRandom random_{1};
  store::QuickCredentials credentials_;
  std::shared_ptr<testing::UnsyncedFs> fs_ = std::make_shared<testing::UnsyncedFs>();
  std::unique_ptr<rocksdb::Env> env_ = testing::MakeUnsyncedEnv(fs_);
  std::mt19937_64 torn_{7};

  // The process.
  std::unique_ptr<store::Store> store_;
  replica::StorePorts ports_;  // the store's own
  replica::CommitListener* gate_ = nullptr;
  std::atomic<bool> failed_ = false;
  bool power_lost_ = false;
  std::mutex said_mutex_;
  std::deque<std::function<void()>> said_;

  // As last known, also while the node is off.
  replica::ServingState serving_;
  CommitSeq visible_;
  EntryId end_;
  std::map<std::string, std::size_t> messages_;  // by octets, while `looked_`
  bool looked_ = false;
};

}  // namespace twinspool::test
