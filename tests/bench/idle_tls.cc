// twinspool-idle: opens many TLS sessions, logs each in, leaves them idle, and prints how much the
// server's resident set grew per session. Then a thousand of them watch one mailbox by IDLE while
// another appends to it: how long until the last has heard of it, the appender's OK aside.
//
// Usage: twinspool-idle IMAPS_PORT SESSIONS USER PASSWORD SERVER_PID
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/bench/mail_client.h"

namespace twinspool::bench {
namespace {

std::uint64_t ResidentKib(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) {
      return std::strtoull(line.c_str() + 6, nullptr, 10);
    }
  }
  Die("no process " + pid);
}

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPointer = std::unique_ptr<SSL, SslFree>;

int ConnectTo(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    Die("cannot connect (descriptor limit?)");
  }
  return fd;
}

void ReadUntil(SSL* ssl, const std::string& end) {
  std::string seen;
  char buffer[2048];
  while (seen.find(end) == std::string::npos) {
    const int n = SSL_read(ssl, buffer, sizeof buffer);
    if (n <= 0) {
      Die("the server closed a session: " + seen);
    }
    seen.append(buffer, static_cast<std::size_t>(n));
  }
}

SslPointer OpenSession(SSL_CTX* context, std::uint16_t port, const std::string& login) {
  SslPointer ssl(SSL_new(context));
  SSL_set_fd(ssl.get(), ConnectTo(port));
  if (SSL_connect(ssl.get()) != 1) {
    Die("TLS handshake failed");
  }
  ReadUntil(ssl.get(), "\r\n");
  SSL_write(ssl.get(), login.data(), static_cast<int>(login.size()));
  ReadUntil(ssl.get(), "a1 OK");
  return ssl;
}

void Say(SSL* ssl, const std::string& text) {
  SSL_write(ssl, text.data(), static_cast<int>(text.size()));
}

/// Milliseconds from the appender's OK until every watcher was told of the message; rounds of ten.
void MeasureWatchers(const std::vector<SslPointer>& sessions, std::size_t count) {
  using Clock = std::chrono::steady_clock;
  SSL* appender = sessions.back().get();
  const std::size_t watchers = std::min(count, sessions.size() - 1);
  for (std::size_t i = 0; i < watchers; ++i) {
    Say(sessions[i].get(), "b1 SELECT INBOX\r\n");
    ReadUntil(sessions[i].get(), "b1 OK");
    Say(sessions[i].get(), "b2 IDLE\r\n");
    ReadUntil(sessions[i].get(), "+ ");
  }
  for (int round = 0; round < 10; ++round) {
    Say(appender, "c1 APPEND INBOX {3+}\r\nabc\r\n");
    ReadUntil(appender, "c1 OK");
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < watchers; ++i) {
      ReadUntil(sessions[i].get(), "EXISTS");
    }
    const std::chrono::duration<double, std::milli> taken = Clock::now() - start;
    std::printf("{\"name\": \"idle_news_to_%zu\", \"value\": %.2f, \"unit\": \"ms\"}\n", watchers,
                taken.count());
  }
}

int Main(int argc, char** argv) {
  if (argc < 6) {
    Die("usage: twinspool-idle IMAPS_PORT SESSIONS USER PASSWORD SERVER_PID");
  }
  const rlimit many{65536, 65536};
  setrlimit(RLIMIT_NOFILE, &many);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const int count = std::atoi(argv[2]);
  const std::string login = std::string("a1 LOGIN ") + argv[3] + " " + argv[4] + "\r\n";
  std::vector<SslPointer> sessions;
  sessions.reserve(100 + static_cast<std::size_t>(count));
  for (int i = 0; i < 100; ++i) {  // whatever is allocated once is not counted
    sessions.push_back(OpenSession(context, port, login));
  }
  const std::uint64_t before = ResidentKib(argv[5]);
  for (int i = 0; i < count; ++i) {
    sessions.push_back(OpenSession(context, port, login));
  }
  const double grown = static_cast<double>(ResidentKib(argv[5]) - before);
  std::printf("{\"name\": \"idle_tls_session\", \"value\": %.2f, \"unit\": \"KiB\"}\n",
              grown / count);
  MeasureWatchers(sessions, 1000);
  return 0;
}

}  // namespace
}  // namespace twinspool::bench

int main(int argc, char** argv) {
  return twinspool::bench::Main(argc, argv);
}
