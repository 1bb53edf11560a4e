// Lines, numbers of commands, and what else a hostile client might overdo.
#include <malloc.h>

#include "common/codec.h"
#include "tests/pop3/fixture.h"

namespace twinspool::pop3 {
namespace {

using Pop3Limits = Pop3Test;
using testing::DrivenSession;

constexpr const char* kTooLong = "-ERR The line is too long\r\n";

TEST_F(Pop3Limits, ALineHas255OctetsAtMost) {
  auto session = Greeted();
  const auto user = [](std::size_t line) { return "USER " + std::string(line - 5 - 2, 'u'); };
  EXPECT_EQ(Say(*session, user(255)), "+OK Now the password, by PASS\r\n");
  EXPECT_EQ(Say(*session, user(256)), kTooLong);
  EXPECT_EQ(Say(*session, "NOOP"), "-ERR Log in first\r\n") << "it was skipped to its end";
}

TEST_F(Pop3Limits, ALongLineIsOneErrorHoweverItComes) {
  const std::string line = std::string(100'000, 'x') + "\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, line.size()}) {
    auto session = Greeted();
    for (std::size_t at = 0; at < line.size(); at += piece) {
      session->Send(std::string_view(line).substr(at, piece));
    }
    session->Send("CAPA x\r\n");
    EXPECT_EQ(session->output(), kTooLong + std::string("-ERR This command takes nothing behind "
                                                        "it\r\n"))
        << piece;
  }
}

TEST_F(Pop3Limits, ALineWithoutAnEndIsNotKept) {
  auto session = Greeted();
  const std::string piece(64u << 10, 'x');
  session->Send(piece);
  const std::size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 64; ++i) {
    session->Send(piece);
  }
  EXPECT_LE(mallinfo2().uordblks, before + 2 * piece.size());
}

TEST_F(Pop3Limits, TheAnswerToAuthMayBeLonger) {
  const std::string password(limits::kPasswordBytesMax, 'p');
  store_.AddUser("long", password);
  auto session = Greeted();
  const std::string message = std::string("\0long\0", 6) + password;
  EXPECT_EQ(Say(*session, "AUTH PLAIN " + Base64Encode(message)), kTooLong);
  EXPECT_EQ(Say(*session, "AUTH PLAIN"), "+ \r\n");
  EXPECT_EQ(Say(*session, Base64Encode(message)), "+OK Logged in, 0 messages\r\n");
}

TEST_F(Pop3Limits, TheAnswerToAuthHasAnEndToo) {
  auto session = Greeted();
  Say(*session, "AUTH PLAIN");
  EXPECT_EQ(Say(*session, std::string(limits::kPop3AuthLineBytesMax, 'A')), kTooLong);
  EXPECT_EQ(Say(*session, "NOOP"), "-ERR Log in first\r\n");
}

TEST_F(Pop3Limits, TooManyBadCommandsEndTheSession) {
  auto session = LoggedIn();
  for (int i = 1; i < limits::kBadCommandsMax; ++i) {
    EXPECT_EQ(Say(*session, "X"), "-ERR Unknown command\r\n");
  }
  EXPECT_EQ(Say(*session, "X"), "-ERR Too many commands were wrong\r\n<closed>\r\n");
}

TEST_F(Pop3Limits, SoundCommandsForgiveBadOnes) {
  auto session = LoggedIn();
  for (int i = 0; i < 3 * limits::kBadCommandsMax; ++i) {
    Say(*session, i % 2 == 0 ? "X" : "NOOP");
  }
  EXPECT_FALSE(session->closed());
}

TEST_F(Pop3Limits, LongLinesAreBadCommands) {
  auto session = Greeted();
  for (int i = 0; i < limits::kBadCommandsMax; ++i) {
    session->Send(std::string(300, 'x') + "\r\n");
  }
  EXPECT_TRUE(session->closed());
}

TEST_F(Pop3Limits, NothingIsReadWhileTheStoreChecksALogin) {
  store_.set_complete_later(true);
  auto session = Greeted();
  session->Send("AUTH PLAIN AHRlc3QAcGFzcw==\r\n");
  EXPECT_FALSE(session->paused()) << "nothing has come yet";
  session->Send("NOOP\r\n");
  EXPECT_TRUE(session->paused());
  Settle(*session);
  EXPECT_FALSE(session->paused());
  EXPECT_TRUE(session->output().ends_with("+OK Nothing done\r\n"));
}

TEST_F(Pop3Limits, WhatFollowsStlsInTheClearIsNotTheClients) {
  auto session = Greeted();
  session->Send("USER test\r\nSTLS\r\nQUIT\r\nUSER te");
  Settle(*session);
  session->Send("PASS pass\r\nCAPA x\r\n");
  EXPECT_EQ(session->output(),
            "+OK Now the password, by PASS\r\n+OK Begin TLS negotiation now\r\n<starttls>\r\n"
            "-ERR USER comes first\r\n-ERR This command takes nothing behind it\r\n");
}

TEST_F(Pop3Limits, WhatAStatusSaysCannotLeaveItsLine) {
  auto session = Greeted();
  store_.FailNext("Authenticate", Unavailable("two\r\n+OK lines " + std::string(1000, 'x')));
  const std::string answer = Say(*session, "AUTH PLAIN AHRlc3QAcGFzcw==");
  EXPECT_TRUE(answer.starts_with("-ERR [SYS/TEMP] two??+OK lines x"));
  EXPECT_EQ(answer.size(), limits::kPop3ReplyBytesMax);
  EXPECT_EQ(answer.find("\r\n"), answer.size() - 2);
}

TEST_F(Pop3Limits, TheClientsOwnWordsAreNotRepeated) {
  auto session = Greeted();
  for (const char* line : {"<script>", "USER", "AUTH <script>", "RETR <script>", "LIST \xff"}) {
    EXPECT_EQ(Say(*session, line).find("script"), std::string::npos);
  }
}

}  // namespace
}  // namespace twinspool::pop3
