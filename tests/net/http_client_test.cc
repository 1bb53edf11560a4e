// The HTTP client against a server of strings, through real TLS.
#include "server/net/http_client.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/server_fixture.h"
#include "tests/support/temp_dir.h"

namespace twinspool::net {
namespace {

using ::testing::HasSubstr;

TEST(HttpUrl, IsHttpsOrOnLoopback) {
  const HttpUrl url = ParseHttpUrl("https://id.example/token/look?x=1").value();
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "id.example");
  EXPECT_EQ(url.port, "443");
  EXPECT_EQ(url.target, "/token/look?x=1");
  EXPECT_EQ(ParseHttpUrl("https://[::1]:8443")->host, "::1");
  EXPECT_EQ(ParseHttpUrl("https://[::1]:8443")->port, "8443");
  EXPECT_EQ(ParseHttpUrl("https://[2001:db8::1]/")->port, "443");
  EXPECT_FALSE(ParseHttpUrl("http://127.0.0.1:80/x")->tls);
  for (const char* bad : {"", "id.example", "ftp://x/", "http://id.example/", "https://",
                          "https:///x", "https://x:/", "https://x:123456/", "https://x:http/",
                          "https://user@x/", "https://x/a b", "https://x/#y"}) {
    EXPECT_EQ(ParseHttpUrl(bad).code(), Code::kInvalidArgument) << bad;
  }
}

TEST(UrlEncode, LeavesWhatIsSafe) {
  EXPECT_EQ(UrlEncode("aZ9-._~"), "aZ9-._~");
  EXPECT_EQ(UrlEncode("a b&c=d\xff"), "a%20b%26c%3Dd%FF");
}

class HttpClientTest : public NetTest {
 protected:
  HttpClientTest() {
    ca_file_ = dir_.path() + "/ca.pem";
    std::ofstream(ca_file_) << authority_.certificate_pem;
  }

  /// A server that answers `answer` once a whole question has come; nothing: never.
  std::unique_ptr<Listener> Serve(const std::string& answer, TlsMode mode = TlsMode::kImplicit) {
    ListenerOptions options =
        Options({.input =
                     [this, answer](SessionHost& host, std::string_view bytes) {
                       const std::lock_guard lock(mutex_);
                       question_ += bytes;
                       if (!answer.empty() && question_.ends_with("token=t")) {
                         host.Write(answer);
                         host.Close();
                       }
                     }},
                mode);
    if (mode == TlsMode::kImplicit) {
      options.tls = Certified({.common_name = "localhost", .dns_names = {"localhost"}});
    }
    return Open(std::move(options));
  }
  std::shared_ptr<TlsSource> Certified(const CertificateSpec& spec) {
    const auto leaf = IssueCertificate(authority_, spec).value();
    return std::make_shared<TlsSource>(
        TlsContext::FromPem({.certificate = leaf.certificate_pem, .key = leaf.key_pem}).value());
  }
  HttpClientOptions To(const Listener& listener, const std::string& host = "localhost") {
    HttpClientOptions options;
    options.url = "https://" + host + ":" + std::to_string(listener.port()) + "/look";
    options.ca_file = ca_file_;
    return options;
  }
  Result<std::string> Ask(HttpClientOptions options) {
    auto client = HttpClient::Open(std::move(options)).value();
    std::optional<Result<std::string>> answer;
    std::condition_variable answered;
    client->Post("token=t", [&](Result<std::string> result) {
      const std::lock_guard lock(mutex_);
      answer = std::move(result);
      answered.notify_all();
    });
    std::unique_lock lock(mutex_);
    answered.wait(lock, [&] { return answer.has_value(); });
    return *answer;
  }
  static std::string Good(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  testing::TempDir dir_;
  std::string ca_file_;
  std::mutex mutex_;
  std::string question_;
};

TEST_F(HttpClientTest, AsksByPostAndBringsTheBody) {
  const auto server = Serve(Good("{\"active\":true}"));
  HttpClientOptions options = To(*server);
  options.authorization = "Basic eDp5";
  EXPECT_EQ(Ask(options).value(), "{\"active\":true}");
  EXPECT_THAT(question_, ::testing::StartsWith("POST /look HTTP/1.1\r\n"));
  EXPECT_THAT(question_, HasSubstr("Authorization: Basic eDp5\r\n"));
  EXPECT_THAT(question_, HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"));
}

TEST_F(HttpClientTest, TrustsNoCertificateButAGoodOne) {
  const auto server = Serve(Good("x"));
  EXPECT_THAT(Ask(To(*server, "127.0.0.1")).status().ToString(), HasSubstr("TLS"))
      << "the name is another";
  HttpClientOptions strangers = To(*server);
  strangers.ca_file = dir_.path() + "/other.pem";
  std::ofstream(strangers.ca_file) << MakeAuthority("another").value().certificate_pem;
  EXPECT_EQ(Ask(strangers).code(), Code::kUnavailable);
  EXPECT_EQ(question_, "") << "not a word was said";
}

TEST_F(HttpClientTest, TellsWhatWentWrong) {
  EXPECT_THAT(Ask(To(*Serve("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))).status().ToString(),
              HasSubstr("status 401"));
  question_.clear();
  EXPECT_EQ(Ask(To(*Serve("nonsense\r\n\r\n"))).code(), Code::kUnavailable);
  question_.clear();
  const auto gone = Serve("x");
  const HttpClientOptions nowhere = To(*gone);
  gone->Stop("gone", 0);
  EXPECT_EQ(Ask(nowhere).code(), Code::kUnavailable);
}

TEST_F(HttpClientTest, TakesNoMoreThanItsBound) {
  HttpClientOptions options = To(*Serve(Good("x")));
  EXPECT_EQ(options.body_bytes_max, limits::kIntrospectionBytesMax);
  const auto server = Serve(Good(std::string(1001, 'x')));
  options = To(*server);
  options.body_bytes_max = 1000;
  const auto answer = Ask(options);
  EXPECT_EQ(answer.code(), Code::kUnavailable) << (answer.ok() ? answer->size() : 0);
}

TEST_F(HttpClientTest, NorOfABodyThatDoesNotSayHowLongItIs) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                              std::string(1001, 'x') + "\r\n0\r\n\r\n";
  for (const std::string& answer : {chunked, "HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x')}) {
    question_.clear();
    const auto server = Serve(answer);
    HttpClientOptions options = To(*server);
    EXPECT_EQ(Ask(options).value().size(), 1001u);
    question_.clear();
    options.body_bytes_max = 1000;
    EXPECT_EQ(Ask(options).code(), Code::kUnavailable);
  }
}

TEST_F(HttpClientTest, WaitsNoLongerThanItsDeadline) {
  const auto server = Serve("");
  HttpClientOptions options = To(*server);
  options.deadline_ms = 50;
  EXPECT_THAT(Ask(options).status().ToString(), HasSubstr("in time"));
}

TEST_F(HttpClientTest, SpeaksPlainlyOnLoopback) {
  const auto server = Serve(Good("plain"), TlsMode::kNone);
  HttpClientOptions options = To(*server);
  options.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/";
  EXPECT_EQ(Ask(options).value(), "plain");
}

TEST_F(HttpClientTest, TooManyAreTurnedAwayAndItsEndAnswersTheRest) {
  const auto server = Serve("");
  HttpClientOptions options = To(*server);
  options.running_max = 1;
  options.waiting_max = 1;
  std::vector<std::string> answers;
  {
    const auto client = HttpClient::Open(options).value();
    for (int i = 0; i < 3; ++i) {
      client->Post("token=u", [&, i](const Result<std::string>& result) {
        const std::lock_guard lock(mutex_);
        answers.push_back(std::to_string(i) + " " + result.status().ToString());
      });
    }
    const std::lock_guard lock(mutex_);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_THAT(answers[0], HasSubstr("2 unavailable: too many"));
  }
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_THAT(answers[1], HasSubstr("stopping"));
}

TEST_F(HttpClientTest, RefusesWhatItCannotUse) {
  EXPECT_EQ(HttpClient::Open({.url = "https://x/", .ca_file = "/nowhere"}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(HttpClient::Open({.url = "gopher://x/"}).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace twinspool::net
