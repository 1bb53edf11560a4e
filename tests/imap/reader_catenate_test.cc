// APPEND … CATENATE (RFC 4469) as a stream of events.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/imap/imap_url.h"
#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

using Lines = std::vector<std::string>;

TEST(ReaderCatenate, TextsAndUrlsInOrder) {
  EXPECT_EQ(
      ReadEveryWay("a APPEND X (\\Seen) CATENATE (URL \"/X;UIDVALIDITY=1/;UID=20\" TEXT {2}\r\n"
                   "hi TEXT ~{1+}\r\n! url /Y/;UID=1)\r\nb NOOP\r\n"),
      (Lines{"a APPEND mailbox='X'", "MESSAGE flags=1 size=0 catenate",
             "URL url='/X;UIDVALIDITY=1/;UID=20'", "TEXT size=2 sync", "DATA octets='hi'",
             "TEXT size=1 binary", "DATA octets='!'", "URL url='/Y/;UID=1'", "a END", "b NOOP"}));
}

TEST(ReaderCatenate, WithoutAnyLiteral) {
  EXPECT_EQ(ReadEveryWay("a APPEND X CATENATE (URL /Y/;UID=1 URL /Y/;UID=2)\r\nb NOOP\r\n"),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=0 catenate", "URL url='/Y/;UID=1'",
                   "URL url='/Y/;UID=2'", "a END", "b NOOP"}));
}

TEST(ReaderCatenate, UrlsAsLiterals) {
  EXPECT_EQ(ReadEveryWay("a APPEND {1}\r\nX CATENATE (URL {9}\r\n/Y/;UID=1 TEXT {2+}\r\nhi URL "
                         "{9+}\r\n/Y/;UID=2)\r\n"),
            (Lines{"+ tag='a' size=1", "+ tag='a' size=9", "a APPEND mailbox='X'",
                   "MESSAGE flags=0 size=0 catenate", "URL url='/Y/;UID=1'", "TEXT size=2",
                   "DATA octets='hi'", "URL url='/Y/;UID=2'", "a END"}));
}

TEST(ReaderCatenate, AmongOtherMessages) {
  EXPECT_EQ(ReadEveryWay("a APPEND X {2+}\r\nhi (\\Draft) CATENATE (TEXT {1+}\r\nm) CATENATE (URL "
                         "u) {3+}\r\nhey\r\nb NOOP\r\n"),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=2", "DATA octets='hi'",
                   "MESSAGE flags=16 size=0 catenate", "TEXT size=1", "DATA octets='m'",
                   "MESSAGE flags=0 size=0 catenate", "URL url='u'", "MESSAGE flags=0 size=3",
                   "DATA octets='hey'", "a END", "b NOOP"}));
}

TEST(ReaderCatenate, Replaces) {
  EXPECT_EQ(ReadEveryWay("a UID REPLACE 3 X CATENATE (URL u TEXT {2+}\r\nhi)\r\n"),
            (Lines{"a REPLACE uid=3 mailbox='X'", "MESSAGE flags=0 size=0 catenate", "URL url='u'",
                   "TEXT size=2", "DATA octets='hi'", "a END"}));
  EXPECT_TRUE(IsBad("a REPLACE 3 X CATENATE (URL u) CATENATE (URL u)"));
  EXPECT_EQ(ReadEveryWay("a REPLACE 3 X CATENATE (TEXT {1+}\r\nm) {1+}\r\nm\r\nb NOOP\r\n").at(4),
            "BAD tag='a' text='REPLACE takes one message'");
}

TEST(ReaderCatenate, WrongOnes) {
  for (const std::string bad :
       {"CATENATE", "CATENATE ()", "CATENATE (URL)", "CATENATE (URL )", "CATENATE (URL u",
        "CATENATE (URL u )", "CATENATE (URL u URL)", "CATENATE (TEXT u)", "CATENATE (URL u)x",
        "CATENATE (URL u) ", "CATENATE  (URL u)", "CATENATE(URL u)", "CATENATE (URL u) (\\Seen)",
        "CATENATE (FOO u)", "UTF8 (URL u)"}) {
    EXPECT_TRUE(IsBad("a APPEND X " + bad)) << bad;
  }
  // What is wrong behind a literal: the octets that follow are skipped.
  EXPECT_EQ(ReadEveryWay("a APPEND X CATENATE (TEXT {1+}\r\nm FOO {8+}\r\nc NOOP\r\n)\r\n"
                         "b NOOP\r\n"),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=0 catenate", "TEXT size=1",
                   "DATA octets='m'", "BAD tag='a' text='expected TEXT or URL at character 2'",
                   "b NOOP"}));
}

TEST(ReaderCatenate, RefusedTexts) {
  ReadOptions refuse;
  refuse.refuse_literals = true;
  EXPECT_EQ(ReadEveryWay("a APPEND X CATENATE (URL u TEXT {9}\r\nb NOOP\r\n", refuse),
            (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=0 catenate", "URL url='u'",
                   "TEXT size=9 sync", "b NOOP"}));
  EXPECT_EQ(
      ReadEveryWay("a APPEND X CATENATE (TEXT {8+}\r\nc NOOP\r\n URL {1+}\r\nx)\r\n"
                   "b NOOP\r\n",
                   refuse),
      (Lines{"a APPEND mailbox='X'", "MESSAGE flags=0 size=0 catenate", "TEXT size=8", "b NOOP"}));
}

TEST(ReaderCatenate, TooLargeTexts) {
  EXPECT_EQ(ReadEveryWay("a APPEND X CATENATE (URL u TEXT {1000001}\r\nb NOOP\r\n"),
            (Lines{"TOOBIG tag='a' size=1000001 sync message", "b NOOP"}));
}

// --- the URLs themselves

std::string Show(const Result<ImapUrl>& url) {
  if (!url.ok()) {
    return "wrong";
  }
  std::string text = url->mailbox;
  text += url->uid_validity ? " v" + std::to_string(url->uid_validity->value()) : "";
  text += " " + std::to_string(url->uid.value());
  for (const std::uint32_t part : url->section.part) {
    text += " ." + std::to_string(part);
  }
  text += url->section.text == SectionText::kAll ? "" : " text";
  for (const std::string& field : url->section.fields) {
    text += " " + field;
  }
  return text + (url->partial ? " " + std::to_string(url->partial->offset) + "+" +
                                    std::to_string(url->partial->length)
                              : "");
}

std::string Absolute(std::string_view url) {
  return Show(ParseImapUrl(url, std::nullopt));
}

std::string From(const std::string& selected, std::string_view url) {
  return Show(ParseImapUrl(url, selected));
}

TEST(ImapUrl, OfAMessageAndItsParts) {
  EXPECT_EQ(Absolute("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.2.MIME"),
            "Drafts v385759045 20 .1 .2 text");
  EXPECT_EQ(Absolute("/a/b/;uid=1"), "a/b 1");
  EXPECT_EQ(Absolute("/a/;UID=1/;SECTION=HEADER.FIELDS%20(To%20Cc)"), "a 1 text To Cc");
  EXPECT_EQ(Absolute("/a/;UID=1/;PARTIAL=7.100"), "a 1 7+100");
  EXPECT_EQ(Absolute("/a/;UID=1/;SECTION=2/;PARTIAL=7"), "a 1 .2 7+4294967295");
  EXPECT_EQ(Absolute("/J%C3%BCrgen%3B%25/;UID=1"), "J\u00fcrgen;% 1");
  EXPECT_EQ(Absolute("/a/./b/../c/;UID=1"), "a/c 1");
  EXPECT_EQ(Absolute("INBOX/;UID=1"), "INBOX 1");
}

TEST(ImapUrl, RelativeToTheSelectedMailbox) {
  EXPECT_EQ(From("Lists/x", ";UID=3"), " 3");
  EXPECT_EQ(From("Lists/x", "/;UID=3/;SECTION=1"), " 3 .1");
  EXPECT_EQ(From("Lists/x", "y;UIDVALIDITY=4/;UID=3"), "Lists/y v4 3");
  EXPECT_EQ(From("Lists/x", "../y/;UID=3"), "y 3");
  EXPECT_EQ(From("Lists/x", "/y/;UID=3"), "y 3");
  EXPECT_EQ(Absolute(";UID=3"), "wrong");
  EXPECT_EQ(Absolute("/;UID=3"), "wrong");
}

TEST(ImapUrl, WrongOnes) {
  for (const std::string_view url : {"",
                                     "/",
                                     "/a",
                                     "/a/;UID=",
                                     "/a/;UID=0",
                                     "/a/;UID=1x",
                                     "/a/;UID=4294967296",
                                     "/a;UID=1",
                                     "/a;UIDVALIDITY=0/;UID=1",
                                     "/a;UIDVALIDITY=/;UID=1",
                                     "/a;FOO=1/;UID=1",
                                     "/a/;UID=1/;SECTION=",
                                     "/a/;UID=1/;SECTION=0",
                                     "/a/;UID=1/;SECTION=1]x",
                                     "/a/;UID=1/;SECTION=FOO",
                                     "/a/;UID=1/;PARTIAL=",
                                     "/a/;UID=1/;PARTIAL=1.0",
                                     "/a/;UID=1/;PARTIAL=1.",
                                     "/a/;UID=1/;PARTIAL=-1",
                                     "/a/;UID=1/;PARTIAL=1/;SECTION=1",
                                     "/a/;UID=1;URLAUTH=anonymous",
                                     "/a/;UID=1/;FOO=1",
                                     "/%/;UID=1",
                                     "/%0/;UID=1",
                                     "/%00/;UID=1",
                                     "/%zz/;UID=1",
                                     "/%ff/;UID=1",
                                     "/a b/;UID=1",
                                     "//host/a/;UID=1",
                                     "imap://host/a/;UID=1",
                                     "imap:/a/;UID=1",
                                     "/a/;UID=1?SUBJECT%20x",
                                     "/a/;UID=1#x",
                                     "/\xc3\xbc/;UID=1",
                                     "/a/;UID=1/",
                                     "/../;UID=1"}) {
    EXPECT_EQ(Absolute(url), "wrong") << url;
  }
}

}  // namespace
}  // namespace twinspool::imap
