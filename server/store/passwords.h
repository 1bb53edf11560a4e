// PasswordCheck: is this the password of that user? Slow by design (the hash decides), so it runs
// on two threads of its own; recent successes are remembered for a few minutes, so that a storm of
// reconnecting clients does not wait in line.
//
// What is remembered is a keyed hash of user, password and stored hash under a key of this process;
// a changed password therefore never matches. Unknown users cost as much time as known ones.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/env.h"
#include "common/executor.h"
#include "server/mail_store.h"

namespace twinspool::store {

class Engine;
struct View;

/// The hashing that the store is given; crypt(3) in the program, something quick in tests.
struct PasswordFunctions {
  std::function<std::string(std::string_view password)> hash;
  std::function<bool(std::string_view hash, std::string_view password)> verify;
};

/// Thread-safe.
class PasswordCheck {
 public:
  /// `engine`, `clock` are not owned. Hashes one dummy password.
  PasswordCheck(Engine& engine, Clock& clock, Random& random, PasswordFunctions functions);

  /// kUnauthenticated: unknown user, wrong password or no login allowed.
  void Check(const View& view, std::string user, std::string password, Done<UserRef> done);
  std::string Hash(std::string_view password) const { return functions_.hash(password); }
  void Stop() { pool_.Stop(); }

 private:
  bool Remembered(const Guid& key);
  void Remember(const Guid& key);

  Engine& engine_;
  Clock& clock_;
  const PasswordFunctions functions_;
  const std::string dummy_hash_;
  std::string secret_;
  std::mutex mutex_;
  std::unordered_map<Guid, Instant> good_;  // until when
  Executor pool_;
};

}  // namespace twinspool::store
