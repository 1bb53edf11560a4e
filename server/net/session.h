// Session and SessionHost: a protocol shell without sockets, and what it may ask of whoever feeds
// it.
//
// A Session is sans-I/O: bytes are pushed in by Input, bytes are pushed out through host.Write. It
// runs on one logical thread: the host calls all its methods, and runs all functions given to
// host.Post, one at a time. Hosts: net::Connection (TCP, TLS), and test drivers that feed strings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace twinspool::net {

/// What TLS tells about a connection.
struct TlsInfo {
  bool active = false;
  std::string version;  // "TLSv1.3"
  std::string cipher;
  /// Of a verified client certificate: its mail addresses (rfc822Name), then its common name.
  std::vector<std::string> client_names;
};

/// Post of one session as a value: a copy may be called from any thread and may outlive both the
/// session and its host; it then drops what it is given.
using Poster = std::function<void(std::function<void()>)>;

/// The session's way out. All methods but Post are for the session's own thread.
class SessionHost {
 public:
  virtual ~SessionHost() = default;

  /// Runs `fn` on the session's thread, soon; from any thread. Dropped once the session is gone, so
  /// a completion may safely capture the session's raw pointer when it passes through here.
  virtual void Post(std::function<void()> fn) = 0;
  /// What a completion captures when it may run on another thread, where the connection, and with
  /// it this host, can be gone by then. The default is for hosts that outlive every completion.
  virtual Poster poster() {
    return [this](std::function<void()> fn) { Post(std::move(fn)); };
  }

  /// Queues bytes for the client. All writes of one call into the session leave together.
  virtual void Write(std::string_view bytes) = 0;
  /// Bytes queued and not yet taken by the client.
  virtual std::size_t output_pending() const = 0;

  /// Stops or resumes reading from the client (back-pressure). Bytes already read may still come.
  virtual void PauseInput(bool paused) = 0;

  /// After what is queued has left, hands the connection to TLS; input buffered before is dropped
  /// (RFC 3501 §6.2.1 and the injection attack). Session::OnTls follows.
  virtual void StartTls() = 0;
  virtual bool tls_available() const = 0;
  /// From now on all that is written leaves compressed, and all that comes is taken as compressed
  /// (RFC 4978). False: it is so already, there is no memory for it, or this host cannot do it.
  virtual bool StartCompression() { return false; }
  virtual bool compressed() const { return false; }
  virtual const TlsInfo& tls() const = 0;
  /// Octets of the channel binding "tls-exporter" (RFC 9266), which both ends of this very TLS 1.3
  /// connection can make, and nobody between them; empty: there is none.
  virtual std::string tls_exporter() const { return ""; }
  /// Plain-text passwords are fine here: TLS, or loopback with the explicit option.
  virtual bool secure_enough() const = 0;
  /// Address of the client, for logs and limits.
  virtual const std::string& peer_address() const = 0;

  /// Calls Session::OnTimeout once after this long without input (output that the client is still
  /// taking counts as life too); replaces the previous one. 0: never.
  virtual void SetTimeout(std::int64_t ms) = 0;
  /// Calls Session::OnDeadline once, this long from now, whatever comes and goes meanwhile;
  /// replaces the previous one. 0: never.
  virtual void SetDeadline(std::int64_t ms) = 0;
  /// Flushes, then closes. Nothing is called after.
  virtual void Close() = 0;
};

/// A protocol shell for one client.
class Session {
 public:
  virtual ~Session() = default;
  /// First call: greet.
  virtual void Start() = 0;
  /// Bytes of the client, any cut. The session keeps what it cannot use yet, within its limits.
  virtual void Input(std::string_view bytes) = 0;
  /// Output fell below limits::kOutputLowBytes after having been above kOutputHighBytes.
  virtual void OnDrained() {}
  virtual void OnTls() {}
  virtual void OnTimeout() = 0;
  virtual void OnDeadline() {}
  /// The node stops serving (shutdown, demotion): say goodbye with `reason` and Close.
  virtual void OnShutdown(std::string_view reason) = 0;
};

/// Makes the session of a new connection. The host outlives the session.
using SessionFactory = std::function<std::unique_ptr<Session>(SessionHost& host)>;

}  // namespace twinspool::net
