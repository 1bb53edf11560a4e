// What the service manager is told, over a socket of the test's own.
#include "server/node/systemd.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <future>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace twinspool::node {
namespace {

class SystemdTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = testing::TempDir() + "/notify-" + std::to_string(getpid());
    unlink(path.c_str());
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no thread runs yet
  }
  void TearDown() override {
    unsetenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): … nor any more
    close(socket_);
  }
  std::string Receive(int flags = 0) const {
    char text[256];
    const ssize_t n = recv(socket_, text, sizeof text, flags);
    return n < 0 ? "" : std::string(text, static_cast<std::size_t>(n));
  }

  int socket_ = -1;
};

TEST_F(SystemdTest, NoticesComeAtOnceAndAgain) {
  std::atomic<int> asked{0};
  const Notices notices(1, [&asked] { return "WATCHDOG=" + std::to_string(++asked); });
  EXPECT_EQ(Receive(), "WATCHDOG=1");
  EXPECT_EQ(Receive(), "WATCHDOG=2");
}

// The disk hangs: the probe does not come back, and nothing vouches for the process.
TEST_F(SystemdTest, AProbeThatHangsOrFailsFeedsNoWatchdog) {
  std::promise<void> disk;
  std::promise<void> asked_again;
  std::atomic<int> asked{0};
  {
    const Notices notices(1, [&] {
      if (++asked == 1) {
        return std::string();  // failed
      }
      if (asked == 2) {
        asked_again.set_value();
        disk.get_future().wait();
      }
      return std::string();
    });
    asked_again.get_future().wait();
    EXPECT_EQ(Receive(MSG_DONTWAIT), "");
    disk.set_value();
  }
  EXPECT_EQ(Receive(MSG_DONTWAIT), "");
}

}  // namespace
}  // namespace twinspool::node
