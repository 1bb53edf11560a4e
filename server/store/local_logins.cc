// Logins: claims of clients, by password or at the end of a SASL mechanism, and who it is then.
#include <utility>

#include "common/log.h"
#include "server/store/credentials.h"
#include "server/store/engine.h"
#include "server/store/last_login.h"
#include "server/store/local_mail_store_inl.h"
#include "server/store/passwords.h"
#include "server/store/reader.h"
#include "server/store/schema.h"
#include "server/store/write_calls.h"

namespace twinspool::store {
namespace {

Status Refused() {
  return Unauthenticated("wrong user name or password");
}

LoginClient ClientOf(const LoginRequest& login) {
  LoginClient client;
  client.service = login.service;
  client.address = login.address;
  return client;
}

}  // namespace

/// What a step needs to know later is copied into its completion: this object may be gone by then.
class LocalMailStore::Exchange final : public LoginExchange {
 public:
  Exchange(LocalMailStore& store, LoginClient client) : store_(store), client_(std::move(client)) {}

  Status Begin(LoginStart start) {
    ASSIGN_OR_RETURN(mechanism_,
                     store_.credentials_.StartMechanism(
                         start, [this](const std::string& name) { return VerifiersOf(name); }));
    return OkStatus();
  }

  const std::string& first_challenge() const override { return mechanism_->first_challenge(); }

  void Step(std::string octets, Done<LoginStep> done) override {
    if (std::exchange(over_, true)) {
      return done(Refused());
    }
    Result<SaslStep> step = OneStep(octets);
    if (!step.ok()) {
      return done(step.status());
    }
    if (!step->claim) {
      over_ = false;
      return done(LoginStep{std::move(step->challenge), std::nullopt});
    }
    const std::string refusal = step->claim->refusal;
    store_.Judge(std::move(*step->claim), client_,
                 [refusal, done = std::move(done)](Result<UserRef> who) {
                   if (who.ok()) {
                     done(LoginStep{"", std::move(*who)});
                   } else if (who.status().Is(Code::kUnauthenticated) && !refusal.empty()) {
                     done(LoginStep{refusal, std::nullopt});  // whatever follows is refused
                   } else {
                     done(who.status());
                   }
                 });
  }

 private:
  // Proofs count as passwords do: an address that failed too often is not heard any more.
  Result<SaslStep> OneStep(const std::string& octets) {
    ASSIGN_OR_RETURN(const Held held, store_.Hold());
    view_ = held.view;
    Result<SaslStep> step = mechanism_->Step(octets);
    view_ = nullptr;
    TRY(fate_);
    if (step.status().Is(Code::kUnauthenticated)) {
      TRY(store_.credentials_.Enter(name_, client_.address));
      store_.credentials_.Leave(name_, client_.address, true);
    }
    return step;
  }

  std::vector<proto::ScramVerifier> VerifiersOf(const std::string& name) {
    name_ = name;
    fate_ = store_.credentials_.Welcome(name, client_.address);
    const Snapshot* snapshot = view_->snapshot.get();
    const auto id = store_.path_.engine.Get(Family::kUsers, UserNameKey(name), snapshot);
    // Of an unknown user a header is looked for, too: the answer takes as long.
    const UserId user = id.ok() && *id ? UserId::FromBytes(**id) : UserId();
    const auto header = ReadUserHeader(store_.path_.engine, user, snapshot);
    if (!id.ok() || !header.ok()) {
      fate_ = id.ok() ? header.status() : id.status();
    }
    if (!header.ok() || !*header) {
      return {};
    }
    return {(*header)->scram().begin(), (*header)->scram().end()};
  }

  LocalMailStore& store_;
  const LoginClient client_;
  std::unique_ptr<SaslMechanism> mechanism_;
  std::shared_ptr<const View> view_;  // within a step
  std::string name_;                  // whose verifiers were asked for
  Status fate_;                       // what asking for them came to
  bool over_ = false;
};

void LocalMailStore::Authenticate(LoginRequest login, Done<UserRef> done) {
  SaslClaim claim;
  claim.user = std::move(login.user);
  claim.secret = std::move(login.password);
  Judge(std::move(claim), ClientOf(login), std::move(done));
}

std::vector<std::string> LocalMailStore::LoginMechanisms(const LoginClient& client) {
  return credentials_.Mechanisms(client);
}

Result<std::unique_ptr<LoginExchange>> LocalMailStore::StartLogin(LoginStart start) {
  auto exchange = std::make_unique<Exchange>(*this, start.client);
  TRY(exchange->Begin(std::move(start)));
  return std::unique_ptr<LoginExchange>(std::move(exchange));
}

// "user*master" is how clients that know no other way say for whom they act.
void LocalMailStore::SplitName(SaslClaim* claim) const {
  const std::size_t star = claim->user.rfind('*');
  if (claim->proof != SaslClaim::Proof::kPassword || !claim->act_for.empty() ||
      star == std::string::npos || star == 0) {
    return;
  }
  const Result<std::string> master = credentials_.FoldName(claim->user.substr(star + 1));
  if (master.ok() && credentials_.IsMaster(*master)) {
    claim->act_for = claim->user.substr(0, star);
    claim->user = *master;
  }
}

Result<std::string> LocalMailStore::OtherUser(const SaslClaim& claim) const {
  if (claim.act_for.empty()) {
    return std::string();
  }
  const Result<std::string> user = credentials_.FoldName(claim.user);
  Result<std::string> other = credentials_.FoldName(claim.act_for);
  if (user.ok() && other.ok() && *user == *other) {
    return std::string();
  }
  if (!user.ok() || !other.ok() || !credentials_.IsMaster(*user)) {
    return PermissionDenied("Nobody may act for another user here");
  }
  return other;
}

Result<UserRef> LocalMailStore::ActAs(const std::string& other, const UserRef& master,
                                      const LoginClient& client) {
  Result<UserRef> user = FindUser(other);
  LogInfo("master_login", {{"master", master.name},
                           {"user", other},
                           {"client", client.address},
                           {"result", user.ok() ? "logged in" : "there is no such user"}});
  if (user.status().Is(Code::kUnauthenticated)) {
    return PermissionDenied("There is no user " + other);
  }
  return user;
}

Result<UserRef> LocalMailStore::FindUser(const std::string& name) {
  const Result<std::string> folded = credentials_.FoldName(name);
  if (!folded.ok()) {
    return Refused();
  }
  ASSIGN_OR_RETURN(const Held held, Hold());
  ASSIGN_OR_RETURN(const auto id, path_.engine.Get(Family::kUsers, UserNameKey(*folded),
                                                   held.view->snapshot.get()));
  if (!id) {
    return Refused();
  }
  const UserId user = UserId::FromBytes(*id);
  ASSIGN_OR_RETURN(const auto header,
                   ReadUserHeader(path_.engine, user, held.view->snapshot.get()));
  // A shared namespace has a name, but nobody is it.
  if (!header || header->kind() == proto::UserHeader::SHARED) {
    return Refused();
  }
  return UserRef{user, *folded};
}

// Refused tokens count as wrong passwords do, under the name that the client gave, if any.
void LocalMailStore::JudgeToken(SaslClaim claim, const LoginClient& client, Done<UserRef> done) {
  const Result<std::string> folded = credentials_.FoldName(claim.act_for);
  const std::string name = folded.ok() ? *folded : "";
  if (const Status refused = credentials_.Enter(name, client.address); !refused.ok()) {
    return done(refused);
  }
  const std::string token = std::exchange(claim.secret, "");
  credentials_.CheckToken(token, [this, claim = std::move(claim), name, client,
                                  done = std::move(done)](const Result<std::string>& user) {
    credentials_.Leave(name, client.address, user.status().Is(Code::kUnauthenticated));
    if (!user.ok()) {
      LogInfo("token_refused", {{"client", client.address}, {"why", user.status().ToString()}});
      return done(user.status());
    }
    SaslClaim given = claim;
    given.proof = SaslClaim::Proof::kGiven;
    given.user = *user;
    Judge(std::move(given), client, done);
  });
}

void LocalMailStore::NoteLogin(UserId user, LoginService service) {
  if (options_.last_login_every_s > 0) {
    (void)txns_.TryPost([this, user, service] {
      RunTxn<Unit>(
          path_, user, Admission::kSmall, [](const Result<Unit>&) {},
          [&](StoreTxn& txn) -> Result<Unit> {
            TRY(store::NoteLogin(txn, user, service, options_.last_login_every_s));
            return Unit{};
          });
    });
  }
}

void LocalMailStore::Judge(SaslClaim claim, const LoginClient& client, Done<UserRef> done) {
  const Result<Held> held = Hold();
  if (!held.ok()) {
    return done(held.status());
  }
  if (claim.proof == SaslClaim::Proof::kToken) {
    return JudgeToken(std::move(claim), client, std::move(done));
  }
  SplitName(&claim);
  const Result<std::string> other = OtherUser(claim);
  if (!other.ok()) {
    return done(other.status());
  }
  if (other->empty()) {
    done = [this, client, done](const Result<UserRef>& who) {
      if (who.ok()) {
        NoteLogin(who->id, client.service);
      }
      done(who);
    };
  } else {
    done = [this, other = *other, client, done](const Result<UserRef>& master) {
      done(master.ok() ? ActAs(other, *master, client) : master);
    };
  }
  switch (claim.proof) {
    case SaslClaim::Proof::kPassword:
      return passwords_.Check(
          *held->view,
          {std::move(claim.user), std::move(claim.secret), client.address, client.service}, done);
    case SaslClaim::Proof::kGiven:
    case SaslClaim::Proof::kToken:
      return done(FindUser(claim.user));
  }
}

}  // namespace twinspool::store
