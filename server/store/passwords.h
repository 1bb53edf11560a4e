// PasswordCheck: is this the password of that user? Finds the user's hash; what the hash means is
// for Credentials to say, and so is who may ask. Checks are slow by design, so they run on two
// threads of their own, with a bounded queue in which user names take turns; a password that is
// remembered, or one for an app, does not wait in that line. So a storm of reconnecting clients
// holds up nobody who was here before, and two hundred guesses at one name hold up the others by
// one or two checks.
#pragma once

#include <string>
#include <vector>

#include "common/executor.h"
#include "common/fair_line.h"
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
  struct Login {
    UserRef user;
    std::string password_hash;  // empty: no such user, or no login
    std::vector<std::string> app_hashes;
    std::string password;
    std::string address;
  };
  struct Waiting {
    Login login;
    Done<UserRef> done;
  };

  Result<Login> Find(const View& view, LoginRequest request);
  /// What can be told at once: that it is right.
  bool IsRight(const Login& login);
  void Queue(Login login, const Done<UserRef>& done);
  void CheckNext();
  void TurnNextAway();
  Result<UserRef> Verify(const Login& login);

  Engine& engine_;
  Credentials& credentials_;
  FairLine<Waiting> line_;  // by user name; one CheckNext is posted for each
  Executor pool_;
};

}  // namespace twinspool::store
