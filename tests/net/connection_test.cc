// One connection at a time: bytes, pauses, time, posting, and how it ends.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

using ConnectionTest = NetTest;

TEST_F(ConnectionTest, GreetsAndEchoes) {
  const auto listener = Open(Options(Echo()));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  ASSERT_TRUE(client.Send("one\r\n"));
  EXPECT_EQ(client.ReadLine(), "one\r\n");
}

TEST_F(ConnectionTest, WritesOfOneCallLeaveTogether) {
  const auto listener = Open(Options({.input = [](SessionHost& host, std::string_view) {
    for (int i = 0; i < 100; ++i) {
      host.Write("x");
    }
    // Posted by the session itself, so part of the same turn.
    host.Post([&host] { host.Write("end"); });
  }}));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("go"));
  EXPECT_EQ(client.ReadSome(), std::string(100, 'x') + "end");
}

TEST_F(ConnectionTest, CloseFlushesFirst) {
  const std::string much(3u << 20, 'z');
  const auto listener = Open(Options({.start = [&](SessionHost& host) {
    host.Write(much);
    host.Close();
  }}));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadAll().size(), much.size());
  EXPECT_TRUE(log_.WaitFor("gone"));
}

TEST_F(ConnectionTest, GoodbyeArrivesThoughInputWasNotRead) {
  // More than the client's kernel takes at once: a reset would lose what waits in ours.
  const std::string goodbye(4u << 20, 'b');
  const auto listener = Open(Options({.input = [&](SessionHost& host, std::string_view) {
    host.Write(goodbye);
    host.Close();
  }}));
  Client client = Client::Tcp(listener->port());
  // More than one read of the server: the rest lies unread at its close.
  ASSERT_TRUE(client.Send(std::string(256u << 10, 'q')));
  EXPECT_EQ(client.ReadAll().size(), goodbye.size());
}

TEST_F(ConnectionTest, NothingIsCalledAfterClose) {
  const auto listener = Open(Options({.start = [](SessionHost& host) {
    host.Post([&host] { host.Write("never"); });
    host.Write("bye");
    host.Close();
  }}));
  Client client = Client::Tcp(listener->port());
  client.Send("late input");
  EXPECT_EQ(client.ReadAll(), "bye");
  EXPECT_TRUE(log_.WaitFor("gone"));
  EXPECT_EQ(log_.Count("input"), 0);
}

TEST_F(ConnectionTest, HalfClosedClientStillGetsAnswers) {
  auto options = Options({.input = [this](SessionHost& host, std::string_view bytes) {
    // The answer comes from elsewhere, after the client's end was seen.
    std::thread([this, post = host.poster(), &host, text = std::string(bytes)] {
      log_.WaitFor("finished");
      post([&host, text] { host.Write(text); });
    }).detach();
  }});
  options.half_closed_ms = 200;
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("question"));
  client.Finish();
  log_.Add("finished");
  EXPECT_EQ(client.ReadAll(), "question");  // and then, after a quiet time, the end
  EXPECT_TRUE(log_.WaitFor("gone"));
}

TEST_F(ConnectionTest, TimeoutFiresOnceAndInputPushesItBack) {
  std::atomic<int> inputs{0};
  const auto listener = Open(Options({.start = [](SessionHost& host) { host.SetTimeout(150); },
                                      .input = [&](SessionHost&, std::string_view) { ++inputs; },
                                      .timeout = [](SessionHost& host) { host.Write("idle"); }}));
  Client client = Client::Tcp(listener->port());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(client.Send("."));
    ASSERT_TRUE(log_.WaitFor("input", i));
  }
  EXPECT_EQ(client.ReadSome(), "idle");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(149));
  EXPECT_EQ(log_.Count("timeout"), 1);
}

TEST_F(ConnectionTest, NoInputPushesTheDeadlineBack) {
  const auto listener =
      Open(Options({.start =
                        [](SessionHost& host) {
                          host.SetTimeout(60'000);
                          host.SetDeadline(150);
                        },
                    .input = [](SessionHost& host, std::string_view) { host.Write("+"); },
                    .deadline =
                        [](SessionHost& host) {
                          host.Write("too late");
                          host.Close();
                        }}));
  Client client = Client::Tcp(listener->port());
  // A byte for each answer: the client is never quiet.
  std::string got;
  while (!got.ends_with("too late")) {
    client.Send(".");
    const std::string more = client.ReadSome();
    ASSERT_FALSE(more.empty());
    got += more;
  }
  EXPECT_EQ(log_.Count("timeout"), 0);
  EXPECT_TRUE(log_.WaitFor("deadline"));
}

TEST_F(ConnectionTest, ADeadlineTakenBackDoesNotCome) {
  const auto listener = Open(Options({.start =
                                          [](SessionHost& host) {
                                            host.SetDeadline(50);
                                            host.SetDeadline(0);
                                            host.SetTimeout(150);
                                          },
                                      .timeout = [](SessionHost& host) { host.Close(); }}));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_EQ(log_.Count("deadline"), 0);
}

TEST_F(ConnectionTest, PausedInputWaitsInTheKernel) {
  std::string got;
  Poster post;
  const auto listener = Open(
      Options({.start =
                   [&](SessionHost& host) {
                     host.PauseInput(true);
                     post = host.poster();
                     host.Write("paused");
                   },
               .input = [&](SessionHost& host, std::string_view bytes) { host.Write(bytes); }}));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.Read(6), "paused");
  ASSERT_TRUE(client.Send("data"));
  // Two round trips through the connection's thread: input would have come by then.
  post([this] { log_.Add("turn"); });
  ASSERT_TRUE(log_.WaitFor("turn"));
  EXPECT_EQ(log_.Count("input"), 0);
}

TEST_F(ConnectionTest, ResumedInputComes) {
  const auto listener =
      Open(Options({.start =
                        [](SessionHost& host) {
                          host.PauseInput(true);
                          host.SetTimeout(50);
                        },
                    .input = [](SessionHost& host, std::string_view bytes) { host.Write(bytes); },
                    .timeout = [](SessionHost& host) { host.PauseInput(false); }}));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.Send("data"));
  EXPECT_EQ(client.Read(4), "data");
  EXPECT_EQ(log_.Count("timeout"), 1);
}

TEST_F(ConnectionTest, PostsRunInOrderOnTheSessionsThread) {
  std::thread::id own;
  const auto listener = Open(Options({.start = [&](SessionHost& host) {
    own = std::this_thread::get_id();
    std::thread([&host, &own, post = host.poster()] {
      for (int i = 0; i < 200; ++i) {
        post([&host, &own, i] {
          host.Write(own == std::this_thread::get_id() ? std::to_string(i) + " " : "wrong thread");
        });
      }
      post([&host] { host.Close(); });
    }).detach();
  }}));
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    expected += std::to_string(i) + " ";
  }
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadAll(), expected);
}

TEST_F(ConnectionTest, PostsAfterDeathAreDropped) {
  Poster post;
  std::atomic<bool> ran{false};
  {
    const auto listener =
        Open(Options({.start = [&](SessionHost& host) { post = host.poster(); }}));
    Client client = Client::Tcp(listener->port());
    ASSERT_TRUE(log_.WaitFor("start"));
    client.Reset();
    listener->Stop("over");
    EXPECT_TRUE(log_.WaitFor("gone"));
    post([&ran] { ran = true; });
  }
  // The host's memory is gone, too.
  post([&ran] { ran = true; });
  const auto listener = Open(Options(Echo()));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");  // the threads went round meanwhile
  EXPECT_FALSE(ran);
}

TEST_F(ConnectionTest, SelfPostingSessionDoesNotStarveOthers) {
  // Posts itself for ever; with one thread only fairness lets the other client in.
  std::function<void(SessionHost&)> again = [&again](SessionHost& host) {
    host.Post([&again, &host] { again(host); });
  };
  IoPool one(1);
  auto listener = Listener::Open(one, Options({.start = again})).value();
  auto other = Listener::Open(one, Options(Echo())).value();
  Client busy = Client::Tcp(listener->port());
  ASSERT_TRUE(log_.WaitFor("start"));
  Client client = Client::Tcp(other->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  listener.reset();
  other.reset();
}

TEST_F(ConnectionTest, SessionOverTheHardLimitLosesItsConnection) {
  auto options = Options({.start = [](SessionHost& host) {
    const std::string mebibyte(1u << 20, 'o');
    for (std::size_t i = 0; i <= limits::kOutputHardBytes; i += mebibyte.size()) {
      host.Write(mebibyte);
    }
  }});
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  EXPECT_TRUE(log_.WaitFor("gone"));
  EXPECT_EQ(listener->stats().overflowed.load(), 1u);
}

// Writes `total` bytes as fast as the client takes them, never more than the high mark ahead.
class Flood {
 public:
  explicit Flood(std::size_t total) : total_(total) {}

  void Produce(SessionHost& host) {
    while (sent_ < total_ && host.output_pending() <= limits::kOutputHighBytes) {
      const std::size_t count = std::min<std::size_t>(total_ - sent_, 100'000);
      std::string block(count, '\0');
      for (std::size_t i = 0; i < count; ++i) {
        block[i] = static_cast<char>((sent_ + i) * 31 >> 5);
      }
      host.Write(block);
      sent_ += count;
      peak_ = std::max(peak_.load(), host.output_pending());
    }
    if (sent_ == total_) {
      host.Close();
    }
  }
  static bool Right(const std::string& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] != static_cast<char>(i * 31 >> 5)) {
        return false;
      }
    }
    return true;
  }
  std::size_t peak() const { return peak_; }
  std::size_t sent() const { return sent_; }

 private:
  const std::size_t total_;
  std::atomic<std::size_t> sent_{0};
  std::atomic<std::size_t> peak_{0};
};

Behaviour Flooding(Flood& flood) {
  return {.start = [&](SessionHost& host) { flood.Produce(host); },
          .drained = [&](SessionHost& host) { flood.Produce(host); }};
}

TEST_F(ConnectionTest, LargeOutputArrivesWholeWithBoundedMemory) {
  for (const TlsMode mode : {TlsMode::kNone, TlsMode::kImplicit}) {
    Flood flood(40u << 20);
    const auto listener = Open(Options(Flooding(flood), mode));
    Client client = Client::Tcp(listener->port());
    if (mode == TlsMode::kImplicit) {
      ASSERT_TRUE(client.StartTls());
    }
    const std::string all = client.ReadAll();
    EXPECT_EQ(all.size(), 40u << 20);
    EXPECT_TRUE(Flood::Right(all));
    EXPECT_LT(flood.peak(), limits::kOutputHighBytes + 200'000);
  }
}

TEST_F(ConnectionTest, ClientThatStopsReadingHurtsNobodyAndIsDropped) {
  Flood flood(100u << 20);
  auto options = Options(Flooding(flood), TlsMode::kImplicit);
  options.stalled_output_ms = 300;
  const auto stuck = Open(std::move(options));
  const auto others = Open(Options(Echo()));
  std::vector<Client> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(Client::Tcp(stuck->port()));
    ASSERT_TRUE(readers.back().StartTls());
    EXPECT_FALSE(readers.back().ReadSome(10).empty());  // and no more
  }
  Client client = Client::Tcp(others->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client.Send("ping\r\n"));
    EXPECT_EQ(client.ReadLine(), "ping\r\n");
  }
  EXPECT_TRUE(log_.WaitFor("gone", 4));
  EXPECT_EQ(stuck->stats().stalled.load(), 4u);
}

TEST_F(ConnectionTest, ClientThatResetsInTheMiddleIsForgotten) {
  Flood flood(100u << 20);
  const auto listener = Open(Options(Flooding(flood)));
  {
    Client client = Client::Tcp(listener->port());
    EXPECT_EQ(client.Read(100'000).size(), 100'000u);
    client.Reset();
  }
  EXPECT_TRUE(log_.WaitFor("gone"));
  EXPECT_LT(flood.sent(), 100u << 20);
}

}  // namespace
}  // namespace twinspool::net
