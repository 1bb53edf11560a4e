// POP3 over real sockets: STLS and TLS from the start, and a large message to a client that reads.
#include <gtest/gtest.h>

#include "server/pop3/session.h"
#include "tests/net/client.h"
#include "tests/net/server_fixture.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool::pop3 {
namespace {

class Pop3Socket : public net::NetTest {
 protected:
  std::unique_ptr<net::Listener> OpenPop3(net::TlsMode mode) {
    const UserRef user = store_.AddUser("test", "pass");
    store_.FindMailbox(user.id, "INBOX", [&](const Result<MailboxState>& inbox) {
      std::vector<AppendMessage> messages(1);
      messages[0].body = std::move(*store_.StageBody(user.id, message_.size()));
      messages[0].body->Write(message_, [](const Result<Unit>&) {});
      store_.Append(inbox->ref, std::move(messages), [](const Result<AppendResult>&) {});
    });
    net::ListenerOptions options;
    options.name = "pop3";
    options.tls_mode = mode;
    options.tls = Tls();
    options.linger_ms = 50;
    options.factory = [&](net::SessionHost& host) {
      return std::make_unique<Session>(host, store_, clock_);
    };
    return Open(std::move(options));
  }

  void LogInAndTakeAll(net::Client& client) {
    client.Send("USER test\r\nPASS pass\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
    EXPECT_EQ(client.ReadLine().substr(0, 3), "+OK");
    EXPECT_EQ(client.ReadLine(), "+OK Logged in, 1 messages\r\n");
    EXPECT_EQ(client.ReadLine(), "+OK " + std::to_string(message_.size()) + " octets\r\n");
    EXPECT_TRUE(client.Read(message_.size()) == message_);
    EXPECT_EQ(client.ReadAll(), ".\r\n+OK Message 1 goes with QUIT\r\n+OK Bye\r\n");
  }

  ManualClock clock_;
  SeededRandom random_{3};
  testing::MemoryMailStore store_{clock_, random_};
  const std::string message_ =
      "Subject: large\r\n\r\n" + std::string(8u << 20, 'x') + "\r\nend\r\n";
};

TEST_F(Pop3Socket, Stls) {
  const auto listener = OpenPop3(net::TlsMode::kStartTls);
  net::Client client = net::Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "+OK Twinspool ready\r\n");
  client.Send("USER test\r\n");
  EXPECT_EQ(client.ReadLine().substr(0, 5), "-ERR ") << "not in the clear";
  client.Send("STLS\r\n");
  EXPECT_EQ(client.ReadLine().substr(0, 3), "+OK");
  ASSERT_TRUE(client.StartTls());
  LogInAndTakeAll(client);
  listener->Stop("over");
}

TEST_F(Pop3Socket, TlsFromTheStart) {
  const auto listener = OpenPop3(net::TlsMode::kImplicit);
  net::Client client = net::Client::Tcp(listener->port());
  ASSERT_TRUE(client.StartTls());
  EXPECT_EQ(client.ReadLine(), "+OK Twinspool ready\r\n");
  LogInAndTakeAll(client);
  listener->Stop("over");
}

TEST_F(Pop3Socket, AStoppingNodeSaysSo) {
  const auto listener = OpenPop3(net::TlsMode::kStartTls);
  net::Client client = net::Client::Tcp(listener->port());
  EXPECT_EQ(client.ReadLine(), "+OK Twinspool ready\r\n");
  listener->Stop("the node stops");
  EXPECT_EQ(client.ReadAll(), "-ERR [SYS/TEMP] the node stops\r\n");
}

}  // namespace
}  // namespace twinspool::pop3
