// APPEND and MULTIAPPEND as a stream of events.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/imap/reader.h"
#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

using Lines = std::vector<std::string>;
using std::string_literals::operator""s;

TEST(ReaderAppend, OneMessage) {
  EXPECT_EQ(ReadEveryWay("a APPEND inbox {5}\r\nhe\r\n.\r\nb NOOP\r\n"),
            (Lines{"a APPEND mailbox='INBOX'", "MESSAGE flags=0 size=5 sync",
                   "DATA octets='he\\0d\\0a.'", "a END", "b NOOP"}));
}

TEST(ReaderAppend, FlagsAndDate) {
  EXPECT_EQ(ReadEveryWay("a APPEND \"Sent Mail\" (\\Seen $F) \" 1-Feb-2024 13:05:09 +0100\" "
                         "{2+}\r\nhi\r\n"),
            (Lines{"a APPEND mailbox='Sent Mail'", "MESSAGE flags=1+$F date=1706789109/60 size=2",
                   "DATA octets='hi'", "a END"}));
  EXPECT_EQ(ReadEveryWay("a APPEND x \"17-Jul-1996 02:44:25 -0700\" {1+}\r\nm\r\n").at(1),
            "MESSAGE flags=0 date=837596665/-420 size=1");
}

TEST(ReaderAppend, MailboxAsLiteral) {
  EXPECT_EQ(ReadEveryWay("a APPEND {1}\r\nX (\\Draft) {2}\r\nhi\r\n"),
            (Lines{"+ tag='a' size=1", "a APPEND mailbox='X'", "MESSAGE flags=16 size=2 sync",
                   "DATA octets='hi'", "a END"}));
}

TEST(ReaderAppend, SeveralMessages) {
  EXPECT_EQ(ReadEveryWay("a APPEND X (\\Seen) {2+}\r\nhi \"02-Jan-1970 00:00:00 +0000\" {0+}\r\n "
                         "{3}\r\nhey\r\nb NOOP\r\n"),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=1 size=2", "DATA octets='hi'",
                   "MESSAGE flags=0 date=86400/0 size=0", "MESSAGE flags=0 size=3 sync",
                   "DATA octets='hey'", "a END", "b NOOP"}));
}

TEST(ReaderAppend, LongMultiappendIsNoLongLine) {
  std::string input = "a APPEND X";
  for (int i = 0; i < 5000; ++i) {
    input += " (\\Seen) {1+}\r\nm";
  }
  const Lines lines = ReadAll(input + "\r\n", 777);
  EXPECT_EQ(lines.size(), 10'002u);
  EXPECT_EQ(lines.back(), "a END");
}

TEST(ReaderAppend, BadPrefixesSkipTheirMessage) {
  for (const std::string prefix :
       {"X (\\Foo)", "X (\\Recent)", "X \"1-Feb-2024\"", "X foo", "X \"x\" (\\Seen)", "X ()()",
        "&X", "X  ()", "X \"30-Feb-2024 13:05:09 +0100\"", "(\\Seen)"}) {
    const Lines lines = ReadEveryWay("a APPEND " + prefix + " {8+}\r\nc NOOP\r\n\r\nb NOOP\r\n");
    ASSERT_EQ(lines.size(), 2u) << prefix;
    EXPECT_TRUE(lines[0].starts_with("BAD tag='a' ")) << prefix;
    EXPECT_EQ(lines[1], "b NOOP");
  }
}

TEST(ReaderAppend, NoMessage) {
  for (const std::string bad : {"a APPEND", "a APPEND ", "a APPEND X", "a APPEND X (\\Seen)",
                                "a APPEND X \"hi\"", "a APPEND {1+}\r\nX"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ReaderAppend, RubbishAfterAMessage) {
  const Lines expected = {"a APPEND mailbox='X'", "MESSAGE flags=0 size=2", "DATA octets='hi'",
                          "BAD tag='a' text='expected the end of APPEND or another message'",
                          "b NOOP"};
  EXPECT_EQ(ReadEveryWay("a APPEND X {2+}\r\nhi there\r\nb NOOP\r\n"), expected);
  EXPECT_EQ(ReadEveryWay("a APPEND X {2+}\r\nhi \r\nb NOOP\r\n"), expected);
  EXPECT_EQ(ReadEveryWay("a APPEND X {2+}\r\nhi{8+}\r\nc NOOP\r\n\r\nb NOOP\r\n").at(3),
            "BAD tag='a' text='expected a space where the command ends, after character 0'");
}

TEST(ReaderAppend, TooLargeMessages) {
  EXPECT_EQ(ReadEveryWay("a APPEND X {1000001}\r\nb NOOP\r\n"),
            (Lines{"TOOBIG tag='a' size=1000001 sync message", "b NOOP"}));
  ReadOptions small;
  small.message_bytes_max = 3;
  EXPECT_EQ(
      ReadEveryWay("a APPEND X {2+}\r\nhi {10+}\r\nc NOOP\r\n\r\n {2+}\r\nhi\r\nb NOOP\r\n", small),
      (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=2", "DATA octets='hi'",
             "TOOBIG tag='a' size=10 message", "b NOOP"}));
}

TEST(ReaderAppend, NulIsForBinaryLiteralsOnly) {
  EXPECT_EQ(ReadEveryWay("a APPEND X {4+}\r\nhi\0x {2+}\r\nhi\r\nb NOOP\r\n"s),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=4", "DATA octets='hi'",
                   "BAD tag='a' text='a message must not hold NUL'", "b NOOP"}));
  EXPECT_EQ(ReadEveryWay("a APPEND X ~{3}\r\nh\0i\r\n"s),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=3 sync binary",
                   "DATA octets='h\\00i'", "a END"}));
}

TEST(ReaderAppend, RefusedMessages) {
  ReadOptions refuse;
  refuse.refuse_literals = true;
  EXPECT_EQ(ReadEveryWay("a APPEND X {9}\r\nb NOOP\r\n", refuse),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=9 sync", "b NOOP"}));
  EXPECT_EQ(ReadEveryWay("a APPEND X {8+}\r\nc NOOP\r\n {1+}\r\nx\r\nb NOOP\r\n", refuse),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=8", "b NOOP"}));
}

TEST(ReaderAppend, DiscardedMessages) {
  ReadOptions discard;
  discard.discard_messages = true;
  EXPECT_EQ(ReadEveryWay("a APPEND X {8}\r\nc NOOP\r\n {1+}\r\nx\r\nb NOOP\r\n", discard),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=8 sync", "b NOOP"}));
}

TEST(ReaderAppend, RefusedAtItsBegin) {
  CommandReader reader;
  reader.set_authenticated(true);
  reader.Feed("a APPEND X {8+}\r\nc NOOP\r\n\r\nb NOOP\r\n");
  ASSERT_EQ(Describe(reader.Next().value()), "a APPEND mailbox='X'");
  reader.RefuseLiteral();
  EXPECT_EQ(Describe(reader.Next().value()), "b NOOP");
}

TEST(ReaderAppend, DiscardedInTheMiddleAndAfterTheLastOctet) {
  for (const std::string sent : {"c NO", "c NOOP\r\n"}) {
    CommandReader reader;
    reader.set_authenticated(true);
    reader.Feed("a APPEND X {8+}\r\n" + sent);
    ASSERT_TRUE(reader.Next() && reader.Next());
    ASSERT_EQ(std::get<AppendData>(reader.Next().value()).octets, sent);
    reader.DiscardCommand();
    reader.Feed(std::string("c NOOP\r\n").substr(sent.size()) + " {2+}\r\nhi\r\nb NOOP\r\n");
    EXPECT_EQ(Describe(reader.Next().value()), "b NOOP");
  }
}

TEST(ReaderAppend, ADiscardedCommandIsNotAnsweredAgainForItsNul) {
  CommandReader reader;
  reader.set_authenticated(true);
  constexpr char kInput[] = "a APPEND X {4+}\r\nhi\0!\r\nb NOOP\r\n";
  reader.Feed({kInput, sizeof kInput - 1});
  ASSERT_TRUE(reader.Next() && reader.Next());
  ASSERT_EQ(std::get<AppendData>(reader.Next().value()).octets, "hi");
  reader.DiscardCommand();
  EXPECT_EQ(Describe(reader.Next().value()), "b NOOP");
}

}  // namespace
}  // namespace twinspool::imap
