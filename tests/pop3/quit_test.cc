// What a session leaves behind: flags and expunges, with QUIT and without.
#include "tests/pop3/fixture.h"

namespace twinspool::pop3 {
namespace {

using Pop3Quit = Pop3Test;
using testing::DrivenSession;

constexpr const char* kMail = "Subject: a\r\n\r\nb\r\n";

TEST_F(Pop3Quit, WhatWasRetrievedBecomesSeen) {
  Fill(4, kMail);
  auto session = LoggedIn();
  Say(*session, "RETR 1");
  Say(*session, "TOP 2 10");
  Say(*session, "RETR 3");
  Say(*session, "DELE 3");
  Say(*session, "RETR 4");
  Say(*session, "DELE 4");
  EXPECT_EQ(Flags(), "1: 2: 3: 4:") << "nothing is written before QUIT";
  Say(*session, "RSET");
  Say(*session, "DELE 4");
  EXPECT_EQ(Say(*session, "QUIT"), "+OK Bye\r\n<closed>\r\n");
  EXPECT_EQ(Flags(), "1:S 2: 3:S");
}

TEST_F(Pop3Quit, ADroppedConnectionChangesNothing) {
  Fill(2, kMail);
  auto session = LoggedIn();
  Say(*session, "RETR 1");
  Say(*session, "DELE 2");
  session->Drop();
  EXPECT_EQ(Flags(), "1: 2:");
}

TEST_F(Pop3Quit, OneWriteEach) {
  Fill(100, kMail);
  auto session = LoggedIn();
  for (int i = 1; i <= 100; ++i) {
    Say(*session, "RETR " + std::to_string(i));
    if (i % 2 == 0) {
      Say(*session, "DELE " + std::to_string(i));
    }
  }
  Say(*session, "QUIT");
  EXPECT_EQ(store_.calls("StoreFlags"), 2);
  EXPECT_EQ(store_.calls("Expunge"), 1);
}

TEST_F(Pop3Quit, AMessageThatAnotherClientKeptIsTold) {
  Fill(3, kMail);
  auto session = LoggedIn();
  Say(*session, "DELE 1");
  Say(*session, "DELE 2");
  store_.undeleted.Add(2);
  EXPECT_EQ(
      Say(*session, "QUIT"),
      "-ERR [SYS/TEMP] Not all deleted messages were removed: another client has kept some of "
      "them\r\n<closed>\r\n");
  EXPECT_EQ(Flags(), "2: 3:");
}

TEST_F(Pop3Quit, IsAnsweredThoughTheNodeStops) {
  Fill(2, kMail);
  auto session = LoggedIn();
  Say(*session, "DELE 1");
  store_.set_complete_later(true);
  session->Send("QUIT\r\n");
  session->Shutdown("the node stops");
  EXPECT_EQ(session->output(), "");
  Settle(*session);
  EXPECT_EQ(session->output(), "+OK Bye\r\n<closed>\r\n");
}

TEST_F(Pop3Quit, NothingIsSaidBeforeTheStoreHasAnswered) {
  Fill(2, kMail);
  auto session = LoggedIn();
  Say(*session, "DELE 1");
  Say(*session, "RETR 2");
  store_.set_complete_later(true);
  session->Send("QUIT\r\n");
  // \Deleted, the expunge, \Seen: each is acked before the next, all before the answer.
  for (int step = 0; step < 3; ++step) {
    session->Run();
    EXPECT_EQ(session->output(), "") << step;
    EXPECT_EQ(store_.RunCompletions(), 1u) << step;
  }
  session->Run();
  EXPECT_EQ(session->output(), "+OK Bye\r\n<closed>\r\n");
}

TEST_F(Pop3Quit, AStoreMayAnswerASessionThatIsGone) {
  Fill(1, kMail);
  auto session = LoggedIn();
  Say(*session, "DELE 1");
  store_.set_complete_later(true);
  session->Send("QUIT\r\n");
  session->Drop();
  session.reset();
  EXPECT_EQ(store_.RunCompletions(), 1u);
}

}  // namespace
}  // namespace twinspool::pop3
