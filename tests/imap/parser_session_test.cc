// Commands without a mailbox: good and bad lines, and the raw lines after two of them.
#include <string>

#include <gtest/gtest.h>

#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

TEST(ParserSession, CommandsWithoutArguments) {
  for (const std::string verb : {"CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "NAMESPACE", "CHECK",
                                 "CLOSE", "UNSELECT", "EXPUNGE"}) {
    EXPECT_EQ(Line("a " + verb), "a " + verb);
    EXPECT_TRUE(IsBad("a " + verb + " x")) << verb;
    EXPECT_TRUE(IsBad("a " + verb + " ")) << verb;
  }
  EXPECT_EQ(Line("A.1-] nOoP"), "A.1-] NOOP");
}

TEST(ParserSession, Tags) {
  EXPECT_EQ(Line("+1 NOOP"), "BAD tag='' text='a command begins with a tag and a space'");
  EXPECT_EQ(Line("{1} NOOP"), "BAD tag='' text='a command begins with a tag and a space'");
  EXPECT_EQ(Line("\"a\" NOOP"), "BAD tag='' text='a command begins with a tag and a space'");
  EXPECT_EQ(Line(""), "BAD tag='' text='a command begins with a tag and a space'");
  EXPECT_EQ(Line(" NOOP"), "BAD tag='' text='a command begins with a tag and a space'");
  EXPECT_EQ(Line("a"), "BAD tag='a' text='a command is missing after the tag'");
  EXPECT_EQ(Line("a "), "BAD tag='a' text='unknown command'");
  EXPECT_EQ(Line("a  NOOP"), "BAD tag='a' text='unknown command'");
  EXPECT_EQ(Line("a XYZZY"), "BAD tag='a' text='unknown command'");
  EXPECT_EQ(Line("a UID NOOP"), "BAD tag='a' text='unknown command'");
  EXPECT_TRUE(IsBad("a UID"));
}

TEST(ParserSession, BareLineFeedEndsALine) {
  EXPECT_EQ(ReadEveryWay("a NOOP\nb NOOP\r\n"), (std::vector<std::string>{"a NOOP", "b NOOP"}));
  EXPECT_TRUE(IsBad("a NOOP\r"));
}

TEST(ParserSession, Login) {
  EXPECT_EQ(Line("a LOGIN ann secret"), "a LOGIN user='ann' password='secret'");
  EXPECT_EQ(Line(R"(a LOGIN "ann" "a \"b\" \\ c")"), R"(a LOGIN user='ann' password='a "b" \ c')");
  EXPECT_EQ(Line("a LOGIN ann \"\""), "a LOGIN user='ann' password=''");
  EXPECT_EQ(Line("a LOGIN {3}\r\nann {6+}\r\nsecret"),
            "+ tag='a' size=3 | a LOGIN user='ann' password='secret'");
  EXPECT_EQ(Line("a LOGIN J\"x"), "BAD tag='a' text='expected a space at character 10'");
  for (const std::string bad :
       {"a LOGIN", "a LOGIN ann", "a LOGIN ann ", "a LOGIN ann b c", "a LOGIN  ann b",
        "a LOGIN ann \"open", R"(a LOGIN ann "bad \n escape")", R"(a LOGIN ann "\)",
        "a LOGIN ann (x)", "a LOGIN ann \xc3\xa4", "a LOGIN ann \"\xc3\"", "a LOGIN ann %"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
  EXPECT_EQ(Line("a LOGIN ann \"\xc3\xa4\""), "a LOGIN user='ann' password='\xc3\xa4'");
  using std::string_literals::operator""s;
  EXPECT_TRUE(IsBad("a LOGIN ann \"x\0y\""s));
  EXPECT_TRUE(IsBad("a LOGIN ann x\0y"s));
  EXPECT_TRUE(IsBad("a LOGIN ann {3+}\r\nx\0y"s));
}

TEST(ParserSession, AuthenticateAndItsRawLine) {
  EXPECT_EQ(ReadEveryWay("a authenticate plain\r\nAGFubgBzZWNyZXQ= {3}\r\nb NOOP\r\n"),
            (std::vector<std::string>{"a AUTHENTICATE mechanism=PLAIN",
                                      "RAW text='AGFubgBzZWNyZXQ= {3}'", "b NOOP"}));
  EXPECT_EQ(Line("a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ="),
            "a AUTHENTICATE mechanism=PLAIN initial='AGFubgBzZWNyZXQ='");
  EXPECT_EQ(Line("a AUTHENTICATE SCRAM-SHA-256 ="),
            "a AUTHENTICATE mechanism=SCRAM-SHA-256 initial=''");
  EXPECT_TRUE(IsBad("a AUTHENTICATE"));
  EXPECT_TRUE(IsBad("a AUTHENTICATE PLAIN a b"));
  EXPECT_TRUE(IsBad("a AUTHENTICATE PLAIN \"x\""));
}

TEST(ParserSession, IdleAndDone) {
  EXPECT_EQ(ReadEveryWay("a IDLE\r\nDONE\r\nb NOOP\r\n"),
            (std::vector<std::string>{"a IDLE", "RAW text='DONE'", "b NOOP"}));
  EXPECT_TRUE(IsBad("a IDLE now"));
}

TEST(ParserSession, Id) {
  EXPECT_EQ(Line("a ID NIL"), "a ID");
  EXPECT_EQ(Line("a ID ()"), "a ID");
  EXPECT_EQ(Line(R"(a ID ("name" "mutt" "os" NIL))"), "a ID 'name'='mutt' 'os'=NIL");
  EXPECT_EQ(Line("a ID (\"name\" {4+}\r\nmutt)"), "a ID 'name'='mutt'");
  for (const std::string bad : {"a ID", "a ID (", "a ID (\"name\")", "a ID (name \"x\")",
                                "a ID (\"name\" \"x\" )", "a ID \"x\""}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
  std::string many = "a ID (\"k\" \"v\"";
  for (int i = 1; i < 30; ++i) {
    many += " \"k\" \"v\"";
  }
  EXPECT_FALSE(IsBad(many + ")"));
  EXPECT_TRUE(IsBad(many + " \"k\" \"v\")"));
}

TEST(ParserSession, Enable) {
  EXPECT_EQ(Line("a ENABLE condstore X-Good"), "a ENABLE CONDSTORE X-GOOD");
  EXPECT_TRUE(IsBad("a ENABLE"));
  EXPECT_TRUE(IsBad("a ENABLE "));
  EXPECT_TRUE(IsBad("a ENABLE \"QRESYNC\""));
}

}  // namespace
}  // namespace twinspool::imap
