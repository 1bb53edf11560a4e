// TokenChecker: whose token is it? Asks the configured keys (jwt.h), or, if it is no JWT or there
// are no keys, an introspection server (RFC 7662) through whoever can reach one.
//
// That a server said a token is good is remembered for limits::kTokenCacheMs at most, and never
// beyond the token's own expiry; that it is not, never. Tokens are not kept, only their SHA-256.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/env.h"
#include "common/limits.h"
#include "common/status.h"
#include "server/auth/jwt.h"

namespace twinspool::auth {

/// Answers the body of the server's answer, or why there is none. Calls `done` once, on any thread.
using Introspect =
    std::function<void(const std::string& token, std::function<void(Result<std::string>)> done)>;

/// Thread-safe.
class TokenChecker {
 public:
  /// `clock` outlives it. `introspect` may be empty.
  TokenChecker(TokenRules rules, Introspect introspect, Clock& clock,
               std::size_t entries_max = limits::kTokenCacheEntries);

  void SetKeys(JwtKeys keys);
  /// The name that the token gives its user. kUnauthenticated: it is of no use here, with the
  /// reason for the log; kUnavailable: that could not be found out. Calls `done` once, perhaps
  /// before it returns, perhaps on a thread of `introspect`'s.
  void Check(const std::string& token, const std::function<void(Result<std::string>)>& done);

 private:
  struct Entry {
    std::string key;
    std::string user;
    Instant until;
    std::int64_t expires_s = 0;  // 0: not known
  };
  std::shared_ptr<const JwtKeys> keys() const;
  Result<std::string> OnAnswer(const std::string& key, const Result<std::string>& body);
  std::string Remembered(const std::string& key);
  void Remember(Entry entry);
  std::int64_t NowS() const { return clock_.WallNs() / 1'000'000'000; }

  const TokenRules rules_;
  const Introspect introspect_;
  Clock& clock_;
  const std::size_t entries_max_;

  mutable std::mutex mutex_;
  std::shared_ptr<const JwtKeys> keys_;  // guarded by mutex_
  std::list<Entry> entries_;             // oldest first; guarded by mutex_
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;  // guarded by mutex_
};

}  // namespace twinspool::auth
