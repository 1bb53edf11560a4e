// LoginGuard: stands before the password checks, so that somebody who guesses, over however many
// connections, costs little and keeps nobody else out.
//
// It counts, over all connections of this node:
//   * refused logins per address (a /64 of IPv6): beyond limits::kLoginFailuresPerAddressMax none
//     of its passwords are checked;
//   * refused logins per user name, whether or not there is such a user: beyond
//     limits::kLoginFailuresPerUserMax none are checked for that name from an address that is
//     itself suspect (limits::kLoginFailuresSuspect), so that a name under attack still lets its
//     owner in from elsewhere;
//   * checks that wait, per address and per name.
// One failure is forgotten in each limits::kLoginFailureForgetMs. Loopback, Unix sockets and the
// configured fronts (webmail servers, proxies: many people behind one address) have no failures
// held against them, only their waiting checks are bounded.
//
// Logins that LoginCache knows do not come here: whoever was here lately is never held up. All is
// in memory and of bounded size; a node that takes over starts with an empty slate. Answers depend
// on what was asked before, never on whether a user exists.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/env.h"
#include "common/limits.h"
#include "common/status.h"

namespace twinspool::auth {

/// How often each key failed lately. Bounded: the key unheard of for longest is dropped.
class FailureCounts {
 public:
  explicit FailureCounts(std::size_t entries_max = limits::kLoginGuardEntries)
      : entries_max_(entries_max) {}

  int Of(const std::string& key, Instant now) const;
  void Add(const std::string& key, Instant now);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Instant forgotten;  // when its last failure is
  };
  const std::size_t entries_max_;
  std::list<Entry> entries_;  // oldest first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

/// Thread-safe.
class LoginGuard {
 public:
  /// `clock` outlives the guard. `fronts`: numeric addresses whose failures are not counted.
  LoginGuard(Clock& clock, std::vector<std::string> fronts);

  /// A login asks for its check. OK: it waits from now on, until Leave. kLimit: it, or its like,
  /// failed too often. kUnavailable: too many wait already. An empty name (a token that names its
  /// user itself) is nobody's: only the address counts.
  Status Enter(std::string_view user, std::string_view address);
  /// Whether a check that waited is still worth its time: kLimit once too many before it failed.
  Status Welcome(std::string_view user, std::string_view address);
  /// The end of what Enter began. `wrong`: the password was checked and is not the user's.
  void Leave(std::string_view user, std::string_view address, bool wrong);

 private:
  /// The address as it is counted; empty: its failures are not.
  std::string FailureKey(std::string_view address) const;
  Status WelcomeLocked(const std::string& user, const std::string& failure_key) const;

  Clock& clock_;
  const std::vector<std::string> fronts_;

  mutable std::mutex mutex_;
  FailureCounts addresses_;                                // guarded by mutex_
  FailureCounts users_;                                    // guarded by mutex_
  std::map<std::string, std::size_t> waiting_by_address_;  // guarded by mutex_
  std::map<std::string, std::size_t> waiting_by_user_;     // guarded by mutex_
};

/// The part of a numeric address that one client can be told by: all of IPv4 (also when mapped into
/// IPv6), the first 64 bits of IPv6; other texts as they are.
std::string ClientNetwork(std::string_view address);

}  // namespace twinspool::auth
