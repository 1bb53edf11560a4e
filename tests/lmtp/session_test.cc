// LMTP conversations, each fed whole and one byte at a time.
#include "server/lmtp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env.h"
#include "common/limits.h"
#include "tests/lmtp/driver.h"
#include "tests/lmtp/fake_mail_store.h"

namespace twinspool::lmtp {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Codes of the last lines of all replies: "250 354 550".
std::string Codes(const std::string& output) {
  std::string codes;
  for (std::size_t at = 0; at < output.size(); at = output.find('\n', at) + 1) {
    if (output[at + 3] == ' ') {
      codes += (codes.empty() ? "" : " ") + output.substr(at, 3);
    }
  }
  return codes;
}

class LmtpSession : public ::testing::TestWithParam<std::size_t> {
 protected:
  /// Feeds `text` and returns the codes of what came back.
  std::string Say(const std::string& text) {
    driver_->Feed(text, GetParam());
    last_ = driver_->Take();
    return Codes(last_);
  }
  void Connect(bool tls = false) {
    driver_ = std::make_unique<Driver>(store_, tls);
    last_ = driver_->Take();
  }
  void SetUp() override { Connect(); }

  FakeMailStore store_;
  std::unique_ptr<Driver> driver_;
  std::string last_;
};

INSTANTIATE_TEST_SUITE_P(Cuts, LmtpSession, ::testing::Values(std::string::npos, 1, 7));

const char kBegin[] = "LHLO mta\r\nMAIL FROM:<s@x>\r\n";

TEST_P(LmtpSession, Greets) {
  EXPECT_EQ(last_, "220 node.example LMTP ready\r\n");
  EXPECT_EQ(driver_->timeout_ms(), limits::kLmtpIdleMs);
  EXPECT_EQ(Say("lhlo mta\r\n"), "250");
  EXPECT_EQ(last_,
            "250-node.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
            "250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000000\r\n");
}

TEST_P(LmtpSession, AClientThatTakesNoRepliesIsNotReadOn) {
  driver_->slow = true;
  std::string noops;
  for (int i = 0; i < 100'000; ++i) {
    noops += "NOOP\r\n";
  }
  driver_->Feed(noops, 64u << 10);
  const std::string first = driver_->Take();
  EXPECT_LT(first.size(), limits::kOutputHighBytes + (1u << 10));
  driver_->Drained();
  EXPECT_EQ(first.size() + driver_->Take().size(),
            100'000u * std::string("250 2.0.0 OK\r\n").size());
}

TEST_P(LmtpSession, DeliversToEachRecipientWithAReplyOfItsOwn) {
  EXPECT_EQ(Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<nobody@x>\r\n"
                                      "RCPT TO:<bert@x>\r\nDATA\r\n"),
            "250 250 250 550 250 354");
  EXPECT_EQ(Say("Subject: hi\r\n\r\ntext\r\n.\r\n"), "250 250");
  EXPECT_THAT(last_, StartsWith("250 2.0.0 <anna@x> Delivered\r\n250 2.0.0 <bert@x>"));
  ASSERT_EQ(store_.deliveries.size(), 2u);
  EXPECT_EQ(store_.deliveries[0].octets, "Subject: hi\r\n\r\ntext\r\n");
  EXPECT_EQ(store_.deliveries[0].sender, "s@x");
  EXPECT_EQ(store_.deliveries[1].recipient, "bert@x");
}

TEST_P(LmtpSession, WholeTransactionsInOneSegment) {
  const std::string mail =
      "MAIL FROM:<>\r\nRCPT TO:<anna@x>\r\nDATA\r\na\r\n.\r\n"
      "MAIL FROM:<s@x> SIZE=3 BODY=8BITMIME\r\nRCPT TO:<bert@x>\r\nDATA\r\nb\r\n.\r\nQUIT\r\n";
  EXPECT_EQ(Say("LHLO x\r\n" + mail), "250 250 250 354 250 250 250 354 250 221");
  ASSERT_EQ(store_.deliveries.size(), 2u);
  EXPECT_EQ(store_.deliveries[0].sender, "");
  EXPECT_EQ(store_.deliveries[1].octets, "b\r\n");
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, OctetsAreKeptAsTheyCame) {
  const std::string octets = std::string("\x00\xff bare\nlf \r cr\n.\n", 18) +
                             std::string("..\r\n.x\r\n\r\r\n.\r.\r\nend\r\n", 21);
  std::string sent;
  bool line_start = true;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sent += line_start && octets[i] == '.' ? "." : "";
    sent += octets[i];
    line_start = octets[i] == '\n' && i > 0 && octets[i - 1] == '\r';
  }
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\n");
  EXPECT_EQ(Say(sent + ".\r\n"), "250");
  ASSERT_EQ(store_.deliveries.size(), 1u);
  EXPECT_EQ(store_.deliveries[0].octets, octets);
}

TEST_P(LmtpSession, OnlyCrLfDotCrLfEndsTheMessage) {
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\n");
  const std::string smuggled = "text\n.\nMAIL FROM:<evil@x>\r\n\n.\r\nmore\r\n";
  EXPECT_EQ(Say(smuggled), "");
  EXPECT_EQ(Say(".\r\n"), "250");
  EXPECT_EQ(store_.deliveries.at(0).octets, smuggled);
}

TEST_P(LmtpSession, EmptyMessage) {
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\n");
  EXPECT_EQ(Say(".\r\n"), "250");
  EXPECT_EQ(store_.deliveries.at(0).octets, "");
}

TEST_P(LmtpSession, SequenceErrors) {
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\n"), "503");
  EXPECT_EQ(Say("LHLO\r\n"), "501");
  EXPECT_EQ(Say("LHLO x\r\nRCPT TO:<anna@x>\r\nDATA\r\n"), "250 503 503");
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\nMAIL FROM:<s@x>\r\nDATA\r\n"), "250 503 503");
  EXPECT_EQ(Say("RCPT TO:<nobody@x>\r\nDATA\r\n"), "550 503");
  EXPECT_EQ(Say("RSET\r\nRCPT TO:<anna@x>\r\n"), "250 503");
  EXPECT_EQ(Say("EHLO x\r\nHELO x\r\nNOOP\r\nVRFY anna\r\nXYZZY\r\n\r\n"),
            "500 500 250 252 500 500");
  // CHUNKING is not offered.
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\nRCPT TO:<anna@x>\r\nBDAT 3 LAST\r\n"), "250 250 500");
  EXPECT_EQ(Say("RSET\r\n"), "250");
  EXPECT_EQ(Say("STARTTLS\r\n"), "502");
}

TEST_P(LmtpSession, Addresses) {
  EXPECT_EQ(Say("LHLO x\r\nMAIL FROM: <s@x>\r\n"), "250 250");
  EXPECT_EQ(Say("rcpt to:<@a,@b:anna@x>\r\n"), "250");
  EXPECT_EQ(Say("RCPT TO:<\"anna\"@x>\r\n"), "250");
  EXPECT_EQ(Say("RCPT TO:<\"an\\na\"@x>\r\n"), "250");
  EXPECT_EQ(Say("RCPT TO:<\"a>n\\\"b\"@x>\r\n"), "550");
  EXPECT_THAT(store_.looked_up, ElementsAre("anna@x", "anna@x", "anna@x", "a>n\"b@x"));
  EXPECT_EQ(Say("RCPT TO:anna@x\r\nRCPT TO:<anna@x\r\nRCPT <anna@x>\r\nRCPT TO:<>\r\n"),
            "501 501 501 501");
  EXPECT_EQ(Say("RCPT TO:<\"anna@x>\r\nRCPT TO:<\"anna\"b@x>\r\nRCPT TO:<@a>\r\n"), "501 501 501");
  EXPECT_EQ(Say("RCPT TO:<anna@x> NOTIFY=NEVER\r\n"), "555");
}

TEST_P(LmtpSession, MailParameters) {
  Say("LHLO x\r\n");
  EXPECT_EQ(Say("MAIL FROM:<s@x> SIZE=abc\r\n"), "501");
  EXPECT_EQ(Say("MAIL FROM:<s@x> SIZE=99999999999999999999999\r\n"), "501");
  EXPECT_EQ(Say("MAIL FROM:<s@x> BODY=BINARYMIME\r\n"), "501");
  EXPECT_EQ(Say("MAIL FROM:<s@x> RET=HDRS\r\n"), "555");
  EXPECT_EQ(Say("MAIL FROM:<s@x> SIZE=1000001\r\n"), "552");
  EXPECT_THAT(last_, HasSubstr("5.3.4"));
  EXPECT_EQ(Say("MAIL FROM:<s@x> size=1000000 body=7bit smtputf8\r\n"), "250");
}

TEST_P(LmtpSession, Utf8NeedsItsParameter) {
  Say("LHLO x\r\n");
  EXPECT_EQ(Say("MAIL FROM:<jürgen@x>\r\n"), "553");
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\nRCPT TO:<jürgen@x>\r\nRSET\r\n"), "250 553 250");
  EXPECT_EQ(Say("MAIL FROM:<jürgen@x> SMTPUTF8\r\nRCPT TO:<jürgen@x>\r\n"), "250 250");
}

TEST_P(LmtpSession, EachRecipientFailsForItself) {
  store_.stage_errors["anna"] = OverQuota("full");
  store_.deliver_errors["bert"] = Unavailable("writes are blocked");
  EXPECT_EQ(Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\n"
                                      "RCPT TO:<carl@x>\r\nDATA\r\n"),
            "250 250 250 250 250 354");
  EXPECT_EQ(Say("x\r\n.\r\n"), "452 451 250");
  EXPECT_THAT(last_, HasSubstr("452 4.2.2 <anna@x>"));
  EXPECT_THAT(last_, HasSubstr("451 4.3.0 <bert@x>"));
  EXPECT_EQ(store_.deliveries.size(), 1u);
}

TEST_P(LmtpSession, ALimitOfTheMailboxOrThePairIsTemporaryOneOfTheSizeIsNot) {
  store_.deliver_errors["anna"] = LimitExceeded("the other node was not seen for long");
  store_.stage_errors["bert"] = LimitExceeded("the message is larger than this server takes");
  EXPECT_EQ(Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nDATA\r\n"),
            "250 250 250 250 354");
  EXPECT_EQ(Say("x\r\n.\r\n"), "452 552");
}

TEST_P(LmtpSession, WhenAllStagesAreRefusedNoOctetsAreAskedFor) {
  store_.stage_errors["anna"] = OverQuota("full");
  EXPECT_EQ(Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\n"), "250 250 250 452");
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\n"), "250");  // the transaction is over
}

TEST_P(LmtpSession, StageThatFailsWhileWriting) {
  store_.write_errors["anna"] = OverQuota("disk reserve");
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nDATA\r\n");
  EXPECT_EQ(Say("x\r\n.\r\n"), "452 250");
}

TEST_P(LmtpSession, DuplicateIsAnsweredAsDelivered) {
  store_.duplicates = {"anna"};
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\n");
  EXPECT_EQ(Say("x\r\n.\r\n"), "250");
}

TEST_P(LmtpSession, UnknownOutcomeDropsTheConnectionWithoutThatReply) {
  store_.deliver_errors["bert"] = OutcomeUnknown("no ack in time");
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nRCPT TO:<carl@x>\r\nDATA\r\n");
  EXPECT_EQ(Say("x\r\n.\r\n"), "250");
  EXPECT_THAT(last_, HasSubstr("<anna@x>"));
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, MessageOverTheLimit) {
  store_.message_bytes = 100'000;
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nDATA\r\n");
  EXPECT_EQ(Say(std::string(150'000, 'x') + "\r\n.\r\n"), "552 552");
  EXPECT_THAT(last_, HasSubstr("5.3.4"));
  EXPECT_TRUE(store_.deliveries.empty());
  EXPECT_EQ(Say("NOOP\r\n"), "250");
  Say("MAIL FROM:<s@x>\r\nRCPT TO:<anna@x>\r\nDATA\r\n");
  EXPECT_EQ(Say(std::string(99'998, 'x') + "\r\n.\r\n"), "250");  // exactly the limit
  Say("MAIL FROM:<s@x>\r\nRCPT TO:<anna@x>\r\nDATA\r\n");
  EXPECT_EQ(Say(std::string(900'000, 'x')), "421");  // and there is an end to swallowing
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, LargeMessageArrivesInBoundedChunks) {
  std::string octets;
  SeededRandom random(3);
  while (octets.size() < 700'000) {
    octets += std::string(random.Below(3) == 0 ? 1 : random.Below(200), 'm') + "\r\n";
  }
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nDATA\r\n");
  EXPECT_EQ(Say(octets + ".\r\n"), "250 250");
  ASSERT_EQ(store_.deliveries.size(), 2u);
  EXPECT_TRUE(store_.deliveries[1].octets == octets);
  EXPECT_LE(store_.largest_write, 2 * limits::kLmtpChunkBytes);
}

TEST_P(LmtpSession, LongLinesAndControlCharacters) {
  EXPECT_EQ(Say("NOOP " + std::string(5000, 'x') + "\r\n"), "500");
  EXPECT_EQ(Say("NOOP " + std::string(200'000, 'x') + "\r\nNOOP\r\n"), "500 250");
  EXPECT_EQ(Say(std::string("NO\0OP\r\n", 7)), "500");
  EXPECT_EQ(Say("NOOP \x1b[2J\r\n"), "500");
  EXPECT_EQ(Say("NOOP\n"), "250");
}

TEST_P(LmtpSession, TooManyBadCommands) {
  std::string flood;
  for (int i = 0; i < 2 * limits::kBadCommandsMax; ++i) {
    flood += "bad\r\n";
  }
  Say(flood);
  EXPECT_THAT(last_, EndsWith("421 4.7.0 Too many bad commands\r\n"));
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, TooManyRecipients) {
  std::string rcpts;
  for (std::size_t i = 0; i < limits::kLmtpRecipientsMax; ++i) {
    rcpts += "RCPT TO:<anna@x>\r\n";
  }
  Say(kBegin + rcpts);
  EXPECT_EQ(Say("RCPT TO:<bert@x>\r\n"), "452");
  EXPECT_THAT(last_, HasSubstr("4.5.3"));
}

TEST_P(LmtpSession, NodeThatDoesNotServe) {
  store_.serving = Fenced("this node is the standby");
  Connect();
  EXPECT_EQ(last_, "421 4.3.2 this node is the standby\r\n");
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, DemotionBetweenTwoMails) {
  Say("LHLO x\r\n");
  store_.serving = Fenced("this node is the standby");
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\n"), "421");
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, ShutdownWaitsForDeliveriesUnderWay) {
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\n");
  store_.hold = true;
  EXPECT_EQ(Say("x\r\n.\r\n"), "");
  store_.Release();  // the stage
  driver_->Settle();
  driver_->session().OnShutdown("maintenance");
  EXPECT_EQ(driver_->Take(), "");
  store_.Release();  // the delivery
  driver_->Settle();
  EXPECT_EQ(Codes(driver_->Take()), "250 421");
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, ShutdownAtRestAndInTheMiddleOfData) {
  driver_->session().OnShutdown("maintenance");
  EXPECT_EQ(driver_->Take(), "421 4.3.2 maintenance\r\n");
  Connect();
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nDATA\r\nhalf a mess");
  driver_->session().OnShutdown("maintenance");
  EXPECT_EQ(Codes(driver_->Take()), "421");
  EXPECT_TRUE(store_.deliveries.empty());
}

TEST_P(LmtpSession, TimeoutSparesTheStoreNotTheClient) {
  store_.hold = true;
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\n");
  driver_->session().OnTimeout();
  EXPECT_FALSE(driver_->closed());
  store_.Release();
  driver_->Settle();
  EXPECT_EQ(Codes(driver_->Take()), "250");
  driver_->session().OnTimeout();
  EXPECT_EQ(Codes(driver_->Take()), "421");
  EXPECT_TRUE(driver_->closed());
}

TEST_P(LmtpSession, PipelinedCommandsWaitForTheLookup) {
  store_.hold = true;
  EXPECT_EQ(Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nNOOP\r\nRCPT TO:<bert@x>\r\n"),
            "250 250");
  store_.Release();
  driver_->Settle();
  EXPECT_EQ(Codes(driver_->Take()), "250 250");
  store_.Release();
  driver_->Settle();
  EXPECT_EQ(Codes(driver_->Take()), "250");
}

TEST_P(LmtpSession, RepliesKeepTheOrderOfRecipients) {
  Say(std::string(kBegin) + "RCPT TO:<anna@x>\r\nRCPT TO:<bert@x>\r\nDATA\r\n");
  store_.deliver_errors["anna"] = OverQuota("full");
  store_.hold = true;
  Say("x\r\n.\r\n");
  store_.Release();
  driver_->Settle();
  EXPECT_EQ(store_.held(), 2u);  // side by side
  store_.Release();
  driver_->Settle();
  EXPECT_EQ(Codes(driver_->Take()), "452 250");
}

TEST_P(LmtpSession, StartTlsForgetsWhatCameBefore) {
  Connect(true);
  EXPECT_EQ(Say("LHLO x\r\n"), "250");
  EXPECT_THAT(last_, HasSubstr("250-STARTTLS\r\n"));
  driver_->Feed("MAIL FROM:<s@x>\r\nSTARTTLS\r\nRSET\r\n");  // RSET is injected
  EXPECT_EQ(Codes(driver_->Take()), "250 220");
  EXPECT_TRUE(driver_->tls_started());
  EXPECT_EQ(Say("MAIL FROM:<s@x>\r\n"), "503");
  EXPECT_EQ(Say("LHLO x\r\n"), "250");
  EXPECT_THAT(last_, Not(HasSubstr("STARTTLS")));
}

TEST(DeliveryReply, EveryStatusHasItsReply) {
  EXPECT_EQ(DeliveryReply(OkStatus())->code, 250);
  EXPECT_EQ(DeliveryReply(OutcomeUnknown("")), std::nullopt);
  const std::vector<std::pair<Status, std::string>> table = {
      {NotFound("x"), "550 5.1.1"},        {OverQuota("x"), "452 4.2.2"},
      {LimitExceeded("x"), "452 4.3.1"},   {Unavailable("x"), "451 4.3.0"},
      {Fenced("x"), "451 4.3.2"},          {PermissionDenied("x"), "550 5.7.1"},
      {InvalidArgument("x"), "550 5.6.0"}, {DataLoss("x"), "451 4.3.0"},
      {IoError("x"), "451 4.3.0"},         {Internal("x"), "451 4.3.0"},
      {Timeout("x"), "451 4.3.0"},
  };
  for (const auto& [status, text] : table) {
    EXPECT_THAT(DeliveryReply(status)->Line(), StartsWith(text)) << status.ToString();
  }
}

TEST(DeliveryReply, OnlyTheSizeOfAMessageBouncesIt) {
  EXPECT_THAT(StagingReply(LimitExceeded("x"))->Line(), StartsWith("552 5.3.4"));
  EXPECT_THAT(StagingReply(OverQuota("x"))->Line(), StartsWith("452 4.2.2"));
  EXPECT_EQ(StagingReply(OutcomeUnknown("")), std::nullopt);
}

TEST(Reply, TextCannotBreakTheLine) {
  EXPECT_EQ((Reply{250, "2.0.0", "a\r\nb"}).Line(), "250 2.0.0 a??b\r\n");
}

TEST(DotReader, AnyCutGivesTheSame) {
  SeededRandom random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string wire;
    for (std::uint64_t i = random.Below(30); i > 0; --i) {
      wire.push_back("\r\n..ab"[random.Below(6)]);
    }
    wire += "\r\n.\r\nTAIL";
    DotReader whole;
    std::string expected;
    const std::size_t used = whole.Feed(wire, &expected);
    ASSERT_TRUE(whole.done());
    DotReader cut;
    std::string got;
    std::size_t at = 0;
    while (!cut.done()) {
      at += cut.Feed(std::string_view(wire).substr(at, 1 + random.Below(3)), &got);
    }
    ASSERT_EQ(got, expected);
    ASSERT_EQ(at, used);
  }
}

}  // namespace
}  // namespace twinspool::lmtp
