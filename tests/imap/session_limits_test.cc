// What one session may cost the others: memory, time of its thread, lines before login; and how
// keywords are told.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/imap/load_budget.h"
#include "server/imap/session.h"
#include "server/mime/summary.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool {
namespace {

using testing::DrivenSession;

class ImapLimits : public ::testing::Test {
 protected:
  ImapLimits() {
    user_ = store_.AddUser("test", "pass");
    store_.set_summarise([](std::string_view octets) { return mime::Summarize(octets); });
  }

  std::unique_ptr<DrivenSession> Greeted() {
    auto session = std::make_unique<DrivenSession>(DrivenSession::Options{});
    session->Begin([this](net::SessionHost& host) {
      return imap::MakeSession(host, store_, clock_, options_);
    });
    session->output().clear();
    return session;
  }

  std::unique_ptr<DrivenSession> Selected() {
    auto session = Greeted();
    Say(*session, "a LOGIN test pass");
    Say(*session, "s SELECT INBOX");
    return session;
  }

  void Settle(DrivenSession& session) {
    while (session.Run() || store_.RunCompletions() > 0) {
    }
  }

  std::string Say(DrivenSession& session, const std::string& line) {
    session.Send(line + "\r\n");
    Settle(session);
    return std::exchange(session.output(), "");
  }

  void CollectAside() {
    options_.aside = [this](std::function<void()> work) {
      aside_.push_back(std::move(work));
      return true;
    };
  }
  void RunAside() {
    for (const std::function<void()>& work : std::exchange(aside_, {})) {
      work();
    }
  }

  MailboxRef Inbox() {
    MailboxRef inbox;
    store_.FindMailbox(user_.id, "INBOX",
                       [&](const Result<MailboxState>& state) { inbox = state->ref; });
    return inbox;
  }

  void Append(const std::string& octets) {
    std::vector<AppendMessage> messages(1);
    messages[0].body = std::move(*store_.StageBody(user_.id, octets.size()));
    messages[0].body->Write(octets, [](const Result<Unit>&) {});
    store_.Append(Inbox(), std::move(messages),
                  [](const Result<AppendResult>& result) { ASSERT_TRUE(result.ok()); });
  }

  void AddKeyword(std::uint32_t uid, const std::string& keyword) {
    store_.StoreFlags(Inbox(), {UidSet::Of(uid, uid), FlagChange::kAdd, {0, {keyword}}, {}},
                      [](const Result<StoreResult>& result) { ASSERT_TRUE(result.ok()); });
  }

  /// A message above limits::kFetchBatchBytes, with `text` as its second part.
  static std::string Large(const std::string& text) {
    return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n" +
           std::string(2u << 20, 'a') + "\r\n--x\r\n\r\n" + text + "\r\n--x--\r\n";
  }

  ManualClock clock_;
  SeededRandom random_{7};
  testing::MemoryMailStore store_{clock_, random_};
  UserRef user_;
  std::vector<std::function<void()>> aside_;
  imap::SessionOptions options_;
};

// --- before login

TEST_F(ImapLimits, LittleIsBufferedBeforeLogin) {
  store_.set_complete_later(true);
  auto session = Greeted();
  session->Send("a LOGIN test pass\r\n");
  std::string noops;
  while (noops.size() < limits::kPreLoginInputBytesMax) {
    noops += "n NOOP\r\n";
  }
  session->Send(noops.substr(0, limits::kPreLoginInputBytesMax));
  EXPECT_FALSE(session->paused());
  session->Send("n NOOP\r\n");
  EXPECT_TRUE(session->paused());
  Settle(*session);
  EXPECT_FALSE(session->paused());
}

TEST_F(ImapLimits, LinesBeforeLoginAreShort) {
  auto session = Greeted();
  const std::string line =
      "a LOGIN test \"" + std::string(limits::kPreLoginLineBytesMax, 'x') + "\"";
  EXPECT_EQ(Say(*session, line), "* BYE command line too long\r\n<closed>\r\n");
  session = Greeted();
  Say(*session, "a LOGIN test pass");
  EXPECT_EQ(Say(*session, "b STATUS \"" + std::string(900, 'x') + "\" (MESSAGES)").find("* BYE"),
            std::string::npos);
  EXPECT_EQ(Say(*session, line).find("* BYE"), std::string::npos);
}

TEST_F(ImapLimits, ALoginHasADeadlineAndASessionHasNot) {
  auto session = Greeted();
  EXPECT_EQ(session->deadline_ms(), limits::kLoginMs);
  Say(*session, "a NOOP");
  Say(*session, "a STARTTLS");
  EXPECT_EQ(session->deadline_ms(), limits::kLoginMs) << "not set anew";
  Say(*session, "a LOGIN test pass");
  EXPECT_EQ(session->deadline_ms(), 0);
}

TEST_F(ImapLimits, AutologoutComesAfterHalfAnHourAtTheEarliest) {
  constexpr std::int64_t kHalfAnHourMs = 30 * 60'000;
  auto session = Selected();
  EXPECT_GE(session->timeout_ms(), kHalfAnHourMs);
  Say(*session, "i IDLE");
  std::int64_t waited = 0;
  while (!session->closed()) {
    waited += session->timeout_ms();
    session->PassTimeout();
    Settle(*session);
    ASSERT_LT(waited, 10 * kHalfAnHourMs);
  }
  EXPECT_GE(waited, kHalfAnHourMs);
  EXPECT_TRUE(
      session->output().ends_with("* BYE The connection was idle for too long\r\n<closed>\r\n"));
}

// --- large messages

TEST_F(ImapLimits, LargeMessagesAreLoadedWithinOneBudgetOfAllSessions) {
  options_.loads = std::make_shared<imap::LoadBudget>(3u << 20);
  Append(Large("needle"));
  imap::LoadBudget::PlacePtr taken;
  options_.loads->Ask(1u << 20, [&](Result<imap::LoadBudget::PlacePtr> place) { taken = *place; });
  ASSERT_NE(taken, nullptr);
  auto reader = Selected();
  auto searcher = Selected();
  const int reads = store_.calls("ReadBody");
  EXPECT_EQ(Say(*searcher, "s SEARCH BODY needle"), "");
  EXPECT_EQ(store_.calls("ReadBody"), reads) << "it waits in line";
  for (const char* section : {"[]<0.10>", "[2]", "[1]<5.10>", "[2.MIME]"}) {
    EXPECT_NE(Say(*reader, std::string("f FETCH 1 BODY.PEEK") + section).find("f OK"),
              std::string::npos)
        << section << " is not held whole and needs no place";
  }
  taken.reset();
  Settle(*searcher);
  EXPECT_EQ(searcher->output(), "* SEARCH 1\r\ns OK SEARCH completed\r\n");
}

TEST_F(ImapLimits, ASessionThatEndsInTheLineHoldsUpNobody) {
  options_.loads = std::make_shared<imap::LoadBudget>(3u << 20);
  Append(Large("needle"));
  imap::LoadBudget::PlacePtr taken;
  options_.loads->Ask(3u << 20, [&](Result<imap::LoadBudget::PlacePtr> place) { taken = *place; });
  auto gone = Selected();
  Say(*gone, "s SEARCH BODY needle");
  auto next = Selected();
  Say(*next, "s SEARCH BODY needle");
  gone->Drop();
  taken.reset();
  Settle(*gone);
  Settle(*next);
  EXPECT_NE(next->output().find("s OK"), std::string::npos);
}

// --- long computations

TEST_F(ImapLimits, OthersOnTheThreadAreAnsweredWhileALargeMessageIsFolded) {
  CollectAside();
  Append(Large("needle"));
  auto searcher = Selected();
  auto other = Selected();
  EXPECT_EQ(Say(*searcher, "s SEARCH BODY needle"), "");
  ASSERT_EQ(aside_.size(), 1U);
  EXPECT_EQ(Say(*other, "n NOOP"), "n OK NOOP completed\r\n");
  EXPECT_EQ(searcher->output(), "");
  RunAside();
  Settle(*searcher);
  EXPECT_EQ(searcher->output(), "* SEARCH 1\r\ns OK SEARCH completed\r\n");
}

TEST_F(ImapLimits, SmallMessagesAreNotWorthTheWay) {
  CollectAside();
  Append("Subject: small\r\n\r\nneedle\r\n");
  EXPECT_NE(Say(*Selected(), "s SEARCH TEXT needle").find("* SEARCH 1\r\n"), std::string::npos);
  EXPECT_TRUE(aside_.empty());
}

// A piece at a time, and between the pieces the thread is free for others.
TEST_F(ImapLimits, PartsOfALargeMessageAreFoundPieceByPiece) {
  Append(Large("needle"));
  store_.set_complete_later(true);
  auto reader = Selected();
  auto other = Selected();
  const int reads = store_.calls("ReadBody");
  reader->Send("f FETCH 1 BODY.PEEK[2]\r\n");
  while (store_.calls("ReadBody") == reads) {
    ASSERT_TRUE(reader->Run() || store_.RunCompletions() > 0);
  }
  EXPECT_EQ(Say(*other, "n NOOP"), "n OK NOOP completed\r\n");
  Settle(*reader);
  EXPECT_TRUE(reader->output().ends_with("BODY[2] {6}\r\nneedle)\r\nf OK FETCH completed\r\n"));
  EXPECT_GE(store_.calls("ReadBody"), reads + 3);
  const int found = store_.calls("ReadBody");
  EXPECT_TRUE(Say(*reader, "g FETCH 1 BODY.PEEK[2]<1.2>")
                  .ends_with("{2}\r\nee)\r\ng OK FETCH completed\r\n"));
  EXPECT_EQ(store_.calls("ReadBody"), found + 1) << "now it is known where they lie";
}

TEST_F(ImapLimits, WhatNobodyTakesIsDoneInPlace) {
  options_.aside = [](const std::function<void()>&) { return false; };
  Append(Large("needle"));
  EXPECT_NE(Say(*Selected(), "s SEARCH BODY needle").find("* SEARCH 1\r\n"), std::string::npos);
}

TEST_F(ImapLimits, ASessionThatEndsDuringItsScanGivesItsPlaceBack) {
  CollectAside();
  options_.loads = std::make_shared<imap::LoadBudget>(3u << 20);
  Append(Large("needle"));
  auto gone = Selected();
  Say(*gone, "s SEARCH BODY needle");
  ASSERT_EQ(aside_.size(), 1U);
  gone->Drop();
  bool free = false;
  options_.loads->Ask(3u << 20, [&](const Result<imap::LoadBudget::PlacePtr>&) { free = true; });
  EXPECT_FALSE(free) << "the octets are still held";
  RunAside();
  Settle(*gone);
  EXPECT_TRUE(free);
}

TEST(LoadBudgetTest, ServesInOrderAndSurvivesPlacesDroppedAtOnce) {
  const auto budget = std::make_shared<imap::LoadBudget>(10);
  std::vector<imap::LoadBudget::PlacePtr> held;
  std::string order;
  const auto ask = [&](std::uint64_t bytes, char name, bool keep) {
    budget->Ask(bytes, [&held, &order, name, keep](Result<imap::LoadBudget::PlacePtr> place) {
      order += name;
      if (keep) {
        held.push_back(std::move(*place));
      }
    });
  };
  ask(1000, 'a', true);  // more than there is: all of it
  ask(6, 'b', true);
  for (int i = 0; i < 100'000; ++i) {
    ask(10, '.', false);
  }
  ask(1, 'c', true);
  EXPECT_EQ(order, "a");
  std::exchange(held, {}).clear();
  EXPECT_EQ(order, "ab") << "the large one behind does not let the small one pass";
  std::exchange(held, {}).clear();
  EXPECT_EQ(order, "ab" + std::string(100'000, '.') + "c");
}

// --- the thread's time

TEST_F(ImapLimits, AListOfManyNamesLetsOthersInBetween) {
  for (int i = 0; i < 300; ++i) {
    store_.CreateMailbox(user_.id, "box" + std::to_string(i), 0,
                         [](const Result<MailboxState>& made) { ASSERT_TRUE(made.ok()); });
  }
  std::string patterns;
  for (std::size_t i = 0; i < limits::kListPatternsMax; ++i) {
    patterns += (i == 0 ? "" : " ") + ("none" + std::to_string(i)) + "*";
  }
  auto session = Greeted();
  Say(*session, "a LOGIN test pass");
  session->Send("l LIST \"\" (" + patterns.substr(patterns.find(' ') + 1) + " box299)\r\n");
  int turns = 0;
  while (session->output().find("l OK") == std::string::npos) {
    ASSERT_TRUE(session->RunOne());
    ++turns;
  }
  EXPECT_GE(turns, static_cast<int>(300 * limits::kListPatternsMax / limits::kListMatchesPerTurn));
  EXPECT_NE(session->output().find("* LIST (\\HasNoChildren) \"/\" box299\r\nl OK"),
            std::string::npos);
}

TEST_F(ImapLimits, ASearchOfLargeMessagesTakesOnePerTurn) {
  for (int i = 0; i < 3; ++i) {
    Append(Large("needle " + std::to_string(i)));
  }
  auto session = Selected();
  session->Send("s SEARCH BODY \"needle 2\"\r\n");
  int turns = 0;
  while (session->RunOne()) {
    ++turns;
  }
  EXPECT_EQ(session->output(), "* SEARCH 3\r\ns OK SEARCH completed\r\n");
  EXPECT_GE(turns, 3);
}

// --- texts that the store keeps

TEST_F(ImapLimits, MessagesWithoutATextAreReadThemselves) {
  Append("Subject: one\r\n\r\nneedle\r\n");
  Append("Subject: needle\r\n\r\nlonger, and without its text\r\n");
  Append("Subject: three\r\n\r\nnothing, and without its text\r\n");
  store_.set_text_bytes_max(30);
  auto session = Selected();
  EXPECT_EQ(Say(*session, "a SEARCH TEXT needle"), "* SEARCH 1 2\r\na OK SEARCH completed\r\n");
  EXPECT_EQ(Say(*session, "b SEARCH BODY needle"), "* SEARCH 1\r\nb OK SEARCH completed\r\n");
  EXPECT_EQ(Say(*session, "c SEARCH OR SUBJECT needle BODY nothing"),
            "* SEARCH 2 3\r\nc OK SEARCH completed\r\n");
  EXPECT_EQ(Say(*session, "d SEARCH NOT BODY needle SINCE 1-Jan-1970 UNSEEN"),
            "* SEARCH 2 3\r\nd OK SEARCH completed\r\n");
  EXPECT_EQ(Say(*session, "e SEARCH SUBJECT e BODY text BODY longer"),
            "* SEARCH 2\r\ne OK SEARCH completed\r\n");
}

TEST_F(ImapLimits, HeadersAreLookedThroughBeforeBodies) {
  for (int i = 0; i < 30; ++i) {
    Append("Subject: " + std::to_string(i) + "\r\n\r\nbody\r\n");
  }
  auto session = Selected();
  const int before = store_.calls("SearchText");
  EXPECT_EQ(Say(*session, "a SEARCH BODY body SUBJECT 29"),
            "* SEARCH 30\r\na OK SEARCH completed\r\n");
  EXPECT_EQ(store_.calls("SearchText") - before, 4) << "three batches of headers, one body";
}

TEST_F(ImapLimits, ASearchEndsWithItsClient) {
  for (int i = 0; i < 30; ++i) {
    Append("Subject: " + std::to_string(i) + "\r\n\r\nbody\r\n");
  }
  auto session = Selected();
  store_.set_complete_later(true);
  const int before = store_.calls("SearchText");
  session->Send("a SEARCH BODY needle\r\n");
  session->Run();
  session->Drop();
  Settle(*session);
  EXPECT_EQ(store_.calls("SearchText") - before, 1) << "nobody asks for the next batch";
}

TEST_F(ImapLimits, ASearchThatTakesTooLongIsCutOff) {
  for (int i = 0; i < 30; ++i) {
    Append("Subject: " + std::to_string(i) + "\r\n\r\nbody\r\n");
  }
  auto session = Selected();
  store_.set_complete_later(true);
  session->Send("a SEARCH BODY body\r\n");
  session->Run();
  clock_.AdvanceMs(limits::kSearchMs);
  Settle(*session);
  EXPECT_NE(session->output().find("\r\na NO [LIMIT] "), std::string::npos) << session->output();
  session->output().clear();
  EXPECT_EQ(Say(*session, "b SEARCH SUBJECT 7"), "* SEARCH 8 18 28\r\nb OK SEARCH completed\r\n");
}

// The store is asked for entries with certain flags: what is denied, doubled or grouped must not
// lose any.
TEST_F(ImapLimits, FlagsThatTheStoreChoosesBy) {
  const SystemFlags all[] = {0, kSeen, kFlagged, kSeen | kFlagged};
  for (std::uint32_t i = 0; i < 4; ++i) {
    Append("Subject: s\r\n\r\nbody\r\n");
    store_.StoreFlags(Inbox(), {UidSet::Of(i + 1, i + 1), FlagChange::kAdd, {all[i], {}}, {}},
                      [](const Result<StoreResult>& result) { ASSERT_TRUE(result.ok()); });
  }
  auto session = Selected();
  const std::pair<const char*, const char*> searches[] = {{"FLAGGED", " 3 4"},
                                                          {"UNFLAGGED", " 1 2"},
                                                          {"FLAGGED SEEN", " 4"},
                                                          {"FLAGGED UNSEEN", " 3"},
                                                          {"NOT FLAGGED", " 1 2"},
                                                          {"NOT UNFLAGGED", " 3 4"},
                                                          {"NOT (FLAGGED SEEN)", " 1 2 3"},
                                                          {"FLAGGED NOT FLAGGED", ""},
                                                          {"OR FLAGGED SEEN", " 2 3 4"},
                                                          {"NOT NOT FLAGGED", " 3 4"},
                                                          {"FLAGGED BODY body", " 3 4"},
                                                          {"BODY body NOT SEEN", " 1 3"}};
  for (const auto& [keys, found] : searches) {
    EXPECT_EQ(Say(*session, std::string("a SEARCH ") + keys),
              "* SEARCH" + std::string(found) + "\r\na OK SEARCH completed\r\n")
        << keys;
  }
}

// --- keywords

TEST_F(ImapLimits, NoRoomForKeywordsIsSaid) {
  Append("one");
  std::string keywords;
  for (std::size_t i = 0; i < limits::kKeywordsPerMailboxMax; ++i) {
    keywords += (i == 0 ? "k" : " k") + std::to_string(i);
  }
  auto session = Selected();
  const std::string answer = Say(*session, "k STORE 1 +FLAGS.SILENT (" + keywords + ")");
  EXPECT_NE(answer.find("[PERMANENTFLAGS ("), std::string::npos);
  EXPECT_EQ(answer.find("\\*"), std::string::npos) << "no more can be made";
  EXPECT_TRUE(Say(*session, "l STORE 1 +FLAGS (onemore)").starts_with("l NO [LIMIT]"));
}

TEST_F(ImapLimits, AKeywordIsNamedBeforeAFetchShowsIt) {
  Append("one");
  for (const std::string fetch :
       {"FETCH 1 (FLAGS)", "FETCH 1 (FLAGS RFC822.SIZE)", "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "FETCH 1 (FLAGS RFC822.SIZE) (CHANGEDSINCE 1)"}) {
    auto session = Selected();
    const std::string keyword = "new" + std::to_string(fetch.size());
    AddKeyword(1, keyword);
    const std::string answer = Say(*session, "f " + fetch);
    const std::size_t shown = answer.find(keyword, answer.find("* 1 FETCH ("));
    const std::size_t named = answer.find(keyword, answer.find("* FLAGS ("));
    ASSERT_NE(shown, std::string::npos) << answer;
    EXPECT_LT(named, shown) << fetch;
    EXPECT_EQ(answer.find("* FLAGS ("), answer.rfind("* FLAGS (")) << "once";
  }
}

TEST_F(ImapLimits, AKeywordOfAStoreThatChangesNothingIsNamedFirst) {
  Append("one");
  auto session = Selected();
  AddKeyword(1, "mine");
  const std::string answer = Say(*session, "f STORE 1 +FLAGS (mine)");
  EXPECT_LT(answer.find("* FLAGS ("), answer.find("* 1 FETCH (")) << answer;
}

}  // namespace
}  // namespace twinspool
