// STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 §6.2, RFC 4422, SASL-IR RFC 4959).
#include <algorithm>

#include "common/codec.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// Asks the store, and lets a refusal wait the longer the more there were.
class LoginTask : public Task {
 public:
  using Task::Task;

  void Ask(std::string user, std::string password) {
    core().store().Authenticate(
        {std::move(user), std::move(password), core().host().peer_address(), LoginService::kImap},
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
  void OnAnswer(Result<UserRef> result) {
    if (result.ok()) {
      if (!core().LoggedIn(std::move(*result))) {
        return core().No("[LIMIT] You have too many connections: close some and try again");
      }
      return core().Ok("[CAPABILITY " + core().Capabilities() + "] Logged in");
    }
    if (result.status().Is(Code::kLimit)) {
      // Nothing was checked, and nothing will be for a while: the connection is of no use.
      core().Untagged("BYE Too many logins failed");
      core().CloseAfterReply();
    }
    if (result.status().Is(Code::kPermissionDenied)) {
      return core().No("[AUTHORIZATIONFAILED] " + std::string(result.status().message()));
    }
    if (result.status().Is(Code::kInvalidArgument)) {
      return core().Bad(std::string(result.status().message()));
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

 private:
  bool refused_ = false;
};

/// A conversation of SASL: base64 lines of the client, challenges of the store.
class SaslTask : public LoginTask {
 public:
  SaslTask(Core& owner, std::unique_ptr<LoginExchange> exchange)
      : LoginTask(owner), exchange_(std::move(exchange)) {}

  void Begin(const std::optional<std::string>& initial_response) {
    if (initial_response) {
      OnLine(*initial_response);
    } else {
      Challenge(exchange_->first_challenge());
    }
  }

  bool hungry() const override { return hungry_; }

  void OnEvent(Event&& event) override {
    hungry_ = false;
    if (const auto* line = std::get_if<RawLine>(&event)) {
      return line->text == "*" ? core().Bad("AUTHENTICATE cancelled") : OnLine(line->text);
    }
    core().Bad("The response of AUTHENTICATE was not understood");
  }

 private:
  void Challenge(std::string_view octets) {
    core().out() += "+ " + Base64Encode(octets) + "\r\n";
    core().reader().ReadRawLine();
    hungry_ = true;
  }

  void OnLine(const std::string& base64) {
    std::string octets;
    if (!Base64Decode(base64, &octets)) {
      return core().Bad("The response is not base64");
    }
    if (octets.size() > limits::kSaslStepBytesMax) {
      return core().Bad("The response is too long");
    }
    exchange_->Step(std::move(octets),
                    Then<LoginStep>([this](Result<LoginStep> step) { OnStep(std::move(step)); }));
  }

  void OnStep(Result<LoginStep> step) {
    if (!step.ok()) {
      return OnAnswer(step.status());
    }
    if (step->user) {
      return OnAnswer(std::move(*step->user));
    }
    Challenge(step->challenge);
  }

  const std::unique_ptr<LoginExchange> exchange_;
  bool hungry_ = false;
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
  if (!SecureEnough(core)) {
    return nullptr;
  }
  auto exchange = core.store().StartLogin({command.mechanism, ClientOf(core.host())});
  if (exchange.status().Is(Code::kNotFound)) {
    core.No("[CANNOT] This mechanism is not known here; CAPABILITY lists those that are");
    return nullptr;
  }
  if (!exchange.ok()) {
    core.Fail(exchange.status());
    return nullptr;
  }
  auto task = std::make_unique<SaslTask>(core, std::move(*exchange));
  task->Begin(command.initial_response);
  return task;
}

}  // namespace twinspool::imap
