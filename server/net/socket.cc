#include "server/net/socket.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace twinspool::net {
namespace {

constexpr int kKeepAliveSeconds = 300;

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&address); }
};

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

Status SystemError(int error, const std::string& what) {
  const std::string text = what + ": " + std::generic_category().message(error);
  switch (error) {
    case EADDRINUSE:
      return AlreadyExists(text + "; another process listens there");
    case EACCES:
    case EPERM:
      return PermissionDenied(text + "; ports below 1024 and foreign folders need privileges");
    default:
      return IoError(text);
  }
}

Result<Endpoint> ParseAddress(const ListenerOptions& options) {
  std::string text = options.address == "localhost" ? "127.0.0.1" : options.address;
  text = text == "*" ? "::" : text;
  Endpoint endpoint;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&endpoint.address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(options.port);
    endpoint.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(options.port);
    endpoint.size = sizeof(sockaddr_in6);
  } else {
    return InvalidArgument("listener " + options.name + ": \"" + options.address +
                           "\" is not a numeric address, \"localhost\" or \"*\"");
  }
  return endpoint;
}

Result<Endpoint> ParsePath(const ListenerOptions& options) {
  Endpoint endpoint;
  auto* local = reinterpret_cast<sockaddr_un*>(&endpoint.address);
  if (options.unix_path.size() >= sizeof(local->sun_path)) {
    return InvalidArgument("listener " + options.name + ": the socket path " + options.unix_path +
                           " is longer than 107 bytes");
  }
  local->sun_family = AF_UNIX;
  std::memcpy(local->sun_path, options.unix_path.data(), options.unix_path.size());
  endpoint.size = sizeof(sockaddr_un);
  return endpoint;
}

// A socket file whose process is gone is in the way; one that answers is not ours to remove.
Status RemoveStale(const Endpoint& endpoint, const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return OkStatus();
  }
  if (!S_ISSOCK(info.st_mode)) {
    return AlreadyExists(path + " exists and is not a socket; remove it or choose another path");
  }
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(probe.get(), endpoint.get(), endpoint.size) == 0 || errno != ECONNREFUSED) {
    return AlreadyExists("socket " + path + " is in use by another process");
  }
  unlink(path.c_str());
  return OkStatus();
}

Result<Fd> BindAndListen(const Endpoint& endpoint, const std::string& where) {
  Fd fd(socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return SystemError(errno, "no socket for " + where);
  }
  if (endpoint.address.ss_family != AF_UNIX) {
    SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  }
  if (endpoint.address.ss_family == AF_INET6) {
    SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (bind(fd.get(), endpoint.get(), endpoint.size) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
    return SystemError(errno, "cannot listen on " + where);
  }
  return fd;
}

Result<Fd> OpenUnix(const ListenerOptions& options) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParsePath(options));
  TRY(RemoveStale(endpoint, options.unix_path));
  ASSIGN_OR_RETURN(Fd fd, BindAndListen(endpoint, options.unix_path));
  if (chmod(options.unix_path.c_str(), options.unix_mode) != 0) {
    return SystemError(errno, "cannot set the mode of " + options.unix_path);
  }
  return fd;
}

Peer DescribePeer(const Endpoint& from) {
  Peer peer;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from.address);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    peer.loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  } else if (from.address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from.address);
    const std::uint8_t* bytes = v6->sin6_addr.s6_addr;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
    inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? bytes + 12 : bytes, text.data(), text.size());
    peer.loopback = mapped ? bytes[12] == 127 : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  } else {
    peer.local = true;
  }
  peer.address = peer.local ? "unix" : text.data();
  return peer;
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

Result<Fd> OpenListening(const ListenerOptions& options) {
  if (!options.unix_path.empty()) {
    return OpenUnix(options);
  }
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseAddress(options));
  return BindAndListen(
      endpoint, options.name + " " + options.address + " port " + std::to_string(options.port));
}

std::uint16_t BoundPort(int fd) {
  Endpoint endpoint;
  endpoint.size = sizeof(endpoint.address);
  getsockname(fd, endpoint.get(), &endpoint.size);
  if (endpoint.address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&endpoint.address)->sin_port);
  }
  return endpoint.address.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6*>(&endpoint.address)->sin6_port)
             : std::uint16_t{0};
}

Fd AcceptOne(int listening, const ListenerOptions& options, Peer* peer) {
  Endpoint from;
  from.size = sizeof(from.address);
  Fd fd(accept4(listening, from.get(), &from.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    return fd;
  }
  *peer = DescribePeer(from);
  if (!peer->local) {
    // Before the first byte: a handshake with Nagle costs 40 ms.
    SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    SetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  }
  if (options.send_buffer_bytes > 0) {
    SetOption(fd.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  }
  return fd;
}

}  // namespace twinspool::net
