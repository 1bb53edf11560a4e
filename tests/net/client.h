// A blocking client of the tests: TCP or Unix socket, with or without TLS. Every wait has an end of
// its own (10 s), so a broken server fails a test instead of hanging it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace twinspool::net {

class Client {
 public:
  Client() = default;
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  static Client Tcp(std::uint16_t port);
  static Client Unix(const std::string& path);

  /// A handshake as a client; certificates of the server are not checked. False: it failed. PEMs of
  /// a client certificate are optional.
  bool StartTls(const std::string& certificate_pem = "", const std::string& key_pem = "");

  /// Common name of the server's certificate.
  std::string ServerName() const;

  bool connected() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  /// False when the connection is gone.
  bool Send(std::string_view bytes);
  /// What one read brings; empty at the end.
  std::string ReadSome(std::size_t bytes_max = 65536);
  /// Reads until `bytes` came or the end.
  std::string Read(std::size_t bytes);
  /// A line with its end, or what came before the end.
  std::string ReadLine();
  /// Reads until the end of the connection.
  std::string ReadAll();
  /// Closes the sending half.
  void Finish();
  /// Closes with a reset.
  void Reset();
  void Close();

 private:
  int fd_ = -1;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
};

}  // namespace twinspool::net
