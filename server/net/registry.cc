#include "server/net/registry.h"

#include <chrono>
#include <utility>

#include "server/net/connection.h"

namespace twinspool::net {

bool Registry::Reserve(const std::string& address) {
  const std::lock_guard lock(mutex_);
  if (places_ >= options_.connections_max) {
    return false;
  }
  if (!address.empty()) {
    std::size_t& count = per_address_[address];
    if (count >= options_.connections_per_address_max) {
      return false;
    }
    ++count;
  }
  ++places_;
  return true;
}

bool Registry::Name(const std::string& address) {
  const std::lock_guard lock(mutex_);
  std::size_t& count = per_address_[address];
  if (count >= options_.connections_per_address_max) {
    return false;
  }
  ++count;
  return true;
}

void Registry::ReleaseLocked(const std::string& address) {
  --places_;
  if (!address.empty()) {
    const auto it = per_address_.find(address);
    if (--it->second == 0) {
      per_address_.erase(it);
    }
  }
  if (places_ == 0) {
    empty_.notify_all();
  }
}

void Registry::Release(const std::string& address) {
  const std::lock_guard lock(mutex_);
  ReleaseLocked(address);
}

void Registry::Add(std::shared_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  const Connection* key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void Registry::Remove(const Connection* connection, const std::string& address) {
  std::shared_ptr<Connection> last;  // must not be destroyed under the lock
  const std::lock_guard lock(mutex_);
  const auto it = connections_.find(connection);
  if (it == connections_.end()) {
    return;
  }
  last = std::move(it->second);
  connections_.erase(it);
  ReleaseLocked(address);
}

std::vector<std::shared_ptr<Connection>> Registry::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) {
    all.push_back(connection);
  }
  return all;
}

std::size_t Registry::size() const {
  const std::lock_guard lock(mutex_);
  return places_;
}

bool Registry::WaitEmpty(std::int64_t wait_ms) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return places_ == 0; });
}

}  // namespace twinspool::net
