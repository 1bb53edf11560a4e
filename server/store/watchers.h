// Watchers: who wants to hear of which mailbox.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "common/types.h"
#include "server/mail_store.h"

namespace twinspool::store {

/// Thread-safe. Watches may outlive this object.
class Watchers {
 public:
  Watchers() : table_(std::make_shared<Table>()) {}

  std::unique_ptr<Watch> Add(MailboxId mailbox, std::function<void()> wake);
  /// Calls everyone who watches one of these, with no lock held.
  void Wake(const std::vector<MailboxId>& mailboxes);
  void WakeAll();

 private:
  using WakePtr = std::shared_ptr<const std::function<void()>>;
  struct Table {
    std::mutex mutex;
    std::uint64_t next = 1;
    std::unordered_map<MailboxId, std::unordered_map<std::uint64_t, WakePtr>> by_mailbox;
  };
  class Registration;

  std::shared_ptr<Table> table_;
};

}  // namespace twinspool::store
