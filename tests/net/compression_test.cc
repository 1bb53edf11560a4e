// Deflate, and connections that begin to compress (RFC 4978).
#include <atomic>
#include <string>

#include <gtest/gtest.h>

#include "server/net/deflate.h"
#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

std::string Packed(Deflate& deflate, std::string_view plain) {
  std::string out;
  deflate.Write(plain, &out);
  deflate.Flush(&out);
  return out;
}

/// All that `deflate` makes of `packed`, read in pieces of `piece` octets.
std::string Unpacked(Deflate& deflate, std::string_view packed, std::size_t piece = 4096) {
  deflate.GiveInput(packed);
  std::string out;
  std::string buffer(piece, '\0');
  std::size_t read = 0;
  while (deflate.Read(buffer.data(), buffer.size(), &read) == Deflate::Step::kDone) {
    out.append(buffer, 0, read);
  }
  return out;
}

TEST(Deflate, WhatGoesInComesOut) {
  const auto here = Deflate::Make();
  const auto there = Deflate::Make();
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += "* " + std::to_string(i) + " FETCH (FLAGS ())\r\n";
  }
  const std::string packed = Packed(*here, text);
  EXPECT_LT(packed.size(), text.size() / 4);
  EXPECT_EQ(Unpacked(*there, packed, 7), text);
  EXPECT_FALSE(there->has_input());
  EXPECT_EQ(Packed(*here, ""), "") << "nothing new: nothing to send";
  std::string back;
  for (const char c : Packed(*there, "a NOOP\r\n")) {
    back += Unpacked(*here, std::string(1, c));
  }
  EXPECT_EQ(back, "a NOOP\r\n");
}

TEST(Deflate, WhatIsNoStreamFails) {
  const auto deflate = Deflate::Make();
  deflate->GiveInput("\xff\xff\xff\xff");
  char buffer[16];
  std::size_t read = 0;
  EXPECT_EQ(deflate->Read(buffer, sizeof(buffer), &read), Deflate::Step::kFailed);
}

class CompressionTest : public NetTest {
 protected:
  /// Echoes; after "compress\r\n" compressed.
  static Behaviour Compressing() {
    return {.input = [](SessionHost& host, std::string_view bytes) {
      host.Write(bytes);
      if (bytes == "compress\r\n") {
        host.StartCompression();
      }
    }};
  }
  const std::unique_ptr<Deflate> theirs_ = Deflate::Make();
};

TEST_F(CompressionTest, BothDirectionsFromTheAnswerOn) {
  for (const TlsMode mode : {TlsMode::kNone, TlsMode::kImplicit}) {
    const auto listener = Open(Options(Compressing(), mode));
    Client client = Client::Tcp(listener->port());
    ASSERT_TRUE(mode == TlsMode::kNone || client.StartTls());
    const auto theirs = Deflate::Make();
    ASSERT_TRUE(client.Send("compress\r\n"));
    EXPECT_EQ(client.ReadLine(), "compress\r\n");
    const std::string much(300'000, 'x');
    ASSERT_TRUE(client.Send(Packed(*theirs, much)));
    std::string echoed;
    while (echoed.size() < much.size()) {
      const std::string some = client.ReadSome();
      ASSERT_FALSE(some.empty());
      echoed += Unpacked(*theirs, some);
    }
    EXPECT_EQ(echoed, much);
  }
}

TEST_F(CompressionTest, ABombWaitsWhileTheSessionPauses) {
  std::atomic<std::size_t> taken{0};
  SessionHost* session = nullptr;
  const auto listener = Open(Options({.input = [&](SessionHost& host, std::string_view bytes) {
    session = &host;
    if (bytes == "compress\r\n") {
      host.Write("ok\r\n");
      host.StartCompression();
      return;
    }
    taken += bytes.size();
    host.PauseInput(true);
    log_.Add("took");
  }}));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("compress\r\n"));
  ASSERT_EQ(client.ReadLine(), "ok\r\n");
  constexpr std::size_t kBomb = 64u << 20;
  const std::string packed = Packed(*theirs_, std::string(kBomb, '\0'));
  EXPECT_LT(packed.size(), 256u << 10);
  ASSERT_TRUE(client.Send(packed));
  ASSERT_TRUE(log_.WaitFor("took"));
  for (int i = 1; i <= 5; ++i) {
    EXPECT_LE(taken.load(), static_cast<std::size_t>(i) * limits::kReadBytes);
    session->Post([session] { session->PauseInput(false); });
    ASSERT_TRUE(log_.WaitFor("took", i + 1)) << "it goes on where it stopped";
  }
}

TEST_F(CompressionTest, InputIsReadOnlyAsFastAsItIsInflated) {
  // Each compressed octet becomes a thousand, and the session pauses never: what waits inside stays
  // as small as one read.
  std::atomic<std::size_t> taken{0};
  constexpr std::size_t kPlain = 300u << 20;
  const auto listener = Open(Options({.input = [&](SessionHost& host, std::string_view bytes) {
    if (bytes == "compress\r\n") {
      host.Write("ok\r\n");
      host.StartCompression();
      return;
    }
    taken += bytes.size();
    if (taken == kPlain) {
      host.Write("all\r\n");
    }
  }}));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("compress\r\n"));
  ASSERT_EQ(client.ReadLine(), "ok\r\n");
  const std::string piece(1u << 20, 'x');
  for (std::size_t sent = 0; sent < kPlain; sent += piece.size()) {
    ASSERT_TRUE(client.Send(Packed(*theirs_, piece)));
  }
  EXPECT_EQ(Unpacked(*theirs_, client.ReadSome()), "all\r\n");
}

TEST_F(CompressionTest, ASlowReaderIsToldWhenItHasCaughtUp) {
  // The last octets leave zlib after the session's call: they count, too.
  const auto listener =
      Open(Options({.input =
                        [](SessionHost& host, std::string_view bytes) {
                          host.Write("ok\r\n");
                          if (bytes == "compress\r\n") {
                            host.StartCompression();
                            return;
                          }
                          std::string noise;
                          std::uint32_t state = 1;
                          while (host.output_pending() <= limits::kOutputHighBytes) {
                            noise.clear();
                            for (int i = 0; i < 65'536; ++i) {
                              state = state * 1664525u + 1013904223u;
                              noise.push_back(static_cast<char>(state >> 24));
                            }
                            host.Write(noise);
                          }
                        },
                    .drained = [](SessionHost&) {}}));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("compress\r\n"));
  ASSERT_EQ(client.ReadLine(), "ok\r\n");
  ASSERT_TRUE(client.Send(Packed(*theirs_, "go")));
  std::size_t read = 0;
  while (read < limits::kOutputHighBytes) {
    const std::string some = client.ReadSome();
    ASSERT_FALSE(some.empty());
    read += some.size();
  }
  EXPECT_TRUE(log_.WaitFor("drained"));
}

TEST_F(CompressionTest, GarbageEndsTheConnection) {
  const auto listener = Open(Options(Compressing()));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("compress\r\n"));
  ASSERT_EQ(client.ReadLine(), "compress\r\n");
  ASSERT_TRUE(client.Send("\xff\xff\xff\xff"));
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(log_.WaitFor("gone"));
}

}  // namespace
}  // namespace twinspool::net
