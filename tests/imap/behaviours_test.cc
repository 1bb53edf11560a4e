// What mail clients count on, as a conversation each, by its number in the catalogue that the
// project was measured against. Those about the store itself: tests/store/behaviours_test.cc.
#include <gtest/gtest.h>

#include "server/imap/session.h"
#include "tests/support/imap_driver.h"

namespace twinspool {
namespace {

std::string Play(std::string_view transcript) {
  return testing::TranscriptRunner({}).Run(transcript);
}

constexpr char kOpen[] =
    "@user test pass\n"
    "@append test INBOX one\\r\\n\n"
    "@append test INBOX two\\r\\n\n"
    "@append test INBOX three\\r\\n\n"
    "S: * OK <any>\n"
    "C: a LOGIN test pass\n"
    "S: a OK <any>\n"
    "C: b ENABLE QRESYNC\n"
    "S: * ENABLED QRESYNC\n"
    "S: b OK <any>\n";
constexpr char kSelect[] =
    "C: s SELECT INBOX\n"
    "S: * FLAGS <any>\n"
    "S: * 3 EXISTS\n"
    "S: * 0 RECENT\n"
    "S: * OK [UNSEEN 1] <any>\n"
    "S: * OK [PERMANENTFLAGS <any>\n"
    "S: * OK [UIDVALIDITY <n>] <any>\n"
    "S: * OK [UIDNEXT 4] <any>\n"
    "S: * OK [HIGHESTMODSEQ <n>] <any>\n"
    "S: * OK [MAILBOXID <any>\n"
    "S: s OK <any>\n";

TEST(ImapBehaviours, B63AppendToAMailboxDeletedMeanwhileSaysTryCreate) {
  EXPECT_EQ(Play(std::string(kOpen) + "C: c CREATE Box\n"
                                      "S: c OK <any>\n"
                                      "C: d APPEND Box {3}\n"
                                      "S: + <any>\n"
                                      "@deletebox test Box\n"
                                      "X: abc\\r\\n\n"
                                      "S: d NO [TRYCREATE] <any>\n"
                                      "C: e NOOP\n"
                                      "S: e OK <any>\n"),
            "");
}

TEST(ImapBehaviours, B64SequenceNumbersCloseUpAndUidsStay) {
  EXPECT_EQ(Play(std::string(kOpen) + kSelect +
                 "C: c UID STORE 2 +FLAGS.SILENT (\\Deleted)\n"
                 "S: * 2 FETCH (UID 2 MODSEQ (<n>))\n"
                 "S: c OK <any>\n"
                 "C: d EXPUNGE\n"
                 "S: * VANISHED 2\n"
                 "S: d OK [HIGHESTMODSEQ <n>] <any>\n"
                 "C: e FETCH 1:* (UID)\n"
                 "S: * 1 FETCH (UID 1)\n"
                 "S: * 2 FETCH (UID 3)\n"
                 "S: e OK <any>\n"
                 "C: f APPEND INBOX {4+}\n"
                 "X: four\\r\\n\n"
                 "S: * 3 EXISTS\n"
                 "S: f OK [APPENDUID <n> 4] <any>\n"),
            "");
}

TEST(ImapBehaviours, B65StatusIsRightAfterAnExpunge) {
  EXPECT_EQ(Play(std::string(kOpen) + "@flags test INBOX 1 1\n"
                                      "@expunge test INBOX 2\n"
                                      "C: c STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE DELETED)\n"
                                      "S: * STATUS INBOX (MESSAGES 2 UIDNEXT 4 UNSEEN 1 SIZE 12 "
                                      "DELETED 0)\n"
                                      "S: c OK <any>\n"),
            "");
}

TEST(ImapBehaviours, B67ModifiedListsWhatFailedAndExpungedOnesMakeANo) {
  EXPECT_EQ(Play(std::string(kOpen) + kSelect +
                 "@flags test INBOX 2 4\n"
                 "C: c UID STORE 1:2 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)\n"
                 "S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (6))\n"
                 "S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (5))\n"
                 "S: c OK [MODIFIED 2] <any>\n"
                 "@expunge test INBOX 3\n"
                 "C: d UID STORE 3 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)\n"
                 "S: * VANISHED 3\n"
                 "S: d NO <any>\n"),
            "");
}

TEST(ImapBehaviours, B68SelectWithQresyncTellsTheDifferenceAlone) {
  EXPECT_EQ(Play(std::string(kOpen) + "@flags test INBOX 1 1\n"
                                      "@expunge test INBOX 2\n"
                                      "C: s SELECT INBOX (QRESYNC (1 4))\n"
                                      "S: * FLAGS <any>\n"
                                      "S: * 2 EXISTS\n"
                                      "S: * 0 RECENT\n"
                                      "S: * OK [UNSEEN 2] <any>\n"
                                      "S: * OK [PERMANENTFLAGS <any>\n"
                                      "S: * OK [UIDVALIDITY 1] <any>\n"
                                      "S: * OK [UIDNEXT 4] <any>\n"
                                      "S: * OK [HIGHESTMODSEQ <n>] <any>\n"
                                      "S: * OK [MAILBOXID <any>\n"
                                      "S: * VANISHED (EARLIER) 2\n"
                                      "S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (5))\n"
                                      "S: s OK <any>\n"
                                      "C: f UID FETCH 1:* (FLAGS) (CHANGEDSINCE 4 VANISHED)\n"
                                      "S: * VANISHED (EARLIER) 2\n"
                                      "S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (5))\n"
                                      "S: f OK <any>\n"),
            "");
}

TEST(ImapBehaviours, B69UidOnlyRefusesSequenceMatchDataAndTellsExpungesByUid) {
  EXPECT_EQ(Play(std::string(kOpen) + "C: c ENABLE UIDONLY\n"
                                      "S: * ENABLED UIDONLY\n"
                                      "S: c OK <any>\n"
                                      "C: d SELECT INBOX (QRESYNC (1 4 1:3 (1:3 1:3)))\n"
                                      "S: d BAD [UIDREQUIRED] <any>\n"
                                      "C: s SELECT INBOX\n"
                                      "S: * FLAGS <any>\n"
                                      "S: * 3 EXISTS\n"
                                      "S: * 0 RECENT\n"
                                      "S: * OK [PERMANENTFLAGS <any>\n"
                                      "S: * OK [UIDVALIDITY <n>] <any>\n"
                                      "S: * OK [UIDNEXT 4] <any>\n"
                                      "S: * OK [HIGHESTMODSEQ <n>] <any>\n"
                                      "S: * OK [MAILBOXID <any>\n"
                                      "S: s OK <any>\n"
                                      "C: e UID STORE 2 +FLAGS.SILENT (\\Deleted)\n"
                                      "S: * 2 UIDFETCH (MODSEQ (<n>))\n"
                                      "S: e OK <any>\n"
                                      "C: f EXPUNGE\n"
                                      "S: * VANISHED 2\n"
                                      "S: f OK <any>\n"
                                      "C: g FETCH 1 (FLAGS)\n"
                                      "S: g BAD [UIDREQUIRED] <any>\n"),
            "");
}

TEST(ImapBehaviours, B70SavedResultsDropExpungedMessages) {
  EXPECT_EQ(Play(std::string(kOpen) + kSelect +
                 "C: c UID SEARCH RETURN (SAVE) ALL\n"
                 "S: c OK <any>\n"
                 "@expunge test INBOX 2\n"
                 "C: d NOOP\n"
                 "S: * VANISHED 2\n"
                 "S: d OK <any>\n"
                 "C: e UID FETCH $ (UID)\n"
                 "S: * 1 FETCH (UID 1)\n"
                 "S: * 2 FETCH (UID 3)\n"
                 "S: e OK <any>\n"),
            "");
}

TEST(ImapBehaviours, B71SeenIsPerUserUnlessSharedAndLastsOverSessions) {
  EXPECT_EQ(Play("@user ann pass\n"
                 "@user bob pass\n"
                 "@grant ann INBOX bob lrs\n"
                 "@append ann INBOX one\\r\\n\n"
                 "S: * OK <any>\n"
                 "C: a LOGIN bob pass\n"
                 "S: a OK <any>\n"
                 "C: b SELECT \"Other Users/ann\"\n"
                 "S: * FLAGS <any>\n"
                 "S: * 1 EXISTS\n"
                 "S: * 0 RECENT\n"
                 "S: * OK [UNSEEN 1] <any>\n"
                 "S: * OK [PERMANENTFLAGS (\\Seen)] <any>\n"
                 "S: * OK [UIDVALIDITY <n>] <any>\n"
                 "S: * OK [UIDNEXT 2] <any>\n"
                 "S: * OK [HIGHESTMODSEQ <n>] <any>\n"
                 "S: * OK [MAILBOXID <any>\n"
                 "S: b OK [READ-WRITE] <any>\n"
                 "C: c FETCH 1 BODY[TEXT]\n"
                 "S: * 1 FETCH (BODY[TEXT] {0}\n"
                 "S: )\n"
                 "S: * 1 FETCH (FLAGS (\\Seen))\n"
                 "S: c OK <any>\n"
                 "C: d LOGOUT\n"
                 "S: * BYE <any>\n"
                 "S: d OK <any>\n"
                 "S: <closed>\n"
                 "S2: * OK <any>\n"
                 "C2: a LOGIN bob pass\n"
                 "S2: a OK <any>\n"
                 "C2: b STATUS \"Other Users/ann\" (UNSEEN)\n"
                 "S2: * STATUS \"Other Users/ann\" (UNSEEN 0)\n"
                 "S2: b OK <any>\n"
                 "S3: * OK <any>\n"
                 "C3: a LOGIN ann pass\n"
                 "S3: a OK <any>\n"
                 "C3: b STATUS INBOX (UNSEEN)\n"
                 "S3: * STATUS INBOX (UNSEEN 1)\n"
                 "S3: b OK <any>\n"
                 "C3: c SETMETADATA INBOX (/shared/vendor/twinspool/shared-seen \"true\")\n"
                 "S3: c OK <any>\n"
                 "C2: c STATUS \"Other Users/ann\" (UNSEEN)\n"
                 "S2: * STATUS \"Other Users/ann\" (UNSEEN 1)\n"
                 "S2: c OK <any>\n"),
            "");
}

/// Its watchers are never woken.
class DeafStore : public testing::MemoryMailStore {
 public:
  using MemoryMailStore::MemoryMailStore;
  std::unique_ptr<Watch> WatchMailbox(MailboxRef mailbox, std::function<void()>) override {
    return MemoryMailStore::WatchMailbox(mailbox, [] {});
  }
};

TEST(ImapBehaviours, B81AnIdlerLearnsOfMailThoughNobodyWakesHimAndIsToldOfAShutdown) {
  ManualClock clock;
  SeededRandom random(1);
  DeafStore store(clock, random);
  const UserRef user = store.AddUser("test", "pass");
  testing::DrivenSession session{testing::DrivenSession::Options{}};
  session.Begin([&](net::SessionHost& host) {
    return imap::MakeSession(host, store, clock, imap::SessionOptions{});
  });
  const auto settle = [&] {
    while (session.Run()) {
    }
    return std::exchange(session.output(), "");
  };
  session.Send("a LOGIN test pass\r\nb SELECT INBOX\r\nc IDLE\r\n");
  EXPECT_NE(settle().find("+ idling"), std::string::npos);
  DeliverRequest request;
  request.user = user;
  request.body = std::move(*store.StageBody(user.id, 3));
  request.body->Write("abc", [](const Result<Unit>&) {});
  store.Deliver(std::move(request), [](const Result<DeliverResult>&) {});
  EXPECT_EQ(settle(), "");
  session.PassTimeout();
  EXPECT_NE(settle().find("* 1 EXISTS\r\n"), std::string::npos);
  session.Shutdown("the node is stopping");
  EXPECT_NE(settle().find("* BYE [UNAVAILABLE] the node is stopping"), std::string::npos);
}

}  // namespace
}  // namespace twinspool
