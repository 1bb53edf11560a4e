#include "tests/net/client.h"

#include <unistd.h>

#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace twinspool::net {
namespace {

int Connected(int fd, const sockaddr* address, socklen_t size) {
  const timeval wait{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
  if (connect(fd, address, size) != 0) {
    close(fd);
    return -1;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

}  // namespace

Client::~Client() {
  Close();
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      context_(std::exchange(other.context_, nullptr)),
      ssl_(std::exchange(other.ssl_, nullptr)) {}

Client Client::Tcp(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Client client;
  client.fd_ = Connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return client;
}

Client Client::Unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  Client client;
  client.fd_ = Connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return client;
}

bool Client::StartTls(const std::string& certificate_pem, const std::string& key_pem) {
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  if (!certificate_pem.empty()) {
    BIO* bio = BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_certificate(context_, certificate);
    X509_free(certificate);
    bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_PrivateKey(context_, key);
    EVP_PKEY_free(key);
  }
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  return SSL_connect(ssl_) == 1;
}

std::string Client::ServerName() const {
  std::string name(256, '\0');
  const int size =
      X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl_)),
                                NID_commonName, name.data(), static_cast<int>(name.size()));
  name.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return name;
}

bool Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::ptrdiff_t sent = ssl_ != nullptr
                                    ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                    : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Client::ReadSome(std::size_t bytes_max) {
  std::string bytes(bytes_max, '\0');
  const std::ptrdiff_t count = ssl_ != nullptr
                                   ? SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                   : recv(fd_, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

std::string Client::Read(std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) {
    const std::string some = ReadSome(std::min<std::size_t>(bytes - all.size(), 1u << 20));
    if (some.empty()) {
      break;
    }
    all += some;
  }
  return all;
}

std::string Client::ReadLine() {
  std::string line;
  while (line.empty() || line.back() != '\n') {
    const std::string byte = ReadSome(1);
    if (byte.empty()) {
      break;
    }
    line += byte;
  }
  return line;
}

std::string Client::ReadAll() {
  std::string all;
  for (std::string some = ReadSome(); !some.empty(); some = ReadSome()) {
    all += some;
  }
  return all;
}

void Client::Finish() {
  shutdown(fd_, SHUT_WR);
}

void Client::Reset() {
  const linger reset{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  Close();
}

void Client::Close() {
  SSL_free(std::exchange(ssl_, nullptr));
  SSL_CTX_free(std::exchange(context_, nullptr));
  if (fd_ >= 0) {
    close(std::exchange(fd_, -1));
  }
}

}  // namespace twinspool::net
