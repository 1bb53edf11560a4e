// Input, the choice of the command, answers, and the end.
#include "server/pop3/session.h"

#include <algorithm>

namespace twinspool::pop3 {

Session::Session(net::SessionHost& host, MailStore& store, Clock& clock, SessionOptions options)
    : host_(host),
      store_(store),
      clock_(clock),
      options_(std::move(options)),
      post_(host.poster()) {}

void Session::Start() {
  if (const Status serving = store_.Serving(); !serving.ok()) {
    return Goodbye(ErrLine(kCodeSysTemp, serving.message()));
  }
  host_.SetTimeout(limits::kPreLoginIdleMs);
  host_.SetDeadline(limits::kLoginMs);
  host_.Write(OkLine(options_.product + " ready"));
}

// --- taking input

void Session::Input(std::string_view bytes) {
  if (state_ == State::kClosed) {
    return;
  }
  input_.append(bytes);
  Consume();
}

void Session::OnDrained() {
  if (state_ == State::kWriting) {
    std::exchange(resume_, nullptr)();
  }
  Consume();
}

void Session::Consume() {
  while (Ready() && ConsumeLine()) {
  }
  if (state_ == State::kClosed) {
    return;
  }
  input_.erase(0, std::exchange(consumed_, 0));
  if (input_.empty()) {
    std::string().swap(input_);  // idle connections hold nothing
  }
  // While a command is at work, nothing more is read than came already; and not a word while a
  // refused login waits, or it would not wait.
  const bool pause = state_ == State::kRefused || (!input_.empty() && !Ready());
  if (pause != paused_) {
    paused_ = pause;
    host_.PauseInput(pause);
  }
}

bool Session::ConsumeLine() {
  const std::size_t most =
      state_ == State::kChallenge ? limits::kPop3AuthLineBytesMax : limits::kPop3LineBytesMax;
  const std::size_t end = input_.find('\n', consumed_);
  if (end == std::string::npos) {
    if (input_.size() - consumed_ >= most) {
      line_too_long_ = true;
    }
    if (line_too_long_) {
      consumed_ = input_.size();
    }
    return false;
  }
  const bool too_long = std::exchange(line_too_long_, false) || end + 1 - consumed_ > most;
  std::string_view line(input_.data() + consumed_, end - consumed_);
  consumed_ = end + 1;
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  if (too_long) {
    Bad("The line is too long");
  } else {
    OnLine(line);
  }
  return true;
}

void Session::OnLine(std::string_view line) {
  if (state_ == State::kChallenge) {
    return OnResponse(line);
  }
  std::string_view error;
  const std::optional<Command> command = ParseCommand(line, &error);
  if (!command) {
    return Bad(error);
  }
  if (command->when == When::kAfterLogin && !logged_in_) {
    return Bad("Log in first");
  }
  if (command->when == When::kBeforeLogin && logged_in_) {
    return Bad("You are already logged in");
  }
  Dispatch(*command);
}

void Session::Dispatch(const Command& command) {
  switch (command.verb) {
    case Verb::kUser:
      if (SecureEnough()) {
        user_name_ = command.text;
        Ok("Now the password, by PASS");
      }
      return;
    case Verb::kPass:
      return Pass(command.text);
    case Verb::kAuth:
      return Auth(command.text);
    case Verb::kStls:
      return StartTls();
    case Verb::kStat:
      return Stat();
    case Verb::kList:
      return List(command, Listing::kSizes);
    case Verb::kUidl:
      return List(command, Listing::kUniqueIds);
    case Verb::kRetr:
    case Verb::kTop:
      return Retrieve(command);
    case Verb::kDele:
      return Delete(command);
    case Verb::kRset:
      return Reset();
    case Verb::kNoop:
      return Ok("Nothing done");
    case Verb::kCapa:
      return Capabilities();
    case Verb::kQuit:
      return Quit();
  }
}

void Session::Capabilities() {
  std::string text = OkLine("Capabilities follow");
  text +=
      "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
      "EXPIRE NEVER\r\n";
  if (!logged_in_ && host_.tls_available() && !host_.tls().active) {
    text += "STLS\r\n";
  }
  if (host_.secure_enough()) {
    text += "USER\r\nSASL";
    for (const std::string& mechanism : store_.LoginMechanisms(Client())) {
      text += " " + mechanism;
    }
    text += "\r\n";
  }
  text += "IMPLEMENTATION " + options_.product + "\r\n.\r\n";
  host_.Write(text);
}

// --- answering

void Session::Ok(std::string_view text) {
  bad_commands_ = 0;
  state_ = State::kCommand;
  host_.Write(OkLine(text));
}

void Session::Err(std::string_view code, std::string_view text) {
  state_ = State::kCommand;
  host_.Write(ErrLine(code, text));
}

void Session::Bad(std::string_view text) {
  if (++bad_commands_ >= limits::kBadCommandsMax) {
    return Goodbye(ErrLine("", "Too many commands were wrong"));
  }
  Err("", text);
}

void Session::Fail(const Status& status) {
  const Refusal refusal = RefusalFor(status, Report(status));
  switch (refusal.then) {
    case Refusal::Then::kGoOn:
      return Err(refusal.code, refusal.text);
    case Refusal::Then::kClose:
      return Goodbye(ErrLine(refusal.code, refusal.text));
    case Refusal::Then::kCloseOnly:
      return Close();
  }
}

std::string Session::Report(const Status& status) {
  std::string id = "e" + std::to_string(clock_.WallNs() / 1'000'000);
  if (IsFault(status) && options_.on_fault) {
    options_.on_fault(id, status);
  }
  return id;
}

// --- the end

void Session::Goodbye(const std::string& line) {
  host_.Write(line);
  Close();
}

void Session::Close() {
  state_ = State::kClosed;
  reading_.reset();
  resume_ = nullptr;
  host_.Close();
}

void Session::OnTimeout() {
  switch (state_) {
    case State::kRefused:
      host_.SetTimeout(limits::kPreLoginIdleMs);
      Err(kCodeAuth, "The user name or the password is wrong");
      return Consume();
    case State::kBusy:
      // It is not the client who is late.
      return host_.SetTimeout(logged_in_ ? limits::kPop3IdleMs : limits::kPreLoginIdleMs);
    case State::kCommand:
    case State::kChallenge:
    case State::kWriting:
      return Close();
    case State::kClosed:
      return;
  }
}

void Session::OnDeadline() {
  if (!logged_in_ && state_ != State::kClosed) {
    Close();
  }
}

void Session::OnShutdown(std::string_view reason) {
  if (state_ == State::kClosed || updating_) {
    return;  // QUIT is answered, and closes
  }
  if (mid_answer_) {
    return Close();
  }
  Goodbye(ErrLine(kCodeSysTemp, reason));
}

}  // namespace twinspool::pop3
