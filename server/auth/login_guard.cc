#include "server/auth/login_guard.h"

#include <algorithm>
#include <array>
#include <utility>

#include <arpa/inet.h>

namespace twinspool::auth {
namespace {

constexpr std::size_t kNetworkOctets = 8;  // of 16
constexpr std::array<unsigned char, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void TakeOne(std::map<std::string, std::size_t>* counts, const std::string& key) {
  const auto it = counts->find(key);
  if (it != counts->end() && --it->second == 0) {
    counts->erase(it);
  }
}

std::size_t CountOf(const std::map<std::string, std::size_t>& counts, const std::string& key) {
  const auto it = counts.find(key);
  return it == counts.end() ? 0 : it->second;
}

}  // namespace

std::string ClientNetwork(std::string_view address) {
  std::string text(address);
  std::array<unsigned char, 16> octets{};
  if (inet_pton(AF_INET6, text.c_str(), octets.data()) != 1) {
    return text;
  }
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin())) {
    std::array<char, INET_ADDRSTRLEN> plain{};
    inet_ntop(AF_INET, octets.data() + kMappedPrefix.size(), plain.data(), plain.size());
    return plain.data();
  }
  std::fill(octets.begin() + kNetworkOctets, octets.end(), 0);
  std::array<char, INET6_ADDRSTRLEN> network{};
  inet_ntop(AF_INET6, octets.data(), network.data(), network.size());
  return std::string(network.data()) + "/64";
}

// --- FailureCounts

int FailureCounts::Of(const std::string& key, Instant now) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->forgotten <= now) {
    return 0;
  }
  const std::int64_t left = found->second->forgotten.MsSince(now);
  return static_cast<int>((left + limits::kLoginFailureForgetMs - 1) /
                          limits::kLoginFailureForgetMs);
}

void FailureCounts::Add(const std::string& key, Instant now) {
  Instant from = now;
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    from = std::max(from, found->second->forgotten);
    entries_.erase(found->second);
    by_key_.erase(found);
  }
  if (entries_.size() >= entries_max_) {
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
  }
  entries_.push_back({key, from.PlusMs(limits::kLoginFailureForgetMs)});
  by_key_[key] = std::prev(entries_.end());
}

// --- LoginGuard

LoginGuard::LoginGuard(Clock& clock, std::vector<std::string> fronts)
    : clock_(clock), fronts_(std::move(fronts)) {}

std::string LoginGuard::FailureKey(std::string_view address) const {
  const std::string network = ClientNetwork(address);
  const bool here =
      address.empty() || address == "unix" || address == "::1" || network.starts_with("127.");
  const bool front = std::find(fronts_.begin(), fronts_.end(), address) != fronts_.end() ||
                     std::find(fronts_.begin(), fronts_.end(), network) != fronts_.end();
  return here || front ? "" : network;
}

Status LoginGuard::WelcomeLocked(const std::string& user, const std::string& failure_key) const {
  if (failure_key.empty()) {
    return OkStatus();
  }
  const Instant now = clock_.Now();
  const int failed = addresses_.Of(failure_key, now);
  const bool name_attacked = !user.empty() && failed >= limits::kLoginFailuresSuspect &&
                             users_.Of(user, now) >= limits::kLoginFailuresPerUserMax;
  if (failed >= limits::kLoginFailuresPerAddressMax || name_attacked) {
    return LimitExceeded(
        "too many logins from your address have failed; try again in some minutes");
  }
  return OkStatus();
}

Status LoginGuard::Enter(std::string_view user, std::string_view address) {
  const std::string name(user);
  const std::string network = ClientNetwork(address);
  const std::string failure_key = FailureKey(address);
  const std::lock_guard lock(mutex_);
  TRY(WelcomeLocked(name, failure_key));
  if (CountOf(waiting_by_address_, network) >= limits::kAuthWaitingPerAddressMax ||
      (!name.empty() && CountOf(waiting_by_user_, name) >= limits::kAuthWaitingPerUserMax)) {
    return Unavailable("too many logins at once; try again");
  }
  ++waiting_by_address_[network];
  ++waiting_by_user_[name];
  return OkStatus();
}

Status LoginGuard::Welcome(std::string_view user, std::string_view address) {
  const std::string failure_key = FailureKey(address);
  const std::lock_guard lock(mutex_);
  return WelcomeLocked(std::string(user), failure_key);
}

void LoginGuard::Leave(std::string_view user, std::string_view address, bool wrong) {
  const std::string name(user);
  const std::string failure_key = FailureKey(address);
  const std::lock_guard lock(mutex_);
  TakeOne(&waiting_by_address_, ClientNetwork(address));
  TakeOne(&waiting_by_user_, name);
  if (wrong) {
    users_.Add(name, clock_.Now());
    if (!failure_key.empty()) {
      addresses_.Add(failure_key, clock_.Now());
    }
  }
}

}  // namespace twinspool::auth
