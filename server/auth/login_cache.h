// LoginCache: remembers for a while after its last use that a password was right, so that ten
// thousand clients coming back do not cost ten thousand times 15 ms, and so that nobody who was
// here lately waits behind guesses (login_guard.h).
//
// It keeps no password: only an HMAC over user, password and the user's stored hash, under a key
// that this process made at its start and never shows. Since the stored hash goes in, an entry dies
// by itself when the credential changes, also when the change came from the other node. Failures
// are not remembered.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/env.h"
#include "common/limits.h"

namespace twinspool::auth {

/// Thread-safe. Holds one entry per user: the last one remembered.
class LoginCache {
 public:
  /// `clock` outlives the cache.
  LoginCache(Clock& clock, Random& random, std::size_t entries_max = limits::kLoginCacheEntries,
             std::int64_t keep_ms = limits::kLoginCacheMs);

  /// True: this password was verified against this hash, and used again, not long ago. Using it
  /// keeps it remembered.
  bool Knows(std::string_view user, std::string_view password, std::string_view stored_hash);
  /// After a successful verification. The oldest entry gives way when the cache is full.
  void Remember(std::string_view user, std::string_view password, std::string_view stored_hash);
  /// The user was deleted or changed.
  void Forget(std::string_view user);
  void Clear();
  std::size_t size();

 private:
  using Mac = std::array<std::uint8_t, 32>;
  struct Entry {
    std::string user;
    Mac mac;
    Instant until;
  };

  Mac MacOf(std::string_view user, std::string_view password, std::string_view stored_hash) const;
  void EraseLocked(const std::string& user);

  Clock& clock_;
  const std::size_t entries_max_;
  const std::int64_t keep_ms_;
  std::array<std::uint8_t, 32> key_{};  // constant

  std::mutex mutex_;
  std::list<Entry> entries_;  // oldest first; guarded by mutex_
  std::unordered_map<std::string, std::list<Entry>::iterator> by_user_;  // guarded by mutex_
};

}  // namespace twinspool::auth
