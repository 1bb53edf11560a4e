// Octets in and out of a connection, plain or through TLS.
#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

#include "common/log.h"
#include "server/net/connection.h"
#include "server/net/proxy_header.h"

namespace twinspool::net {
namespace {

// Chunks of output in one sendmsg.
constexpr std::size_t kGather = 16;
// Socket reads of one connection before others get their turn.
constexpr int kReadsPerTurn = 4;

}  // namespace

// --- input

bool Connection::WantsInput() const {
  switch (phase_) {
    case Phase::kProxy:
    case Phase::kHandshake:
      return !ended_;
    case Phase::kOpen:
      // What is not inflated yet comes first, or it would grow without a bound.
      return !ended_ && !paused_ && (deflate_ == nullptr || !deflate_->has_input());
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
  if (phase_ == Phase::kProxy) {
    OnProxyBytes(bytes);
  } else if (engine_ != nullptr) {
    OnCipherText(bytes);
  } else {
    OnPlainText(bytes);
  }
}

void Connection::OnProxyBytes(std::string_view bytes) {
  proxy_bytes_.append(bytes);
  ProxyHeader header;
  const ProxyParse parsed = ParseProxyHeader(proxy_bytes_, &header);
  if (parsed == ProxyParse::kMore) {
    return;
  }
  if (parsed == ProxyParse::kBad) {
    LogWarn("proxy_header_bad",
            {{"listener", registry_->options().name}, {"proxy", peer_.address}});
    return Drop();
  }
  const std::string rest = std::exchange(proxy_bytes_, std::string()).substr(header.size);
  // Never taken for loopback, named or not: who speaks to the proxy without TLS is far away.
  peer_.loopback = false;
  if (!header.address.empty() && !NameClient(header.address)) {
    return Refuse();
  }
  BeginClient();
  if (!rest.empty() && phase_ != Phase::kDead) {
    OnBytes(rest);
  }
}

bool Connection::NameClient(const std::string& address) {
  if (!registry_->Name(address)) {
    return false;
  }
  peer_.address = address;
  peer_.unnamed = false;
  return true;
}

void Connection::Refuse() {
  registry_->stats().refused.fetch_add(1);
  phase_ = Phase::kFlushing;
  if (registry_->options().tls_mode != TlsMode::kImplicit) {
    Queue(registry_->options().refusal);
  }
  Flush();
}

void Connection::OnPlainText(std::string_view bytes) {
  if (deflate_ == nullptr) {
    return Call([&](Session& session) { session.Input(bytes); });
  }
  deflate_->GiveInput(bytes);
  AskInflate();
}

// In a turn of its own, so that the others on this thread get theirs.
void Connection::AskInflate() {
  const bool more = phase_ == Phase::kOpen && !paused_ && deflate_->has_input();
  if (more && !inflating_ && !std::exchange(inflate_asked_, true)) {
    thread_->Post([self = shared_from_this()] {
      self->inflate_asked_ = false;
      self->Inflate();
    });
  }
}

// Stops when the session pauses: a few compressed octets could become more than it may keep.
void Connection::Inflate() {
  auto& buffer = thread_->inflate_buffer();
  inflating_ = true;
  for (int i = 0; i < kReadsPerTurn && phase_ == Phase::kOpen && !paused_; ++i) {
    std::size_t count = 0;
    const Deflate::Step step = deflate_->Read(buffer.data(), buffer.size(), &count);
    if (step == Deflate::Step::kWantInput) {
      break;
    }
    if (step == Deflate::Step::kFailed) {
      inflating_ = false;
      return Drop();
    }
    Call([&](Session& session) { session.Input({buffer.data(), count}); });
  }
  inflating_ = false;
  Settle();
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
        OnPlainText({buffer.data(), count});
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

}  // namespace twinspool::net
