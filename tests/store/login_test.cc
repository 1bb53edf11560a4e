// Logins at the store: what a mechanism claims, and who it is then.
#include <gtest/gtest.h>

#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

class Logins : public ::testing::Test {
 protected:
  Logins() : user_(box_.AddUser("anna")) { box_.AddUser("berta"); }

  QuickCredentials& credentials() { return box_.credentials(); }
  std::unique_ptr<LoginExchange> Start() {
    LoginStart start{"PROOF", {}};
    start.client.address = "192.0.2.1";
    return std::move(box_.mail().StartLogin(std::move(start)).value());
  }
  static Result<LoginStep> Step(LoginExchange& exchange, const std::string& octets) {
    return Await<LoginStep>([&](Done<LoginStep> done) { exchange.Step(octets, std::move(done)); });
  }
  /// A mechanism that ends at once by this claim.
  void Claiming(SaslClaim claim) {
    credentials().on_step = [claim](std::string_view, const auto&) { return SaslStep{"", claim}; };
  }
  static SaslClaim Given(const std::string& user, const std::string& act_for = "") {
    return {SaslClaim::Proof::kGiven, user, act_for, "", ""};
  }
  static SaslClaim Password(const std::string& user, const std::string& password,
                            const std::string& act_for = "") {
    return {SaslClaim::Proof::kPassword, user, act_for, password, ""};
  }
  Result<LoginStep> Login(const SaslClaim& claim) {
    Claiming(claim);
    return Step(*Start(), "");
  }

  StoreBox box_;
  const UserRef user_;
};

TEST_F(Logins, OnlyOfferedMechanismsStart) {
  EXPECT_EQ(box_.mail().LoginMechanisms({}), std::vector<std::string>{"PROOF"});
  EXPECT_EQ(box_.mail().StartLogin({"OTHER", {}}).code(), Code::kNotFound);
  EXPECT_EQ(Start()->first_challenge(), "who?");
}

TEST_F(Logins, AMechanismSeesTheVerifiersOfTheUserAndNoneOfAnUnknownOne) {
  std::vector<std::string> keys;
  credentials().on_step = [&](std::string_view, const auto& found) {
    keys.push_back(found.empty() ? "none" : found[0].stored_key());
    return SaslStep{"go on", std::nullopt};
  };
  EXPECT_EQ(Step(*Start(), "anna")->challenge, "go on");
  EXPECT_EQ(Step(*Start(), "nobody")->challenge, "go on");
  EXPECT_EQ(keys, (std::vector<std::string>{"key of pass", "none"}));
}

TEST_F(Logins, AProofThatIsGivenNamesTheUser) {
  EXPECT_EQ(Login(Given("Anna"))->user->id, user_.id);
  EXPECT_EQ(Login(Given("Anna", "ANNA"))->user->name, "anna");
  EXPECT_EQ(Login(Given("nobody")).code(), Code::kUnauthenticated);
  EXPECT_EQ(Login(Given("")).code(), Code::kUnauthenticated);
  EXPECT_EQ(Login(Given("anna", "berta")).code(), Code::kPermissionDenied);
}

TEST_F(Logins, APasswordIsCheckedAsEver) {
  EXPECT_EQ(Login(Password("anna", "pass"))->user->id, user_.id);
  EXPECT_EQ(credentials().left, "anna 192.0.2.1");
  EXPECT_EQ(Login(Password("anna", "guess")).code(), Code::kUnauthenticated);
  EXPECT_EQ(credentials().left, "anna 192.0.2.1 wrong");
  EXPECT_EQ(Login(Password("anna", "pass", "berta")).code(), Code::kPermissionDenied);
}

TEST_F(Logins, AWrongProofCountsAsAWrongPassword) {
  credentials().on_step = [](std::string_view, const auto&) -> Result<SaslStep> {
    return Unauthenticated("wrong");
  };
  EXPECT_EQ(Step(*Start(), "anna").code(), Code::kUnauthenticated);
  EXPECT_EQ(credentials().left, "anna 192.0.2.1 wrong");
  credentials().welcome = LimitExceeded("too often");
  EXPECT_EQ(Step(*Start(), "anna").code(), Code::kLimit) << "not heard any more";
}

TEST_F(Logins, ARefusalMayBeToldBeforeItIsOne) {
  SaslClaim claim = Given("nobody");
  claim.refusal = "{\"status\":\"invalid_token\"}";
  Claiming(claim);
  const auto exchange = Start();
  EXPECT_EQ(Step(*exchange, "")->challenge, claim.refusal);
  claim.user = "anna";
  Claiming(claim);
  EXPECT_EQ(Step(*exchange, "\1").code(), Code::kUnauthenticated) << "whatever follows";
}

TEST_F(Logins, AnExchangeIsOverAfterAnError) {
  credentials().on_step = [](std::string_view, const auto&) -> Result<SaslStep> {
    return InvalidArgument("nonsense");
  };
  const auto exchange = Start();
  EXPECT_EQ(Step(*exchange, "").code(), Code::kInvalidArgument);
  Claiming(Given("anna"));
  EXPECT_EQ(Step(*exchange, "").code(), Code::kUnauthenticated);
}

TEST_F(Logins, AnExchangeMayGoWhileItsStepIsUnderWay) {
  Claiming(Password("anna", "pass"));
  std::optional<Result<LoginStep>> answer;
  std::mutex mutex;
  std::condition_variable answered;
  {
    const std::lock_guard hold(credentials().verifying);
    const auto exchange = Start();
    exchange->Step("", [&](Result<LoginStep> step) {
      const std::lock_guard lock(mutex);
      answer = std::move(step);
      answered.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return answer.has_value(); });
  EXPECT_TRUE((*answer)->user.has_value());
}

// --- masters

TEST_F(Logins, AMasterLogsInAsAnother) {
  box_.AddUser("master");
  EXPECT_EQ(Login(Password("master", "pass", "Anna"))->user->id, user_.id);
  EXPECT_EQ(Login(Password("Anna*master", "pass"))->user->id, user_.id);
  EXPECT_EQ(Login(Given("master", "anna"))->user->name, "anna");
  EXPECT_EQ(Login(Password("anna*master", "guess")).code(), Code::kUnauthenticated);
  EXPECT_EQ(credentials().left, "master 192.0.2.1 wrong") << "it is the master's password";
  EXPECT_EQ(Login(Password("nobody*master", "pass")).code(), Code::kPermissionDenied);
  EXPECT_EQ(Login(Password("master", "pass"))->user->name, "master");
  EXPECT_EQ(Login(Password("*master", "pass")).code(), Code::kUnauthenticated);
}

TEST_F(Logins, OnlyAMasterDoes) {
  EXPECT_EQ(Login(Password("anna*berta", "pass")).code(), Code::kUnauthenticated);
  EXPECT_EQ(Login(Password("master", "pass", "anna")).code(), Code::kUnauthenticated)
      << "named, but there is no such user";
}

// --- app passwords

class AppPasswords : public Logins {
 protected:
  Result<std::string> Add(const std::string& label) {
    return Await<std::string>([&](Done<std::string> done) {
      box_.store().users().AddAppPassword("Anna", label, std::move(done));
    });
  }
  Status Remove(const std::string& label) {
    return Await<Unit>([&](const Done<Unit>& done) {
             box_.store().users().RemoveAppPassword("anna", label, done);
           })
        .status();
  }
  bool LetsIn(const std::string& password) { return Login(Password("anna", password)).ok(); }
};

TEST_F(AppPasswords, LetTheirUserInUntilTheyAreRemoved) {
  const std::string phone = Add("phone").value();
  const std::string laptop = Add("laptop").value();
  EXPECT_TRUE(LetsIn(phone));
  EXPECT_TRUE(LetsIn(laptop));
  EXPECT_TRUE(LetsIn("pass"));
  EXPECT_FALSE(Login(Password("berta", phone)).ok());
  credentials().remember = true;
  ASSERT_TRUE(Remove("phone").ok());
  EXPECT_FALSE(LetsIn(phone)) << "nothing remembers it";
  EXPECT_TRUE(LetsIn(laptop));
}

TEST_F(AppPasswords, TakeNoTurnInTheLineOfSlowChecks) {
  const std::string phone = Add("phone").value();
  const std::lock_guard hold(credentials().verifying);
  credentials().enter = LimitExceeded("guesses");
  EXPECT_TRUE(LetsIn(phone));
  EXPECT_EQ(credentials().verified, 0);
}

TEST_F(AppPasswords, AreListedByLabelWithoutASecret) {
  const std::string phone = Add("phone").value();
  ASSERT_TRUE(Add("laptop").ok());
  const auto all = box_.store().users().AppPasswords("anna").value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].label(), "phone");
  EXPECT_NE(all[0].hash(), phone);
  EXPECT_GT(all[0].created_ns(), 0);
  EXPECT_EQ(box_.store().users().List()->at(0).app_passwords, 2u);
  EXPECT_TRUE(box_.store().users().List()->at(0).has_password);
}

TEST_F(AppPasswords, HaveALabelOfTheirOwnAndABound) {
  EXPECT_TRUE(Add("phone").ok());
  EXPECT_EQ(Add("phone").code(), Code::kAlreadyExists);
  for (const std::string& bad : {std::string(), std::string("a\nb"), std::string("\xff"),
                                 std::string(limits::kAppPasswordLabelBytesMax + 1, 'x')}) {
    EXPECT_EQ(Add(bad).code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(Remove("tablet").code(), Code::kNotFound);
  for (std::size_t i = 1; i < limits::kAppPasswordsMax; ++i) {
    ASSERT_TRUE(Add(std::to_string(i)).ok());
  }
  EXPECT_EQ(Add("one more").code(), Code::kLimit);
}

TEST_F(AppPasswords, StayWhenThePasswordChangesAndGoWithTheUser) {
  const std::string phone = Add("phone").value();
  const auto set = [&](const std::string& password) {
    return Await<Unit>(
        [&](const Done<Unit>& done) { box_.store().users().SetPassword("anna", password, done); });
  };
  ASSERT_TRUE(set("new").ok());
  EXPECT_TRUE(LetsIn(phone));
  ASSERT_TRUE(set("").ok());
  EXPECT_TRUE(LetsIn(phone)) << "a user without a password may have them, too";
  ASSERT_TRUE(
      Await<Unit>([&](const Done<Unit>& done) { box_.store().users().Delete("anna", done); }).ok());
  box_.AddUser("anna");
  EXPECT_FALSE(LetsIn(phone));
}

// --- tokens

TEST_F(Logins, ATokenSaysWhoseItIs) {
  const auto token = [](const std::string& secret, const std::string& act_for = "") {
    return SaslClaim{SaslClaim::Proof::kToken, "", act_for, secret, "{}"};
  };
  EXPECT_EQ(Login(token("token of Anna"))->user->id, user_.id);
  EXPECT_EQ(Login(token("token of anna", "ANNA"))->user->id, user_.id);
  EXPECT_EQ(credentials().left, "anna 192.0.2.1");
  EXPECT_EQ(Login(token("token of anna", "berta")).code(), Code::kPermissionDenied);
  EXPECT_EQ(Login(token("stolen", "anna"))->challenge, "{}") << "told before it is refused";
  EXPECT_EQ(credentials().left, "anna 192.0.2.1 wrong");
  EXPECT_EQ(Login(token("token of nobody"))->challenge, "{}");
  EXPECT_EQ(Login(token("late")).code(), Code::kUnavailable);
  EXPECT_EQ(credentials().left, " 192.0.2.1") << "nobody's fault";
  box_.AddUser("master");
  EXPECT_EQ(Login(token("token of master", "anna"))->user->id, user_.id);
  credentials().enter = LimitExceeded("too often");
  EXPECT_EQ(Login(token("token of anna")).code(), Code::kLimit);
}

// --- last logins

class LastLogins : public ::testing::Test {
 protected:
  LastLogins() {
    BoxOptions options;
    options.clock = &clock_;
    box_ = std::make_unique<StoreBox>(options);
    user_ = box_->AddUser("anna");
  }
  void Login(LoginService service, const std::string& user = "anna") {
    ASSERT_TRUE(Await<UserRef>([&](Done<UserRef> done) {
                  box_->mail().Authenticate({user, "pass", "192.0.2.1", service}, std::move(done));
                }).ok());
  }
  UserListing Line() { return box_->store().users().List()->at(0); }
  /// What is written after an answer is written by the time that this is.
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(box_->Append(box_->Inbox(user_).ref, "x").ok());
    }
  }
  std::int64_t NowS() { return clock_.WallNs() / 1'000'000'000; }

  ManualClock clock_;
  std::unique_ptr<StoreBox> box_;
  UserRef user_;
};

TEST_F(LastLogins, AreWrittenDownPerProtocol) {
  EXPECT_EQ(Line().last_imap_login_s, 0);
  Login(LoginService::kImap);
  while (Line().last_imap_login_s == 0) {
    Settle();
  }
  const std::int64_t first = NowS();
  EXPECT_EQ(Line().last_imap_login_s, first);
  EXPECT_EQ(Line().last_pop3_login_s, 0);
  clock_.AdvanceMs(5'000);
  Login(LoginService::kPop3);
  while (Line().last_pop3_login_s == 0) {
    Settle();
  }
  EXPECT_EQ(Line().last_imap_login_s, first);
  EXPECT_EQ(Line().last_pop3_login_s, first + 5);
}

TEST_F(LastLogins, AreWrittenNowAndThenOnly) {
  Login(LoginService::kImap);
  while (Line().last_imap_login_s == 0) {
    Settle();
  }
  const std::int64_t first = NowS();
  for (int i = 1; i < 10; ++i) {
    clock_.AdvanceMs(limits::kLastLoginSeconds * 100);
    Login(LoginService::kImap);
  }
  Settle();
  EXPECT_EQ(Line().last_imap_login_s, first);
  clock_.AdvanceMs(limits::kLastLoginSeconds * 100);
  Login(LoginService::kImap);
  while (Line().last_imap_login_s == first) {
    Settle();
  }
  EXPECT_EQ(Line().last_imap_login_s, first + limits::kLastLoginSeconds);
}

TEST_F(LastLogins, KeepNoLoginWaitingForAStandbyThatIsAway) {
  box_->pair().HoldAcks();
  Login(LoginService::kImap);
  EXPECT_EQ(Line().last_imap_login_s, 0) << "nobody sees what is not acked";
  box_->pair().ReleaseAcks();
}

TEST_F(LastLogins, ComeBackAfterARestart) {
  Login(LoginService::kImap);
  while (Line().last_imap_login_s == 0) {
    Settle();
  }
  box_->Reopen();
  box_->BePrimary(4);
  EXPECT_EQ(Line().last_imap_login_s, NowS());
}

}  // namespace
}  // namespace twinspool::store
