// Telling the service manager how we are: sd_notify's datagram protocol, without its library.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace twinspool::node {

/// Sends `text` ("READY=1", "STATUS=primary epoch 7", …; several joined by newlines) to the socket
/// of NOTIFY_SOCKET. Without that variable, nothing happens. Any thread.
void NotifyServiceManager(const std::string& text);

/// Half of WATCHDOG_USEC in milliseconds: how often "WATCHDOG=1" is due; 0: no watchdog.
int WatchdogIntervalMs();

/// A thread that says something to the service manager now and every `interval_ms` until it is
/// destroyed. `what` answers the text, or nothing to be silent this time; if it gets stuck, so does
/// the notice, and a watchdog ends the process.
class Notices {
 public:
  Notices(int interval_ms, std::function<std::string()> what);
  ~Notices();
  Notices(const Notices&) = delete;
  Notices& operator=(const Notices&) = delete;

 private:
  void Loop(int interval_ms);

  const std::function<std::string()> what_;
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace twinspool::node
