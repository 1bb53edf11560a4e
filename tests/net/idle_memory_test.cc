// What an idle TLS session costs in resident memory, measured over 2,000 of them. The clients live
// in a process of their own, so that only the server's side is counted.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr int kSessions = 2000;
constexpr std::size_t kBytesPerSessionMax = 20u << 10;

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// The clients' process: connects for each byte of `ports` (a port, then a count) and says so.
class ClientProcess {
 public:
  ClientProcess() {
    EXPECT_EQ(pipe(orders_.data()), 0);
    EXPECT_EQ(pipe(answers_.data()), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(orders_[1]);
      Serve();
      _exit(0);
    }
    close(orders_[0]);
  }
  ~ClientProcess() {
    close(orders_[1]);
    waitpid(pid_, nullptr, 0);
  }
  ClientProcess(const ClientProcess&) = delete;
  ClientProcess& operator=(const ClientProcess&) = delete;

  /// True when all connected, shook hands and had their greeting echoed.
  bool Connect(std::uint16_t port, int count) {
    const std::array<int, 2> order{port, count};
    int answer = 0;
    EXPECT_EQ(write(orders_[1], order.data(), sizeof(order)), static_cast<ssize_t>(sizeof(order)));
    EXPECT_EQ(read(answers_[0], &answer, sizeof(answer)), static_cast<ssize_t>(sizeof(answer)));
    return answer == count;
  }

 private:
  void Serve() {
    std::vector<Client> clients;
    std::array<int, 2> order{};
    while (read(orders_[0], order.data(), sizeof(order)) == static_cast<ssize_t>(sizeof(order))) {
      int good = 0;
      for (int i = 0; i < order[1]; ++i) {
        Client client = Client::Tcp(static_cast<std::uint16_t>(order[0]));
        good += client.StartTls() && client.ReadLine() == "hello\r\n" && client.Send("x\r\n") &&
                        client.ReadLine() == "x\r\n"
                    ? 1
                    : 0;
        clients.push_back(std::move(client));
      }
      (void)!write(answers_[1], &good, sizeof(good));
    }
  }

  std::array<int, 2> orders_{};
  std::array<int, 2> answers_{};
  pid_t pid_ = -1;
};

TEST(IdleMemory, TlsSessionStaysUnderTwentyKibibytes) {
  if (kSanitized) {
    GTEST_SKIP() << "a sanitizer's memory would be measured";
  }
  ClientProcess clients;  // before any thread
  const auto self = MakeSelfSigned({.common_name = "localhost"}).value();
  EventLog log;
  IoPool pool(2);
  ListenerOptions options;
  options.name = "idle";
  options.tls_mode = TlsMode::kImplicit;
  options.tls = std::make_shared<TlsSource>(
      TlsContext::FromPem({.certificate = self.certificate_pem, .key = self.key_pem}).value());
  const Behaviour echo{
      .start =
          [](SessionHost& host) {
            host.SetTimeout(limits::kIdleMs);
            host.Write("hello\r\n");
          },
      .input = [](SessionHost& host, std::string_view bytes) { host.Write(bytes); }};
  options.factory = [&](SessionHost& host) {
    return std::make_unique<LambdaSession>(host, echo, log);
  };
  const auto listener = Listener::Open(pool, std::move(options)).value();
  ASSERT_TRUE(clients.Connect(listener->port(), 50));  // what is paid once
  const std::size_t before = ResidentBytes();
  ASSERT_TRUE(clients.Connect(listener->port(), kSessions));
  ASSERT_EQ(listener->connections(), 50u + kSessions);
  const std::size_t each = (ResidentBytes() - before) / kSessions;
  RecordProperty("bytes_per_session", static_cast<int>(each));
  std::printf("%zu bytes of resident memory per idle TLS session\n", each);
  EXPECT_LT(each, kBytesPerSessionMax);
}

}  // namespace
}  // namespace twinspool::net
