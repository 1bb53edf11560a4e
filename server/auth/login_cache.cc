#include "server/auth/login_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/codec.h"

namespace twinspool::auth {

LoginCache::LoginCache(Clock& clock, Random& random, std::size_t entries_max, std::int64_t keep_ms)
    : clock_(clock), entries_max_(entries_max), keep_ms_(keep_ms) {
  random.Fill(key_.data(), key_.size());
}

LoginCache::Mac LoginCache::MacOf(std::string_view user, std::string_view password,
                                  std::string_view stored_hash) const {
  std::string text;
  // Prefixed lengths: ("ab", "c") must not equal ("a", "bc").
  PutString(&text, user);
  PutString(&text, password);
  PutString(&text, stored_hash);
  Mac mac{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  OPENSSL_cleanse(text.data(), text.size());
  return mac;
}

bool LoginCache::Knows(std::string_view user, std::string_view password,
                       std::string_view stored_hash) {
  const Mac mac = MacOf(user, password, stored_hash);
  const std::lock_guard lock(mutex_);
  const auto found = by_user_.find(std::string(user));
  if (found == by_user_.end()) {
    return false;
  }
  if (found->second->until <= clock_.Now()) {
    EraseLocked(found->first);
    return false;
  }
  if (CRYPTO_memcmp(found->second->mac.data(), mac.data(), mac.size()) != 0) {
    return false;
  }
  found->second->until = clock_.Now().PlusMs(keep_ms_);
  entries_.splice(entries_.end(), entries_, found->second);
  return true;
}

void LoginCache::Remember(std::string_view user, std::string_view password,
                          std::string_view stored_hash) {
  const Mac mac = MacOf(user, password, stored_hash);
  const std::lock_guard lock(mutex_);
  EraseLocked(std::string(user));
  if (entries_max_ == 0) {
    return;
  }
  if (entries_.size() >= entries_max_) {
    EraseLocked(std::string(entries_.front().user));
  }
  entries_.push_back({std::string(user), mac, clock_.Now().PlusMs(keep_ms_)});
  by_user_[std::string(user)] = std::prev(entries_.end());
}

void LoginCache::EraseLocked(const std::string& user) {
  const auto found = by_user_.find(user);
  if (found != by_user_.end()) {
    entries_.erase(found->second);
    by_user_.erase(found);
  }
}

void LoginCache::Forget(std::string_view user) {
  const std::lock_guard lock(mutex_);
  EraseLocked(std::string(user));
}

void LoginCache::Clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  by_user_.clear();
}

std::size_t LoginCache::size() {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace twinspool::auth
