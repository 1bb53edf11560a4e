// USER, PASS, AUTH, STLS, and what a login brings: the maildrop.
#include <algorithm>

#include "common/codec.h"
#include "server/pop3/session.h"

namespace twinspool::pop3 {

bool Session::SecureEnough() {
  if (!host_.secure_enough()) {
    Err("", "Passwords need TLS here: use STLS first");
    return false;
  }
  return true;
}

void Session::Pass(std::string_view password) {
  if (!SecureEnough()) {
    return;
  }
  if (!user_name_) {
    return Bad("USER comes first");
  }
  Login(*std::exchange(user_name_, std::nullopt), std::string(password));
}

void Session::Auth(std::string_view text) {
  if (!SecureEnough()) {
    return;
  }
  std::string mechanism(text.substr(0, text.find(' ')));
  const std::string_view rest = text.substr(mechanism.size());
  std::transform(mechanism.begin(), mechanism.end(), mechanism.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  auto exchange = store_.StartLogin({std::move(mechanism), Client()});
  if (exchange.status().Is(Code::kNotFound)) {
    return Err("", "This mechanism is not known here; CAPA lists those that are");
  }
  if (!exchange.ok()) {
    return Fail(exchange.status());
  }
  exchange_ = std::move(*exchange);
  if (rest.empty()) {
    return Challenge(exchange_->first_challenge());
  }
  OnResponse(rest == " =" ? std::string_view() : rest.substr(1));
}

void Session::Challenge(std::string_view octets) {
  state_ = State::kChallenge;
  host_.Write("+ " + Base64Encode(octets) + "\r\n");
}

void Session::OnResponse(std::string_view base64) {
  if (base64 == "*") {
    return Err("", "AUTH cancelled");
  }
  std::string octets;
  if (!Base64Decode(base64, &octets)) {
    return Bad("The response is not base64");
  }
  if (octets.size() > limits::kSaslStepBytesMax) {
    return Bad("The response is too long");
  }
  exchange_->Step(std::move(octets),
                  Await<LoginStep>([this](Result<LoginStep> step) { OnStep(std::move(step)); }));
}

void Session::OnStep(Result<LoginStep> step) {
  if (step.ok() && !step->user) {
    return Challenge(step->challenge);
  }
  exchange_.reset();
  if (!step.ok()) {
    return OnLogin(step.status());
  }
  OnLogin(std::move(*step->user));
}

LoginClient Session::Client() const {
  return {LoginService::kPop3, host_.peer_address(), host_.tls_exporter(),
          host_.tls().client_names};
}

void Session::Login(std::string user, std::string password) {
  store_.Authenticate(
      {std::move(user), std::move(password), host_.peer_address(), LoginService::kPop3},
      Await<UserRef>([this](Result<UserRef> result) { OnLogin(std::move(result)); }));
}

void Session::OnLogin(Result<UserRef> user) {
  if (user.ok()) {
    if (options_.seats) {
      seat_ = options_.seats->Take(std::string(user->id.bytes()));
      if (seat_ == nullptr) {
        return Err(kCodeSysTemp, "You have too many connections: close some and try again");
      }
    }
    host_.SetDeadline(0);
    return OpenMaildrop(user->id);
  }
  if (user.status().Is(Code::kLimit)) {
    // Nothing was checked, and nothing will be for a while: the connection is of no use.
    return Goodbye(ErrLine(kCodeSysTemp, "Too many logins failed"));
  }
  if (user.status().Is(Code::kInvalidArgument) || user.status().Is(Code::kPermissionDenied)) {
    return Bad(user.status().message());
  }
  if (!user.status().Is(Code::kUnauthenticated)) {
    return Fail(user.status());
  }
  if (++login_failures_ >= limits::kLoginFailuresMax) {
    return Goodbye(ErrLine(kCodeAuth, "Too many logins failed"));
  }
  state_ = State::kRefused;
  host_.SetTimeout(
      std::min(options_.login_delay_ms << (login_failures_ - 1), limits::kLoginDelayMsMax));
}

void Session::StartTls() {
  if (host_.tls().active) {
    return Bad("TLS is active already");
  }
  if (!host_.tls_available()) {
    return Err("", "TLS is not set up on this server");
  }
  Ok("Begin TLS negotiation now");
  consumed_ = input_.size();  // what came behind the command did not come through TLS
  host_.StartTls();
}

void Session::OnTls() {
  // What came in clear text before the handshake was perhaps not the client's (RFC 2595 §4).
  input_.clear();
  line_too_long_ = false;
  user_name_.reset();
  host_.SetTimeout(limits::kPreLoginIdleMs);
}

// --- the maildrop: which messages there are, then how large they are

void Session::OpenMaildrop(UserId user) {
  store_.FindMailbox(user, "INBOX", Await<MailboxState>([this](const Result<MailboxState>& inbox) {
                       if (!inbox.ok()) {
                         return Fail(inbox.status());
                       }
                       drop_ = Maildrop(inbox->ref, inbox->uid_validity);
                       ReadUids(inbox->ref, Uid(1), UidSet());
                     }));
}

void Session::ReadUids(MailboxRef mailbox, Uid from, const UidSet& uids) {
  store_.ReadUids(mailbox, from,
                  Await<UidBatch>([this, mailbox, uids](const Result<UidBatch>& batch) {
                    if (!batch.ok()) {
                      return Fail(batch.status());
                    }
                    UidSet all = uids;
                    all.Add(batch->uids);
                    if (batch->next && all.Count() < limits::kPop3MessagesMax) {
                      return ReadUids(mailbox, *batch->next, all);
                    }
                    ReadSizes(std::move(all));
                  }));
}

void Session::ReadSizes(UidSet uids) {
  if (uids.empty()) {
    return OnSizes(FetchBatch());
  }
  FetchRequest request;
  request.uids = std::move(uids);
  request.parts = kFetchIndex | kFetchRecord;
  store_.Fetch(drop_.mailbox(), std::move(request),
               Await<FetchBatch>([this](Result<FetchBatch> batch) {
                 if (!batch.ok()) {
                   return Fail(batch.status());
                 }
                 OnSizes(std::move(*batch));
               }));
}

void Session::OnSizes(FetchBatch batch) {
  bool room = true;
  for (const FetchedMessage& message : batch.messages) {
    // One whose record is damaged keeps its place and its name: a client that leaves mail on the
    // server would take it for a new one once it is healed.
    if (!message.entry.expunged) {
      room = room && drop_.Add(message.uid, message.failure.ok() ? message.record.size : 0);
    }
  }
  if (room && !batch.rest.empty()) {
    return ReadSizes(std::move(batch.rest));
  }
  logged_in_ = true;
  host_.SetTimeout(limits::kPop3IdleMs);
  Ok("Logged in, " + std::to_string(drop_.count()) + " messages");
}

}  // namespace twinspool::pop3
