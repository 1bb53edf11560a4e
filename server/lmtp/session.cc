#include "server/lmtp/session.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace twinspool::lmtp {

// One accepted RCPT and what becomes of it.
struct Session::Recipient {
  std::string address;
  UserRef user;
  std::unique_ptr<BodyStage> stage;  // until Deliver, or until `failure`
  Status failure;
  std::optional<Result<DeliverResult>> result;
};

std::optional<Reply> DeliveryReply(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return Reply{250, "2.0.0", "Delivered"};
    case Code::kOutcomeUnknown:
      return std::nullopt;
    case Code::kNotFound:
      return Reply{550, "5.1.1", "No such user here"};
    case Code::kOverQuota:
      return Reply{452, "4.2.2", "Mailbox is full"};
    case Code::kLimit:
      return Reply{452, "4.3.1", "Mailbox takes no more now: " + std::string(status.message())};
    case Code::kPermissionDenied:
      return Reply{550, "5.7.1", "Delivery not permitted"};
    case Code::kInvalidArgument:
      return Reply{550, "5.6.0", "Message refused: " + std::string(status.message())};
    case Code::kFenced:
      return Reply{451, "4.3.2", "This node does not serve now"};
    case Code::kUnavailable:
    case Code::kTimeout:
      return Reply{451, "4.3.0", "Mailbox cannot be written now; try again"};
    case Code::kAlreadyExists:
    case Code::kConflict:
    case Code::kUnauthenticated:
    case Code::kDataLoss:
    case Code::kIo:
    case Code::kInternal:
      return Reply{451, "4.3.0", "Local error; try again"};
  }
  return Reply{451, "4.3.0", "Local error; try again"};
}

std::optional<Reply> StagingReply(const Status& status) {
  return status.Is(Code::kLimit) ? Reply{552, "5.3.4", "Message is too big"}
                                 : DeliveryReply(status);
}

Session::Session(net::SessionHost& host, MailStore& store, std::string host_name)
    : host_(host), store_(store), host_name_(std::move(host_name)), post_(host.poster()) {}

Session::~Session() = default;

template <typename T, typename Fn>
Done<T> Session::Back(Fn fn) {
  return [post = post_, fn = std::move(fn)](Result<T> result) {
    post([fn, result = std::make_shared<Result<T>>(std::move(result))] { fn(std::move(*result)); });
  };
}

void Session::Start() {
  const Status serving = store_.Serving();
  if (!serving.ok()) {
    Goodbye({421, "4.3.2", std::string(serving.message())});
    return;
  }
  host_.SetTimeout(limits::kLmtpIdleMs);
  host_.Write("220 " + host_name_ + " LMTP ready\r\n");
}

// --- taking input

void Session::Input(std::string_view bytes) {
  if (state_ == State::kClosed) {
    return;
  }
  input_.append(bytes);
  Consume();
}

void Session::Consume() {
  bool more = true;
  while (more) {
    switch (state_) {
      case State::kCommand:
        more = !Blocked() && ConsumeLine();
        break;
      case State::kData:
        more = ConsumeData();
        break;
      case State::kLookup:
      case State::kDelivering:
      case State::kClosed:
        more = false;
    }
  }
  input_.erase(0, std::exchange(consumed_, 0));
  if (input_.empty()) {
    std::string().swap(input_);  // idle connections hold nothing
  }
  UpdatePause();
}

// While the store works or the client is behind, nothing more is read than came already.
void Session::UpdatePause() {
  const bool ready =
      state_ == State::kCommand ? !Blocked() : state_ == State::kData && writes_ == 0;
  const bool pause = state_ != State::kClosed && !input_.empty() && !ready;
  if (pause != paused_) {
    paused_ = pause;
    host_.PauseInput(pause);
  }
}

bool Session::ConsumeLine() {
  const std::size_t end = input_.find('\n', consumed_);
  if (end == std::string::npos) {
    if (input_.size() - consumed_ > limits::kLmtpLineBytesMax) {
      line_too_long_ = true;
      consumed_ = input_.size();
    }
    return false;
  }
  std::string_view line(input_.data() + consumed_, end - consumed_);
  consumed_ = end + 1;
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  if (std::exchange(line_too_long_, false) || line.size() > limits::kLmtpLineBytesMax) {
    Bad({500, "5.5.2", "Line too long"});
  } else {
    OnLine(line);
  }
  return true;
}

void Session::OnLine(std::string_view line) {
  const bool control = std::any_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) {
    Bad({500, "5.5.2", "Control characters in a command"});
    return;
  }
  Dispatch(ParseCommand(line));
}

// --- commands

void Session::Dispatch(const Command& command) {
  switch (command.verb) {
    case Verb::kLhlo:
      return command.rest.empty() ? Bad({501, "5.5.4", "LHLO needs a name"}) : Lhlo();
    case Verb::kMail:
      return Mail(command.rest);
    case Verb::kRcpt:
      return Rcpt(command.rest);
    case Verb::kData:
      return Data();
    case Verb::kRset:
      ResetTransaction();
      return Send({250, "2.0.0", "Forgotten"});
    case Verb::kNoop:
      return Send({250, "2.0.0", "OK"});
    case Verb::kQuit:
      return Goodbye({221, "2.0.0", host_name_ + " closes"});
    case Verb::kVrfy:
      return Send({252, "2.3.3", "Not verified; try RCPT"});
    case Verb::kStartTls:
      return StartTls();
    case Verb::kHelo:
      return Bad({500, "5.5.1", "This is LMTP: say LHLO"});
    case Verb::kUnknown:
      return Bad({500, "5.5.2", "Unknown command"});
  }
}

void Session::Bad(const Reply& reply) {
  if (++bad_commands_ > limits::kBadCommandsMax) {
    Goodbye({421, "4.7.0", "Too many bad commands"});
    return;
  }
  Send(reply);
}

void Session::Lhlo() {
  greeted_ = true;
  ResetTransaction();
  std::string text = "250-" + host_name_ +
                     "\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                     "250-ENHANCEDSTATUSCODES\r\n";
  if (host_.tls_available()) {
    text += "250-STARTTLS\r\n";
  }
  text += "250 SIZE " + std::to_string(store_.message_bytes_max()) + "\r\n";
  host_.Write(text);
}

void Session::Mail(std::string_view rest) {
  if (!greeted_ || sender_) {
    return Bad({503, "5.5.1", greeted_ ? "MAIL was given already" : "Say LHLO first"});
  }
  const Status serving = store_.Serving();
  if (!serving.ok()) {
    return Goodbye({421, "4.3.2", std::string(serving.message())});
  }
  Reply error;
  auto path = ParsePath(rest, "FROM", &error);
  if (!path) {
    return Bad(error);
  }
  if (path->size.value_or(0) > store_.message_bytes_max()) {
    return Send(
        {552, "5.3.4",
         "Message is over the limit of " + std::to_string(store_.message_bytes_max()) + " octets"});
  }
  sender_ = std::move(path);
  Send({250, "2.1.0", "Sender accepted"});
}

void Session::Rcpt(std::string_view rest) {
  if (!sender_) {
    return Bad({503, "5.5.1", "MAIL comes first"});
  }
  if (recipients_.size() >= limits::kLmtpRecipientsMax) {
    return Send({452, "4.5.3", "Too many recipients"});
  }
  Reply error;
  auto path = ParsePath(rest, "TO", &error);
  if (!path) {
    return Bad(error);
  }
  if (!sender_->utf8 && !IsAscii(path->address)) {
    return Send({553, "5.6.7", "A recipient beyond ASCII needs SMTPUTF8"});
  }
  state_ = State::kLookup;
  std::string address = path->address;
  store_.FindRecipient(std::move(address),
                       Back<UserRef>([this, path = *std::move(path)](Result<UserRef> user) {
                         OnRecipient(path, std::move(user));
                       }));
}

void Session::OnRecipient(Path path, Result<UserRef> user) {
  if (state_ != State::kLookup) {
    return;
  }
  state_ = State::kCommand;
  if (user.ok()) {
    Recipient recipient;
    recipient.address = std::move(path.address);
    recipient.user = std::move(user).value();
    recipients_.push_back(std::move(recipient));
    Send({250, "2.1.5", "Recipient accepted"});
  } else if (const auto reply = DeliveryReply(user.status())) {
    Send(*reply);
  } else {
    Send({451, "4.3.0", "Recipient cannot be checked now"});
  }
  if (!closing_.empty()) {
    Goodbye({421, "4.3.2", closing_});
    return;
  }
  Consume();
}

// Stages are asked for before the octets come: when all refuse, none need to travel.
void Session::Data() {
  if (recipients_.empty()) {
    return Bad({503, "5.5.1", sender_ ? "No valid recipients" : "MAIL comes first"});
  }
  const std::uint64_t size = sender_->size.value_or(0);
  bool any = false;
  for (Recipient& recipient : recipients_) {
    auto stage = store_.StageBody(recipient.user.id, size);
    recipient.failure = stage.status();
    if (stage.ok()) {
      recipient.stage = std::move(stage).value();
      any = true;
    }
  }
  if (!any) {
    const auto reply = StagingReply(recipients_.front().failure);
    ResetTransaction();
    return Send(reply.value_or(Reply{451, "4.3.0", "Mail cannot be taken now"}));
  }
  dots_ = DotReader();
  received_ = 0;
  state_ = State::kData;
  host_.Write("354 Go ahead, end with a line of one dot\r\n");
}

void Session::StartTls() {
  if (!host_.tls_available()) {
    return Bad({502, "5.5.1", "STARTTLS is not available"});
  }
  host_.Write("220 2.0.0 Go ahead\r\n");
  consumed_ = input_.size();  // what came behind the command did not come through TLS
  host_.StartTls();
}

void Session::OnTls() {
  greeted_ = false;
  ResetTransaction();
}

// --- the message

// False when nothing more can be done now.
bool Session::ConsumeData() {
  if (writes_ > 0) {
    return false;
  }
  if (!dots_.done()) {
    const std::size_t before = chunk_.size();
    const std::size_t used =
        dots_.Feed(std::string_view(input_).substr(consumed_, limits::kLmtpChunkBytes), &chunk_);
    received_ += chunk_.size() - before;
    consumed_ += used;
    if (!dots_.done() && chunk_.size() < limits::kLmtpChunkBytes) {
      return used > 0;
    }
  }
  OnDataStep();
  return true;
}

// A chunk is full, or the message is whole.
void Session::OnDataStep() {
  const std::uint64_t limit = store_.message_bytes_max();
  if (received_ > limit) {
    chunk_.clear();
    for (Recipient& recipient : recipients_) {
      recipient.stage.reset();
      recipient.failure = LimitExceeded("message is over the limit");
    }
    // Swallowing goes on for as much again, so that a sender that counts loosely gets its answer.
    if (received_ / 2 > limit && !dots_.done()) {
      return Goodbye({421, "4.3.4", "Message is far too big"});
    }
  }
  if (!chunk_.empty()) {
    WriteChunk();
  } else if (dots_.done()) {
    Deliver();
  }
}

void Session::WriteChunk() {
  const std::string chunk = std::exchange(chunk_, std::string());
  // Counted first: a store may complete inside the call.
  writes_ = static_cast<std::size_t>(
      std::count_if(recipients_.begin(), recipients_.end(),
                    [](const Recipient& recipient) { return recipient.stage != nullptr; }));
  for (std::size_t i = 0; i < recipients_.size(); ++i) {
    if (recipients_[i].stage != nullptr) {
      recipients_[i].stage->Write(
          chunk, Back<Unit>([this, i](const Result<Unit>& result) { OnChunkWritten(i, result); }));
    }
  }
}

void Session::OnChunkWritten(std::size_t recipient, const Result<Unit>& result) {
  if (state_ != State::kData) {
    return;
  }
  --writes_;
  if (!result.ok()) {
    recipients_[recipient].failure = result.status();
    recipients_[recipient].stage.reset();
  }
  if (writes_ == 0) {
    Consume();
  }
}

void Session::Deliver() {
  state_ = State::kDelivering;
  replied_ = 0;
  for (std::size_t i = 0; i < recipients_.size(); ++i) {
    Recipient& recipient = recipients_[i];
    if (recipient.stage == nullptr) {
      recipient.result.emplace(recipient.failure);
      continue;
    }
    DeliverRequest request;
    request.user = recipient.user;
    request.sender = sender_->address;
    request.recipient = recipient.address;
    request.body = std::move(recipient.stage);
    store_.Deliver(std::move(request), Back<DeliverResult>([this, i](Result<DeliverResult> result) {
                     OnDelivered(i, std::move(result));
                   }));
  }
  SendReplies();
}

void Session::OnDelivered(std::size_t recipient, Result<DeliverResult> result) {
  if (state_ != State::kDelivering) {
    return;
  }
  recipients_[recipient].result.emplace(std::move(result));
  SendReplies();
  if (state_ == State::kCommand) {
    Consume();
  }
}

// Answers as far as the outcomes are known, in the order of the recipients.
void Session::SendReplies() {
  while (replied_ < recipients_.size() && recipients_[replied_].result) {
    const Recipient& recipient = recipients_[replied_];
    auto reply = recipient.failure.ok() ? DeliveryReply(recipient.result->status())
                                        : StagingReply(recipient.failure);
    if (!reply) {
      Close();
      return;
    }
    const bool again = recipient.result->ok() && (*recipient.result)->duplicate;
    reply->text = "<" + recipient.address + "> " + (again ? "Delivered before" : reply->text);
    Send(*reply);
    ++replied_;
  }
  if (replied_ < recipients_.size()) {
    return;
  }
  ResetTransaction();
  state_ = State::kCommand;
  if (!closing_.empty()) {
    Goodbye({421, "4.3.2", closing_});
  }
}

void Session::ResetTransaction() {
  sender_.reset();
  recipients_.clear();
  chunk_.clear();
  received_ = 0;
}

// --- the end

void Session::Close() {
  state_ = State::kClosed;
  consumed_ = input_.size();
  ResetTransaction();
  host_.Close();
}

void Session::Goodbye(const Reply& reply) {
  Send(reply);
  Close();
}

void Session::OnTimeout() {
  // While the store works, it is not the client who is late.
  if (state_ == State::kLookup || state_ == State::kDelivering || writes_ > 0) {
    host_.SetTimeout(limits::kLmtpIdleMs);
    return;
  }
  if (state_ != State::kClosed) {
    Goodbye({421, "4.4.2", "Idle for too long"});
  }
}

void Session::OnShutdown(std::string_view reason) {
  if (state_ == State::kLookup || state_ == State::kDelivering) {
    closing_ = reason.empty() ? "shutting down" : reason;
    return;
  }
  if (state_ != State::kClosed) {
    Goodbye({421, "4.3.2", std::string(reason)});
  }
}

}  // namespace twinspool::lmtp
