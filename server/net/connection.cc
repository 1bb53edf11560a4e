#include "server/net/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

#include "common/check.h"
#include "common/log.h"

namespace twinspool::net {
namespace {

// Chunks of output in one sendmsg.
constexpr std::size_t kGather = 16;
// Socket reads of one connection before others get their turn.
constexpr int kReadsPerTurn = 4;
constexpr Instant kNever{INT64_MAX};

}  // namespace

Connection::Connection(std::shared_ptr<IoThread> thread, int fd, Peer peer,
                       std::shared_ptr<Registry> registry)
    : thread_(std::move(thread)),
      peer_(std::move(peer)),
      registry_(std::move(registry)),
      socket_(thread_->context(), fd) {}

Connection::~Connection() = default;

// --- the session's side

void Connection::Post(std::function<void()> fn) {
  if (thread_->OnThisThread() && in_session_) {
    posted_.push_back(std::move(fn));
    return;
  }
  thread_->Post([weak = weak_from_this(), fn = std::move(fn)]() mutable {
    if (const auto self = weak.lock()) {
      self->TakePosted(std::move(fn));
    }
  });
}

Poster Connection::poster() {
  return [weak = weak_from_this(), thread = thread_](std::function<void()> fn) {
    if (thread->OnThisThread()) {
      // Alive on its own thread means alive until this call returns.
      if (const auto self = weak.lock()) {
        self->Post(std::move(fn));
      }
      return;
    }
    thread->Post([weak, fn = std::move(fn)]() mutable {
      if (const auto self = weak.lock()) {
        self->TakePosted(std::move(fn));
      }
    });
  };
}

void Connection::Write(std::string_view bytes) {
  output_.Append(bytes);
  was_high_ = was_high_ || output_pending() > limits::kOutputHighBytes;
}

std::size_t Connection::output_pending() const {
  return output_.size() + (engine_ ? engine_->output().size() - cipher_sent_ : 0);
}

bool Connection::tls_available() const {
  return registry_->options().tls_mode == TlsMode::kStartTls && !tls_.active;
}

bool Connection::secure_enough() const {
  return tls_.active || peer_.local ||
         (peer_.loopback && registry_->options().plain_text_on_loopback);
}

void Connection::SetTimeout(std::int64_t ms) {
  timeout_ms_ = ms;
  Touch();
}

template <typename Fn>
void Connection::Call(Fn&& fn) {
  if (session_ == nullptr || close_asked_) {
    return;
  }
  in_session_ = true;
  fn(*session_);
  in_session_ = false;
  Settle();
}

void Connection::StartSession() {
  phase_ = Phase::kOpen;
  Touch();
  in_session_ = true;
  session_ = registry_->options().factory(*this);
  in_session_ = false;
  Call([](Session& session) { session.Start(); });
}

void Connection::TakePosted(std::function<void()> fn) {
  if (session_ == nullptr) {
    return;
  }
  if (ended_) {
    Touch();
  }
  posted_.push_back(std::move(fn));
  Settle();
}

void Connection::RunPosted() {
  int budget = limits::kPostedPerTurn;
  while (!posted_.empty() && budget > 0 && !close_asked_) {
    std::vector<std::function<void()>> batch;
    batch.swap(posted_);
    std::size_t done = 0;
    in_session_ = true;
    while (done < batch.size() && budget-- > 0 && !close_asked_) {
      batch[done++]();
    }
    in_session_ = false;
    posted_.insert(posted_.begin(),
                   std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(done)),
                   std::make_move_iterator(batch.end()));
  }
  if (!posted_.empty() && !close_asked_ && !turn_asked_) {
    turn_asked_ = true;
    thread_->Post([self = shared_from_this()] {
      self->turn_asked_ = false;
      self->Settle();
    });
  }
}

// What follows every call into the session: its posted functions, its wishes, its output.
void Connection::Settle() {
  if (phase_ == Phase::kDead) {
    return;
  }
  RunPosted();
  if (output_pending() > limits::kOutputHardBytes) {
    registry_->stats().overflowed.fetch_add(1);
    LogError("output_overflow", {{"listener", registry_->options().name},
                                 {"client", peer_.address},
                                 {"bytes", output_pending()}});
    DropStalled();
    return;
  }
  if (close_asked_ && session_ != nullptr) {
    EndSession();
  } else if (start_tls_asked_ && phase_ == Phase::kOpen) {
    start_tls_asked_ = false;
    phase_ = Phase::kStartTls;
  }
  Flush();
  ArmRead();
  ArmDeadline();
}

void Connection::EndSession() {
  phase_ = Phase::kFlushing;
  phase_since_ = IoThread::Now();
  posted_.clear();
  session_.reset();
}

void Connection::Shutdown(std::string reason, std::int64_t drain_ms) {
  thread_->Post([self = shared_from_this(), reason = std::move(reason), drain_ms] {
    self->BeginStop(reason, drain_ms);
  });
}

void Connection::BeginStop(std::string_view reason, std::int64_t drain_ms) {
  if (phase_ == Phase::kDead) {
    return;
  }
  const bool nobody_to_tell = session_ == nullptr && phase_ == Phase::kHandshake;
  if (nobody_to_tell || drain_ms <= 0) {
    Drop();
    return;
  }
  cut_at_ = IoThread::Now().PlusMs(drain_ms);
  Call([&](Session& session) { session.OnShutdown(reason); });
  ArmDeadline();
}

// --- input

void Connection::Begin() {
  Touch();
  if (registry_->options().tls_mode == TlsMode::kImplicit) {
    BeginHandshake();
  } else {
    StartSession();
  }
}

bool Connection::WantsInput() const {
  switch (phase_) {
    case Phase::kHandshake:
      return !ended_;
    case Phase::kOpen:
      return !ended_ && !paused_;
    case Phase::kLingering:
      return true;
    case Phase::kStartTls:
    case Phase::kFlushing:
    case Phase::kDead:
      return false;
  }
  return false;
}

void Connection::ArmRead() {
  if (read_armed_ || !WantsInput()) {
    return;
  }
  read_armed_ = true;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->read_armed_ = false;
                       if (!error) {
                         self->OnReadable();
                       }
                     });
}

void Connection::OnReadable() {
  auto& buffer = thread_->read_buffer();
  for (int i = 0; i < kReadsPerTurn && WantsInput(); ++i) {
    const ssize_t count = recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0 && errno == EAGAIN) {
      break;
    }
    if (count < 0) {
      Drop();
      return;
    }
    if (count == 0) {
      OnEnd();
      break;
    }
    OnBytes({buffer.data(), static_cast<std::size_t>(count)});
    if (static_cast<std::size_t>(count) < buffer.size()) {
      break;
    }
  }
  ArmRead();
  ArmDeadline();
}

void Connection::OnBytes(std::string_view bytes) {
  if (phase_ == Phase::kLingering) {
    lingered_bytes_ += bytes.size();
    if (lingered_bytes_ > limits::kLingerBytesMax) {
      Drop();
    }
    return;
  }
  Touch();
  if (engine_ != nullptr) {
    OnCipherText(bytes);
  } else {
    Call([&](Session& session) { session.Input(bytes); });
  }
}

void Connection::OnCipherText(std::string_view bytes) {
  engine_->GiveInput(bytes);
  if (phase_ != Phase::kHandshake || StepHandshake()) {
    Decrypt();
  }
  if (engine_ != nullptr) {
    engine_->DropInput();
  }
}

// A pause of the session does not stop us here: what was read is bounded by the buffer.
void Connection::Decrypt() {
  auto& buffer = thread_->plain_buffer();
  while (phase_ == Phase::kOpen && !ended_) {
    std::size_t count = 0;
    switch (engine_->Read(buffer.data(), buffer.size(), &count)) {
      case TlsEngine::Step::kDone:
        Call([&](Session& session) { session.Input({buffer.data(), count}); });
        break;
      case TlsEngine::Step::kWantInput:
        Flush();  // OpenSSL may have answered a key update
        return;
      case TlsEngine::Step::kClosed:
        OnEnd();
        return;
      case TlsEngine::Step::kFailed:
        Drop();
        return;
    }
  }
}

void Connection::OnEnd() {
  ended_ = true;
  Touch();
  if (phase_ == Phase::kHandshake) {
    FailHandshake("the client left");
  } else if (phase_ != Phase::kOpen && phase_ != Phase::kStartTls) {
    Drop();
  }
}

// --- TLS

void Connection::BeginHandshake() {
  phase_ = Phase::kHandshake;
  phase_since_ = IoThread::Now();
  engine_ = TlsEngine::Server(*registry_->options().tls->Get());
  if (engine_ == nullptr) {
    Drop();
    return;
  }
  ArmRead();
  ArmDeadline();
}

// True once the session may read.
bool Connection::StepHandshake() {
  const TlsEngine::Step step = engine_->Handshake();
  Flush();
  if (phase_ == Phase::kDead || step == TlsEngine::Step::kWantInput) {
    return false;
  }
  if (step != TlsEngine::Step::kDone) {
    FailHandshake(engine_->error());
    return false;
  }
  tls_ = engine_->Describe();
  if (session_ == nullptr) {
    StartSession();
  } else {
    phase_ = Phase::kOpen;
    Call([](Session& session) { session.OnTls(); });
  }
  return phase_ == Phase::kOpen;
}

// --- output

void Connection::Flush() {
  if (phase_ == Phase::kDead || write_armed_) {
    return;
  }
  const bool all = engine_ != nullptr ? FlushTls() : FlushPlain();
  if (phase_ == Phase::kDead) {
    return;
  }
  if (!all) {
    ArmWrite();
  }
  if (was_high_ && output_pending() < limits::kOutputLowBytes) {
    was_high_ = false;
    // In a turn of its own, so that a fast client doesn't starve the others.
    thread_->Post(
        [self = shared_from_this()] { self->Call([](Session& session) { session.OnDrained(); }); });
  }
  if (all) {
    OnFlushed();
  }
}

std::ptrdiff_t Connection::Send(const ::iovec* parts, std::size_t count) {
  ::msghdr message{};
  message.msg_iov = const_cast<::iovec*>(parts);
  message.msg_iovlen = count;
  while (true) {
    const ssize_t sent = sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      return sent;
    }
    if (errno == EAGAIN) {
      return 0;
    }
    if (errno != EINTR) {
      Drop();
      return -1;
    }
  }
}

bool Connection::FlushPlain() {
  std::array<::iovec, kGather> parts{};
  while (!output_.empty()) {
    const std::size_t count = output_.Gather(parts.data(), parts.size());
    const std::ptrdiff_t sent = Send(parts.data(), count);
    if (sent <= 0) {
      return false;
    }
    output_.Consume(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Connection::FlushCipher() {
  std::string& cipher = engine_->output();
  while (cipher_sent_ < cipher.size()) {
    ::iovec part{cipher.data() + cipher_sent_, cipher.size() - cipher_sent_};
    const std::ptrdiff_t sent = Send(&part, 1);
    if (sent <= 0) {
      return false;
    }
    cipher_sent_ += static_cast<std::size_t>(sent);
  }
  cipher_sent_ = 0;
  std::string().swap(cipher);
  return true;
}

// Encrypts only what the socket is about to take. During the handshake the queue waits.
bool Connection::FlushTls() {
  while (FlushCipher()) {
    if (output_.empty() || phase_ == Phase::kHandshake) {
      return true;
    }
    const std::string_view front = output_.Front(limits::kWriteBytes);
    engine_->output().reserve(front.size() + 256);
    if (!engine_->Write(front)) {
      Drop();
      return false;
    }
    output_.Consume(front.size());
  }
  return false;
}

void Connection::ArmWrite() {
  write_armed_ = true;
  last_progress_ = IoThread::Now();
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->write_armed_ = false;
                       if (!error) {
                         self->Touch();
                         self->Flush();
                         self->ArmRead();
                         self->ArmDeadline();
                       }
                     });
}

void Connection::OnFlushed() {
  if (phase_ == Phase::kStartTls) {
    BeginHandshake();
  } else if (phase_ == Phase::kFlushing) {
    BeginLinger();
  }
}

void Connection::BeginLinger() {
  phase_ = Phase::kLingering;
  phase_since_ = IoThread::Now();
  if (engine_ != nullptr) {
    engine_->Shutdown();
    FlushCipher();  // if it doesn't fit now, the client will do without a close_notify
  }
  if (phase_ == Phase::kDead) {
    return;
  }
  if (ended_) {
    Drop();
    return;
  }
  ::shutdown(socket_.native_handle(), SHUT_WR);
  ArmRead();
  ArmDeadline();
}

// --- end and time

void Connection::Drop() {
  if (phase_ == Phase::kDead) {
    return;
  }
  TWINSPOOL_CHECK(!in_session_, "a connection was dropped inside a call of its session");
  phase_ = Phase::kDead;
  const auto self = shared_from_this();
  posted_.clear();
  session_.reset();
  thread_->Cancel(this);
  boost::system::error_code ignored;
  socket_.close(ignored);
  output_.Clear();
  registry_->Remove(this, peer_.key());
}

// With a reset, so that the kernel forgets what the client did not take.
void Connection::DropStalled() {
  const ::linger reset{1, 0};
  setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  Drop();
}

// What clients do wrong is nothing that an operator must act on.
void Connection::FailHandshake(std::string_view reason) {
  registry_->stats().handshakes_failed.fetch_add(1);
  LogDebug(
      "tls_handshake_failed",
      {{"listener", registry_->options().name}, {"client", peer_.address}, {"reason", reason}});
  Drop();
}

Instant Connection::NextDeadline() const {
  const ListenerOptions& options = registry_->options();
  Instant next = cut_at_.ns > 0 ? cut_at_ : kNever;
  if (phase_ == Phase::kHandshake) {
    next = std::min(next, phase_since_.PlusMs(options.handshake_ms));
  }
  if (phase_ == Phase::kLingering) {
    next = std::min(next, phase_since_.PlusMs(options.linger_ms));
  }
  if (write_armed_) {
    next = std::min(next, last_progress_.PlusMs(options.stalled_output_ms));
  } else if (ended_) {
    next = std::min(next, last_activity_.PlusMs(options.half_closed_ms));
  }
  if (HasTimeout()) {
    next = std::min(next, last_activity_.PlusMs(timeout_ms_));
  }
  return next;
}

void Connection::ArmDeadline() {
  const Instant next = NextDeadline();
  if (phase_ != Phase::kDead && next < kNever) {
    thread_->Arm(this, next);
  }
}

void Connection::OnTime(Instant now) {
  const auto self = shared_from_this();
  if (NextDeadline() > now) {
    ArmDeadline();
    return;
  }
  const ListenerOptions& options = registry_->options();
  if (HasTimeout() && last_activity_.PlusMs(timeout_ms_) <= now) {
    timeout_ms_ = 0;
    Call([](Session& session) { session.OnTimeout(); });
    ArmDeadline();
    return;
  }
  if (phase_ == Phase::kHandshake) {
    FailHandshake("timeout");
    return;
  }
  if (write_armed_ && last_progress_.PlusMs(options.stalled_output_ms) <= now) {
    registry_->stats().stalled.fetch_add(1);
    LogInfo("output_stalled",
            {{"listener", options.name}, {"client", peer_.address}, {"bytes", output_pending()}});
    DropStalled();
    return;
  }
  Drop();
}

}  // namespace twinspool::net
