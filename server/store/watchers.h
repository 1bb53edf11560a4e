// Watchers: who wants to hear of which mailbox, and of which user's mail altogether.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/commit_news.h"

namespace twinspool::store {

/// Thread-safe. Watches may outlive this object.
class Watchers {
 public:
  Watchers() : table_(std::make_shared<Table>()) {}

  std::unique_ptr<Watch> Add(MailboxId mailbox, std::function<void()> wake);
  std::unique_ptr<UserWatch> AddUser(UserId user, std::function<void()> wake);
  /// Calls everyone whom this concerns, each at most once, with no lock held.
  void Wake(const CommitNews& news);
  void WakeAll();

 private:
  using WakePtr = std::shared_ptr<const std::function<void()>>;
  class Gathered;
  struct Table {
    std::mutex mutex;
    std::uint64_t next = 1;
    std::unordered_map<MailboxId, std::unordered_map<std::uint64_t, WakePtr>> by_mailbox;
    std::unordered_map<UserId, std::unordered_map<std::uint64_t, std::shared_ptr<Gathered>>>
        by_user;
  };
  class Registration;
  class UserRegistration;

  void GatherLocked(const CommitNews& news, std::vector<WakePtr>* wakes);

  std::shared_ptr<Table> table_;
};

}  // namespace twinspool::store
