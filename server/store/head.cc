// HeadState and StripeLock. HeadEdit is in head_edit.cc; both share head_stripe.h.
#include "server/store/head.h"

#include <algorithm>

#include "server/store/head_stripe.h"

namespace twinspool::store {

Result<std::shared_ptr<const MailboxHeaderPart>> ParseMailboxHeader(std::string bytes) {
  auto part = std::make_shared<MailboxHeaderPart>();
  if (!part->decoded.ParseFromString(bytes)) {
    return DataLoss("the header of a mailbox does not parse");
  }
  part->bytes = std::move(bytes);
  auto names = std::make_shared<std::vector<std::string>>();
  for (const std::string& keyword : part->decoded.keywords()) {
    names->push_back(keyword);
    part->folded.push_back(FoldKeyword(keyword));
  }
  part->keywords = std::move(names);
  return std::shared_ptr<const MailboxHeaderPart>(std::move(part));
}

Result<std::shared_ptr<const UserHeaderPart>> ParseUserHeader(std::string bytes) {
  auto part = std::make_shared<UserHeaderPart>();
  if (!part->decoded.ParseFromString(bytes)) {
    return DataLoss("the header of a user does not parse");
  }
  part->bytes = std::move(bytes);
  return std::shared_ptr<const UserHeaderPart>(std::move(part));
}

std::string FoldKeyword(std::string_view keyword) {
  std::string folded(keyword);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return folded;
}

void HeadState::Stripe::Trim(std::uint64_t durable) {
  while (!row_order.empty() && row_order.front().first <= durable) {
    auto it = rows.find(row_order.front().second);
    if (it != rows.end() && it->second.ticket == row_order.front().first) {
      rows.erase(it);
    }
    row_order.pop_front();
  }
  if (row_order.empty()) {
    has_rows.store(false, std::memory_order_relaxed);
  }
}

HeadState::HeadState(Engine& engine, HeadOptions options)
    : engine_(engine),
      options_(options),
      stripes_(std::make_unique<std::array<Stripe, kStripes>>()) {}

HeadState::~HeadState() = default;

std::size_t HeadState::StripeOf(UserId user) {
  return std::hash<UserId>()(user) % kStripes;
}

void HeadState::SetDurable(Ticket ticket) {
  durable_.store(ticket.value());
  for (Stripe& stripe : *stripes_) {
    if (!stripe.has_rows.load(std::memory_order_relaxed)) {
      continue;
    }
    // A stripe in use trims itself when it is next locked; nobody waits here.
    if (std::unique_lock<std::mutex> lock(stripe.mutex, std::try_to_lock); lock.owns_lock()) {
      stripe.Trim(ticket.value());
    }
  }
}

void HeadState::Clear() {
  for (Stripe& stripe : *stripes_) {
    const std::lock_guard<std::mutex> lock(stripe.mutex);
    stripe.users.Clear();
    stripe.mailboxes.Clear();
    stripe.pages.Clear();
    stripe.rows.clear();
    stripe.row_order.clear();
    stripe.has_rows.store(false);
    stripe.last_ticket = 0;
  }
  durable_.store(0);
}

bool HeadState::Quiet(const StripeLock& lock, UserId user, MailboxId mailbox) {
  TWINSPOOL_CHECK(lock.Holds(user), "a user's state is used without his stripe's lock");
  const Stripe& stripe = (*stripes_)[StripeOf(user)];
  const std::uint64_t ticket =
      mailbox.nil() ? stripe.users.TicketOf(user) : stripe.mailboxes.TicketOf(mailbox);
  return ticket <= durable_.load();
}

void HeadState::Forget(const StripeLock& lock, UserId user, MailboxId mailbox) {
  TWINSPOOL_CHECK(lock.Holds(user), "a user's state is forgotten without his stripe's lock");
  Stripe& stripe = (*stripes_)[StripeOf(user)];
  if (mailbox.nil()) {
    stripe.users.Erase(user);
    return;
  }
  stripe.mailboxes.Erase(mailbox);
  std::vector<PagePlace> places;
  stripe.pages.From({mailbox, 0}, [&](const PagePlace& place, const Page&) {
    if (place.first == mailbox) {
      places.push_back(place);
    }
    return place.first == mailbox;
  });
  for (const PagePlace& place : places) {
    stripe.pages.Erase(place);
  }
}

std::size_t HeadState::CachedObjects() {
  std::size_t count = 0;
  for (Stripe& stripe : *stripes_) {
    const std::lock_guard<std::mutex> lock(stripe.mutex);
    count += stripe.users.size() + stripe.mailboxes.size() + stripe.pages.size();
  }
  return count;
}

StripeLock::StripeLock(HeadState& head, UserId user, std::optional<UserId> other, Effort effort)
    : StripeLock(head, other ? std::vector<UserId>{user, *other} : std::vector<UserId>{user},
                 effort) {}

StripeLock::StripeLock(HeadState& head, const std::vector<UserId>& users, Effort effort)
    : head_(head), effort_(effort) {
  for (const UserId user : users) {
    stripes_.push_back(HeadState::StripeOf(user));
  }
  std::sort(stripes_.begin(), stripes_.end());
  stripes_.erase(std::unique(stripes_.begin(), stripes_.end()), stripes_.end());
  if (effort_ == Effort::kInMemory && !TryLockAll()) {
    stripes_.clear();
  }
  for (const std::size_t index : stripes_) {
    HeadState::Stripe& stripe = (*head_.stripes_)[index];
    if (effort_ == Effort::kWait) {
      stripe.mutex.lock();
    }
    stripe.Trim(head_.durable_.load());
  }
}

bool StripeLock::TryLockAll() {
  for (std::size_t i = 0; i < stripes_.size(); ++i) {
    if ((*head_.stripes_)[stripes_[i]].mutex.try_lock()) {
      continue;
    }
    while (i > 0) {
      (*head_.stripes_)[stripes_[--i]].mutex.unlock();
    }
    return false;
  }
  return true;
}

StripeLock::~StripeLock() {
  const std::uint64_t durable = head_.durable_.load();
  for (const std::size_t index : stripes_) {
    HeadState::Stripe& stripe = (*head_.stripes_)[index];
    stripe.users.Evict(head_.options_.mailboxes_per_stripe, durable);
    stripe.mailboxes.Evict(head_.options_.mailboxes_per_stripe, durable);
    stripe.pages.Evict(head_.options_.pages_per_stripe, durable);
    stripe.mutex.unlock();
  }
}

bool StripeLock::Holds(UserId user) const {
  return std::binary_search(stripes_.begin(), stripes_.end(), HeadState::StripeOf(user));
}

Ticket StripeLock::last_ticket() const {
  std::uint64_t last = 0;
  for (const std::size_t index : stripes_) {
    last = std::max(last, (*head_.stripes_)[index].last_ticket);
  }
  return Ticket(last);
}

}  // namespace twinspool::store
