// Lines, literals and limits of a client's input.
#include "server/imap/reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "server/imap/cursor.h"

namespace twinspool::imap {
namespace {

// An empty buffer keeps no more memory than this: most connections idle.
constexpr std::size_t kIdleBufferBytes = 16u << 10;

// Whether a quoted string is open at the end of `line`, which begins outside of one.
bool EndsInsideQuotes(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      quoted = !quoted;
    }
  }
  return quoted;
}

std::ptrdiff_t MessagesIn(const AppendStretch& stretch) {
  return std::count_if(stretch.steps.begin(), stretch.steps.end(), [](const auto& step) {
    return std::holds_alternative<AppendMessageBegin>(step);
  });
}

}  // namespace

void CommandReader::Feed(std::string_view bytes) {
  if (pos_ > 0) {
    buffer_.erase(0, pos_);
    scanned_ -= pos_;
    pos_ = 0;
  }
  buffer_.append(bytes);
}

void CommandReader::DropBuffered() {
  std::string().swap(buffer_);  // an assignment would keep the memory
  pos_ = 0;
  scanned_ = 0;
}

std::optional<Event> CommandReader::Next() {
  while (events_.empty() && Step()) {
  }
  if (events_.empty()) {
    if (buffered() == 0 && buffer_.capacity() > kIdleBufferBytes) {
      DropBuffered();
    }
    return std::nullopt;
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

bool CommandReader::Step() {
  switch (state_) {
    case State::kLine:
      return StepLine();
    case State::kLiteral:
      return StepLiteral();
    case State::kMessage:
      return StepMessage();
    case State::kSkip:
      return StepSkip();
    case State::kDead:
      return false;
  }
  return false;
}

// --- lines
// ----------------------------------------------------------------------------------------------

bool CommandReader::StepLine() {
  std::string line;
  if (!TakeLine(&line)) {
    return false;
  }
  OnLine(std::move(line));
  return true;
}

bool CommandReader::TakeLine(std::string* line) {
  const std::size_t end = buffer_.find('\n', scanned_);
  const std::size_t length = (end == std::string::npos ? buffer_.size() : end) - pos_;
  if (length + text_.line.size() > line_bytes_max()) {
    EmitFatal("command line too long");
    return false;
  }
  if (end == std::string::npos) {
    scanned_ = buffer_.size();
    return false;
  }
  *line = buffer_.substr(pos_, length);
  if (!line->empty() && line->back() == '\r') {
    line->pop_back();
  }
  pos_ = end + 1;
  scanned_ = pos_;
  return true;
}

void CommandReader::OnLine(std::string line) {
  if (std::exchange(raw_line_, false)) {
    Emit(RawLine{std::move(line)});
    return;
  }
  const std::size_t line_begin = text_.line.size();
  text_.line += line;
  const std::optional<Announcement> announced = FindAnnouncement(line_begin);
  if (announced) {
    OnAnnouncement(*announced);
  } else {
    OnCommandEnd();
  }
}

std::optional<CommandReader::Announcement> CommandReader::FindAnnouncement(
    std::size_t line_begin) const {
  const std::string_view line = std::string_view(text_.line).substr(line_begin);
  if (!line.ends_with('}') || EndsInsideQuotes(line)) {
    return std::nullopt;
  }
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) {
    return std::nullopt;
  }
  Announcement announced;
  std::string_view digits = line.substr(open + 1, line.size() - open - 2);
  if (digits.ends_with('+')) {
    announced.sync = false;
    digits.remove_suffix(1);
  }
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), IsDigit)) {
    return std::nullopt;
  }
  announced.binary = open > 0 && line[open - 1] == '~';
  const std::size_t begin = announced.binary ? open - 1 : open;
  if (begin > 0 && line[begin - 1] != ' ' && line[begin - 1] != '(') {
    return std::nullopt;
  }
  announced.begin = line_begin + begin;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  for (const char c : digits) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (announced.size > (kMax - digit) / 10) {
      announced.overflow = true;
      break;
    }
    announced.size = announced.size * 10 + digit;
  }
  return announced;
}

void CommandReader::OnCommandEnd() {
  if (discarding_) {
    BeginCommand();
    return;
  }
  if (in_append_) {
    return OnAppendEnd();
  }
  if (const auto at = AppendMailboxAt(text_.line); at && *at < text_.line.size()) {
    return OnAppendEnd();
  }
  Result<Command> command = ParseCommand(text_, utf8_names_);
  if (command.ok()) {
    Emit(CommandReady{std::move(command).value()});
    BeginCommand();
  } else {
    EmitBad(command.status(), nullptr);
  }
}

Result<AppendStretch> CommandReader::NextStretch(bool literal_follows) {
  ASSIGN_OR_RETURN(AppendStretch stretch,
                   ParseAppendStretch(text_, place_, literal_follows, utf8_names_));
  const bool replacing = replacing_ || stretch.replaces;
  if (replacing && MessagesIn(stretch) + (in_append_ ? 1 : 0) > 1) {
    return InvalidArgument("REPLACE takes one message");
  }
  return stretch;
}

void CommandReader::OnAppendEnd() {
  const std::string tag = TagOfCommand();
  Result<AppendStretch> stretch = NextStretch(false);
  if (!stretch.ok()) {
    return EmitBad(stretch.status(), nullptr);
  }
  EmitStretch(std::move(*stretch), nullptr);
  Emit(AppendEnd{tag});
  BeginCommand();
}

// --- literals
// -------------------------------------------------------------------------------------------

void CommandReader::OnAnnouncement(const Announcement& announced) {
  if (announced.overflow) {
    EmitFatal("literal size out of range");
    return;
  }
  if (discarding_) {
    SkipAfter(announced);
    return;
  }
  if (!in_append_) {
    // A command that is wrong from the start gets no "+".
    const Result<CommandHead> head = ParseHead(text_.line);
    if (!head.ok()) {
      EmitBad(head.status(), &announced);
      return;
    }
  }
  sync_ = announced.sync;
  binary_ = announced.binary;
  if (InAppend(announced)) {
    OnAppendLiteral(announced);
  } else {
    OnLiteral(announced);
  }
}

bool CommandReader::InAppend(const Announcement& announced) {
  if (in_append_) {
    return true;
  }
  if (!mailbox_at_) {
    mailbox_at_ = AppendMailboxAt(text_.line);
  }
  // Directly after "tag APPEND " stands the mailbox, a literal like any other.
  return *mailbox_at_ && announced.begin > **mailbox_at_;
}

void CommandReader::OnLiteral(const Announcement& announced) {
  const Result<CommandHead> head = ParseHead(text_.line);
  if (announced.binary && !(head.ok() && head->verb == "SETMETADATA")) {
    EmitBad(InvalidArgument("a binary literal is for messages and for values of SETMETADATA"),
            &announced);
    return;
  }
  if (announced.size > literal_bytes_max() - std::min(literal_bytes_, literal_bytes_max())) {
    Emit(LiteralTooBig{TagOfCommand(), announced.size, announced.sync, false});
    SkipAfter(announced);
    return;
  }
  literal_bytes_ += static_cast<std::size_t>(announced.size);
  text_.literals.push_back({announced.begin, text_.line.size(), {}, announced.binary});
  if (announced.sync) {
    Emit(NeedContinuation{TagOfCommand(), announced.size});
  }
  BeginOctets(State::kLiteral, announced.size);
}

void CommandReader::OnAppendLiteral(const Announcement& announced) {
  const std::string announcement = text_.line.substr(announced.begin);
  text_.line.resize(announced.begin);
  Result<AppendStretch> stretch = NextStretch(true);
  if (!stretch.ok()) {
    return EmitBad(stretch.status(), &announced);
  }
  if (stretch->literal == AppendLiteral::kUrl) {
    text_.line += announcement;
    return OnLiteral(announced);
  }
  if (announced.size > message_bytes_max()) {
    Emit(LiteralTooBig{TagOfCommand(), announced.size, announced.sync, true});
    return SkipAfter(announced);
  }
  EmitStretch(std::move(*stretch), &announced);
  text_.Clear();
  BeginOctets(State::kMessage, announced.size);
}

void CommandReader::EmitStretch(AppendStretch stretch, const Announcement* announced) {
  if (!in_append_) {
    append_tag_ = TagOfCommand();
    in_append_ = true;
    replacing_ = stretch.replaces.has_value();
    Emit(AppendBegin{append_tag_, std::move(stretch.mailbox), stretch.replaces});
  }
  if (announced != nullptr && stretch.literal == AppendLiteral::kMessage) {
    auto& message = std::get<AppendMessageBegin>(stretch.steps.back());
    message.size = announced->size;
    message.sync = announced->sync;
    message.binary = announced->binary;
  }
  for (auto& step : stretch.steps) {
    std::visit([this](auto& one) { Emit(std::move(one)); }, step);
  }
  if (announced != nullptr && stretch.literal == AppendLiteral::kText) {
    Emit(CatenateText{announced->size, announced->sync, announced->binary});
  }
  place_ = stretch.place;
}

void CommandReader::BeginOctets(State state, std::uint64_t size) {
  state_ = state;
  remaining_ = size;
}

std::string_view CommandReader::TakeOctets() {
  const std::size_t count =
      static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, buffered()));
  const std::string_view octets = std::string_view(buffer_).substr(pos_, count);
  pos_ += count;
  scanned_ = pos_;
  remaining_ -= count;
  return octets;
}

bool CommandReader::StepLiteral() {
  text_.literals.back().octets.append(TakeOctets());
  if (remaining_ > 0) {
    return false;
  }
  state_ = State::kLine;
  return true;
}

bool CommandReader::StepMessage() {
  if (remaining_ == 0) {
    state_ = State::kLine;
    return true;
  }
  if (buffered() == 0) {
    return false;
  }
  std::string_view octets = TakeOctets();
  const std::size_t nul = binary_ ? std::string_view::npos : octets.find('\0');
  octets = octets.substr(0, nul);
  if (!octets.empty()) {
    Emit(AppendData{octets});
  }
  if (nul != std::string_view::npos) {
    Emit(BadLine{append_tag_, "a message must not hold NUL"});
    SkipRestOfCommand();
  }
  return true;
}

bool CommandReader::StepSkip() {
  TakeOctets();
  if (remaining_ > 0) {
    return false;
  }
  state_ = State::kLine;
  return true;
}

void CommandReader::RefuseLiteral() {
  if (state_ != State::kLiteral && state_ != State::kMessage) {
    return;
  }
  events_.clear();
  if (sync_) {
    BeginCommand();
  } else {
    SkipRestOfCommand();
  }
}

void CommandReader::DiscardCommand() {
  // Also when the command has ended by itself: its BadLine may wait here.
  events_.clear();
  if (state_ != State::kLiteral && !in_append_) {
    return;
  }
  SkipRestOfCommand();
}

// --- ends
// -----------------------------------------------------------------------------------------------

void CommandReader::SkipAfter(const Announcement& announced) {
  BeginCommand();
  if (!announced.sync) {
    discarding_ = true;
    BeginOctets(State::kSkip, announced.size);
  }
}

void CommandReader::SkipRestOfCommand() {
  const std::uint64_t rest = remaining_;
  BeginCommand();
  discarding_ = true;
  BeginOctets(State::kSkip, rest);
}

void CommandReader::EmitBad(const Status& why, const Announcement* announced) {
  Emit(BadLine{TagOfCommand(), std::string(why.message())});
  if (announced != nullptr) {
    SkipAfter(*announced);
  } else {
    BeginCommand();
  }
}

void CommandReader::EmitFatal(std::string text) {
  Emit(Fatal{std::move(text)});
  BeginCommand();
  DropBuffered();
  state_ = State::kDead;
}

void CommandReader::BeginCommand() {
  state_ = State::kLine;
  discarding_ = false;
  in_append_ = false;
  replacing_ = false;
  place_ = AppendPlace::kStart;
  mailbox_at_.reset();
  literal_bytes_ = 0;
  remaining_ = 0;
  // Literals may have been large; an idle connection keeps only a little.
  std::string().swap(text_.line);
  text_ = CommandText();
}

std::string CommandReader::TagOfCommand() const {
  return in_append_ ? append_tag_ : TagOf(text_.line);
}

std::size_t CommandReader::line_bytes_max() const {
  return authenticated_ ? limits::kCommandLineBytesMax : limits::kPreLoginLineBytesMax;
}

std::size_t CommandReader::literal_bytes_max() const {
  return authenticated_ ? limits::kCommandLiteralBytesMax : limits::kPreLoginLiteralBytesMax;
}

std::uint64_t CommandReader::message_bytes_max() const {
  return authenticated_ ? message_bytes_max_ : limits::kPreLoginLiteralBytesMax;
}

}  // namespace twinspool::imap
