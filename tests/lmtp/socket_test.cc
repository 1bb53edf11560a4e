// LMTP over a real socket with STARTTLS, as an MTA meets it.
#include <gtest/gtest.h>

#include "server/lmtp/session.h"
#include "tests/lmtp/fake_mail_store.h"
#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::lmtp {
namespace {

using LmtpSocket = net::NetTest;

std::string ReadReply(net::Client& client) {
  std::string line = client.ReadLine();
  while (line.size() > 3 && line[3] == '-') {
    line = client.ReadLine();
  }
  return line.substr(0, 3);
}

TEST_F(LmtpSocket, DeliversThroughTls) {
  FakeMailStore store;
  net::ListenerOptions options;
  options.name = "lmtp";
  options.tls_mode = net::TlsMode::kStartTls;
  options.tls = Tls();
  options.factory = [&](net::SessionHost& host) {
    return std::make_unique<Session>(host, store, "node.example");
  };
  const auto listener = Open(std::move(options));
  net::Client client = net::Client::Tcp(listener->port());
  EXPECT_EQ(ReadReply(client), "220");
  client.Send("LHLO mta\r\n");
  EXPECT_EQ(ReadReply(client), "250");
  client.Send("STARTTLS\r\n");
  EXPECT_EQ(ReadReply(client), "220");
  ASSERT_TRUE(client.StartTls());
  client.Send("LHLO mta\r\nMAIL FROM:<s@x>\r\nRCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nDATA\r\n");
  for (const char* code : {"250", "250", "250", "250", "354"}) {
    EXPECT_EQ(ReadReply(client), code);
  }
  std::string octets;
  for (int i = 0; octets.size() < 600'000; ++i) {
    octets += "line " + std::to_string(i) + "\r\n";
  }
  client.Send(octets + ".\r\nQUIT\r\n");
  EXPECT_EQ(ReadReply(client), "250");
  EXPECT_EQ(ReadReply(client), "250");
  EXPECT_EQ(ReadReply(client), "221");
  EXPECT_EQ(client.ReadAll(), "");
  listener->Stop("over");
  ASSERT_EQ(store.deliveries.size(), 2u);
  EXPECT_TRUE(store.deliveries[0].octets == octets);
  EXPECT_TRUE(store.deliveries[1].octets == octets);
}

}  // namespace
}  // namespace twinspool::lmtp
