// The loop of the session: events in, one command at a time, news and tagged lines out.
#include "server/imap/core.h"

#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// Output is handed to the host in pieces of about this size while a command goes on writing.
constexpr std::size_t kFlushBytes = 64u << 10;

/// A buffer for output is kept between commands up to this size.
constexpr std::size_t kIdleBufferBytes = 1u << 10;

}  // namespace

Core::Core(net::SessionHost& host, MailStore& store, Clock& clock, SessionOptions options)
    : host_(host),
      store_(store),
      clock_(clock),
      options_(std::move(options)),
      post_(host.poster()) {}

Core::~Core() = default;

// --- entry points

void Core::Start() {
  if (const Status serving = store_.Serving(); !serving.ok()) {
    return Bye(kUnavailableCode, serving.message());
  }
  host_.SetTimeout(limits::kPreLoginIdleMs);
  host_.SetDeadline(limits::kLoginMs);
  Untagged("OK [CAPABILITY " + Capabilities() + "] " + options_.product + " ready");
  Flush();
}

void Core::Input(std::string_view bytes) {
  if (closing_) {
    return;
  }
  reader_.Feed(bytes);
  Pump();
}

void Core::OnDrained() {
  output_blocked_ = false;
  if (syncer_) {
    syncer_->OnDrained();
  } else if (task_) {
    task_->OnDrained();
  }
  Pump();
}

void Core::OnTls() {
  // What came in clear text before the handshake was perhaps not the client's (RFC 3501 §6.2.1).
  reader_.DropBuffered();
  host_.SetTimeout(limits::kPreLoginIdleMs);
}

void Core::OnTimeout() {
  if (closing_) {
    return;
  }
  if (task_ && task_->OnTimeout()) {
    return Pump();
  }
  if (busy_ && !(task_ && task_->hungry())) {
    return host_.SetTimeout(limits::kIdleMs);
  }
  Bye("", "The connection was idle for too long");
}

void Core::OnDeadline() {
  if (!closing_ && state_ == State::kNotAuthenticated) {
    Bye("", "The login took too long");
  }
}

void Core::OnShutdown(std::string_view reason) {
  if (!closing_) {
    Bye(kUnavailableCode, reason);
  }
}

void Core::Step(const std::function<void()>& fn) {
  if (closing_) {
    return;
  }
  fn();
  Pump();
}

// --- the loop

void Core::Pump() {
  while (PumpOnce()) {
  }
  if (!closing_) {
    Flush();
    output_blocked_ = Blocked();
    if (out_.capacity() > kIdleBufferBytes) {
      // Ten thousand idle sessions are usual; each keeps only what it needs.
      std::string().swap(out_);  // an assignment would keep the memory
    }
    BalanceInput();
  }
}

bool Core::PumpOnce() {
  if (closing_) {
    return false;
  }
  if (sync_done_) {
    const std::function<void()> done = std::move(sync_done_);
    sync_done_ = nullptr;
    syncer_.reset();
    done();
    return true;
  }
  if (syncer_ && reply_) {
    return false;
  }
  if (reply_) {
    EndCommand();
    return true;
  }
  const bool hungry = task_ && task_->hungry();
  if (busy_ && !hungry) {
    return false;
  }
  if (!busy_ && syncer_) {
    return false;  // telling news: the next command waits for the end of it
  }
  if (out_.size() >= kFlushBytes) {
    FlushAndCheckBlocked();
  }
  if (output_blocked_) {
    return false;
  }
  std::optional<Event> event = reader_.Next();
  if (!event) {
    return TellUnasked();
  }
  Handle(std::move(*event));
  return true;
}

void Core::Handle(Event event) {
  if (const auto* fatal = std::get_if<Fatal>(&event)) {
    return Bye("", fatal->text);
  }
  if (task_) {
    return task_->OnEvent(std::move(event));
  }
  if (std::holds_alternative<NeedContinuation>(event)) {
    out_ += "+ Ready for the literal\r\n";
  } else if (auto* ready = std::get_if<CommandReady>(&event)) {
    StartCommand(std::move(ready->command));
  } else if (const auto* append = std::get_if<AppendBegin>(&event)) {
    StartAppend(*append);
  } else if (const auto* bad = std::get_if<BadLine>(&event)) {
    Refuse(bad->tag, Condition::kBad, "", bad->text);
  } else if (const auto* big = std::get_if<LiteralTooBig>(&event)) {
    RefuseLiteral(*big);
  }
}

void Core::Refuse(const std::string& tag, Condition condition, std::string_view code,
                  std::string_view text) {
  AppendStatusLine(&out_, tag, condition, code, text);
  CountBad();
}

void Core::RefuseLiteral(const LiteralTooBig& big) {
  if (big.message && state_ != State::kNotAuthenticated) {
    Refuse(big.tag, Condition::kNo, "TOOBIG", "The message is larger than APPENDLIMIT");
  } else {
    Refuse(big.tag, Condition::kNo, "LIMIT", "The literal is too long for this command");
  }
}

void Core::CountBad() {
  if (++bad_commands_ >= limits::kBadCommandsMax) {
    Bye("", "Too many commands were wrong");
  }
}

void Core::StartCommand(Command command) {
  tag_ = std::move(command.tag);
  traits_ = TraitsOf(command);
  busy_ = true;
  progress_told_ = clock_.Now();
  if (Allowed(traits_)) {
    task_ =
        std::visit([this](auto&& body) { return Run(*this, std::forward<decltype(body)>(body)); },
                   std::move(command.body));
  }
}

void Core::StartAppend(const AppendBegin& begin) {
  tag_ = begin.tag;
  traits_ = AppendTraits();
  busy_ = true;
  task_ = RunAppend(*this, begin);
}

bool Core::Allowed(const CommandTraits& traits) {
  const bool in = state_ != State::kNotAuthenticated;
  if (in && !traits.after_login) {
    Bad("You are already logged in");
    return false;
  }
  if (!in && !traits.before_login) {
    Bad("Log in first");
    return false;
  }
  if (traits.selected_only && state_ != State::kSelected) {
    Bad("Select a mailbox first");
    return false;
  }
  if (traits.by_number && uid_only_) {
    Bad("[UIDREQUIRED] This session names messages by UID: put UID before the command");
    return false;
  }
  return true;
}

void Core::BalanceInput() {
  const std::size_t most =
      state_ == State::kNotAuthenticated ? limits::kPreLoginInputBytesMax : limits::kInputBytesMax;
  const std::size_t mark = most / (input_paused_ ? 2 : 1);
  const bool pause = input_held_ || reader_.buffered() > mark;
  if (pause != input_paused_) {
    input_paused_ = pause;
    host_.PauseInput(pause);
  }
}

// --- ending a command

void Core::EndCommand() {
  if (!ShouldSync()) {
    return WriteTagged();
  }
  skip_sync_ = true;
  SyncNow([](const Status&) {});
}

void Core::WriteTagged() {
  const auto [condition, text] = std::move(*reply_);
  reply_.reset();
  task_.reset();
  busy_ = false;
  skip_sync_ = false;
  sync_asked_ = false;
  user_news_ = user_news_ || std::exchange(user_news_missed_, false);
  style_ = SyncStyle();
  AppendReply(condition, late_text_ ? late_text_() : text);
  late_text_ = nullptr;
  if (close_after_reply_) {
    Flush();
    closing_ = true;
    host_.Close();
  } else if (tls_after_reply_) {
    tls_after_reply_ = false;
    reader_.DropBuffered();
    Flush();
    host_.StartTls();
  } else if (std::exchange(compress_after_reply_, false)) {
    // A client waits for the answer (RFC 4978 §3): what came meanwhile is not compressed.
    reader_.DropBuffered();
    Flush();
    if (!host_.StartCompression()) {
      Bye(kUnavailableCode, "There is no memory for compressing; connect again without");
    }
  } else if (condition == Condition::kBad) {
    CountBad();
  } else if (condition == Condition::kOk) {
    bad_commands_ = 0;
  }
}

void Core::AppendReply(Condition condition, std::string_view text) {
  std::string_view code;
  if (const std::size_t end = text.find("] "); text.starts_with('[') && end != text.npos) {
    code = text.substr(1, end - 1);
    text.remove_prefix(end + 2);
  }
  AppendStatusLine(&out_, tag_, condition, code, text);
}

void Core::Finish(Condition condition, std::string text) {
  reply_.emplace(condition, std::move(text));
}

void Core::OkLater(std::function<std::string()> text) {
  late_text_ = std::move(text);
  reply_.emplace(Condition::kOk, std::string());
}

void Core::FinishWith(const Status& status, std::string done, Missing missing) {
  if (status.ok()) {
    return Ok(std::move(done));
  }
  const std::string error_id = NextErrorId();
  const Refusal refusal = RefusalFor(status, missing, error_id);
  const bool fault =
      status.Is(Code::kInternal) || status.Is(Code::kIo) || status.Is(Code::kDataLoss);
  if (fault && options_.on_fault) {
    options_.on_fault(error_id, status);
  }
  if (refusal.close || refusal.condition == Condition::kBye) {
    return Bye(refusal.code, refusal.text);
  }
  Finish(refusal.condition, refusal.code.empty()
                                ? refusal.text
                                : "[" + std::string(refusal.code) + "] " + refusal.text);
}

std::string Core::NextErrorId() {
  std::string id = "e";
  AppendNumber(&id, static_cast<std::uint64_t>(clock_.WallNs() / 1'000'000));
  return id;
}

void Core::Bye(std::string_view code, std::string_view text) {
  if (closing_) {
    return;
  }
  AppendStatusLine(&out_, "", Condition::kBye, code, text);
  Flush();
  closing_ = true;
  watch_.reset();
  host_.Close();
}

void Core::Untagged(std::string_view text) {
  out_ += "* ";
  out_ += text;
  out_ += "\r\n";
}

void Core::TellProgress(std::uint64_t done, std::uint64_t total) {
  const Instant now = clock_.Now();
  if (!busy_ || now.MsSince(progress_told_) < limits::kProgressMs) {
    return;
  }
  progress_told_ = now;
  AppendString(&(out_ += "* OK [INPROGRESS ("), tag_);
  AppendNumber(&(out_ += ' '), std::min(done, total));
  AppendNumber(&(out_ += ' '), total);
  out_ += ")] Still at work\r\n";
}

void Core::Flush() {
  if (!out_.empty()) {
    host_.Write(out_);
    out_.clear();
  }
}

bool Core::FlushAndCheckBlocked() {
  if (out_.size() >= kFlushBytes) {
    Flush();
    output_blocked_ = host_.output_pending() > limits::kOutputHighBytes;
  }
  return output_blocked_;
}

// --- the session's state

bool Core::LoggedIn(UserRef user) {
  if (options_.seats) {
    seat_ = options_.seats->Take(std::string(user.id.bytes()));
    if (seat_ == nullptr) {
      return false;
    }
  }
  user_ = std::move(user);
  state_ = State::kAuthenticated;
  reader_.set_authenticated(true);
  reader_.set_message_bytes_max(store_.message_bytes_max());
  host_.SetTimeout(limits::kIdleMs);
  host_.SetDeadline(0);
  return true;
}

void Core::LoggedOut() {
  Unselect();
  notifier_.reset();
  user_news_ = false;
  user_ = UserRef();
  seat_.reset();
  state_ = State::kNotAuthenticated;
  condstore_ = qresync_ = utf8_ = rev2_ = uid_only_ = false;
  known_structure_ = KnownStructure();
  reader_.set_authenticated(false);
  reader_.set_utf8_names(false);
  host_.SetTimeout(limits::kPreLoginIdleMs);
  host_.SetDeadline(limits::kLoginMs);
}

void Core::EnableUtf8() {
  utf8_ = true;
  reader_.set_utf8_names(true);
}

void Core::EnableRev2() {
  rev2_ = true;
  EnableUtf8();
}

void Core::EnableCondstore() {
  if (!std::exchange(condstore_, true) && view_ != nullptr) {
    std::string line = "OK [HIGHESTMODSEQ ";
    AppendNumber(&line, view_->told_modseq().value());
    Untagged(line + "] Highest");
  }
}

void Core::EnableQresync() {
  EnableCondstore();
  qresync_ = true;
}

void Core::Select(std::unique_ptr<SelectedView> view) {
  view_ = std::move(view);
  state_ = State::kSelected;
}

void Core::Unselect() {
  watch_.reset();
  signalled_ = std::make_shared<std::atomic<bool>>(false);
  view_.reset();
  contexts_.clear();
  own_ = UidSet();
  news_ = false;
  due_ = false;
  if (state_ == State::kSelected) {
    state_ = State::kAuthenticated;
  }
}

Modseq Core::TellableModseq(const MailboxState& state) const {
  const bool here = view_ != nullptr && view_->ref().id == state.ref.id;
  return here ? std::min(state.highest_modseq, view_->told_modseq()) : state.highest_modseq;
}

std::unique_ptr<net::Session> MakeSession(net::SessionHost& host, MailStore& store, Clock& clock,
                                          const SessionOptions& options) {
  return std::make_unique<Core>(host, store, clock, options);
}

}  // namespace twinspool::imap
