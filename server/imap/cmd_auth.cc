// STARTTLS, LOGIN and AUTHENTICATE PLAIN (RFC 3501 §6.2, RFC 4616, SASL-IR RFC 4959).
#include <algorithm>

#include "server/auth/plain.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// Asks the store, and lets a refusal wait the longer the more there were.
class LoginTask : public Task {
 public:
  using Task::Task;

  void Ask(std::string user, std::string password) {
    asking_ = true;
    core().store().Authenticate(
        {std::move(user), std::move(password), core().host().peer_address()},
        Then<UserRef>([this](Result<UserRef> result) { OnAnswer(std::move(result)); }));
  }

  bool OnTimeout() override {
    if (!refused_) {
      return false;
    }
    core().HoldInput(false);
    core().host().SetTimeout(limits::kPreLoginIdleMs);
    core().No("[AUTHENTICATIONFAILED] The user name or the password is wrong");
    return true;
  }

 protected:
  bool asking() const { return asking_; }

 private:
  void OnAnswer(Result<UserRef> result) {
    if (result.ok()) {
      core().LoggedIn(std::move(*result));
      return core().Ok("[CAPABILITY " + core().Capabilities() + "] Logged in");
    }
    if (result.status().Is(Code::kLimit)) {
      // Nothing was checked, and nothing will be for a while: the connection is of no use.
      core().Untagged("BYE Too many logins failed");
      core().CloseAfterReply();
    }
    if (!result.status().Is(Code::kUnauthenticated)) {
      return core().Fail(result.status());
    }
    const int failures = core().CountLoginFailure();
    if (failures >= limits::kLoginFailuresMax) {
      return core().Bye("", "Too many logins failed");
    }
    refused_ = true;
    core().HoldInput(true);
    core().host().SetTimeout(
        std::min(core().options().login_delay_ms << (failures - 1), limits::kLoginDelayMsMax));
  }

  bool asking_ = false;
  bool refused_ = false;
};

class PlainTask : public LoginTask {
 public:
  using LoginTask::LoginTask;

  void AskClient() {
    core().out() += "+ \r\n";
    core().reader().ReadRawLine();
  }

  bool hungry() const override { return !asking() && !finished_; }

  void OnEvent(Event&& event) override {
    if (const auto* line = std::get_if<RawLine>(&event)) {
      return OnResponse(line->text);
    }
    finished_ = true;
    core().Bad("The response of AUTHENTICATE was not understood");
  }

  void OnResponse(const std::string& text) {
    finished_ = true;
    if (text == "*") {
      return core().Bad("AUTHENTICATE cancelled");
    }
    Result<auth::PlainLogin> login = auth::ParsePlain(text);
    if (login.status().Is(Code::kPermissionDenied)) {
      return core().No("[AUTHORIZATIONFAILED] " + std::string(login.status().message()));
    }
    if (!login.ok()) {
      return core().Bad(std::string(login.status().message()));
    }
    finished_ = false;
    Ask(std::move(login->user), std::move(login->password));
  }

 private:
  bool finished_ = false;
};

bool SecureEnough(Core& core) {
  if (core.host().secure_enough()) {
    return true;
  }
  core.No("[PRIVACYREQUIRED] Passwords need TLS here: use STARTTLS first");
  return false;
}

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::StartTls) {
  if (core.host().tls().active) {
    core.Bad("TLS is active already");
  } else if (!core.host().tls_available()) {
    core.No("[UNAVAILABLE] TLS is not set up on this server");
  } else {
    core.Ok("Begin TLS negotiation now");
    core.StartTlsAfterReply();
  }
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Login command) {
  if (!SecureEnough(core)) {
    return nullptr;
  }
  auto task = std::make_unique<LoginTask>(core);
  task->Ask(std::move(command.user), std::move(command.password));
  return task;
}

std::unique_ptr<Task> Run(Core& core, cmd::Authenticate command) {
  if (command.mechanism != "PLAIN") {
    core.No("[CANNOT] This mechanism is not known here; CAPABILITY lists those that are");
    return nullptr;
  }
  if (!SecureEnough(core)) {
    return nullptr;
  }
  auto task = std::make_unique<PlainTask>(core);
  if (command.initial_response) {
    task->OnResponse(*command.initial_response);
  } else {
    task->AskClient();
  }
  return task;
}

}  // namespace twinspool::imap
