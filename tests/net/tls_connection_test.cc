// TLS on connections: implicit, STARTTLS, garbage, client certificates.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env.h"
#include "tests/net/client.h"
#include "tests/net/server_fixture.h"

namespace twinspool::net {
namespace {

using ::testing::StartsWith;

using TlsConnectionTest = NetTest;

// A line protocol: "STARTTLS" begins TLS, everything else is echoed with a prefix.
Behaviour LineEcho() {
  return {.start = [](SessionHost& host) { host.Write("hello\r\n"); },
          .input =
              [](SessionHost& host, std::string_view bytes) {
                if (bytes.substr(0, 8) == "STARTTLS" && host.tls_available()) {
                  host.Write("go ahead\r\n");
                  host.StartTls();
                } else {
                  host.Write("got " + std::string(bytes));
                }
              },
          .tls = [](SessionHost& host) { host.Write("now " + host.tls().version + "\r\n"); }};
}

TEST_F(TlsConnectionTest, ImplicitTlsGreetsAfterTheHandshake) {
  const auto listener = Open(Options(LineEcho(), TlsMode::kImplicit));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.StartTls());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  ASSERT_TRUE(client.Send("x\r\n"));
  EXPECT_EQ(client.ReadLine(), "got x\r\n");
}

TEST_F(TlsConnectionTest, LargeInputArrivesWhole) {
  std::size_t got = 0;
  const auto listener = Open(Options({.input =
                                          [&](SessionHost& host, std::string_view bytes) {
                                            got += bytes.size();
                                            if (got == 5'000'000) {
                                              host.Write("all");
                                            }
                                          }},
                                     TlsMode::kImplicit));
  Client client = Client::Tcp(listener->port());
  ASSERT_TRUE(client.StartTls());
  ASSERT_TRUE(client.Send(std::string(5'000'000, 'i')));
  EXPECT_EQ(client.Read(3), "all");
}

TEST_F(TlsConnectionTest, StartTlsSwitches) {
  const auto listener = Open(Options(LineEcho(), TlsMode::kStartTls));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  ASSERT_TRUE(client.Send("STARTTLS\r\n"));
  EXPECT_EQ(client.ReadLine(), "go ahead\r\n");
  ASSERT_TRUE(client.StartTls());
  EXPECT_THAT(client.ReadLine(), StartsWith("now TLSv1."));
  ASSERT_TRUE(client.Send("STARTTLS\r\n"));  // not twice
  EXPECT_EQ(client.ReadLine(), "got STARTTLS\r\n");
}

TEST_F(TlsConnectionTest, InputInjectedBehindStartTlsNeverReachesTheSession) {
  const auto listener = Open(Options(LineEcho(), TlsMode::kStartTls));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "hello\r\n");
  ASSERT_TRUE(client.Send("STARTTLS\r\nINJECTED\r\n"));
  EXPECT_EQ(client.ReadLine(), "go ahead\r\n");
  ASSERT_TRUE(client.StartTls());
  EXPECT_THAT(client.ReadLine(), StartsWith("now TLSv1."));
  ASSERT_TRUE(client.Send("clean\r\n"));
  EXPECT_EQ(client.ReadLine(), "got clean\r\n");
  EXPECT_EQ(log_.Count("input"), 2);
}

TEST_F(TlsConnectionTest, GarbageInsteadOfHelloEndsThatClientOnly) {
  const auto listener = Open(Options(LineEcho(), TlsMode::kImplicit));
  Client good = Client::Tcp(listener->port());
  ASSERT_TRUE(good.StartTls());
  EXPECT_EQ(good.ReadLine(), "hello\r\n");
  for (const std::string& junk :
       {std::string("GET / HTTP/1.0\r\n\r\n"), std::string(70'000, '\xff'), std::string(5, '\0')}) {
    Client bad = Client::Tcp(listener->port());
    bad.Send(junk);
    bad.Finish();
    bad.ReadAll();
  }
  ASSERT_TRUE(good.Send("x\r\n"));
  EXPECT_EQ(good.ReadLine(), "got x\r\n");
  EXPECT_EQ(listener->stats().handshakes_failed.load(), 3u);
  EXPECT_EQ(log_.Count("made"), 1);
}

TEST_F(TlsConnectionTest, SilentHandshakeTimesOut) {
  auto options = Options(LineEcho(), TlsMode::kImplicit);
  options.handshake_ms = 50;
  const auto listener = Open(std::move(options));
  Client client = Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_EQ(listener->stats().handshakes_failed.load(), 1u);
}

TEST_F(TlsConnectionTest, ForgedRecordEndsTheConnection) {
  const auto listener = Open(Options(LineEcho(), TlsMode::kStartTls));
  Client client = Client::Tcp(listener->port());
  client.ReadLine();
  client.Send("STARTTLS\r\n");
  client.ReadLine();
  ASSERT_TRUE(client.StartTls());
  client.ReadLine();
  const std::string record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'f');
  ASSERT_EQ(write(client.fd(), record.data(), record.size()), 37);
  EXPECT_TRUE(log_.WaitFor("gone"));
}

TEST_F(TlsConnectionTest, ClientCertificateGivesItsName) {
  const auto listener = Open(Options(
      {.start =
           [](SessionHost& host) {
             host.Write((host.tls().client_names.empty() ? "" : host.tls().client_names.back()) +
                        "\r\n");
           }},
      TlsMode::kImplicit));
  const auto known = IssueCertificate(authority_, {.common_name = "mta.example"}).value();
  Client with = Client::Tcp(listener->port());
  ASSERT_TRUE(with.StartTls(known.certificate_pem, known.key_pem));
  EXPECT_EQ(with.ReadLine(), "mta.example\r\n");

  Client without = Client::Tcp(listener->port());
  ASSERT_TRUE(without.StartTls());
  EXPECT_EQ(without.ReadLine(), "\r\n");

  const auto stranger = MakeSelfSigned({.common_name = "mta.example"}).value();
  Client forged = Client::Tcp(listener->port());
  forged.StartTls(stranger.certificate_pem, stranger.key_pem);
  EXPECT_EQ(forged.ReadLine(), "");
}

TEST_F(TlsConnectionTest, SecureEnoughFollowsTlsAndTheOption) {
  Behaviour tell{
      .start = [](SessionHost& host) { host.Write(host.secure_enough() ? "yes" : "no"); }};
  const auto plain = Open(Options(tell));
  Client client = Client::Tcp(plain->port());
  EXPECT_EQ(client.ReadSome(), "no");

  auto options = Options(tell);
  options.plain_text_on_loopback = true;
  const auto allowed = Open(std::move(options));
  Client loopback = Client::Tcp(allowed->port());
  EXPECT_EQ(loopback.ReadSome(), "yes");

  const auto tls = Open(Options(tell, TlsMode::kImplicit));
  Client secure = Client::Tcp(tls->port());
  ASSERT_TRUE(secure.StartTls());
  EXPECT_EQ(secure.ReadSome(), "yes");
}

TEST_F(TlsConnectionTest, ReloadedCertificateIsShownToNewConnections) {
  const auto dir =
      std::filesystem::temp_directory_path() / ("tls-" + SystemRandom().NewId<PairId>().ToHex());
  std::filesystem::create_directories(dir);
  const auto put = [&](const std::string& name) {
    const auto made = MakeSelfSigned({.common_name = name}).value();
    std::ofstream(dir / "cert.pem") << made.certificate_pem;
    std::ofstream(dir / "key.pem") << made.key_pem;
  };
  put("before");
  auto options = Options(LineEcho(), TlsMode::kImplicit);
  options.tls =
      TlsSource::Open({.certificate_file = dir / "cert.pem", .key_file = dir / "key.pem"}).value();
  const auto source = options.tls;
  const auto listener = Open(std::move(options));
  Client first = Client::Tcp(listener->port());
  ASSERT_TRUE(first.StartTls());
  EXPECT_EQ(first.ReadLine(), "hello\r\n");
  put("after");
  ASSERT_TRUE(source->Reload().ok());
  Client second = Client::Tcp(listener->port());
  ASSERT_TRUE(second.StartTls());
  EXPECT_EQ(first.ServerName(), "before");
  EXPECT_EQ(second.ServerName(), "after");
  ASSERT_TRUE(first.Send("still here\r\n"));
  EXPECT_EQ(first.ReadLine(), "got still here\r\n");
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace twinspool::net
