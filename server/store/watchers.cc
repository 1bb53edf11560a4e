#include "server/store/watchers.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "common/limits.h"

namespace twinspool::store {

/// What one watch of a user has not been asked for yet. Its table's lock guards it.
class Watchers::Gathered {
 public:
  explicit Gathered(WakePtr wake) : wake_(std::move(wake)) {}

  void AddMailbox(MailboxId mailbox) {
    if (known_.contains(mailbox)) {
      return;
    }
    if (Room()) {
      known_.insert(mailbox);
      news_.mailboxes.push_back(mailbox);
    }
  }
  void AddListing() { news_.listing = true; }
  void AddEntry(MailboxId mailbox, const std::string& entry) {
    if (Room()) {
      news_.annotations.emplace_back(mailbox, entry);
    }
  }
  void AddAll() { news_.overflow = true; }

  /// Whom to wake: nobody while an earlier call has not led to Take.
  WakePtr Signal() { return std::exchange(signalled_, true) ? nullptr : wake_; }
  UserNews Take() {
    signalled_ = false;
    known_.clear();
    return std::exchange(news_, {});
  }

 private:
  /// Whether one thing more fits; else all that may have changed is forgotten for "anything".
  bool Room() {
    if (news_.mailboxes.size() + news_.annotations.size() >= limits::kUserNewsMax) {
      news_ = {};
      news_.overflow = true;
      known_.clear();
    }
    return !news_.overflow;
  }

  WakePtr wake_;
  UserNews news_;
  std::unordered_set<MailboxId> known_;  // those in news_
  bool signalled_ = false;
};

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

class Watchers::UserRegistration : public UserWatch {
 public:
  UserRegistration(std::shared_ptr<Table> table, UserId user, std::uint64_t number,
                   std::shared_ptr<Gathered> gathered)
      : table_(std::move(table)), user_(user), number_(number), gathered_(std::move(gathered)) {}
  ~UserRegistration() override {
    // gathered_ goes after the lock, as it may hold the last reference to a session.
    const std::lock_guard<std::mutex> lock(table_->mutex);
    const auto it = table_->by_user.find(user_);
    it->second.erase(number_);
    if (it->second.empty()) {
      table_->by_user.erase(it);
    }
  }
  UserRegistration(const UserRegistration&) = delete;
  UserRegistration& operator=(const UserRegistration&) = delete;

  UserNews Take() override {
    const std::lock_guard<std::mutex> lock(table_->mutex);
    return gathered_->Take();
  }

 private:
  std::shared_ptr<Table> table_;
  UserId user_;
  std::uint64_t number_;
  std::shared_ptr<Gathered> gathered_;
};

std::unique_ptr<Watch> Watchers::Add(MailboxId mailbox, std::function<void()> wake) {
  auto shared = std::make_shared<const std::function<void()>>(std::move(wake));
  const std::lock_guard<std::mutex> lock(table_->mutex);
  const std::uint64_t number = table_->next++;
  table_->by_mailbox[mailbox].emplace(number, std::move(shared));
  return std::make_unique<Registration>(table_, mailbox, number);
}

std::unique_ptr<UserWatch> Watchers::AddUser(UserId user, std::function<void()> wake) {
  auto shared = std::make_shared<const std::function<void()>>(std::move(wake));
  auto gathered = std::make_shared<Gathered>(std::move(shared));
  const std::lock_guard<std::mutex> lock(table_->mutex);
  const std::uint64_t number = table_->next++;
  table_->by_user[user].emplace(number, gathered);
  return std::make_unique<UserRegistration>(table_, user, number, std::move(gathered));
}

void Watchers::GatherLocked(const CommitNews& news, std::vector<WakePtr>* wakes) {
  if (table_->by_user.empty()) {
    return;
  }
  const auto tell = [&](UserId user, const auto& add) {
    const auto it = table_->by_user.find(user);
    if (it == table_->by_user.end()) {
      return;
    }
    for (const auto& [number, gathered] : it->second) {
      add(*gathered);
      if (WakePtr wake = gathered->Signal()) {
        wakes->push_back(std::move(wake));
      }
    }
  };
  for (const auto& [user, mailbox] : news.mailboxes) {
    tell(user, [id = mailbox](Gathered& one) { one.AddMailbox(id); });
  }
  for (const UserId user : news.listings) {
    tell(user, [](Gathered& one) { one.AddListing(); });
  }
  for (const CommitNews::Entry& entry : news.annotations) {
    tell(entry.user, [&](Gathered& one) { one.AddEntry(entry.mailbox, entry.entry); });
  }
}

void Watchers::Wake(const CommitNews& news) {
  std::unordered_set<MailboxId> mailboxes;
  std::vector<WakePtr> wakes;
  {
    const std::lock_guard<std::mutex> lock(table_->mutex);
    const auto wake_watchers = [&](MailboxId mailbox) {
      const auto it = table_->by_mailbox.find(mailbox);
      if (it == table_->by_mailbox.end() || !mailboxes.insert(mailbox).second) {
        return;
      }
      for (const auto& [number, wake] : it->second) {
        wakes.push_back(wake);
      }
    };
    for (const auto& [user, mailbox] : news.mailboxes) {
      wake_watchers(mailbox);
    }
    for (const MailboxId mailbox : news.viewed) {
      wake_watchers(mailbox);
    }
    GatherLocked(news, &wakes);
  }
  for (const WakePtr& wake : wakes) {
    (*wake)();
  }
}

void Watchers::WakeAll() {
  std::vector<WakePtr> wakes;
  {
    const std::lock_guard<std::mutex> lock(table_->mutex);
    for (const auto& [mailbox, watches] : table_->by_mailbox) {
      for (const auto& [number, wake] : watches) {
        wakes.push_back(wake);
      }
    }
    for (const auto& [user, watches] : table_->by_user) {
      for (const auto& [number, gathered] : watches) {
        gathered->AddAll();
        if (WakePtr wake = gathered->Signal()) {
          wakes.push_back(std::move(wake));
        }
      }
    }
  }
  for (const WakePtr& wake : wakes) {
    (*wake)();
  }
}

}  // namespace twinspool::store
