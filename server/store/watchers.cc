#include "server/store/watchers.h"

#include <utility>

namespace twinspool::store {

class Watchers::Registration : public Watch {
 public:
  Registration(std::shared_ptr<Table> table, MailboxId mailbox, std::uint64_t number)
      : table_(std::move(table)), mailbox_(mailbox), number_(number) {}
  ~Registration() override {
    WakePtr wake;  // destroyed after the lock: it may hold the last reference to a session
    const std::lock_guard<std::mutex> lock(table_->mutex);
    auto it = table_->by_mailbox.find(mailbox_);
    auto entry = it->second.find(number_);
    wake = std::move(entry->second);
    it->second.erase(entry);
    if (it->second.empty()) {
      table_->by_mailbox.erase(it);
    }
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  std::shared_ptr<Table> table_;
  MailboxId mailbox_;
  std::uint64_t number_;
};

std::unique_ptr<Watch> Watchers::Add(MailboxId mailbox, std::function<void()> wake) {
  auto shared = std::make_shared<const std::function<void()>>(std::move(wake));
  const std::lock_guard<std::mutex> lock(table_->mutex);
  const std::uint64_t number = table_->next++;
  table_->by_mailbox[mailbox].emplace(number, std::move(shared));
  return std::make_unique<Registration>(table_, mailbox, number);
}

void Watchers::Wake(const std::vector<MailboxId>& mailboxes) {
  std::vector<WakePtr> wakes;
  {
    const std::lock_guard<std::mutex> lock(table_->mutex);
    for (const MailboxId mailbox : mailboxes) {
      const auto it = table_->by_mailbox.find(mailbox);
      if (it == table_->by_mailbox.end()) {
        continue;
      }
      for (const auto& [number, wake] : it->second) {
        wakes.push_back(wake);
      }
    }
  }
  for (const WakePtr& wake : wakes) {
    (*wake)();
  }
}

void Watchers::WakeAll() {
  std::vector<MailboxId> all;
  {
    const std::lock_guard<std::mutex> lock(table_->mutex);
    for (const auto& [mailbox, watches] : table_->by_mailbox) {
      all.push_back(mailbox);
    }
  }
  Wake(all);
}

}  // namespace twinspool::store
