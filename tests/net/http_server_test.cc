// The HTTP server over real sockets.
#include "server/net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public NetTest {
 protected:
  void SetUp() override {
    listener_ = OpenHttpServer(pool_, {}, [](const HttpRequest& request) {
                  if (request.path == "/primary") {
                    return HttpResponse{.status = 503, .body = "standby\n"};
                  }
                  if (request.path == "/big") {
                    return HttpResponse{.body = std::string(1u << 20, 'x')};
                  }
                  return HttpResponse{.body = request.path + "|" + request.query + "|" +
                                              request.authorization + "|" + request.peer_address};
                }).value();
  }

  std::string Exchange(const std::string& request) {
    Client client = Client::Tcp(listener_->port());
    client.Send(request);
    return client.ReadAll();
  }

  std::unique_ptr<Listener> listener_;
};

TEST_F(HttpServerTest, Get) {
  const std::string answer = Exchange(
      "GET /health?lag=1MB HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
      "Connection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 34\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n/health|lag=1MB|Bearer t|127.0.0.1"));
}

TEST_F(HttpServerTest, StatusOfTheHandlerAndOldClients) {
  const std::string answer = Exchange("OPTIONS /primary HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  EXPECT_THAT(Exchange("HEAD /x HTTP/1.0\r\n\r\n"), Not(HasSubstr("|")));
}

TEST_F(HttpServerTest, KeepsAliveAndPipelinesByteByByte) {
  Client client = Client::Tcp(listener_->port());
  const std::string two =
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const char byte : two) {
    ASSERT_TRUE(client.Send({&byte, 1}));
  }
  const std::string answers = client.ReadAll();
  EXPECT_THAT(answers, HasSubstr("/a||"));
  EXPECT_THAT(answers, EndsWith("/b|||127.0.0.1"));
}

TEST_F(HttpServerTest, PipelinedRequestsWaitUntilTheirAnswersAreTaken) {
  constexpr std::size_t kRequests = 2 * limits::kOutputHardBytes >> 20;
  std::string requests;
  for (std::size_t i = 0; i < kRequests; ++i) {
    requests += "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  const std::string answers = Exchange(requests + "GET /end HTTP/1.0\r\n\r\n");
  EXPECT_GT(answers.size(), kRequests << 20);
  EXPECT_THAT(answers.substr(answers.size() - 20), EndsWith("/end|||127.0.0.1"));
  EXPECT_EQ(listener_->stats().overflowed, 0u);
}

TEST_F(HttpServerTest, BadRequestsGetAClearAnswer) {
  EXPECT_THAT(Exchange("\x16\x03\x01 nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Exchange("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Exchange("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
              StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Exchange("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Exchange("GET /" + std::string(20'000, 'x')), StartsWith("HTTP/1.1 4"));
}

TEST(QueryValue, FindsNames) {
  EXPECT_EQ(QueryValue("lag=1MB&x=2&flag", "lag"), "1MB");
  EXPECT_EQ(QueryValue("lag=1MB&x=2&flag", "x"), "2");
  EXPECT_EQ(QueryValue("lag=1MB&x=2&flag", "flag"), "");
  EXPECT_EQ(QueryValue("lag=1MB", "la"), "");
  EXPECT_EQ(QueryValue("", "la"), "");
}

}  // namespace
}  // namespace twinspool::net
