#include "tests/bench/mail_client.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace twinspool::bench {

void Die(const std::string& text) {
  std::fprintf(stderr, "load: %s\n", text.c_str());
  std::_Exit(1);  // other threads are still at work
}

Connection::Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    Die("cannot connect to 127.0.0.1:" + std::to_string(port));
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  close(fd_);
}

void Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) {
      Die("the server closed the connection while it was being written to");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void Connection::Fill() {
  if (position_ > 0) {
    buffer_.erase(0, position_);
    position_ = 0;
  }
  const std::size_t had = buffer_.size();
  buffer_.resize(had + 256 * 1024);
  const ssize_t n = recv(fd_, buffer_.data() + had, 256 * 1024, 0);
  if (n <= 0) {
    Die("the server closed the connection");
  }
  buffer_.resize(had + static_cast<std::size_t>(n));
}

std::string_view Connection::ReadLine() {
  std::size_t from = position_;
  while (true) {
    const std::size_t end = buffer_.find('\n', from);
    if (end != std::string::npos) {
      const std::string_view line(buffer_.data() + position_, end - position_);
      position_ = end + 1;
      return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    }
    from = buffer_.size() - position_;
    Fill();
  }
}

void Connection::Skip(std::uint64_t octets) {
  while (octets > 0) {
    if (position_ == buffer_.size()) {
      Fill();
    }
    const std::uint64_t n = std::min<std::uint64_t>(octets, buffer_.size() - position_);
    position_ += n;
    octets -= n;
  }
}

ImapClient::ImapClient(std::uint16_t port, const std::string& user, const std::string& password)
    : connection_(port) {
  connection_.ReadLine();
  Run("LOGIN " + user + " " + password);
}

std::string ImapClient::NextTag() {
  return "a" + std::to_string(++tag_);
}

std::string ImapClient::Run(std::string_view command, bool must) {
  const std::string tag = NextTag();
  connection_.Send(tag + " " + std::string(command) + "\r\n");
  return Finish(tag, command, must);
}

void ImapClient::Append(std::string_view mailbox, std::string_view octets) {
  const std::string tag = NextTag();
  std::string line =
      tag + " APPEND " + std::string(mailbox) + " {" + std::to_string(octets.size()) + "+}\r\n";
  line += octets;
  line += "\r\n";
  connection_.Send(line);
  Finish(tag, "APPEND", true);
}

void ImapClient::Untagged(std::string_view line) {
  if (line.starts_with("* SEARCH")) {
    search_line_ = std::string(line.substr(8));
  } else if (line.ends_with(" EXISTS")) {
    exists_ = std::strtoull(std::string(line.substr(2)).c_str(), nullptr, 10);
  }
}

std::string ImapClient::Finish(const std::string& tag, std::string_view what, bool must) {
  while (true) {
    const std::string_view line = connection_.ReadLine();
    if (line.starts_with("* ")) {
      Untagged(line);
    }
    if (line.ends_with('}')) {
      const std::size_t brace = line.rfind('{');
      connection_.Skip(std::strtoull(std::string(line.substr(brace + 1)).c_str(), nullptr, 10));
      continue;
    }
    if (line.starts_with(tag) && line.substr(tag.size()).starts_with(' ')) {
      if (must && !line.substr(tag.size()).starts_with(" OK")) {
        Die(std::string(what.substr(0, 100)) + ": " + std::string(line));
      }
      return std::string(line);
    }
  }
}

LmtpClient::LmtpClient(std::uint16_t port) : connection_(port) {
  Expect('2');
  connection_.Send("LHLO load\r\n");
  Expect('2');
}

void LmtpClient::Expect(char first) {
  while (true) {
    const std::string_view line = connection_.ReadLine();
    if (line.empty() || line[0] != first) {
      Die("LMTP: " + std::string(line));
    }
    if (line.size() < 4 || line[3] != '-') {
      return;
    }
  }
}

void LmtpClient::Deliver(const std::string& recipient, std::string_view octets) {
  connection_.Send("MAIL FROM:<a@example.org>\r\n");
  Expect('2');
  connection_.Send("RCPT TO:<" + recipient + ">\r\n");
  Expect('2');
  connection_.Send("DATA\r\n");
  Expect('3');
  connection_.Send(std::string(octets) +
                   ".\r\n");  // made messages have no line that begins with '.'
  Expect('2');
}

std::string MakeMessage(std::uint64_t number, std::size_t size, std::string_view word) {
  std::mt19937_64 rng(number);
  std::string text = "From: Alice <alice" + std::to_string(number % 97) +
                     "@example.org>\r\nTo: bob@example.org\r\nSubject: msg " +
                     std::to_string(number) + " " + std::string(word) +
                     "\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <" +
                     std::to_string(number) + "." + std::to_string(rng()) + "@example.org>\r\n\r\n";
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz   ";
  while (text.size() < size) {
    for (int column = 0; column < 70; ++column) {
      text.push_back(kLetters[rng() % kLetters.size()]);
    }
    text += "\r\n";
  }
  return text;
}

}  // namespace twinspool::bench
