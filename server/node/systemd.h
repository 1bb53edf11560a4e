// Telling the service manager how we are: sd_notify's datagram protocol, without its library.
#pragma once

#include <string>

namespace twinspool::node {

/// Sends `text` ("READY=1", "STATUS=primary epoch 7", …; several joined by newlines) to the socket
/// of NOTIFY_SOCKET. Without that variable, nothing happens. Any thread.
void NotifyServiceManager(const std::string& text);

/// Half of WATCHDOG_USEC in milliseconds: how often "WATCHDOG=1" is due; 0: no watchdog.
int WatchdogIntervalMs();

}  // namespace twinspool::node
