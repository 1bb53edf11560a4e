// Literals, their limits, and input that cannot be followed.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/imap/reader.h"
#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

using Lines = std::vector<std::string>;

ReadOptions PreLogin() {
  ReadOptions options;
  options.authenticated = false;
  return options;
}

TEST(ReaderLiteral, EmptyLiterals) {
  EXPECT_EQ(Line("a LOGIN {0}\r\n {0+}\r\n"), "+ tag='a' size=0 | a LOGIN user='' password=''");
}

TEST(ReaderLiteral, LiteralsMayHoldLineEndsAndCommands) {
  EXPECT_EQ(Line("a LOGIN {8+}\r\nx\r\ny {3} {1+}\r\n\n"),
            "a LOGIN user='x\\0d\\0ay {3}' password='\\0a'");
}

TEST(ReaderLiteral, BracesInQuotedStringsAnnounceNothing) {
  EXPECT_EQ(Line("a LOGIN ann \"x {3}\""), "a LOGIN user='ann' password='x {3}'");
  EXPECT_TRUE(IsBad("a LOGIN ann \"x {3+}"));
  EXPECT_EQ(Line("a LOGIN ann \"\\\" {3}\""), "a LOGIN user='ann' password='\" {3}'");
}

TEST(ReaderLiteral, MalformedAnnouncements) {
  for (const std::string end :
       {"{}", "{+}", "{3++}", "{-1}", "{3 }", "x{3}", "{3}x", "{ 3}", "{0x3}", "{3-}"}) {
    EXPECT_TRUE(IsBad("a LOGIN ann " + end)) << end;
  }
}

TEST(ReaderLiteral, AClosingBraceAloneIsAnAtom) {
  EXPECT_EQ(Line("a LOGIN ann 3}"), "a LOGIN user='ann' password='3}'");
}

TEST(ReaderLiteral, AWrongCommandGetsNoContinuation) {
  EXPECT_EQ(ReadEveryWay("a FOO {3}\r\nb NOOP\r\n"),
            (Lines{"BAD tag='a' text='unknown command'", "b NOOP"}));
  EXPECT_EQ(ReadEveryWay("a FOO {8+}\r\nc NOOP\r\n x {2+}\r\nyy\r\nb NOOP\r\n"),
            (Lines{"BAD tag='a' text='unknown command'", "b NOOP"}));
  EXPECT_EQ(ReadEveryWay("a FOO {1+}\r\nx {3}\r\nb NOOP\r\n"),
            (Lines{"BAD tag='a' text='unknown command'", "b NOOP"}));
}

TEST(ReaderLiteral, BinaryLiteralsAreForMessagesAndMetadata) {
  EXPECT_EQ(
      ReadEveryWay("a LOGIN ~{3+}\r\nann x\r\nb NOOP\r\n"),
      (Lines{"BAD tag='a' text='a binary literal is for messages and for values of SETMETADATA'",
             "b NOOP"}));
  EXPECT_EQ(Line("a SETMETADATA x (/private/y ~{3+}\r\na" + std::string(1, '\0') + "b)"),
            "a SETMETADATA mailbox='x' /private/y='a\\00b'");
}

TEST(ReaderLiteral, LimitBeforeLogin) {
  const std::string fits(limits::kPreLoginLiteralBytesMax - 3, 'p');
  const std::string size = std::to_string(fits.size());
  EXPECT_TRUE(Line("a LOGIN {3+}\r\nann {" + size + "+}\r\n" + fits, PreLogin())
                  .starts_with("a LOGIN user='ann' password='ppp"));
  // All literals of a command count together.
  EXPECT_EQ(ReadEveryWay("a LOGIN {4+}\r\nanna {" + size + "}\r\nb NOOP\r\n", PreLogin()),
            (Lines{"TOOBIG tag='a' size=" + size + " sync", "b NOOP"}));
  EXPECT_EQ(Line("a APPEND x {4097}", PreLogin()), "TOOBIG tag='a' size=4097 sync message");
}

TEST(ReaderLiteral, LimitAfterLogin) {
  EXPECT_EQ(ReadEveryWay("a SEARCH TEXT {1048577}\r\nb NOOP\r\n"),
            (Lines{"TOOBIG tag='a' size=1048577 sync", "b NOOP"}));
  EXPECT_EQ(Line("a SEARCH TEXT {1048576}"), "+ tag='a' size=1048576");
}

TEST(ReaderLiteral, ATooLargeNonSyncLiteralIsSkippedWithoutBeingKept) {
  CommandReader reader;
  reader.set_authenticated(true);
  reader.Feed("a SEARCH TEXT {50000000+}\r\n");
  ASSERT_EQ(Describe(reader.Next().value()), "TOOBIG tag='a' size=50000000");
  const std::string piece(100'000, 'x');
  for (int i = 0; i < 500; ++i) {
    reader.Feed(piece);
    ASSERT_FALSE(reader.Next().has_value());
    ASSERT_EQ(reader.buffered(), 0u);
  }
  reader.Feed(" SEEN {3+}\r\nabc\r\nb NOOP\r\n");
  EXPECT_EQ(Describe(reader.Next().value()), "b NOOP");
}

TEST(ReaderLiteral, SizesThatFitNoNumberEndTheConnection) {
  EXPECT_EQ(ReadEveryWay("a LOGIN {18446744073709551616+}\r\nb NOOP\r\n"),
            (Lines{"FATAL text='literal size out of range'"}));
  EXPECT_EQ(ReadEveryWay("a LOGIN {18446744073709551615}\r\nb NOOP\r\n", PreLogin()),
            (Lines{"TOOBIG tag='a' size=18446744073709551615 sync", "b NOOP"}));
}

TEST(ReaderLiteral, LinesHaveALimit) {
  const std::string start = "a LOGIN ann ";
  const std::string longest(limits::kCommandLineBytesMax - start.size() - 1, 'p');
  EXPECT_EQ(ReadAll(start + longest + "\r\n", 0).at(0).substr(0, 7), "a LOGIN");
  for (const std::size_t piece : {0u, 1u, 1000u}) {
    EXPECT_EQ(ReadAll(start + longest + "pp\r\nb NOOP\r\n", piece),
              (Lines{"FATAL text='command line too long'"}));
    // Also without an end of line, and with literals between.
    EXPECT_EQ(ReadAll(start + longest + "ppp", piece),
              (Lines{"FATAL text='command line too long'"}));
    EXPECT_EQ(ReadAll(start + "{1+}\r\nx" + longest + "\r\n", piece),
              (Lines{"FATAL text='command line too long'"}));
  }
}

TEST(ReaderLiteral, RefusedSyncLiteralEndsTheCommand) {
  ReadOptions refuse;
  refuse.refuse_literals = true;
  EXPECT_EQ(ReadEveryWay("a LOGIN {3}\r\nb NOOP\r\n", refuse),
            (Lines{"+ tag='a' size=3", "b NOOP"}));
}

TEST(ReaderLiteral, DroppedInputIsForgotten) {
  CommandReader reader;
  reader.Feed("a STARTTLS\r\nb LOGIN eve x\r\nc NO");
  ASSERT_EQ(Describe(reader.Next().value()), "a STARTTLS");
  reader.DropBuffered();
  EXPECT_EQ(reader.buffered(), 0u);
  EXPECT_FALSE(reader.Next().has_value());
  reader.Feed("d NOOP\r\n");
  EXPECT_EQ(Describe(reader.Next().value()), "d NOOP");
}

TEST(ReaderLiteral, ASessionMayStopBetweenEvents) {
  CommandReader reader;
  reader.Feed("a NOOP\r\nb NO");
  ASSERT_EQ(Describe(reader.Next().value()), "a NOOP");
  reader.Feed("OP\r\nc IDLE\r\nDONE\r\n");
  EXPECT_EQ(Describe(reader.Next().value()), "b NOOP");
  EXPECT_EQ(Describe(reader.Next().value()), "c IDLE");
  reader.ReadRawLine();
  EXPECT_EQ(Describe(reader.Next().value()), "RAW text='DONE'");
  EXPECT_FALSE(reader.Next().has_value());
}

}  // namespace
}  // namespace twinspool::imap
