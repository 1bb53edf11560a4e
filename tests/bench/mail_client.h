// A blocking IMAP and LMTP client for measuring: raw sockets, no allocation where it would count,
// so that the server is what is measured. Not for production; failures end the program with the
// reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinspool::bench {

/// Prints "load: text" and exits 1.
[[noreturn]] void Die(const std::string& text);

/// A TCP connection to 127.0.0.1 with TCP_NODELAY and a line buffer.
class Connection {
 public:
  explicit Connection(std::uint16_t port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Send(std::string_view bytes);
  /// One line without its CRLF; valid until the next read.
  std::string_view ReadLine();
  /// Skips octets of a literal.
  void Skip(std::uint64_t octets);

 private:
  void Fill();

  int fd_;
  std::string buffer_;
  std::size_t position_ = 0;
};

class ImapClient {
 public:
  ImapClient(std::uint16_t port, const std::string& user, const std::string& password);

  /// Sends a command and reads to its tagged answer; dies unless that is OK (`must`).
  /// The answer: the tagged line.
  std::string Run(std::string_view command, bool must = true);
  void Append(std::string_view mailbox, std::string_view octets);
  /// Untagged lines of the last command.
  /// Numbers of the last "* SEARCH" line.
  const std::string& search_line() const { return search_line_; }
  std::uint64_t exists() const { return exists_; }
  Connection& connection() { return connection_; }

 private:
  std::string NextTag();
  std::string Finish(const std::string& tag, std::string_view what, bool must);
  void Untagged(std::string_view line);

  Connection connection_;
  std::uint64_t tag_ = 0;
  std::uint64_t exists_ = 0;
  std::string search_line_;
};

class LmtpClient {
 public:
  explicit LmtpClient(std::uint16_t port);
  void Deliver(const std::string& recipient, std::string_view octets);

 private:
  void Expect(char first);

  Connection connection_;
};

/// A message of about `size` octets, always the same for a number; `word` stands in the subject.
std::string MakeMessage(std::uint64_t number, std::size_t size, std::string_view word = "");

}  // namespace twinspool::bench
