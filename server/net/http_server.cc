#include "server/net/http_server.h"

#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

#include "common/limits.h"

namespace twinspool::net {
namespace {

namespace http = boost::beast::http;

std::string Text(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

class HttpSession final : public Session {
 public:
  HttpSession(SessionHost& host, HttpHandler handler, Clock& clock)
      : host_(host), handler_(std::move(handler)), clock_(clock) {}

  void Start() override {
    host_.SetTimeout(limits::kHttpIdleMs);
    NextRequest();
  }
  void OnTimeout() override { host_.Close(); }
  void OnShutdown(std::string_view /*reason*/) override { host_.Close(); }
  void Input(std::string_view bytes) override;
  void OnDrained() override { Work(); }

 private:
  using Parser = http::request_parser<http::empty_body>;

  /// Answers what is here, as far as the client takes its answers.
  void Work();
  bool Blocked() const { return host_.output_pending() > limits::kOutputHighBytes; }
  void NextRequest();
  /// True when there was a whole request, and perhaps another.
  bool Step();
  void Answer(const Parser::value_type& request);
  HttpResponse Ask(const Parser::value_type& request);
  void Reply(const HttpResponse& response, bool with_body, bool keep_alive);
  void Refuse(int status);

  SessionHost& host_;
  const HttpHandler handler_;
  Clock& clock_;
  std::optional<Parser> parser_;
  std::string buffer_;
  std::optional<Instant> since_;  // first byte of the present request
  int requests_ = 0;
  bool closed_ = false;
};

void HttpSession::NextRequest() {
  parser_.emplace();
  parser_->header_limit(limits::kHttpHeaderBytesMax);
  parser_->body_limit(0);
  since_.reset();
}

void HttpSession::Input(std::string_view bytes) {
  buffer_.append(bytes);
  Work();
}

void HttpSession::Work() {
  while (!closed_ && !buffer_.empty() && !Blocked() && Step()) {
  }
  host_.PauseInput(!closed_ && Blocked());
}

bool HttpSession::Step() {
  const Instant now = clock_.Now();
  since_ = since_.value_or(now);
  if (now.MsSince(*since_) > limits::kHttpIdleMs) {
    Refuse(408);
    return false;
  }
  boost::beast::error_code error;
  const std::size_t used = parser_->put(boost::asio::buffer(buffer_), error);
  buffer_.erase(0, used);
  if (error == http::error::need_more) {
    if (buffer_.size() > limits::kHttpHeaderBytesMax) {
      Refuse(431);
    }
    return false;
  }
  if (error) {
    Refuse(error == http::error::header_limit ? 431 : error == http::error::body_limit ? 413 : 400);
    return false;
  }
  if (!parser_->is_done()) {
    Refuse(413);  // a body is announced
    return false;
  }
  Answer(parser_->get());
  NextRequest();
  return true;
}

HttpResponse HttpSession::Ask(const Parser::value_type& request) {
  HttpRequest asked;
  const std::string target = Text(request.target());
  const std::size_t mark = target.find('?');
  asked.path = target.substr(0, mark);
  asked.query = mark == std::string::npos ? "" : target.substr(mark + 1);
  asked.authorization = Text(request[http::field::authorization]);
  asked.peer_address = host_.peer_address();
  asked.tls_client_names = host_.tls().client_names;
  return handler_(asked);
}

void HttpSession::Answer(const Parser::value_type& request) {
  const http::verb method = request.method();
  const bool keep_alive = request.keep_alive() && ++requests_ < limits::kHttpRequestsPerConnection;
  if (method != http::verb::get && method != http::verb::head && method != http::verb::options) {
    Refuse(405);
    return;
  }
  Reply(Ask(request), method == http::verb::get, keep_alive);
}

void HttpSession::Reply(const HttpResponse& response, bool with_body, bool keep_alive) {
  std::string text =
      "HTTP/1.1 " + std::to_string(response.status) + " " +
      Text(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)))) +
      "\r\nContent-Type: " + response.content_type +
      "\r\nContent-Length: " + std::to_string(response.body.size()) +
      "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff" +
      (response.status == 405 ? "\r\nAllow: GET, HEAD, OPTIONS" : "") +
      "\r\nConnection: " + (keep_alive ? "keep-alive" : "close") + "\r\n\r\n";
  if (with_body) {
    text += response.body;
  }
  host_.Write(text);
  if (!keep_alive) {
    closed_ = true;
    host_.Close();
  }
}

void HttpSession::Refuse(int status) {
  HttpResponse response;
  response.status = status;
  response.body =
      Text(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)))) + "\n";
  Reply(response, true, false);
}

}  // namespace

SessionFactory HttpSessionFactory(HttpHandler handler, Clock& clock) {
  return [handler = std::move(handler), &clock](SessionHost& host) -> std::unique_ptr<Session> {
    return std::make_unique<HttpSession>(host, handler, clock);
  };
}

std::string_view QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    }
  }
  return {};
}

Result<std::unique_ptr<Listener>> OpenHttpServer(IoPool& pool, ListenerOptions options,
                                                 HttpHandler handler) {
  options.factory = HttpSessionFactory(std::move(handler));
  options.refusal =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  options.connections_max = std::min(options.connections_max, limits::kHttpConnectionsMax);
  options.half_closed_ms = std::min(options.half_closed_ms, limits::kHttpIdleMs);
  return Listener::Open(pool, std::move(options));
}

}  // namespace twinspool::net
