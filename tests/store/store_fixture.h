// StoreBox: a Store in a directory of its own, with a stand-in for the pair and calls that wait.
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/env.h"
#include "server/store/store.h"
#include "tests/store/quick_credentials.h"
#include "tests/support/temp_dir.h"

namespace twinspool::store {

/// Makes a call with a completion and waits for its answer.
template <typename T, typename Fn>
Result<T> Await(Fn&& call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  call(Done<T>([promise](Result<T> result) { promise->set_value(std::move(result)); }));
  if (future.wait_for(std::chrono::seconds(100)) != std::future_status::ready) {
    return Timeout("the call never completed");
  }
  return future.get();
}

/// Starts a call; the answer is in the future.
template <typename T, typename Fn>
std::future<Result<T>> Begin(Fn&& call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  call(Done<T>([promise](Result<T> result) { promise->set_value(std::move(result)); }));
  return future;
}

template <typename T>
bool Ready(std::future<Result<T>>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

/// Stands in for the pair: acks every group at once, or only when told.
class FakePair final : public replica::CommitListener {
 public:
  explicit FakePair(Store& store) : store_(store) {}
  void OnCommitted(replica::CommittedGroup group) override;
  void HoldAcks() { hold_ = true; }
  /// Acks what was held, from the calling thread, and goes on at once.
  void ReleaseAcks();
  /// Acks what was held and goes on holding.
  void AckHeld();
  /// Waits until `count` groups have become durable in all.
  void WaitGroups(std::size_t count);
  std::size_t groups();
  std::vector<std::shared_ptr<const std::string>> frames();
  std::atomic<bool> peer_has{true};  // PeerHas with every ack

 private:
  Store& store_;
  std::atomic<bool> hold_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  CommitSeq last_;
  std::size_t groups_ = 0;
  std::vector<std::shared_ptr<const std::string>> frames_;
};

struct BoxOptions {
  StoreOptions store;
  bool keep_outbox = true;
  bool limit_uid_distance = false;
  Clock* clock = nullptr;
  Summarizer summarizer;
};

class StoreBox {
 public:
  explicit StoreBox(BoxOptions options = {});
  StoreBox(const StoreBox&) = delete;
  StoreBox& operator=(const StoreBox&) = delete;
  ~StoreBox();

  void Open();
  void Close();
  void Reopen() {
    Close();
    Open();
  }
  void BePrimary(std::uint32_t epoch = 2);
  void Serve(const Status& writes);
  /// A forced promotion as the pair carries it out: nothing is acked or served before the jump.
  Status Force(std::uint32_t epoch, bool renumber);

  Store& store() { return *store_; }
  FakePair& pair() { return *pair_; }
  QuickCredentials& credentials() { return credentials_; }
  MailStore& mail() { return store_->mail_store(); }
  const WritePath& path() { return store_->write_path(); }
  const std::string& directory() const { return dir_.path(); }

  UserRef AddUser(const std::string& name);
  MailboxState Inbox(const UserRef& user) { return Find(user, "INBOX"); }
  MailboxState Find(const UserRef& user, const std::string& name);
  Result<MailboxState> Create(const UserRef& user, const std::string& name);
  Status Rename(const UserRef& user, const std::string& from, const std::string& to);
  Status Delete(const UserRef& user, const std::string& name);
  std::unique_ptr<BodyStage> Stage(const UserId& user, const std::string& octets);
  /// Null when the store would not take it.
  std::unique_ptr<BodyStage> TryStage(const UserId& user, const std::string& octets);
  Result<AppendResult> AppendStaged(MailboxRef mailbox, std::unique_ptr<BodyStage> stage,
                                    FlagList flags = {});
  Result<AppendResult> Append(MailboxRef mailbox, const std::string& octets, FlagList flags = {});
  Result<StoreResult> Flag(MailboxRef mailbox, UidSet uids, FlagChange change, FlagList flags,
                           std::optional<Modseq> unchanged_since = {});
  Result<ExpungeResult> Expunge(MailboxRef mailbox, std::optional<UidSet> uids = {});
  Result<CopyResult> Copy(MailboxRef from, UidSet uids, MailboxRef to);
  Result<CopyResult> Move(MailboxRef from, UidSet uids, MailboxRef to);
  Result<DeliverResult> Deliver(const UserRef& user, const std::string& octets,
                                const std::string& sender = "a@example.org");
  MailboxState State(MailboxRef mailbox);
  Result<IndexBatch> Index(MailboxRef mailbox, IndexQuery query = {});
  /// Flags of a message as visible; 255: there is none.
  int FlagsOf(MailboxRef mailbox, std::uint32_t uid);
  std::string Octets(MailboxRef mailbox, std::uint32_t uid);

 private:
  testing::TempDir dir_;
  BoxOptions options_;
  QuickCredentials credentials_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<FakePair> pair_;
  replica::ServingState serving_;
  std::uint64_t incarnation_ = 0;
};

/// Applies the primary's frames from `*sent` on to the standby, which must agree with all of them.
void SendFrames(StoreBox& primary, StoreBox& standby, std::size_t* sent);

}  // namespace twinspool::store
