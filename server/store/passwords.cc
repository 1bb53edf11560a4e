#include "server/store/passwords.h"

#include <optional>
#include <utility>

#include "proto/types.pb.h"

#include "common/codec.h"
#include "common/digest.h"
#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/names.h"
#include "server/store/rows.h"
#include "server/store/visibility.h"

namespace twinspool::store {
namespace {

struct Login {
  UserId user;
  std::string password_hash;
};

Result<std::optional<Login>> FindLogin(Engine& engine, const std::string& name,
                                       const Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto id, engine.Get(Family::kUsers, UserNameKey(name), snapshot));
  if (!id) {
    return std::optional<Login>();
  }
  const UserId user = UserId::FromBytes(*id);
  ASSIGN_OR_RETURN(const auto row, engine.Get(Family::kUsers, UserKey(user), snapshot));
  if (!row) {
    return DataLoss("the header of user " + user.ToHex() + " is missing");
  }
  ASSIGN_OR_RETURN(const VersionedBytes versioned, DecodeVersioned(*row));
  proto::UserHeader header;
  if (!header.ParseFromString(versioned.bytes)) {
    return DataLoss("the header of user " + user.ToHex() + " does not parse");
  }
  return std::optional(Login{user, header.password_hash()});
}

}  // namespace

PasswordCheck::PasswordCheck(Engine& engine, Clock& clock, Random& random,
                             PasswordFunctions functions)
    : engine_(engine),
      clock_(clock),
      functions_(std::move(functions)),
      dummy_hash_(functions_.hash ? functions_.hash("no such user") : ""),
      secret_(random.NewId<Guid>().bytes()),
      pool_("auth", 2, limits::kAuthWaitingMax) {}

bool PasswordCheck::Remembered(const Guid& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = good_.find(key);
  return it != good_.end() && it->second > clock_.Now();
}

void PasswordCheck::Remember(const Guid& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (good_.size() >= limits::kLoginsRememberedMax) {
    good_.clear();
  }
  good_[key] = clock_.Now().PlusMs(limits::kLoginRememberedMs);
}

void PasswordCheck::Check(const View& view, std::string user, std::string password,
                          Done<UserRef> done) {
  const Result<std::string> name = CanonicalUserName(user);
  std::string hash;
  UserRef ref;
  if (name.ok()) {
    const Result<std::optional<Login>> login = FindLogin(engine_, *name, view.snapshot.get());
    if (!login.ok()) {
      return done(login.status());
    }
    if (*login) {
      ref = {(*login)->user, *name};
      hash = (*login)->password_hash;
    }
  }
  std::string facts = secret_;
  PutString(&facts, ref.id.bytes());
  PutString(&facts, hash);
  PutString(&facts, password);
  const Guid key = GuidOf(facts);
  if (!hash.empty() && Remembered(key)) {
    return done(ref);
  }
  const bool taken = pool_.TryPost([this, ref, hash, key, password = std::move(password), done] {
    const bool right =
        functions_.verify && functions_.verify(hash.empty() ? dummy_hash_ : hash, password);
    if (!right || hash.empty()) {
      return done(Unauthenticated("wrong user name or password"));
    }
    Remember(key);
    done(ref);
  });
  if (!taken) {
    done(Unavailable("too many logins at once; try again"));
  }
}

}  // namespace twinspool::store
