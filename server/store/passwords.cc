#include "server/store/passwords.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/reader.h"
#include "server/store/schema.h"
#include "server/store/visibility.h"

namespace twinspool::store {

PasswordCheck::PasswordCheck(Engine& engine, Credentials& credentials)
    : engine_(engine), credentials_(credentials), pool_("auth", 2, limits::kAuthWaitingMax) {}

Result<PasswordCheck::Login> PasswordCheck::Find(const View& view, LoginRequest request) {
  Login login{{}, "", {}, std::move(request.password), std::move(request.address)};
  const Result<std::string> name = credentials_.FoldName(request.user);
  if (!name.ok()) {
    return login;
  }
  login.user.name = *name;
  ASSIGN_OR_RETURN(const auto id,
                   engine_.Get(Family::kUsers, UserNameKey(*name), view.snapshot.get()));
  if (!id) {
    return login;
  }
  login.user.id = UserId::FromBytes(*id);
  ASSIGN_OR_RETURN(const auto header, ReadUserHeader(engine_, login.user.id, view.snapshot.get()));
  if (!header) {
    return DataLoss("the header of user " + login.user.id.ToHex() + " is missing");
  }
  login.password_hash = header->password_hash();
  for (const proto::AppPassword& app : header->app_passwords()) {
    login.app_hashes.push_back(app.hash());
  }
  return login;
}

void PasswordCheck::Check(const View& view, LoginRequest request, const Done<UserRef>& done) {
  Result<Login> login = Find(view, std::move(request));
  if (!login.ok()) {
    return done(login.status());
  }
  if (IsRight(*login)) {
    return done(login->user);
  }
  Queue(std::move(*login), done);
}

bool PasswordCheck::IsRight(const Login& login) {
  return credentials_.Remembers(login.user.name, login.password, login.password_hash) ||
         std::any_of(login.app_hashes.begin(), login.app_hashes.end(),
                     [&](const std::string& hash) {
                       return credentials_.IsAppPassword(login.password, hash);
                     });
}

void PasswordCheck::Queue(Login login, const Done<UserRef>& done) {
  const std::string name = login.user.name;
  if (const Status refused = credentials_.Enter(name, login.address); !refused.ok()) {
    return done(refused);
  }
  line_.Push(name, {std::move(login), done});
  if (!pool_.TryPost([this] { CheckNext(); })) {
    // The pool is full or ends: somebody is turned away, and whose turn it is may not be this one.
    TurnNextAway();
  }
}

void PasswordCheck::CheckNext() {
  const std::optional<Waiting> next = line_.Pop();
  next->done(Verify(next->login));
}

void PasswordCheck::TurnNextAway() {
  const std::optional<Waiting> next = line_.Pop();
  credentials_.Leave(next->login.user.name, next->login.address, false);
  next->done(Unavailable("too many logins at once; try again"));
}

Result<UserRef> PasswordCheck::Verify(const Login& login) {
  const std::string& name = login.user.name;
  const Status welcome = credentials_.Welcome(name, login.address);
  // Of many logins of one user the first may have been verified meanwhile.
  const bool right =
      welcome.ok() && (credentials_.Remembers(name, login.password, login.password_hash) ||
                       credentials_.Verify(name, login.password, login.password_hash));
  credentials_.Leave(name, login.address, welcome.ok() && !right);
  if (right) {
    return login.user;
  }
  return welcome.ok() ? Unauthenticated("wrong user name or password") : welcome;
}

}  // namespace twinspool::store
