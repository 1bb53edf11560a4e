// What transcripts cannot say: pacing, coalescing, lifetimes, linear cost.
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
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

class ImapFlow : public ::testing::Test {
 protected:
  ImapFlow() {
    user_ = store_.AddUser("test", "pass");
    store_.set_summarise([](std::string_view octets) { return mime::Summarize(octets); });
  }

  void Open() {
    session_.Begin([this](net::SessionHost& host) {
      return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
    });
    session_.output().clear();
    Say("a LOGIN test pass");
  }

  void Settle() {
    while (session_.Run() || store_.RunCompletions() > 0) {
    }
  }

  std::string Say(const std::string& line) {
    session_.Send(line + "\r\n");
    Settle();
    return std::exchange(session_.output(), "");
  }

  void Fill(int count, const std::string& octets) {
    MailboxRef inbox;
    store_.FindMailbox(user_.id, "INBOX",
                       [&](const Result<MailboxState>& state) { inbox = state->ref; });
    std::vector<AppendMessage> messages(static_cast<std::size_t>(count));
    for (AppendMessage& message : messages) {
      message.body = std::move(*store_.StageBody(user_.id, octets.size()));
      message.body->Write(octets, [](const Result<Unit>&) {});
    }
    store_.Append(inbox, std::move(messages),
                  [](const Result<AppendResult>& result) { ASSERT_TRUE(result.ok()); });
  }

  ManualClock clock_;
  SeededRandom random_{7};
  testing::MemoryMailStore store_{clock_, random_};
  UserRef user_;
  DrivenSession session_{DrivenSession::Options{}};
};

TEST_F(ImapFlow, AnswerAndTaggedLineLeaveInOneWrite) {
  Fill(3, "Subject: a\r\n\r\nb\r\n");
  Open();
  Say("s SELECT INBOX");
  const int before = session_.writes();
  const std::string answer = Say("f FETCH 1:* (FLAGS UID)");
  EXPECT_EQ(session_.writes() - before, 1);
  EXPECT_NE(answer.find("f OK"), std::string::npos);
}

TEST_F(ImapFlow, SlowClientBoundsTheOutputOfALargeBody) {
  const std::string body = "Subject: big\r\n\r\n" + std::string(20u << 20, 'x');
  Fill(1, body);
  Open();
  Say("s SELECT INBOX");
  session_.set_slow(true);
  session_.Send("f FETCH 1 BODY.PEEK[]\r\n");
  Settle();
  EXPECT_EQ(session_.output().find("f OK"), std::string::npos);
  int rounds = 0;
  while (session_.output().find("\r\nf OK") == std::string::npos && ++rounds < 1000) {
    session_.TakeOutput();
    Settle();
  }
  EXPECT_LE(session_.pending_max(), 3 * limits::kOutputHighBytes);
  EXPECT_GT(rounds, 5);
  EXPECT_NE(session_.output().find(body), std::string::npos);
}

TEST_F(ImapFlow, ALargeEncodedPartIsDecodedOnItsWay) {
  constexpr std::size_t kDecoded = 12u << 20;
  std::string body =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n"
      "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  for (std::size_t i = 0; i < kDecoded; i += 48) {
    body += std::string(64, 'Q') + "\r\n";  // 0x41 0x04 0x10, sixteen times
  }
  Fill(1, body + "--b--\r\n");
  Open();
  Say("s SELECT INBOX");
  EXPECT_EQ(Say("a FETCH 1 (BINARY.SIZE[2] BINARY.SIZE[1])"),
            "* 1 FETCH (BINARY.SIZE[2] " + std::to_string(kDecoded) +
                " BINARY.SIZE[1] 5)\r\na OK FETCH completed\r\n");
  EXPECT_EQ(Say("b FETCH 1 (BINARY.PEEK[2]<12000001.4>)"),
            "* 1 FETCH (BINARY[2]<12000001> ~{4}\r\n\x04\x10\x41\x04)\r\nb OK FETCH completed\r\n");
  EXPECT_EQ(Say("c FETCH 1 (BINARY.PEEK[2]<99000000.4> BINARY.PEEK[1])"),
            "* 1 FETCH (BINARY[2]<99000000> ~{0}\r\n BINARY[1] ~{5}\r\nfirst)\r\n"
            "c OK FETCH completed\r\n");
  session_.set_slow(true);
  session_.Send("d FETCH 1 (BINARY.PEEK[2] UID)\r\n");
  Settle();
  for (int round = 0; round < 1000 && session_.output().find("d OK") == std::string::npos;
       ++round) {
    session_.TakeOutput();
    Settle();
  }
  EXPECT_LE(session_.pending_max(), 3 * limits::kOutputHighBytes);
  const std::string head =
      "* 1 FETCH (UID 1 BINARY[2] ~{" + std::to_string(kDecoded) + "}\r\n\x41\x04\x10\x41";
  EXPECT_TRUE(session_.output().starts_with(head)) << session_.output().substr(0, 80);
  EXPECT_TRUE(session_.output().ends_with("\x41\x04\x10)\r\nd OK FETCH completed\r\n"));
}

TEST_F(ImapFlow, ManyMessagesAreSortedAndThreadedAside) {
  Fill(static_cast<int>(limits::kSortAsideMin) + 1, "Subject: Re: s\r\n\r\n");
  Open();
  Say("s SELECT INBOX");
  const std::string last = std::to_string(limits::kSortAsideMin + 1);
  const std::string sorted = Say("a SORT (REVERSE SUBJECT SIZE) UTF-8 ALL");
  EXPECT_TRUE(sorted.starts_with("* SORT 1 2 3 ")) << sorted.substr(0, 40);
  EXPECT_TRUE(sorted.ends_with(" " + last + "\r\na OK SORT completed\r\n"));
  const std::string threads = Say("b THREAD REFERENCES UTF-8 ALL");
  EXPECT_TRUE(threads.starts_with("* THREAD ((1)(2)(3)")) << threads.substr(0, 40);
  EXPECT_TRUE(threads.ends_with("(" + last + "))\r\nb OK THREAD completed\r\n"));
}

TEST_F(ImapFlow, SlowClientBoundsTheOutputOfAHundredThousandFlags) {
  Fill(100'000, "a");
  Open();
  Say("s SELECT INBOX");
  session_.set_slow(true);
  session_.Send("f UID FETCH 1:* (FLAGS)\r\n");
  Settle();
  for (int round = 0; round < 1000 && session_.output().find("\r\nf OK") == std::string::npos;
       ++round) {
    session_.TakeOutput();
    Settle();
  }
  EXPECT_NE(session_.output().find("* 100000 FETCH (UID 100000 FLAGS ())\r\nf OK"),
            std::string::npos);
  EXPECT_LE(session_.pending_max(), 4 * limits::kOutputHighBytes);
}

TEST_F(ImapFlow, SlowClientBoundsTheOutputOfPipelinedCommands) {
  Fill(1, "Subject: big\r\n\r\n" + std::string(30u << 10, 'x'));
  Open();
  Say("s SELECT INBOX");
  session_.set_slow(true);
  for (int i = 0; i < 200; ++i) {
    session_.Send("f FETCH 1 BODY.PEEK[]\r\n");
    Settle();
  }
  EXPECT_LE(session_.pending_max(), 3 * limits::kOutputHighBytes);
  session_.Send("z NOOP\r\n");
  for (int round = 0; round < 1000 && !session_.output().ends_with("z OK NOOP completed\r\n");
       ++round) {
    session_.TakeOutput();
    Settle();
  }
  EXPECT_TRUE(session_.output().ends_with("z OK NOOP completed\r\n"));
}

TEST_F(ImapFlow, AQresyncClientThatCatchesUpDuringAReadIsAnsweredOnce) {
  constexpr int kMessages = 30'000;
  Fill(kMessages, "a");
  Open();
  Say("e ENABLE QRESYNC");
  Say("s SELECT INBOX");
  // A wide keyword table makes slices small: output is queued while the next one is being read.
  std::string keywords;
  for (std::size_t i = 0; i < limits::kKeywordsPerMailboxMax; ++i) {
    const std::string number = std::to_string(i);
    keywords += (i == 0 ? "" : " ") + number + std::string(limits::kKeywordBytesMax - 4, 'k');
  }
  ASSERT_NE(Say("k UID STORE 1 +FLAGS.SILENT (" + keywords + ")").find("k OK"), std::string::npos);
  const std::string state = Say("t STATUS INBOX (UIDVALIDITY)");
  const std::size_t at = state.find("UIDVALIDITY ") + 12;
  const std::string validity = state.substr(at, state.find(')', at) - at);
  session_.set_slow(true);
  store_.set_complete_later(true);
  session_.Send("q SELECT INBOX (QRESYNC (" + validity + " 1))\r\n");
  for (bool moved = true; moved;) {
    moved = session_.Run();
    if (session_.output_pending() > limits::kOutputHighBytes) {
      session_.TakeOutput();
      moved = true;
    }
    moved = store_.RunCompletions() > 0 || moved;
  }
  const std::string& output = session_.output();
  const std::string last = "* " + std::to_string(kMessages) + " FETCH (";
  ASSERT_NE(output.find(last), std::string::npos);
  EXPECT_EQ(output.find(last), output.rfind(last));
  EXPECT_TRUE(output.ends_with("q OK [READ-WRITE] SELECT completed\r\n"));
  EXPECT_EQ(output.find("q OK"), output.rfind("q OK"));
}

TEST_F(ImapFlow, FlagsOfManyKeywordsComeInSmallSlices) {
  Fill(2'000, "a");
  Open();
  Say("s SELECT INBOX");
  std::string keywords;
  for (std::size_t i = 0; i < limits::kKeywordsPerMailboxMax; ++i) {
    const std::string number = std::to_string(i);
    keywords += (i == 0 ? "" : " ") + number + std::string(limits::kKeywordBytesMax - 4, 'k');
  }
  session_.set_slow(true);
  session_.Send("k STORE 1:* FLAGS (" + keywords + ")\r\nf FETCH 1:* FLAGS\r\n");
  Settle();
  for (int round = 0; round < 1000 && session_.output().find("\r\nf OK") == std::string::npos;
       ++round) {
    session_.TakeOutput();
    Settle();
  }
  EXPECT_NE(session_.output().find("\r\nf OK"), std::string::npos);
  EXPECT_LE(session_.pending_max(), 2 * limits::kIndexSliceBytes);
}

TEST_F(ImapFlow, InputStaysPausedWhileMuchWaitsBehindRefusedLogins) {
  session_.Begin([this](net::SessionHost& host) {
    return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
  });
  std::string flood = "a LOGIN test wrong\r\nb LOGIN test wrong\r\n";
  while (flood.size() < 2 * limits::kInputBytesMax) {
    flood += "c NOOP\r\n";
  }
  session_.Send(flood);
  EXPECT_TRUE(session_.paused());
  Settle();
  session_.PassTimeout();  // "a" is answered, "b" is being asked
  EXPECT_TRUE(session_.paused());
  Settle();
  session_.PassTimeout();
  Settle();
  EXPECT_FALSE(session_.paused()) << "all was read";
}

TEST_F(ImapFlow, CommandsBeforeTheHandshakeAreForgotten) {
  session_.Begin([this](net::SessionHost& host) {
    return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
  });
  session_.output().clear();
  session_.Send("a STARTTLS\r\nb LOGIN test pass\r\nc LIS");
  Settle();
  EXPECT_EQ(session_.output(), "a OK Begin TLS negotiation now\r\n<starttls>\r\n");
  session_.output().clear();
  EXPECT_EQ(Say("d NOOP"), "d OK NOOP completed\r\n");
}

TEST_F(ImapFlow, PartsOfALargeMessageAreFoundOnceAndReadInSlices) {
  const std::string first(2u << 20, 'a');
  const std::string second(1u << 20, 'b');
  Fill(1, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n" +
              first + "\r\n--x\r\n\r\n" + second + "\r\n--x--\r\n");
  Open();
  Say("s SELECT INBOX");
  EXPECT_EQ(Say("f FETCH 1 BODY.PEEK[2]"),
            "* 1 FETCH (BODY[2] {1048576}\r\n" + second + ")\r\nf OK FETCH completed\r\n");
  const int reads = store_.calls("ReadBody");
  EXPECT_EQ(Say("g FETCH 1 BODY.PEEK[2]<1048570.100>"),
            "* 1 FETCH (BODY[2]<1048570> {6}\r\nbbbbbb)\r\ng OK FETCH completed\r\n");
  // Only the slice is read: where the part lies is known from before.
  EXPECT_EQ(store_.calls("ReadBody"), reads + 1);
}

TEST_F(ImapFlow, HeaderLongerThanTheFirstReadIsWhole) {
  const std::string header = "X-Long: " + std::string(100u << 10, 'h') + "\r\nSubject: end\r\n\r\n";
  Fill(1, header + std::string(2u << 20, 'x'));
  Open();
  Say("s SELECT INBOX");
  EXPECT_EQ(Say("f FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"),
            "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: end\r\n\r\n)\r\n"
            "f OK FETCH completed\r\n");
  EXPECT_EQ(Say("g FETCH 1 RFC822.HEADER"), "* 1 FETCH (RFC822.HEADER {" +
                                                std::to_string(header.size()) + "}\r\n" + header +
                                                ")\r\ng OK FETCH completed\r\n");
  EXPECT_EQ(Say("h SEARCH SUBJECT end"), "* SEARCH 1\r\nh OK SEARCH completed\r\n");
}

TEST_F(ImapFlow, TextOfALargeMessageIsSearched) {
  Fill(1, "Subject: big\r\n\r\n" + std::string(2u << 20, 'x') + " needle\r\n");
  Open();
  Say("s SELECT INBOX");
  EXPECT_EQ(Say("h SEARCH BODY needle"), "* SEARCH 1\r\nh OK SEARCH completed\r\n");
  EXPECT_EQ(Say("i SEARCH BODY nothing"), "* SEARCH\r\ni OK SEARCH completed\r\n");
}

TEST_F(ImapFlow, ABodyThatCannotBeReadInTheMiddleEndsTheConnection) {
  Fill(1, "Subject: big\r\n\r\n" + std::string(3u << 20, 'x'));
  Open();
  Say("s SELECT INBOX");
  store_.FailNext("ReadBody", DataLoss("the chunk is damaged"));
  const std::string answer = Say("f FETCH 1 BODY.PEEK[]");
  EXPECT_NE(answer.find("* BYE "), std::string::npos);
  EXPECT_TRUE(session_.closed());
  EXPECT_EQ(answer.find("f OK"), std::string::npos);
}

TEST_F(ImapFlow, OnlyOneStoreSetsSeenForTheWholeCommand) {
  Fill(50, "Subject: a\r\n\r\nb\r\n");
  Open();
  Say("s SELECT INBOX");
  Say("f FETCH 1:* BODY[TEXT]");
  EXPECT_EQ(store_.calls("StoreFlags"), 1);
  Say("g FETCH 1:* BODY[TEXT]");
  EXPECT_EQ(store_.calls("StoreFlags"), 1);
}

TEST_F(ImapFlow, FlagsAreAnsweredFromTheIndexAlone) {
  Fill(5, "a");
  Open();
  Say("s SELECT INBOX");
  Say("f UID FETCH 1:* (UID FLAGS MODSEQ)");
  Say("g UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)");
  Say("h UID SEARCH UNSEEN");
  EXPECT_EQ(store_.calls("Fetch"), 0);
  Say("i UID SEARCH SEEN BODY x");
  EXPECT_EQ(store_.calls("Fetch"), 0);
}

TEST_F(ImapFlow, SmallMessagesOfOneAppendAreBounded) {
  Open();
  const std::string body(limits::kInlineBodyBytesMax, 'x');
  const std::string literal = " {" + std::to_string(body.size()) + "+}\r\n" + body;
  session_.Send("a APPEND INBOX");
  const std::size_t fit = limits::kSmallAppendBytesMax / body.size();
  for (std::size_t i = 0; i < fit; ++i) {
    session_.Send(literal);
    Settle();
  }
  EXPECT_EQ(session_.output(), "");
  session_.Send(literal + "\r\n");
  Settle();
  EXPECT_TRUE(session_.output().starts_with("a NO [LIMIT]")) << session_.output();
  session_.output().clear();
  EXPECT_EQ(Say("b STATUS INBOX (MESSAGES)"),
            "* STATUS INBOX (MESSAGES 0)\r\nb OK STATUS completed\r\n");
}

TEST_F(ImapFlow, FaultsAreLoggedAndNotShown) {
  std::string logged;
  imap::SessionOptions options;
  options.on_fault = [&](std::string_view id, const Status& status) {
    logged = std::string(id) + " " + status.ToString();
  };
  session_.Begin(
      [&](net::SessionHost& host) { return imap::MakeSession(host, store_, clock_, options); });
  session_.output().clear();
  Say("a LOGIN test pass");
  store_.FailNext("CreateMailbox", IoError("/data/000123.sst cannot be read"));
  const std::string answer = Say("b CREATE new");
  EXPECT_EQ(answer.find("000123"), std::string::npos);
  ASSERT_FALSE(logged.empty());
  EXPECT_NE(answer.find(logged.substr(0, logged.find(' '))), std::string::npos);
  EXPECT_NE(logged.find("000123"), std::string::npos);
}

TEST_F(ImapFlow, TooManyWrongCommandsEndTheConnection) {
  Open();
  std::string answer;
  for (int i = 0; i < limits::kBadCommandsMax && !session_.closed(); ++i) {
    answer = Say("x NOSUCH");
  }
  EXPECT_TRUE(session_.closed());
  EXPECT_NE(answer.find("* BYE Too many commands were wrong"), std::string::npos);
}

TEST_F(ImapFlow, InputIsPausedWhileACommandWaits) {
  store_.set_complete_later(true);
  session_.Begin([this](net::SessionHost& host) {
    return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
  });
  session_.Send("a LOGIN test pass\r\n");
  std::string noops;
  while (noops.size() <= limits::kInputBytesMax) {
    noops += "n NOOP\r\n";
  }
  session_.Send(noops);
  EXPECT_TRUE(session_.paused());
  Settle();
  EXPECT_FALSE(session_.paused());
  EXPECT_TRUE(session_.output().ends_with("n OK NOOP completed\r\n"));
}

TEST_F(ImapFlow, SessionMayEndWhileACallIsOut) {
  Open();
  store_.set_complete_later(true);
  session_.Send("s SELECT INBOX\r\n");
  EXPECT_GT(store_.completions_waiting(), 0u);
  session_.Drop();
  Settle();  // must touch nothing of the session
  EXPECT_TRUE(session_.output().empty());
}

TEST_F(ImapFlow, WatchOutlivesNothing) {
  Open();
  Say("s SELECT INBOX");
  session_.Drop();
  Fill(1, "a");
  Settle();
  EXPECT_TRUE(session_.output().empty());
}

TEST_F(ImapFlow, RefusedLoginsWaitLongerEachTime) {
  session_.Begin([this](net::SessionHost& host) {
    return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
  });
  session_.output().clear();
  EXPECT_EQ(Say("a LOGIN test wrong"), "");
  EXPECT_EQ(session_.timeout_ms(), 500);
  EXPECT_TRUE(session_.paused());
  session_.PassTimeout();
  EXPECT_FALSE(session_.paused());
  EXPECT_TRUE(session_.output().starts_with("a NO [AUTHENTICATIONFAILED]"));
  session_.output().clear();
  EXPECT_EQ(Say("b LOGIN test wrong"), "");
  EXPECT_EQ(session_.timeout_ms(), 1000);
}

TEST_F(ImapFlow, ALongSearchSaysHowFarItIsAndAShortOneDoesNot) {
  Fill(3, "Subject: s\r\n\r\nbeta\r\n");
  Open();
  Say("s SELECT INBOX");
  EXPECT_EQ(Say("a SEARCH BODY beta"), "* SEARCH 1 2 3\r\na OK SEARCH completed\r\n");
  store_.set_complete_later(true);
  session_.Send("c SEARCH BODY beta\r\n");
  session_.Run();
  clock_.AdvanceMs(limits::kProgressMs);
  Settle();
  EXPECT_EQ(session_.output(),
            "* OK [INPROGRESS (\"c\" 3 3)] Still at work\r\n* SEARCH 1 2 3\r\n"
            "c OK SEARCH completed\r\n");
  session_.output().clear();
  session_.Send("d UID SORT (SUBJECT) UTF-8 ALL\r\n");
  session_.Run();
  clock_.AdvanceMs(limits::kProgressMs);
  Settle();
  EXPECT_EQ(session_.output(),
            "* OK [INPROGRESS (\"d\" 3 3)] Still at work\r\n* SORT 1 2 3\r\n"
            "d OK SORT completed\r\n");
}

TEST_F(ImapFlow, EveryCapabilityIsInTheManual) {
  std::ifstream file(TWINSPOOL_SCENARIOS "/../../../docs/imap.md");
  std::ostringstream manual;
  manual << file.rdbuf();
  ASSERT_FALSE(manual.str().empty()) << "docs/imap.md";
  Open();
  std::istringstream words(Say("c CAPABILITY"));
  int count = 0;
  for (std::string word; words >> word && word != "c";) {
    if (word != "*" && word != "CAPABILITY") {
      const std::string name = word.substr(0, word.starts_with("APPENDLIMIT=") ? 11 : word.npos);
      EXPECT_NE(manual.str().find(name), std::string::npos) << name;
      ++count;
    }
  }
  EXPECT_GT(count, 30);
}

TEST_F(ImapFlow, SelectAndFlagsOfManyMessagesAreLinear) {
  Fill(100'000, "a");
  Open();
  const auto begin = std::chrono::steady_clock::now();
  const std::string selected = Say("s SELECT INBOX");
  const auto middle = std::chrono::steady_clock::now();
  const std::string flags = Say("f UID FETCH 1:* (FLAGS)");
  const auto end = std::chrono::steady_clock::now();
  EXPECT_NE(selected.find("* 100000 EXISTS"), std::string::npos);
  EXPECT_NE(flags.find("* 100000 FETCH (UID 100000 FLAGS ())\r\n"), std::string::npos);
  using Ms = std::chrono::milliseconds;
  RecordProperty("select_ms",
                 static_cast<int>(std::chrono::duration_cast<Ms>(middle - begin).count()));
  RecordProperty("fetch_ms",
                 static_cast<int>(std::chrono::duration_cast<Ms>(end - middle).count()));
  // Far above what a linear session takes on a loaded machine, far below what a quadratic one does.
  EXPECT_LT(end - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace twinspool
