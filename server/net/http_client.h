// HttpClient: asks a server something by POST, over HTTPS whose certificate is checked. For the few
// questions of a login (introspection of tokens, RFC 7662), not for bulk.
//
// One thread of its own. Bounded throughout: so many questions at once, so many that wait, so long
// for each from the call to the answer, so many octets of an answer. One connection per question:
// they are few, and answers are remembered by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/limits.h"
#include "common/status.h"

namespace twinspool::net {

/// "https://host[:port]/path". "http" only for loopback: what is asked is as good as a password.
struct HttpUrl {
  bool tls = true;
  std::string host;  // without the brackets of IPv6
  std::string port;
  std::string target;
};
/// kInvalidArgument, saying why.
Result<HttpUrl> ParseHttpUrl(const std::string& url);

struct HttpClientOptions {
  std::string url;
  /// CA certificates (PEM file); empty: the system's.
  std::string ca_file = {};
  /// Value of the Authorization header; empty: none.
  std::string authorization = {};
  std::size_t running_max = limits::kIntrospectionsMax;
  std::size_t waiting_max = limits::kIntrospectionsWaitingMax;
  std::int64_t deadline_ms = limits::kIntrospectionMs;
  std::size_t body_bytes_max = limits::kIntrospectionBytesMax;
};

/// Thread-safe.
class HttpClient {
 public:
  /// The body of a 200, or kUnavailable with the reason: not reached, certificate not good, too
  /// late, too large, another status, too many at once.
  using Answer = std::function<void(Result<std::string>)>;

  /// Fails for a URL or a CA file that is of no use.
  static Result<std::unique_ptr<HttpClient>> Open(HttpClientOptions options);
  /// Answers what is under way with kUnavailable.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends `form` (application/x-www-form-urlencoded). `done` is called once, on the client's
  /// thread, or before this returns if there are too many.
  void Post(std::string form, Answer done);

 private:
  class Engine;
  explicit HttpClient(std::unique_ptr<Engine> engine);
  const std::unique_ptr<Engine> engine_;
};

/// `text` for a form: everything but letters, digits and "-._~" as %XX.
std::string UrlEncode(const std::string& text);

}  // namespace twinspool::net
