// Sockets before they are connections: binding, accepting, and who is at the other end.
//
// Internal to server/net. Plain system calls; every socket is non-blocking and closed on exec.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/status.h"
#include "server/net/connection.h"
#include "server/net/listener.h"

namespace twinspool::net {

/// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Bound and listening, on the address or the Unix path of the options. kAlreadyExists when in use,
/// kPermissionDenied, kInvalidArgument for an address that is none.
Result<Fd> OpenListening(const ListenerOptions& options);

/// The port that the kernel gave.
std::uint16_t BoundPort(int fd);

/// Accepts one client and sets its socket up. An invalid Fd with errno when there is none.
Fd AcceptOne(int listening, const ListenerOptions& options, Peer* peer);

}  // namespace twinspool::net
