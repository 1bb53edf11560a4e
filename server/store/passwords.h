// PasswordCheck: is this the password of that user? Finds the user's hash; what the hash means is
// for Credentials to say, and so is who may ask. Checks are slow by design, so they run on two
// threads of their own, with a bounded queue; a password that is remembered does not wait in that
// line, so that a storm of reconnecting clients, or of guesses, holds up nobody who was here
// before.
#pragma once

#include <string>

#include "common/executor.h"
#include "server/mail_store.h"
#include "server/store/credentials.h"

namespace twinspool::store {

class Engine;
struct View;

/// Thread-safe.
class PasswordCheck {
 public:
  /// Neither is owned.
  PasswordCheck(Engine& engine, Credentials& credentials);

  /// kUnauthenticated: unknown user, wrong password or no login allowed; all take equally long.
  /// kLimit, kUnavailable: see MailStore::Authenticate.
  void Check(const View& view, LoginRequest request, const Done<UserRef>& done);
  /// Answers what waits, then refuses with kUnavailable.
  void Stop() { pool_.Stop(); }

 private:
  struct Login;
  Result<Login> Find(const View& view, LoginRequest request);
  Result<UserRef> Verify(const Login& login);

  Engine& engine_;
  Credentials& credentials_;
  Executor pool_;
};

}  // namespace twinspool::store
