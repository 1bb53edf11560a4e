// Connection: one client's socket, its TLS, its queues and its clock; the host of one session.
//
// Internal to server/net (it shows Asio, which is used here only to wait until the socket is
// ready). All of it runs on one IoThread, but for Post, poster, Shutdown and Kill.
//
//     kProxy (the header of a proxy)
//        ▼
//   kHandshake ──▶ kOpen ──▶ kFlushing ──▶ kLingering ──▶ kDead
//        ▲           │        (session gone, output      (our end closed; input
//        └─kStartTls◀┘         on its way)                swallowed for a moment)
//
// An error or a deadline leads from any phase straight to kDead.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "server/net/deflate.h"
#include "server/net/io_thread.h"
#include "server/net/output_queue.h"
#include "server/net/registry.h"
#include "server/net/session.h"
#include "server/net/tls_engine.h"

namespace twinspool::net {

/// Who is at the other end of an accepted socket.
struct Peer {
  std::string address;  // numeric, without port; "unix" for a Unix socket
  bool local = false;   // Unix socket
  bool loopback = false;
  bool unnamed = false;  // a proxy, which has not said yet for whom it is here
  /// What per-address limits count; empty: none.
  const std::string& key() const {
    static const std::string kNone;
    return local || unnamed ? kNone : address;
  }
};

class Connection final : public SessionHost,
                         public Timed,
                         public std::enable_shared_from_this<Connection> {
 public:
  /// Takes over `fd`, which is non-blocking.
  Connection(std::shared_ptr<IoThread> thread, int fd, Peer peer,
             std::shared_ptr<Registry> registry);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// First call, on the connection's thread, after it was added to the registry.
  void Begin();
  /// Any thread: tells the session OnShutdown, cuts what is left after `drain_ms`.
  void Shutdown(std::string reason, std::int64_t drain_ms);

  void Post(std::function<void()> fn) override;
  Poster poster() override;
  void Write(std::string_view bytes) override;
  std::size_t output_pending() const override;
  void PauseInput(bool paused) override { paused_ = paused; }
  void StartTls() override { start_tls_asked_ = true; }
  bool tls_available() const override;
  bool StartCompression() override;
  bool compressed() const override { return deflate_ != nullptr; }
  const TlsInfo& tls() const override { return tls_; }
  std::string tls_exporter() const override;
  bool secure_enough() const override;
  const std::string& peer_address() const override { return peer_.address; }
  void SetTimeout(std::int64_t ms) override;
  void SetDeadline(std::int64_t ms) override;
  void Close() override { close_asked_ = true; }

  void OnTime(Instant now) override;

 private:
  enum class Phase { kProxy, kHandshake, kOpen, kStartTls, kFlushing, kLingering, kDead };

  // Session calls. Every one goes through Call, and ends in Settle.
  void BeginClient();
  void StartSession();
  template <typename Fn>
  void Call(Fn&& fn);
  void RunPosted();
  void TakePosted(std::function<void()> fn);
  void Settle();
  void EndSession();
  void BeginStop(std::string_view reason, std::int64_t drain_ms);

  // Input.
  bool WantsInput() const;
  void ArmRead();
  void OnReadable();
  void OnBytes(std::string_view bytes);
  void OnProxyBytes(std::string_view bytes);
  /// What the header said; false: the client is refused.
  bool NameClient(const std::string& address);
  void Refuse();
  void OnCipherText(std::string_view bytes);
  /// Plain text, still compressed if the session wants that.
  void OnPlainText(std::string_view bytes);
  void AskInflate();
  void Inflate();
  /// Appends to the output queue.
  void Queue(std::string_view bytes);
  void Decrypt();
  void OnEnd();

  // TLS.
  void BeginHandshake();
  bool StepHandshake();

  // Output.
  void Flush();
  bool FlushPlain();
  bool FlushTls();
  bool FlushCipher();
  /// Bytes sent (0: the socket is full); -1: the connection is lost.
  std::ptrdiff_t Send(const ::iovec* parts, std::size_t count);
  void ArmWrite();
  void OnFlushed();
  void BeginLinger();

  // End and time.
  void Drop();
  void DropStalled();
  void FailHandshake(std::string_view reason);
  void Touch() { last_activity_ = IoThread::Now(); }
  bool HasTimeout() const { return session_ != nullptr && timeout_ms_ > 0 && !ended_; }
  bool HasDeadline() const { return session_ != nullptr && deadline_.ns > 0; }
  Instant NextDeadline() const;
  void ArmDeadline();

  // Constant.
  const std::shared_ptr<IoThread> thread_;
  // (of the thread once it has begun: a proxy names it)
  Peer peer_;
  const std::shared_ptr<Registry> registry_;

  // The thread's own.
  boost::asio::posix::stream_descriptor socket_;
  Phase phase_ = Phase::kOpen;
  std::unique_ptr<Session> session_;
  std::unique_ptr<TlsEngine> engine_;
  TlsInfo tls_;
  std::string proxy_bytes_;  // in kProxy
  std::unique_ptr<Deflate> deflate_;
  bool inflating_ = false;      // Inflate is at work
  bool inflate_asked_ = false;  // and will be again
  OutputQueue output_;
  std::size_t cipher_sent_ = 0;  // of engine_->output()
  std::vector<std::function<void()>> posted_;
  bool in_session_ = false;
  bool close_asked_ = false;
  bool start_tls_asked_ = false;
  bool paused_ = false;
  bool read_armed_ = false;
  bool write_armed_ = false;  // the socket was full: output waits
  bool ended_ = false;        // the client sends no more
  bool was_high_ = false;     // output passed the high mark; OnDrained is owed
  bool turn_asked_ = false;   // a Settle of ours is in the loop's queue
  std::size_t lingered_bytes_ = 0;
  std::int64_t timeout_ms_ = 0;
  Instant deadline_;  // of the session's; 0: none
  Instant last_activity_;
  Instant last_progress_;  // of waiting output
  Instant phase_since_;
  Instant cut_at_;  // 0: no shutdown under way
};

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

}  // namespace twinspool::net
