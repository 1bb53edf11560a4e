// DrivenSession: a SessionHost made of strings. A test pushes bytes in, looks at what came out, and
// decides when posted functions run, when the client takes its output and when time passes.
//
// Single-threaded; nothing happens but in Run.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/net/session.h"

namespace twinspool::testing {

class DrivenSession : public net::SessionHost {
 public:
  struct Options {
    bool tls_available = true;
    bool secure_enough = true;
    std::string tls_exporter = {};
    std::vector<std::string> certificate_names = {};
  };

  explicit DrivenSession(Options options)
      : options_(std::move(options)), secure_enough_(options_.secure_enough) {
    tls_.client_names = options_.certificate_names;
  }
  /// Makes the session and has it greet.
  void Begin(const net::SessionFactory& factory);

  /// Bytes of the client.
  void Send(std::string_view bytes);
  /// Runs what was posted; answers whether there was anything.
  bool Run();
  /// Runs one posted function: a turn of the loop.
  bool RunOne();
  /// The timeout, the deadline set last passes.
  void PassTimeout();
  void PassDeadline();
  /// Who the session is told to talk to.
  void set_address(std::string address) { address_ = std::move(address); }
  void Shutdown(std::string_view reason);
  /// Ends the session as if the connection broke.
  void Drop();

  /// While slow, output stays pending until TakeOutput.
  void set_slow(bool slow) { slow_ = slow; }
  void TakeOutput();

  /// All that was written and not taken from here yet.
  std::string& output() { return output_; }
  bool closed() const { return closed_; }
  bool paused() const { return paused_; }
  std::int64_t timeout_ms() const { return timeout_ms_; }
  std::int64_t deadline_ms() const { return deadline_ms_; }
  /// Calls of Write: bytes of one step leave together.
  int writes() const { return writes_; }
  std::size_t pending_max() const { return pending_max_; }
  /// A client that continues with TLS after "<starttls>" is in the output.
  static constexpr std::string_view kTlsMark = "<starttls>\r\n";
  static constexpr std::string_view kCompressMark = "<compressed>\r\n";
  static constexpr std::string_view kCloseMark = "<closed>\r\n";

  // net::SessionHost
  void Post(std::function<void()> fn) override { posted_->push_back(std::move(fn)); }
  net::Poster poster() override;
  void Write(std::string_view bytes) override;
  std::size_t output_pending() const override { return pending_; }
  void PauseInput(bool paused) override { paused_ = paused; }
  void StartTls() override;
  bool tls_available() const override { return options_.tls_available; }
  const net::TlsInfo& tls() const override { return tls_; }
  std::string tls_exporter() const override { return options_.tls_exporter; }
  /// Only says so: a mark in the output, and no octet is changed.
  bool StartCompression() override;
  bool compressed() const override { return compressed_; }
  bool secure_enough() const override { return secure_enough_; }
  const std::string& peer_address() const override { return address_; }
  void SetTimeout(std::int64_t ms) override { timeout_ms_ = ms; }
  void SetDeadline(std::int64_t ms) override { deadline_ms_ = ms; }
  void Close() override;

 private:
  Options options_;
  bool secure_enough_;
  net::TlsInfo tls_;
  std::string address_ = "127.0.0.1";
  std::unique_ptr<net::Session> session_;
  /// Shared with posters, which may outlive this host.
  using Queue = std::deque<std::function<void()>>;
  std::shared_ptr<Queue> posted_ = std::make_shared<Queue>();
  std::string output_;
  std::size_t pending_ = 0;
  std::size_t pending_max_ = 0;
  bool was_high_ = false;
  bool slow_ = false;
  bool paused_ = false;
  bool closed_ = false;
  bool tls_wanted_ = false;
  bool compressed_ = false;
  int writes_ = 0;
  std::int64_t timeout_ms_ = 0;
  std::int64_t deadline_ms_ = 0;
};

}  // namespace twinspool::testing
