// The session's side of a connection, its end and its clock. Octets: connection_io.cc.
#include "server/net/connection.h"

#include <algorithm>
#include <utility>

#include <sys/socket.h>

#include "common/check.h"
#include "common/log.h"

namespace twinspool::net {
namespace {

constexpr Instant kNever{INT64_MAX};

}  // namespace

Connection::Connection(std::shared_ptr<IoThread> thread, int fd, Peer peer,
                       std::shared_ptr<Registry> registry)
    : thread_(std::move(thread)),
      peer_(std::move(peer)),
      registry_(std::move(registry)),
      socket_(thread_->context(), fd) {}

Connection::~Connection() = default;

void Connection::Begin() {
  Touch();
  phase_since_ = IoThread::Now();
  if (peer_.unnamed) {
    phase_ = Phase::kProxy;
    ArmRead();
    ArmDeadline();
    return;
  }
  BeginClient();
}

void Connection::BeginClient() {
  if (registry_->options().tls_mode == TlsMode::kImplicit) {
    BeginHandshake();
  } else {
    StartSession();
  }
}

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
  if (deflate_ == nullptr) {
    return Queue(bytes);
  }
  std::string packed;
  deflate_->Write(bytes, &packed);
  Queue(packed);
}

void Connection::Queue(std::string_view bytes) {
  output_.Append(bytes);
  was_high_ = was_high_ || output_pending() > limits::kOutputHighBytes;
}

std::size_t Connection::output_pending() const {
  return output_.size() + (engine_ ? engine_->output().size() - cipher_sent_ : 0);
}

bool Connection::StartCompression() {
  if (deflate_ != nullptr) {
    return false;
  }
  deflate_ = Deflate::Make();
  return deflate_ != nullptr;
}

bool Connection::tls_available() const {
  return registry_->options().tls_mode == TlsMode::kStartTls && !tls_.active;
}

std::string Connection::tls_exporter() const {
  return tls_.active ? engine_->Exporter() : "";
}

bool Connection::secure_enough() const {
  return tls_.active || peer_.local ||
         (peer_.loopback && registry_->options().plain_text_on_loopback);
}

void Connection::SetTimeout(std::int64_t ms) {
  timeout_ms_ = ms;
  Touch();
}

void Connection::SetDeadline(std::int64_t ms) {
  deadline_ = ms > 0 ? IoThread::Now().PlusMs(ms) : Instant();
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
  if (deflate_ != nullptr) {
    std::string packed;
    deflate_->Flush(&packed);
    Queue(packed);
    AskInflate();
  }
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
  const bool nobody_to_tell =
      session_ == nullptr && (phase_ == Phase::kHandshake || phase_ == Phase::kProxy);
  if (nobody_to_tell || drain_ms <= 0) {
    Drop();
    return;
  }
  cut_at_ = IoThread::Now().PlusMs(drain_ms);
  Call([&](Session& session) { session.OnShutdown(reason); });
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
  if (phase_ == Phase::kHandshake || phase_ == Phase::kProxy) {
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
  if (HasDeadline()) {
    next = std::min(next, deadline_);
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
  if (HasDeadline() && deadline_ <= now) {
    deadline_ = Instant();
    Call([](Session& session) { session.OnDeadline(); });
    ArmDeadline();
    return;
  }
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
