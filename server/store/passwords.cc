#include "server/store/passwords.h"

#include <optional>
#include <utility>

#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/reader.h"
#include "server/store/schema.h"
#include "server/store/visibility.h"

namespace twinspool::store {
namespace {

struct Login {
  UserRef user;
  std::string password_hash;  // empty: no such user, or no login
};

Result<Login> FindLogin(Engine& engine, const std::string& name, const Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto id, engine.Get(Family::kUsers, UserNameKey(name), snapshot));
  if (!id) {
    return Login{{UserId(), name}, ""};
  }
  const UserId user = UserId::FromBytes(*id);
  ASSIGN_OR_RETURN(const auto header, ReadUserHeader(engine, user, snapshot));
  if (!header) {
    return DataLoss("the header of user " + user.ToHex() + " is missing");
  }
  return Login{{user, name}, header->password_hash()};
}

}  // namespace

PasswordCheck::PasswordCheck(Engine& engine, Credentials& credentials)
    : engine_(engine), credentials_(credentials), pool_("auth", 2, limits::kAuthWaitingMax) {}

void PasswordCheck::Check(const View& view, const std::string& user, std::string password,
                          Done<UserRef> done) {
  const Result<std::string> name = credentials_.FoldName(user);
  Login login;
  if (name.ok()) {
    Result<Login> found = FindLogin(engine_, *name, view.snapshot.get());
    if (!found.ok()) {
      return done(found.status());
    }
    login = std::move(found).value();
  }
  if (credentials_.Remembers(login.user.name, password, login.password_hash)) {
    return done(login.user);
  }
  const bool taken = pool_.TryPost([this, login, password = std::move(password), done] {
    if (credentials_.Verify(login.user.name, password, login.password_hash)) {
      done(login.user);
    } else {
      done(Unauthenticated("wrong user name or password"));
    }
  });
  if (!taken) {
    done(Unavailable("too many logins at once; try again"));
  }
}

}  // namespace twinspool::store
