// Drives one LMTP session without sockets: feeds strings, keeps what comes out.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/lmtp/session.h"
#include "tests/lmtp/fake_mail_store.h"

namespace twinspool::lmtp {

class Driver final : public net::SessionHost {
 public:
  explicit Driver(FakeMailStore& store, bool tls = false) : tls_available_(tls) {
    session_ = std::make_unique<Session>(*this, store, "node.example");
    session_->Start();
    Settle();
  }

  /// As one piece, or one byte at a time. While the session pauses, bytes wait, as in a socket.
  void Feed(std::string_view bytes, std::size_t piece = std::string_view::npos) {
    while (!bytes.empty()) {
      waiting_.append(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
      Settle();
    }
  }
  /// Output since the last call.
  std::string Take() { return std::exchange(output_, std::string()); }
  /// Runs what the store has answered.
  void Settle() {
    do {
      while (!posted_.empty() && session_ != nullptr && !closed_) {
        const auto fn = std::move(posted_.front());
        posted_.pop_front();
        fn();
      }
      if (!waiting_.empty() && !paused_ && !closed_) {
        const std::string bytes = std::exchange(waiting_, std::string());
        session_->Input(bytes);
      }
    } while (!closed_ && (!posted_.empty() || (!waiting_.empty() && !paused_)));
  }
  /// The client takes no output until Take and Drained.
  bool slow = false;
  void Drained() {
    slow = false;
    session_->OnDrained();
    Settle();
  }
  Session& session() { return *session_; }
  bool closed() const { return closed_; }
  bool tls_started() const { return tls_.active; }
  std::int64_t timeout_ms() const { return timeout_ms_; }

  void Post(std::function<void()> fn) override { posted_.push_back(std::move(fn)); }
  void Write(std::string_view bytes) override { output_.append(bytes); }
  std::size_t output_pending() const override { return slow ? output_.size() : 0; }
  void PauseInput(bool paused) override { paused_ = paused; }
  void StartTls() override {
    waiting_.clear();
    tls_.active = true;
    session_->OnTls();
  }
  bool tls_available() const override { return tls_available_ && !tls_.active; }
  const net::TlsInfo& tls() const override { return tls_; }
  bool secure_enough() const override { return true; }
  const std::string& peer_address() const override { return address_; }
  void SetTimeout(std::int64_t ms) override { timeout_ms_ = ms; }
  void SetDeadline(std::int64_t /*ms*/) override {}
  void Close() override { closed_ = true; }

 private:
  const bool tls_available_;
  const std::string address_ = "127.0.0.1";
  net::TlsInfo tls_;
  std::deque<std::function<void()>> posted_;
  std::string waiting_;
  std::string output_;
  std::int64_t timeout_ms_ = 0;
  bool paused_ = false;
  bool closed_ = false;
  std::unique_ptr<Session> session_;
};

}  // namespace twinspool::lmtp
