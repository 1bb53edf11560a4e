// Messages on the wire: dots, line ends, TOP; whole, in pieces, and read back by two kinds of
// client.
#include "server/pop3/dot_writer.h"

#include <random>

#include <gtest/gtest.h>

namespace twinspool::pop3 {
namespace {

std::string Written(std::string_view message, std::optional<std::uint64_t> lines = {},
                    std::size_t piece = 1'000'000) {
  DotWriter dots(lines);
  std::string out;
  bool wanted = true;
  while (wanted && !message.empty()) {
    wanted = dots.Write(message.substr(0, piece), &out);
    message.remove_prefix(std::min(piece, message.size()));
  }
  dots.End(&out);
  return out;
}

TEST(Pop3DotWriter, DotsAndEnds) {
  EXPECT_EQ(Written(""), ".\r\n");
  EXPECT_EQ(Written("a\r\n"), "a\r\n.\r\n");
  EXPECT_EQ(Written("a"), "a\r\n.\r\n");
  EXPECT_EQ(Written("."), "..\r\n.\r\n");
  EXPECT_EQ(Written(".\r\n.\r\n"), "..\r\n..\r\n.\r\n");
  EXPECT_EQ(Written("a.\r\n..b\r\n"), "a.\r\n...b\r\n.\r\n");
  EXPECT_EQ(Written("\r\n\r\n"), "\r\n\r\n.\r\n");
}

TEST(Pop3DotWriter, OtherLineEnds) {
  EXPECT_EQ(Written("a\n.\nb\n"), "a\r\n..\r\nb\r\n.\r\n");
  EXPECT_EQ(Written("a\r.\r\n"), "a\r.\r\n.\r\n") << "a CR alone ends no line";
  EXPECT_EQ(Written("a\r"), "a\r\r\n.\r\n");
  EXPECT_EQ(Written("\r\r\n"), "\r\r\n.\r\n");
  EXPECT_EQ(Written(std::string("a\0b\xff\r\n", 6)), std::string("a\0b\xff\r\n.\r\n", 9));
}

TEST(Pop3DotWriter, Top) {
  const std::string_view message = "a: 1\r\nb: 2\r\n\r\n.one\r\n\r\nthree\r\n";
  EXPECT_EQ(Written(message, 0), "a: 1\r\nb: 2\r\n\r\n.\r\n");
  EXPECT_EQ(Written(message, 1), "a: 1\r\nb: 2\r\n\r\n..one\r\n.\r\n");
  EXPECT_EQ(Written(message, 2), "a: 1\r\nb: 2\r\n\r\n..one\r\n\r\n.\r\n");
  EXPECT_EQ(Written(message, 3), Written(message));
  EXPECT_EQ(Written(message, UINT64_MAX), Written(message));
  EXPECT_EQ(Written("a: 1\n\nb\nc\n", 1), "a: 1\r\n\r\nb\r\n.\r\n");
  EXPECT_EQ(Written("a: 1\r\n\r\r\nb: 2\r\n", 0), "a: 1\r\n\r\r\nb: 2\r\n.\r\n");
  EXPECT_EQ(Written("a: 1\r\nno body", 0), "a: 1\r\nno body\r\n.\r\n");
}

/// What a client makes of it that ends lines at LF, with or without a CR.
std::string ReadBack(std::string_view wire) {
  std::string message;
  while (true) {
    const std::size_t end = wire.find('\n');
    if (end == std::string_view::npos) {
      return "no end";
    }
    std::string_view line = wire.substr(0, end);
    wire.remove_prefix(end + 1);
    line.remove_suffix(!line.empty() && line.back() == '\r' ? 1 : 0);
    if (line == ".") {
      return wire.empty() ? message : "ended too early";
    }
    line.remove_prefix(line.starts_with('.') ? 1 : 0);
    message.append(line).append("\n");
  }
}

TEST(Pop3DotWriter, AnyMessageInAnyPiecesComesBack) {
  std::mt19937 random(11);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  for (int round = 0; round < 20'000; ++round) {
    std::string message;
    for (std::size_t left = below(20); left > 0; --left) {
      message += "\r\n\n..a:"[below(7)];
    }
    const std::optional<std::uint64_t> lines =
        below(2) == 0 ? std::nullopt : std::optional<std::uint64_t>(below(4));
    const std::string wire = Written(message, lines);
    ASSERT_EQ(wire, Written(message, lines, 1 + below(3))) << message;
    ASSERT_LE(wire.size(), 2 * message.size() + 6);
    for (std::size_t at = 0; (at = wire.find('\n', at)) != std::string::npos; ++at) {
      ASSERT_TRUE(at > 0 && wire[at - 1] == '\r') << "both kinds of client see the same lines";
    }
    if (!lines) {
      std::string expected;
      for (std::size_t i = 0; i < message.size(); ++i) {
        if (message[i] != '\r' || i + 1 == message.size() || message[i + 1] != '\n') {
          expected += message[i];
        }
      }
      expected += message.empty() || message.back() == '\n' ? "" : "\n";
      ASSERT_EQ(ReadBack(wire), expected);
    }
  }
}

}  // namespace
}  // namespace twinspool::pop3
