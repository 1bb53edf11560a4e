#include "server/net/http_client.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "common/executor.h"

namespace twinspool::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Error = boost::system::error_code;
using Tcp = asio::ip::tcp;

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// One question, from resolving the name to the answer. Lives on the engine's thread, kept by the
/// handler of what it waits for.
class Question : public std::enable_shared_from_this<Question> {
 public:
  Question(asio::io_context& context, asio::ssl::context& tls, const HttpClientOptions& options,
           const HttpUrl& url, HttpClient::Answer done)
      : options_(options),
        url_(url),
        resolver_(context),
        stream_(context, tls),
        timer_(context),
        done_(std::move(done)) {}

  void Ask(std::string form) {
    request_.method(http::verb::post);
    request_.target(url_.target);
    request_.version(11);
    request_.set(http::field::host, url_.host + ":" + url_.port);
    request_.set(http::field::content_type, "application/x-www-form-urlencoded");
    request_.set(http::field::accept, "application/json");
    request_.set(http::field::connection, "close");
    if (!options_.authorization.empty()) {
      request_.set(http::field::authorization, options_.authorization);
    }
    request_.body() = std::move(form);
    request_.prepare_payload();
    answer_.body_limit(options_.body_bytes_max);
    answer_.header_limit(limits::kHttpHeaderBytesMax);
    timer_.expires_after(std::chrono::milliseconds(options_.deadline_ms));
    timer_.async_wait([self = shared_from_this()](const Error& error) {
      if (!error) {
        self->End(Unavailable("it did not answer in time"));
      }
    });
    Resolve();
  }

  /// Nothing but the first end counts.
  void End(Result<std::string> result) {
    if (HttpClient::Answer done = std::exchange(done_, nullptr)) {
      timer_.cancel();
      resolver_.cancel();
      Error ignored;
      stream_.lowest_layer().close(ignored);
      done(result.ok() ? std::move(result)
                       : Result<std::string>(result.status().Annotate(
                             "introspection server " + url_.host + ":" + url_.port)));
    }
  }

 private:
  /// Runs `next` unless the step failed or the question has ended meanwhile.
  template <typename Fn>
  auto Then(const char* what, Fn next) {
    return [self = shared_from_this(), what, next](const Error& error, const auto&... rest) {
      if (error) {
        self->End(Unavailable(std::string(what) + ": " + error.message()));
      } else if (self->done_ != nullptr) {
        next(rest...);
      }
    };
  }

  void Resolve() {
    resolver_.async_resolve(
        url_.host, url_.port,
        Then("its name was not found",
             [this](const Tcp::resolver::results_type& found) { Connect(found); }));
  }

  void Connect(const Tcp::resolver::results_type& found) {
    asio::async_connect(stream_.next_layer(), found,
                        Then("it cannot be reached", [this](const Tcp::endpoint&) {
                          if (url_.tls) {
                            Handshake();
                          } else {
                            Send(stream_.next_layer());
                          }
                        }));
  }

  void Handshake() {
    Error not_numeric;
    asio::ip::make_address(url_.host, not_numeric);
    if (not_numeric) {  // RFC 6066 §3: addresses are not named
      SSL_ctrl(stream_.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(url_.host.c_str()));
    }
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(url_.host));
    stream_.async_handshake(asio::ssl::stream_base::client, Then("TLS", [this] { Send(stream_); }));
  }

  template <typename Stream>
  void Send(Stream& stream) {
    http::async_write(
        stream, request_,
        Then("the question was not taken", [this, &stream](std::size_t) { Receive(stream); }));
  }

  // Header and body apart: when both come at once, Beast 1.74 forgets that the body is too long.
  template <typename Stream>
  void Receive(Stream& stream) {
    http::async_read_header(stream, buffer_, answer_,
                            Then("its answer", [this, &stream](std::size_t) { ReadBody(stream); }));
  }

  template <typename Stream>
  void ReadBody(Stream& stream) {
    http::async_read(stream, buffer_, answer_, Then("its answer", [this](std::size_t) {
                       const unsigned status = answer_.get().result_int();
                       End(status == 200
                               ? Result<std::string>(std::move(answer_.get().body()))
                               : Unavailable("it answered with status " + std::to_string(status)));
                     }));
  }

  const HttpClientOptions& options_;
  const HttpUrl& url_;
  Tcp::resolver resolver_;
  asio::ssl::stream<Tcp::socket> stream_;
  asio::steady_timer timer_;
  HttpClient::Answer done_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> answer_;
  boost::beast::flat_buffer buffer_{limits::kHttpHeaderBytesMax + limits::kIntrospectionBytesMax};
};

}  // namespace

class HttpClient::Engine {
 public:
  Engine(HttpClientOptions options, HttpUrl url)
      : options_(std::move(options)), url_(std::move(url)), tls_(asio::ssl::context::tls_client) {}

  Status Begin() {
    Error error;
    if (options_.ca_file.empty()) {
      tls_.set_default_verify_paths(error);
    } else {
      tls_.load_verify_file(options_.ca_file, error);
    }
    if (error) {
      return InvalidArgument("CA certificates " + options_.ca_file + ": " + error.message());
    }
    SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
    thread_ = std::thread([this] {
      NameThisThread("http-client");
      context_.run();
    });
    return OkStatus();
  }

  ~Engine() {
    if (thread_.joinable()) {
      asio::post(context_, [this] { CallOff(); });
      work_.reset();
      thread_.join();
    }
  }

  void Post(std::string form, Answer done) {
    if (held_.fetch_add(1) >= options_.running_max + options_.waiting_max) {
      held_.fetch_sub(1);
      return done(Unavailable("too many logins ask for their tokens; try again"));
    }
    asio::post(context_, [this, form = std::move(form), done = std::move(done)]() mutable {
      waiting_.push_back({std::move(form), std::move(done)});
      AskNext();
    });
  }

 private:
  struct Waiting {
    std::string form;
    Answer done;
  };

  void AskNext() {
    while (running_.size() < options_.running_max && !waiting_.empty()) {
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      const std::uint64_t number = ++last_number_;
      auto question = std::make_shared<Question>(
          context_, tls_, options_, url_,
          [this, number, done = std::move(next.done)](Result<std::string> result) {
            running_.erase(number);
            held_.fetch_sub(1);
            done(std::move(result));
            if (!ending_) {
              AskNext();
            }
          });
      running_[number] = question;
      question->Ask(std::move(next.form));
    }
  }

  void CallOff() {
    ending_ = true;
    const auto running = std::exchange(running_, {});
    for (const auto& [number, question] : running) {
      question->End(Unavailable("this node is stopping"));
    }
    for (Waiting& one : std::exchange(waiting_, {})) {
      one.done(Unavailable("this node is stopping"));
    }
  }

  const HttpClientOptions options_;
  const HttpUrl url_;
  std::atomic<std::size_t> held_{0};
  asio::io_context context_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      asio::make_work_guard(context_)};
  asio::ssl::context tls_;
  // The thread's own.
  std::deque<Waiting> waiting_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Question>> running_;
  std::uint64_t last_number_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

HttpClient::HttpClient(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::Open(HttpClientOptions options) {
  ASSIGN_OR_RETURN(HttpUrl url, ParseHttpUrl(options.url));
  auto engine = std::make_unique<Engine>(std::move(options), std::move(url));
  TRY(engine->Begin());
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(engine)));
}

void HttpClient::Post(std::string form, Answer done) {
  engine_->Post(std::move(form), std::move(done));
}

Result<HttpUrl> ParseHttpUrl(const std::string& url) {
  HttpUrl parsed;
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) {
    return InvalidArgument("'" + url + "' does not begin by https://");
  }
  const std::size_t begin = tls ? 8 : 7;
  const std::size_t slash = std::min(url.find('/', begin), url.size());
  std::string authority = url.substr(begin, slash - begin);
  parsed.tls = tls;
  parsed.target = slash == url.size() ? "/" : url.substr(slash);
  parsed.port = tls ? "443" : "80";
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    parsed.port = authority.substr(colon + 1);
    authority.resize(colon);
  }
  const bool v6 = authority.size() > 2 && authority.front() == '[' && authority.back() == ']';
  parsed.host = v6 ? authority.substr(1, authority.size() - 2) : authority;
  if (parsed.host.empty() || parsed.port.empty() || parsed.port.size() > 5 ||
      parsed.port.find_first_not_of("0123456789") != std::string::npos ||
      url.find_first_of(" \t\r\n@#") != std::string::npos) {
    return InvalidArgument("'" + url + "' is no URL of the form https://host[:port]/path");
  }
  if (!tls && !IsLoopback(parsed.host)) {
    return InvalidArgument("'" + url + "': beyond loopback tokens travel by https only");
  }
  return parsed;
}

std::string UrlEncode(const std::string& text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
        std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kDigits[octet >> 4], kDigits[octet & 15]};
    }
  }
  return out;
}

}  // namespace twinspool::net
