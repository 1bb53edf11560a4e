// Listeners: addresses, limits, stopping, role changes.
#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env.h"
#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

using ::testing::HasSubstr;

class ListenerTest : public NetTest {
 protected:
  ListenerTest()
      : path_(std::filesystem::temp_directory_path() /
              ("net-" + SystemRandom().NewId<PairId>().ToHex())) {}
  void TearDown() override { unlink(path_.c_str()); }

  const std::string path_;
};

TEST_F(ListenerTest, AddressInUseIsSaid) {
  const auto listener = Open(Options(Echo()));
  auto options = Options(Echo());
  options.port = listener->port();
  const Status status = Listener::Open(pool_, std::move(options)).status();
  EXPECT_EQ(status.code(), Code::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(listener->port())));
}

TEST_F(ListenerTest, NonsenseAddressAndMissingCertificateAreRefused) {
  auto options = Options(Echo());
  options.address = "mail.example";
  EXPECT_EQ(Listener::Open(pool_, options).code(), Code::kInvalidArgument);
  options.address = "127.0.0.1";
  options.tls_mode = TlsMode::kStartTls;
  EXPECT_EQ(Listener::Open(pool_, options).code(), Code::kInvalidArgument);
}

TEST_F(ListenerTest, WildcardTakesBothFamilies) {
  auto options = Options({.start = [](SessionHost& host) { host.Write(host.peer_address()); }});
  options.address = "*";
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadSome(), "127.0.0.1");  // not ::ffff:127.0.0.1
}

TEST_F(ListenerTest, UnixSocket) {
  auto options = Options({.start = [](SessionHost& host) {
    host.Write(host.peer_address() + (host.secure_enough() ? " secure" : " insecure"));
  }});
  options.unix_path = path_;
  options.connections_per_address_max = 0;  // of no concern to Unix sockets
  auto listener = Open(options);
  Client client = Client::Unix(path_);
  EXPECT_EQ(client.ReadSome(), "unix secure");
  EXPECT_EQ(Listener::Open(pool_, options).code(), Code::kAlreadyExists);
  listener.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, StaleSocketFileIsReplacedButNoOtherFile) {
  auto options = Options(Echo());
  options.unix_path = path_;
  {
    const auto dead = Open(options);
    std::filesystem::rename(path_, path_ + ".kept");
  }
  std::filesystem::rename(path_ + ".kept", path_);
  {
    const auto listener = Open(options);
    Client client = Client::Unix(path_);
    EXPECT_EQ(client.ReadLine(), "hello\r\n");
  }
  fclose(fopen(path_.c_str(), "w"));
  EXPECT_EQ(Listener::Open(pool_, options).code(), Code::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, OverTheLimitIsRefusedWithALine) {
  auto options = Options(Echo());
  options.connections_max = 2;
  options.refusal = "too many\r\n";
  const auto listener = Open(std::move(options));
  Client one = Client::Tcp(listener->port());
  Client two = Client::Tcp(listener->port());
  EXPECT_EQ(one.ReadLine(), "hello\r\n");
  EXPECT_EQ(two.ReadLine(), "hello\r\n");
  Client three = Client::Tcp(listener->port());
  EXPECT_EQ(three.ReadAll(), "too many\r\n");
  EXPECT_EQ(listener->stats().refused.load(), 1u);
  one.Reset();
  ASSERT_TRUE(log_.WaitFor("gone"));
  // The place is given back right after the session's end.
  std::string line;
  while (line != "hello\r\n") {
    line = Client::Tcp(listener->port()).ReadLine();
    ASSERT_FALSE(line.empty());
  }
}

TEST_F(ListenerTest, PerAddressLimit) {
  auto options = Options(Echo());
  options.connections_per_address_max = 1;
  options.refusal = "too many from you\r\n";
  const auto listener = Open(std::move(options));
  Client one = Client::Tcp(listener->port());
  EXPECT_EQ(one.ReadLine(), "hello\r\n");
  EXPECT_EQ(Client::Tcp(listener->port()).ReadAll(), "too many from you\r\n");
}

TEST_F(ListenerTest, StopSaysGoodbyeAndWaits) {
  const auto listener = Open(Options(Echo(), TlsMode::kStartTls));
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Client::Tcp(listener->port()));
    EXPECT_EQ(clients.back().ReadLine(), "hello\r\n");
  }
  std::thread stopper([&] { listener->Stop("maintenance"); });
  for (Client& client : clients) {
    EXPECT_EQ(client.ReadAll(), "BYE maintenance\r\n");
    client.Close();
  }
  stopper.join();
  EXPECT_EQ(listener->connections(), 0u);
  EXPECT_EQ(log_.Count("gone"), 20);
  EXPECT_FALSE(Client::Tcp(listener->port()).connected());
}

TEST_F(ListenerTest, StopCutsWhoDoesNotLeave) {
  Behaviour stubborn = Echo();
  stubborn.shutdown = [](SessionHost&, std::string_view) {};
  const auto listener = Open(Options(stubborn));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  listener->Stop("now", 50);
  EXPECT_EQ(listener->connections(), 0u);
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(ListenerTest, StopEndsHandshakesToo) {
  const auto listener = Open(Options(Echo(), TlsMode::kImplicit));
  Client client = Client::Tcp(listener->port());
  while (listener->connections() == 0) {
    std::this_thread::yield();
  }
  listener->Stop("now");
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(ListenerTest, CloseAllGoesOnAccepting) {
  const auto listener = Open(Options(Echo()));
  Client old = Client::Tcp(listener->port());
  EXPECT_EQ(old.ReadLine(), "hello\r\n");
  listener->CloseAll("not primary any more");
  EXPECT_EQ(old.ReadAll(), "BYE not primary any more\r\n");
  Client fresh = Client::Tcp(listener->port());
  EXPECT_EQ(fresh.ReadLine(), "hello\r\n");
  ASSERT_TRUE(fresh.Send("still here\r\n"));
  EXPECT_EQ(fresh.ReadLine(), "still here\r\n");
}

TEST_F(ListenerTest, ManyClientsAtOnce) {
  const auto listener = Open(Options(Echo()));
  std::vector<Client> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(Client::Tcp(listener->port()));
    ASSERT_TRUE(clients.back().Send(std::to_string(i) + "\r\n"));
  }
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(clients[static_cast<std::size_t>(i)].ReadLine(), "hello\r\n");
    EXPECT_EQ(clients[static_cast<std::size_t>(i)].ReadLine(), std::to_string(i) + "\r\n");
  }
  EXPECT_EQ(listener->stats().accepted.load(), 300u);
}

}  // namespace
}  // namespace twinspool::net
