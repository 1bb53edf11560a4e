// The PROXY protocol: its header, and what a listener makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/net/proxy_header.h"
#include "tests/net/client.h"
#include "tests/net/proxy_header.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

ProxyHeader Parsed(const std::string& bytes) {
  ProxyHeader header;
  EXPECT_EQ(ParseProxyHeader(bytes, &header), ProxyParse::kDone);
  return header;
}

ProxyParse Outcome(const std::string& bytes) {
  ProxyHeader header;
  return ParseProxyHeader(bytes, &header);
}

TEST(ProxyHeader, NamesTheClient) {
  EXPECT_EQ(Parsed(ProxyHeaderFor("192.0.2.9")).address, "192.0.2.9");
  EXPECT_EQ(Parsed(ProxyHeaderFor("2001:db8::9")).address, "2001:db8::9");
  EXPECT_EQ(Parsed(ProxyHeaderFor("::ffff:192.0.2.9")).address, "192.0.2.9");
  EXPECT_EQ(Parsed(ProxyHeaderFor("192.0.2.9")).size, 28u);
  EXPECT_EQ(Parsed(ProxyHeaderFor("192.0.2.9", std::string(300, 'x')) + "a LOGIN").size, 328u);
}

TEST(ProxyHeader, OfTheProxysOwnConnectionsNamesNobody) {
  EXPECT_EQ(Parsed(ProxyHeaderOf(0x20, 0x00, "")).address, "") << "LOCAL";
  EXPECT_EQ(Parsed(ProxyHeaderOf(0x20, 0x11, std::string(12, 'x'))).address, "");
  EXPECT_EQ(Parsed(ProxyHeaderOf(0x21, 0x00, std::string(5, 'x'))).address, "") << "UNSPEC";
  EXPECT_EQ(Parsed(ProxyHeaderOf(0x21, 0x31, std::string(216, 'x'))).address, "") << "Unix";
}

TEST(ProxyHeader, ComesInAnyPieces) {
  const std::string whole = ProxyHeaderFor("192.0.2.9", "\x04\x00\x01x");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Outcome(whole.substr(0, size)), ProxyParse::kMore) << size;
  }
}

TEST(ProxyHeader, IsBadWhenItIsSomethingElse) {
  const std::string good = ProxyHeaderFor("192.0.2.9");
  for (std::size_t at = 0; at < 13; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x44);
    EXPECT_EQ(Outcome(bad), ProxyParse::kBad) << at;
    EXPECT_EQ(Outcome(bad.substr(0, 16)), ProxyParse::kBad) << at << ": as soon as it can be told";
  }
  EXPECT_EQ(Outcome("PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n"), ProxyParse::kBad) << "version 1";
  EXPECT_EQ(Outcome(ProxyHeaderOf(0x21, 0x11, std::string(11, 'x'))), ProxyParse::kBad);
  EXPECT_EQ(Outcome(ProxyHeaderOf(0x21, 0x21, std::string(35, 'x'))), ProxyParse::kBad);
  EXPECT_EQ(Outcome(ProxyHeaderOf(0x21, 0x31, std::string(215, 'x'))), ProxyParse::kBad);
  EXPECT_EQ(Outcome(ProxyHeaderOf(0x21, 0x12, std::string(12, 'x'))), ProxyParse::kBad) << "UDP";
  EXPECT_EQ(Outcome(ProxyHeaderOf(0x22, 0x11, std::string(12, 'x'))), ProxyParse::kBad);
  EXPECT_EQ(Outcome(ProxyHeaderOf(0x21, 0x11, std::string(limits::kProxyHeaderBytesMax + 1, 'x'))
                        .substr(0, 16)),
            ProxyParse::kBad)
      << "before it has come";
}

class ProxyTest : public NetTest {
 protected:
  ListenerOptions Proxied(TlsMode mode = TlsMode::kNone) {
    ListenerOptions options =
        Options({.start = [](SessionHost& host) { host.Write(host.peer_address() + "\r\n"); },
                 .input = [](SessionHost& host, std::string_view bytes) { host.Write(bytes); }},
                mode);
    options.proxies = Networks::Parse({"127.0.0.0/8"}).value();
    options.refusal = "no\r\n";
    return options;
  }
};

TEST_F(ProxyTest, TheSessionSeesTheClientAndWhatFollowsTheHeader) {
  const auto listener = Open(Proxied());
  Client client = Client::Tcp(listener->port());
  client.Send(ProxyHeaderFor("192.0.2.9", "\x04\x00\x01x") + "hello\r\n");
  EXPECT_EQ(client.ReadLine(), "192.0.2.9\r\n");
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
}

TEST_F(ProxyTest, TheHeaderMayComeOctetByOctet) {
  const auto listener = Open(Proxied());
  Client client = Client::Tcp(listener->port());
  for (const char c : ProxyHeaderFor("2001:db8::9")) {
    client.Send(std::string_view(&c, 1));
  }
  EXPECT_EQ(client.ReadLine(), "2001:db8::9\r\n");
}

TEST_F(ProxyTest, TlsFollowsTheHeader) {
  const auto listener = Open(Proxied(TlsMode::kImplicit));
  Client client = Client::Tcp(listener->port());
  client.Send(ProxyHeaderFor("192.0.2.9"));
  ASSERT_TRUE(client.StartTls());
  EXPECT_EQ(client.ReadLine(), "192.0.2.9\r\n");
  client.Send("through TLS\r\n");
  EXPECT_EQ(client.ReadLine(), "through TLS\r\n");
}

TEST_F(ProxyTest, ItsOwnConnectionsKeepTheProxysAddress) {
  const auto listener = Open(Proxied());
  Client client = Client::Tcp(listener->port());
  client.Send(ProxyHeaderOf(0x20, 0x00, ""));
  EXPECT_EQ(client.ReadLine(), "127.0.0.1\r\n");
}

TEST_F(ProxyTest, ATrustedProxyWithoutAGoodHeaderIsClosed) {
  const auto listener = Open(Proxied());
  Client without = Client::Tcp(listener->port());
  without.Send("a NOOP\r\n");
  EXPECT_EQ(without.ReadAll(), "");
  Client half = Client::Tcp(listener->port());
  half.Send(ProxyHeaderFor("192.0.2.9").substr(0, 20));
  half.Finish();
  EXPECT_EQ(half.ReadAll(), "");
}

TEST_F(ProxyTest, AHeaderThatDoesNotComeIsNotWaitedForLong) {
  ListenerOptions options = Proxied();
  options.handshake_ms = 50;
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(ProxyTest, FromAnybodyElseAHeaderIsWhatTheClientSays) {
  ListenerOptions options = Proxied();
  options.proxies = Networks::Parse({"192.0.2.0/24"}).value();
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  const std::string header = ProxyHeaderFor("192.0.2.9");
  client.Send(header);
  EXPECT_EQ(client.ReadLine(), "127.0.0.1\r\n");
  EXPECT_EQ(client.Read(header.size()), header);
}

TEST_F(ProxyTest, LimitsCountTheClientsNotTheProxy) {
  ListenerOptions options = Proxied();
  options.connections_per_address_max = 1;
  const auto listener = Open(std::move(options));
  Client first = Client::Tcp(listener->port());
  first.Send(ProxyHeaderFor("192.0.2.9"));
  EXPECT_EQ(first.ReadLine(), "192.0.2.9\r\n");
  Client other = Client::Tcp(listener->port());
  other.Send(ProxyHeaderFor("192.0.2.10"));
  EXPECT_EQ(other.ReadLine(), "192.0.2.10\r\n");
  Client second = Client::Tcp(listener->port());
  second.Send(ProxyHeaderFor("192.0.2.9"));
  EXPECT_EQ(second.ReadAll(), "no\r\n");
  EXPECT_EQ(listener->stats().refused.load(), 1u);
  first.Close();
  ASSERT_TRUE(log_.WaitFor("gone"));
  std::string answer = "no\r\n";
  while (answer == "no\r\n") {  // until the place is given back, right after the session is gone
    Client again = Client::Tcp(listener->port());
    again.Send(ProxyHeaderFor("192.0.2.9"));
    answer = again.ReadLine();
  }
  EXPECT_EQ(answer, "192.0.2.9\r\n");
}

TEST_F(ProxyTest, AClientBehindAProxyIsNotAtLoopback) {
  ListenerOptions options = Options({.start = [](SessionHost& host) {
    host.Write(host.secure_enough() ? "secure\r\n" : "not secure\r\n");
  }});
  options.plain_text_on_loopback = true;
  options.proxies = Networks::Parse({"127.0.0.1"}).value();
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  client.Send(ProxyHeaderFor("127.0.0.1"));
  EXPECT_EQ(client.ReadLine(), "not secure\r\n");
}

}  // namespace
}  // namespace twinspool::net
