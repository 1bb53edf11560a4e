// What transcripts cannot say: the client's pace, pieces, broken reads, pauses.
#include "tests/pop3/fixture.h"

namespace twinspool::pop3 {
namespace {

using Pop3Flow = Pop3Test;
using testing::DrivenSession;

/// Most that may wait for a client: what was not too much yet, and one piece with all its dots.
constexpr std::size_t kPendingMax = limits::kOutputHighBytes + 2 * limits::kPop3PieceBytes + 1024;

/// What a slow client gets in the end.
std::string TakeAll(DrivenSession& session) {
  while (session.output_pending() > 0) {
    session.TakeOutput();
    session.Run();
  }
  return std::exchange(session.output(), "");
}

std::string Lines(std::size_t octets) {
  std::string text = "Subject: large\r\n\r\n";
  for (int i = 0; text.size() < octets; ++i) {
    text += (i % 3 == 0 ? ".line " : "line ") + std::to_string(i) + "\r\n";
  }
  return text;
}

std::string Stuffed(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    out += text[at] == '.' && text[at - 1] == '\n' ? ".." : text.substr(at, 1);
  }
  return out;
}

TEST_F(Pop3Flow, SlowClientBoundsTheOutputOfALargeMessage) {
  const std::string body = Lines(20u << 20);
  Fill(1, body);
  auto session = LoggedIn();
  session->set_slow(true);
  session->Send("RETR 1\r\nNOOP\r\n");
  session->Run();
  EXPECT_TRUE(session->paused()) << "nothing more is read while the answer waits";
  const std::string answer = TakeAll(*session);
  EXPECT_LE(session->pending_max(), kPendingMax);
  EXPECT_TRUE(answer == "+OK " + std::to_string(body.size()) + " octets\r\n" + Stuffed(body) +
                            ".\r\n+OK Nothing done\r\n");
  EXPECT_FALSE(session->paused());
}

TEST_F(Pop3Flow, NothingButDotsAndLineEndsIsBoundedToo) {
  std::string body;
  while (body.size() < 4u << 20) {
    body += ".\n";
  }
  Fill(1, body);
  auto session = LoggedIn();
  session->set_slow(true);
  session->Send("RETR 1\r\n");
  session->Run();
  const std::string answer = TakeAll(*session);
  EXPECT_LE(session->pending_max(), kPendingMax);
  EXPECT_GT(answer.size(), 2 * body.size());
}

TEST_F(Pop3Flow, SlowClientBoundsTheOutputOfALargeListing) {
  Fill(75'000, "a\r\n");
  Fill(75'000, "a\r\n");
  auto session = LoggedIn();
  session->set_slow(true);
  session->Send("UIDL\r\nSTAT\r\n");
  session->Run();
  const std::string answer = TakeAll(*session);
  EXPECT_LE(session->pending_max(), kPendingMax);
  EXPECT_GT(answer.size(), 2u << 20) << "or it tests nothing";
  EXPECT_EQ(std::count(answer.begin(), answer.end(), '\n'), 150'000 + 3);
  EXPECT_TRUE(answer.ends_with(".150000\r\n.\r\n+OK 150000 450000\r\n"));
}

TEST_F(Pop3Flow, TopReadsNoMoreThanItNeeds) {
  Fill(1, Lines(10u << 20));
  auto session = LoggedIn();
  Say(*session, "TOP 1 5");
  EXPECT_EQ(store_.calls("ReadBody"), 0);
  EXPECT_TRUE(Say(*session, "TOP 1 30000").ends_with("\r\n.\r\n"));
  EXPECT_EQ(store_.calls("ReadBody"), 1);
}

TEST_F(Pop3Flow, AClientThatTakesNothingIsAnsweredNoMore) {
  auto session = LoggedIn();
  session->set_slow(true);
  std::string commands;
  for (int i = 0; i < 100'000; ++i) {
    commands += "CAPA\r\n";
  }
  session->Send(commands);
  EXPECT_LE(session->pending_max(), kPendingMax);
  EXPECT_TRUE(session->paused());
  const std::string answers = TakeAll(*session);
  EXPECT_EQ(std::count(answers.begin(), answers.end(), '\n'), 100'000 * 11);
  EXPECT_FALSE(session->paused());
}

TEST_F(Pop3Flow, OctetsThatCannotBeReadEndTheConnectionWithoutTheFinalDot) {
  std::vector<std::string> faults;
  options_.on_fault = [&](std::string_view id, const Status& status) {
    faults.push_back(std::string(id.substr(0, 1)) + " " + std::string(status.message()));
  };
  Fill(1, Lines(1u << 20));
  auto session = LoggedIn();
  store_.FailNext("ReadBody", DataLoss("a block of the disk"));
  const std::string answer = Say(*session, "RETR 1");
  EXPECT_TRUE(answer.ends_with("<closed>\r\n"));
  EXPECT_EQ(answer.find("\r\n.\r\n"), std::string::npos);
  EXPECT_EQ(faults, std::vector<std::string>{"e a block of the disk"});
  session = LoggedIn();
  Say(*session, "QUIT");
  EXPECT_EQ(Flags(), "1:") << "it was not retrieved";
}

TEST_F(Pop3Flow, AStopAmidAMessageSaysNothing) {
  Fill(1, Lines(4u << 20));
  auto session = LoggedIn();
  session->set_slow(true);
  session->Send("RETR 1\r\n");
  session->Run();
  session->output().clear();
  session->Shutdown("the node stops");
  EXPECT_EQ(session->output(), "<closed>\r\n");
}

TEST_F(Pop3Flow, AStopAmidAListingSaysNothing) {
  Fill(100'000, "a\r\n");
  auto session = LoggedIn();
  session->set_slow(true);
  session->Send("UIDL\r\n");
  session->Run();
  session->output().clear();
  session->Shutdown("the node stops");
  EXPECT_EQ(session->output(), "<closed>\r\n");
}

TEST_F(Pop3Flow, AMessageMayGoInTheMiddleOfASession) {
  Fill(2, Lines(1u << 20));
  auto session = LoggedIn();
  session->set_slow(true);
  session->Send("RETR 1\r\n");
  session->Drop();
  session = LoggedIn();
  EXPECT_TRUE(Say(*session, "RETR 2").ends_with("\r\n.\r\n"));
}

TEST_F(Pop3Flow, ALoginReadsALargeMaildropInBatches) {
  Fill(10'000, "abc\r\n");
  auto session = LoggedIn();
  EXPECT_EQ(store_.calls("Fetch"), 3);
  EXPECT_EQ(Say(*session, "STAT"), "+OK 10000 50000\r\n");
}

TEST_F(Pop3Flow, ALoginReadsTheUidsOfALargeMaildropInBatches) {
  Fill(25, "abc\r\n");
  store_.uid_slice = 10;
  auto session = LoggedIn();
  EXPECT_EQ(store_.calls("ReadUids"), 3);
  EXPECT_EQ(Say(*session, "STAT"), "+OK 25 125\r\n");
}

TEST_F(Pop3Flow, WhatVanishesAmidALoginIsNotThere) {
  Fill(3, "abc\r\n");
  store_.vanishing.Add(2);
  auto session = LoggedIn();
  EXPECT_EQ(Say(*session, "LIST"), "+OK 2 messages\r\n1 5\r\n2 5\r\n.\r\n");
}

TEST_F(Pop3Flow, AMessageWithADamagedRecordKeepsItsPlaceAndName) {
  Fill(3, "abc\r\n");
  auto session = LoggedIn();
  const std::string names = Say(*session, "UIDL");
  store_.damaged.Add(2);
  session = LoggedIn();
  EXPECT_EQ(Say(*session, "LIST"), "+OK 3 messages\r\n1 5\r\n2 0\r\n3 5\r\n.\r\n");
  EXPECT_EQ(Say(*session, "UIDL"), names);
  EXPECT_TRUE(Say(*session, "RETR 2").starts_with("-ERR [SYS/PERM] Damaged here"));
  EXPECT_EQ(Say(*session, "RETR 3"), "+OK 5 octets\r\nabc\r\n.\r\n");
}

TEST_F(Pop3Flow, PipelinedCommandsAreAnsweredInTheirOrder) {
  Fill(2, "a\r\n");
  store_.set_complete_later(true);
  auto session = Greeted();
  session->Send(
      "AUTH PLAIN AHRlc3QAcGFzcw==\r\nSTAT\r\nRETR 2\r\nLIST 1\r\nDELE 1\r\nQUIT\r\nNOOP\r\n");
  EXPECT_TRUE(session->paused());
  Settle(*session);
  EXPECT_EQ(session->output(),
            "+OK Logged in, 2 messages\r\n+OK 2 6\r\n+OK 3 octets\r\na\r\n.\r\n+OK 1 3\r\n"
            "+OK Message 1 goes with QUIT\r\n+OK Bye\r\n<closed>\r\n");
}

TEST_F(Pop3Flow, ARefusedLoginWaitsLongerEachTimeAndIsNotHurried) {
  auto session = Greeted();
  for (const std::int64_t pause : {500, 1000, 2000, 4000}) {
    session->Send("AUTH PLAIN AHRlc3QAd3Jvbmc=\r\n");
    Settle(*session);
    EXPECT_EQ(session->timeout_ms(), pause);
    EXPECT_TRUE(session->paused()) << "what a client sends would begin the pause anew";
    EXPECT_EQ(session->output(), "");
    session->PassTimeout();
    EXPECT_EQ(std::exchange(session->output(), ""),
              "-ERR [AUTH] The user name or the password is wrong\r\n");
    EXPECT_FALSE(session->paused());
    EXPECT_EQ(session->timeout_ms(), limits::kPreLoginIdleMs);
  }
}

TEST_F(Pop3Flow, TheTimerOfAnIdleSession) {
  auto session = Greeted();
  EXPECT_EQ(session->timeout_ms(), limits::kPreLoginIdleMs);
  EXPECT_EQ(session->deadline_ms(), limits::kLoginMs);
  Say(*session, "AUTH PLAIN AHRlc3QAcGFzcw==");
  EXPECT_GE(session->timeout_ms(), 10 * 60'000) << "RFC 1939 §3";
  EXPECT_EQ(session->deadline_ms(), 0);
  // A store that takes its time is not the client's idleness.
  Fill(1, "a\r\n");
  session = LoggedIn();
  store_.set_complete_later(true);
  session->Send("RETR 1\r\n");
  session->PassTimeout();
  EXPECT_FALSE(session->closed());
  Settle(*session);
  session->output().clear();
  session->PassTimeout();
  EXPECT_EQ(session->output(), "<closed>\r\n");
}

}  // namespace
}  // namespace twinspool::pop3
