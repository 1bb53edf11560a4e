// Listener: accepts clients on one TCP address or Unix socket and gives each a session.
//
//   ListenerOptions options;
//   options.name = "imap";
//   options.address = "::";  options.port = 143;
//   options.tls = tls;  options.tls_mode = TlsMode::kStartTls;
//   options.factory = [&](SessionHost& host) { return std::make_unique<ImapSession>(host, …); };
//   ASSIGN_OR_RETURN(auto listener, Listener::Open(pool, options));
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/limits.h"
#include "common/networks.h"
#include "common/status.h"
#include "common/tls.h"
#include "server/net/io_pool.h"
#include "server/net/session.h"

namespace twinspool::net {

class Registry;

enum class TlsMode {
  kNone,      // never
  kStartTls,  // when the session asks for it
  kImplicit,  // before the first byte of the session
};

struct ListenerOptions {
  std::string name;  // for errors and logs: "imap", "lmtp"
  /// Numeric IPv4 or IPv6, "localhost", or "*" for all ("::" takes both families). Unused with
  /// unix_path.
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: the kernel picks; see Listener::port
  /// A Unix socket instead. A stale file of a dead process is replaced, a live one is an error.
  std::string unix_path = {};
  unsigned unix_mode = 0660;
  TlsMode tls_mode = TlsMode::kNone;
  std::shared_ptr<TlsSource> tls = {};  // needed unless tls_mode is kNone
  /// Clients from loopback may send passwords without TLS (SessionHost::secure_enough).
  bool plain_text_on_loopback = false;
  /// From these addresses a connection begins by a header that says who the client is
  /// (proxy_header.h); without a good one it is closed. From others there is none.
  Networks proxies = {};
  SessionFactory factory;
  std::size_t connections_max = limits::kConnectionsMax;
  std::size_t connections_per_address_max = limits::kConnectionsPerAddressMax;
  /// Said, with its line end, to a client over a limit, unless TLS is implicit.
  std::string refusal = {};
  // Times, in ms.
  std::int64_t handshake_ms = limits::kHandshakeMs;
  std::int64_t stalled_output_ms = limits::kStalledOutputMs;
  std::int64_t half_closed_ms = limits::kHalfClosedMs;
  std::int64_t linger_ms = limits::kLingerMs;
  /// Size of the kernel's send buffer per connection, bytes; 0 leaves it to the kernel.
  int send_buffer_bytes = 0;
};

/// Counters since Open; read from any thread.
struct ListenerStats {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};            // over a limit
  std::atomic<std::uint64_t> handshakes_failed{0};  // garbage, timeout, client gone in between
  std::atomic<std::uint64_t> stalled{0};            // did not take its output
  std::atomic<std::uint64_t> overflowed{0};         // session wrote past limits::kOutputHardBytes
  std::atomic<std::uint64_t> accept_failures{0};    // out of descriptors
};

/// Methods may be called from any thread but the pool's own.
class Listener {
 public:
  /// Binds and begins to accept. Errors say what is in use or not permitted, and where.
  static Result<std::unique_ptr<Listener>> Open(IoPool& pool, ListenerOptions options);
  /// Stop("shutting down", 0).
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The bound TCP port.
  std::uint16_t port() const { return port_; }
  /// Connections that exist now, those in a handshake or saying goodbye included.
  std::size_t connections() const;
  const ListenerStats& stats() const;

  /// Accepts no more, tells every session OnShutdown(reason), waits until all connections are gone;
  /// those left after `drain_ms` are cut. A second call returns at once.
  void Stop(std::string_view reason, std::int64_t drain_ms = limits::kDrainMs);
  /// Tells every present session OnShutdown(reason) and cuts those left after `drain_ms`; goes on
  /// accepting and doesn't wait (the node's role changed).
  void CloseAll(std::string_view reason, std::int64_t drain_ms = limits::kDrainMs);

 private:
  class Acceptor;

  Listener() = default;

  std::shared_ptr<Registry> registry_;
  std::shared_ptr<Acceptor> acceptor_;
  std::uint16_t port_ = 0;
};

}  // namespace twinspool::net
