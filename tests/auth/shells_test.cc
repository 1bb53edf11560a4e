// Logins of GNU SASL's client through the shells: every mechanism, with and without an initial
// response, over the model of the store.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/auth/user_seats.h"
#include "server/imap/session.h"
#include "server/pop3/session.h"
#include "tests/auth/gsasl_client.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kExporter[] = "thirty-two octets of one channel";

struct Dialect {
  std::string command;  // before the mechanism
  std::string good;     // how an answer to a login begins
  std::string refused;
  std::string bad;
  std::function<std::unique_ptr<net::Session>(net::SessionHost&, MailStore&, Clock&)> make;
};

Dialect Imap(std::shared_ptr<auth::UserSeats> seats = nullptr) {
  return {"a AUTHENTICATE ", "a OK ", "a NO [AUTHENTICATIONFAILED]", "a BAD ",
          [seats](net::SessionHost& host, MailStore& store, Clock& clock) {
            imap::SessionOptions options;
            options.seats = seats;
            return imap::MakeSession(host, store, clock, options);
          }};
}

Dialect Pop3(std::shared_ptr<auth::UserSeats> seats = nullptr) {
  return {"AUTH ", "+OK ", "-ERR [AUTH]", "-ERR ",
          [seats](net::SessionHost& host, MailStore& store, Clock& clock) {
            pop3::SessionOptions options;
            options.seats = seats;
            return std::make_unique<pop3::Session>(host, store, clock, options);
          }};
}

class ShellLogin : public ::testing::TestWithParam<std::string> {
 protected:
  ShellLogin() { store_.AddUser("anna", "pencil"); }

  DrivenSession& Open() {
    session_ = std::make_unique<DrivenSession>(
        DrivenSession::Options{.tls_exporter = kExporter, .certificate_names = {"anna"}});
    session_->Begin([this](net::SessionHost& host) { return dialect_.make(host, store_, clock_); });
    session_->output().clear();
    return *session_;
  }
  std::string Say(const std::string& line) {
    session_->Send(line + "\r\n");
    do {
      while (session_->Run() || store_.RunCompletions() > 0) {
      }
      if (session_->paused()) {
        session_->PassTimeout();  // of a refused login
      }
    } while (session_->Run() || store_.RunCompletions() > 0);
    return std::exchange(session_->output(), "");
  }

  /// The last line of the server's.
  std::string LogIn(const std::string& mechanism, const GsaslClient::Properties& properties,
                    bool at_once) {
    Open();
    GsaslClient client(mechanism, properties);
    std::string answer;
    if (at_once) {
      const std::string first = client.Step("");
      answer =
          Say(dialect_.command + mechanism + " " + (first.empty() ? "=" : Base64Encode(first)));
    } else {
      answer = Say(dialect_.command + mechanism);
    }
    while (answer.starts_with("+ ")) {
      std::string challenge;
      EXPECT_TRUE(Base64Decode(answer.substr(2, answer.size() - 4), &challenge)) << answer;
      const std::string next = client.Step(challenge);
      EXPECT_TRUE(client.outcome() == GSASL_OK || client.outcome() == GSASL_NEEDS_MORE);
      answer = Say(Base64Encode(next));
    }
    return answer;
  }

  Dialect dialect_ = GetParam() == "imap" ? Imap() : Pop3();
  ManualClock clock_;
  SeededRandom random_{1};
  MemoryMailStore store_{clock_, random_};
  std::unique_ptr<DrivenSession> session_;
};

TEST_P(ShellLogin, EveryMechanismLetsInWhoKnowsThePassword) {
  auto login = GsaslClient::Bound(GsaslClient::Login("anna", "pencil"), kExporter);
  for (const std::string mechanism :
       {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}) {
    // GNU SASL's client, rightly, does without -PLUS only when it has no binding.
    const auto properties =
        mechanism.ends_with("PLUS") ? login : GsaslClient::Login("anna", "pencil");
    EXPECT_THAT(LogIn(mechanism, properties, true), StartsWith(dialect_.good)) << mechanism;
    EXPECT_THAT(LogIn(mechanism, properties, false), StartsWith(dialect_.good)) << mechanism;
  }
  EXPECT_THAT(LogIn("LOGIN", login, false), StartsWith(dialect_.good));
  EXPECT_THAT(LogIn("EXTERNAL", {}, true), StartsWith(dialect_.good));
  EXPECT_THAT(LogIn("EXTERNAL", {}, false), StartsWith(dialect_.good));
}

TEST_P(ShellLogin, NoMechanismLetsInWhoDoesNot) {
  for (const std::string mechanism : {"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"}) {
    for (const std::string user : {"anna", "nobody"}) {
      EXPECT_THAT(LogIn(mechanism, GsaslClient::Login(user, "pen"), false),
                  StartsWith(dialect_.refused))
          << mechanism;
    }
  }
  const auto elsewhere = GsaslClient::Bound(GsaslClient::Login("anna", "pencil"), "another one");
  EXPECT_THAT(LogIn("SCRAM-SHA-256-PLUS", elsewhere, true), StartsWith(dialect_.refused));
}

TEST_P(ShellLogin, ALateStoreChangesNothing) {
  store_.set_complete_later(true);
  EXPECT_THAT(LogIn("SCRAM-SHA-256", GsaslClient::Login("anna", "pencil"), false),
              StartsWith(dialect_.good));
}

TEST_P(ShellLogin, AStepThatIsTooLongIsRefusedAndTheSessionGoesOn) {
  Open();
  EXPECT_THAT(Say(dialect_.command + "PLAIN"), StartsWith("+ "));
  const std::string longest(limits::kSaslStepBytesMax + 3, 'x');
  EXPECT_THAT(Say(Base64Encode(longest)), StartsWith(dialect_.bad));
  EXPECT_FALSE(session_->closed());
  EXPECT_THAT(Say(dialect_.command + "PLAIN"), StartsWith("+ "));
  EXPECT_THAT(Say(Base64Encode(std::string("\0anna\0pencil", 12))), HasSubstr(dialect_.good));
}

TEST_P(ShellLogin, AStepOfALongTokenIsHeard) {
  Open();
  EXPECT_THAT(Say(dialect_.command + "PLAIN"), StartsWith("+ "));
  const std::string message =
      std::string("\0anna\0", 6) + std::string(limits::kSaslStepBytesMax - 9, 'x');
  EXPECT_THAT(Say(Base64Encode(message)), StartsWith(dialect_.refused))
      << "a password like another";
}

TEST_P(ShellLogin, TheConnectionMayBreakWhileAStepIsUnderWay) {
  store_.set_complete_later(true);
  Open();
  Say(dialect_.command + "PLAIN");
  session_->Send(Base64Encode(std::string("\0anna\0pencil", 12)) + "\r\n");
  session_->Run();
  session_->Drop();
  EXPECT_GT(store_.RunCompletions(), 0u);
}

TEST_P(ShellLogin, TheSessionsOfOneUserAreBounded) {
  const auto seats = std::make_shared<auth::UserSeats>(1);
  dialect_ = GetParam() == "imap" ? Imap(seats) : Pop3(seats);
  const auto log_in = [this] { return LogIn("PLAIN", GsaslClient::Login("anna", "pencil"), true); };
  EXPECT_THAT(log_in(), StartsWith(dialect_.good));
  const auto first = std::move(session_);
  const std::string refused = log_in();
  EXPECT_THAT(refused, StartsWith(GetParam() == "imap" ? "a NO [LIMIT] " : "-ERR [SYS/TEMP] "));
  EXPECT_THAT(refused, HasSubstr("too many connections"));
  EXPECT_FALSE(session_->closed());
  first->Drop();
  EXPECT_THAT(Say(dialect_.command + "PLAIN AGFubmEAcGVuY2ls"), StartsWith(dialect_.good));
}

INSTANTIATE_TEST_SUITE_P(Shells, ShellLogin, ::testing::Values("imap", "pop3"),
                         [](const auto& shell) { return shell.param; });

}  // namespace
}  // namespace twinspool::testing
