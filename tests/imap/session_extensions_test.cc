// What transcripts cannot say of CATENATE, NOTIFY, CONTEXT and MESSAGELIMIT: sizes, pacing, limits.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/imap/session.h"
#include "server/mime/summary.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool {
namespace {

using testing::DrivenSession;

class ImapExtensions : public ::testing::Test {
 protected:
  ImapExtensions() {
    user_ = store_.AddUser("test", "pass");
    store_.set_summarise([](std::string_view octets) { return mime::Summarize(octets); });
    session_.Begin([this](net::SessionHost& host) {
      return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
    });
    Say("a LOGIN test pass");
  }

  void Settle() {
    while (session_.Run() || store_.RunCompletions() > 0) {
    }
  }
  std::string Take() {
    Settle();
    return std::exchange(session_.output(), "");
  }
  std::string Say(const std::string& line) {
    session_.Send(line + "\r\n");
    return Take();
  }
  MailboxRef Find(const std::string& name) {
    MailboxRef ref;
    store_.FindMailbox(user_.id, name,
                       [&](const Result<MailboxState>& state) { ref = state->ref; });
    return ref;
  }
  void Append(const std::string& mailbox, const std::string& octets, std::size_t count = 1) {
    AppendTo(Find(mailbox), octets, count);
  }
  void AppendTo(MailboxRef mailbox, const std::string& octets, std::size_t count = 1) {
    std::vector<AppendMessage> messages(count);
    for (AppendMessage& message : messages) {
      message.body = std::move(*store_.StageBody(user_.id, octets.size()));
      message.body->Write(octets, [](const Result<Unit>&) {});
    }
    store_.Append(mailbox, std::move(messages),
                  [](const Result<AppendResult>& result) { ASSERT_TRUE(result.ok()); });
  }
  void Create(const std::string& name) {
    store_.CreateMailbox(user_.id, name, 0, [](const Result<MailboxState>&) {});
  }

  ManualClock clock_;
  SeededRandom random_{7};
  testing::MemoryMailStore store_{clock_, random_};
  UserRef user_;
  DrivenSession session_{DrivenSession::Options{}};
};

TEST_F(ImapExtensions, ALargePartOfCatenateGoesPieceByPiece) {
  const std::string part(20u << 20, 'x');
  const std::string head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n";
  Append("INBOX", head + part + "\r\n--b--\r\n");
  const int before = store_.calls("Write");
  EXPECT_EQ(Say("b APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;SECTION=1\" TEXT {1+}\r\n!)"),
            "b OK [APPENDUID 1 2] APPEND completed\r\n");
  EXPECT_GE(store_.calls("Write") - before,
            static_cast<int>(part.size() / limits::kFetchBatchBytes));
  EXPECT_EQ(Say("c FETCH 1 UID"), "c BAD Select a mailbox first\r\n");
  std::string octets;
  FetchRequest request;
  request.uids = UidSet::Of(2, 2);
  request.parts = kFetchRecord;
  store_.Fetch(Find("INBOX"), request, [&](const Result<FetchBatch>& batch) {
    store_.ReadBody(user_.id, batch->messages.at(0).record.body, 0, part.size() + 10,
                    [&](const Result<std::string>& body) { octets = *body; });
  });
  EXPECT_TRUE(octets == part + "!");
}

TEST_F(ImapExtensions, AMessageHasSoManyPiecesAtMost) {
  Append("INBOX", "hi");
  const auto urls = [](std::size_t count) {
    std::string text = "b APPEND INBOX CATENATE (";
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "URL " : " URL ") + std::string("/INBOX/;UID=1");
    }
    return text + ")";
  };
  EXPECT_TRUE(Say(urls(limits::kCatenatePartsMax)).starts_with("b OK"));
  EXPECT_TRUE(Say(urls(limits::kCatenatePartsMax + 1)).starts_with("b NO [LIMIT]"));
}

TEST_F(ImapExtensions, WhatIsAllOrNothingTakesAsManyAsMessageLimitSays) {
  Append("INBOX", "hi", limits::kAtomicMessagesMax);
  Append("INBOX", "hi");
  Create("To");
  const std::string limit = std::to_string(limits::kAtomicMessagesMax);
  EXPECT_NE(Say("b CAPABILITY").find(" MESSAGELIMIT=" + limit + " "), std::string::npos);
  Say("s SELECT INBOX");
  EXPECT_EQ(Say("c COPY 1:* To"), "c NO [MESSAGELIMIT " + limit +
                                      "] Too many messages for one command; nothing was done\r\n");
  EXPECT_TRUE(Say("d COPY 1:" + limit + " To").starts_with("d OK [COPYUID"));
}

TEST_F(ImapExtensions, TooManyNewsAreFoundByLookingAtAll) {
  for (std::size_t i = 0; i <= limits::kUserNewsMax; ++i) {
    Create("m" + std::to_string(i));
  }
  EXPECT_TRUE(Say("n NOTIFY SET (personal (MessageNew MessageExpunge))").starts_with("n OK"));
  Append("INBOX", std::string(4u << 20, 'x'));
  Say("s EXAMINE INBOX");
  // While the client does not take what was said, nothing is read for it.
  session_.set_slow(true);
  session_.Send("f FETCH 1 BODY.PEEK[]\r\n");
  Settle();
  for (std::size_t i = 0; i <= limits::kUserNewsMax; ++i) {
    Append("m" + std::to_string(i), "hi");
  }
  EXPECT_EQ(session_.output().find("f OK"), std::string::npos);
  EXPECT_EQ(session_.output().find("* STATUS"), std::string::npos);
  for (int i = 0; i < 20; ++i) {
    session_.TakeOutput();
    Settle();
  }
  const std::string told = Take();
  EXPECT_NE(told.find("f OK FETCH completed"), std::string::npos);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = told.find("* STATUS ", at)) != std::string::npos; ++at) {
    ++count;
  }
  EXPECT_EQ(count, limits::kUserNewsMax + 1);
}

TEST_F(ImapExtensions, WhereEntriesAreAskedForTooManyNewsEndNotify) {
  EXPECT_TRUE(Say("n NOTIFY SET (personal (MailboxMetadataChange MessageNew MessageExpunge))")
                  .starts_with("n OK"));
  for (std::size_t i = 0; i <= limits::kUserNewsMax; ++i) {
    Create("m" + std::to_string(i));
    Append("m" + std::to_string(i), "hi");
  }
  EXPECT_TRUE(Take().starts_with("* OK [NOTIFICATIONOVERFLOW] "));
  Append("INBOX", "hi");
  EXPECT_EQ(Take(), "") << "as after NOTIFY NONE";
}

TEST_F(ImapExtensions, OneChangeReadsOneStateHoweverManyMailboxesThereAre) {
  for (int i = 0; i < 1000; ++i) {
    Create("m" + std::to_string(i));
  }
  EXPECT_TRUE(Say("n NOTIFY SET (personal (MessageNew MessageExpunge))").starts_with("n OK"));
  const int states = store_.calls("GetState");
  const int listings = store_.calls("ListMailboxes");
  Append("m7", "hi");
  EXPECT_EQ(Take(), "* STATUS m7 (MESSAGES 1 UIDNEXT 2)\r\n");
  EXPECT_EQ(store_.calls("GetState") - states, 1);
  EXPECT_EQ(store_.calls("ListMailboxes") - listings, 0);
}

TEST_F(ImapExtensions, ACommandThatComesWhileNewsAreToldWaitsForTheEndOfThem) {
  Append("INBOX", "hi");
  Say("s SELECT INBOX");
  Say("n NOTIFY SET (selected (MessageNew (UID) MessageExpunge))");
  const MailboxRef inbox = Find("INBOX");
  store_.set_complete_later(true);
  AppendTo(inbox, "hi");
  session_.Run();
  session_.Send("c UID FETCH 2 (UID)\r\n");
  session_.Run();
  EXPECT_EQ(Take(),
            "* 2 EXISTS\r\n* 2 FETCH (UID 2)\r\n* 2 FETCH (UID 2)\r\nc OK FETCH completed\r\n");
}

}  // namespace
}  // namespace twinspool
