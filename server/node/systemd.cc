#include "server/node/systemd.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

namespace twinspool::node {

void NotifyServiceManager(const std::string& text) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || path[0] == '\0') {
    return;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) {
    return;
  }
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') {
    address.sun_path[0] = '\0';  // an abstract socket
  }
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return;
  }
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // A service manager that does not listen is no reason to fail.
  (void)sendto(fd, text.data(), text.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size);
  close(fd);
}

Notices::Notices(int interval_ms, std::function<std::string()> what)
    : what_(std::move(what)), thread_([this, interval_ms] { Loop(interval_ms); }) {}

Notices::~Notices() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  ended_changed_.notify_all();
  thread_.join();
}

void Notices::Loop(int interval_ms) {
  while (true) {
    if (const std::string text = what_(); !text.empty()) {
      NotifyServiceManager(text);
    }
    std::unique_lock lock(mutex_);
    if (ended_changed_.wait_for(lock, std::chrono::milliseconds(interval_ms),
                                [this] { return ended_; })) {
      return;
    }
  }
}

int WatchdogIntervalMs() {
  const char* usec = std::getenv("WATCHDOG_USEC");
  return usec == nullptr ? 0 : static_cast<int>(std::clamp(std::atol(usec) / 2000, 0L, 600'000L));
}

}  // namespace twinspool::node
