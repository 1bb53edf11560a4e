// Commands about mailboxes: good and bad lines.
#include <string>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

TEST(ParserMailbox, SelectAndExamine) {
  EXPECT_EQ(Line("a SELECT inBox"), "a SELECT mailbox='INBOX'");
  EXPECT_EQ(Line("a EXAMINE \"Sent Mail\""), "a EXAMINE mailbox='Sent Mail'");
  EXPECT_EQ(Line("a SELECT {5}\r\nSpam2"), "+ tag='a' size=5 | a SELECT mailbox='Spam2'");
  EXPECT_EQ(Line("a SELECT box (CONDSTORE)"), "a SELECT mailbox='box' condstore");
  EXPECT_EQ(Line("a SELECT box ()"), "a SELECT mailbox='box'");
  for (const std::string bad : {"a SELECT", "a SELECT ", "a SELECT a b", "a SELECT a (FOO)",
                                "a SELECT a (CONDSTORE", "a SELECT a%", "a SELECT (a)"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ParserMailbox, NamesAreModifiedUtf7) {
  EXPECT_EQ(Line("a SELECT Entw&APw-rfe"), "a SELECT mailbox='Entw\xc3\xbcrfe'");
  EXPECT_EQ(Line("a SELECT \"R&-D\""), "a SELECT mailbox='R&D'");
  EXPECT_TRUE(IsBad("a SELECT R&D"));
  EXPECT_TRUE(IsBad("a SELECT \"\xc3\xbc\""));
  EXPECT_TRUE(IsBad("a SELECT {2+}\r\n\xc3\xbc"));
}

TEST(ParserMailbox, NamesAreUtf8OnceAgreed) {
  ReadOptions utf8;
  utf8.utf8_names = true;
  EXPECT_EQ(Line("a SELECT \"\xc3\xbc&\"", utf8), "a SELECT mailbox='\xc3\xbc&'");
  EXPECT_EQ(Line("a SELECT {1+}\r\n\xc3", utf8),
            "BAD tag='a' text='the mailbox name is not valid UTF-8'");
}

TEST(ParserMailbox, Qresync) {
  EXPECT_EQ(Line("a SELECT box (QRESYNC (7 900))"),
            "a SELECT mailbox='box' uidvalidity=7 modseq=900");
  EXPECT_EQ(Line("a SELECT box (QRESYNC (7 900 41,43:211,214:541) CONDSTORE)"),
            "a SELECT mailbox='box' condstore uidvalidity=7 modseq=900 known=41,43:211,214:541");
  EXPECT_EQ(Line("a SELECT box (QRESYNC (7 900 9:1 (1:2,5 10,20,30)))"),
            "a SELECT mailbox='box' uidvalidity=7 modseq=900 known=1:9 match=1:2,5/10,20,30");
  EXPECT_EQ(Line("a SELECT box (QRESYNC (7 900 (1 2)))"),
            "a SELECT mailbox='box' uidvalidity=7 modseq=900 match=1/2");
  for (const std::string parameters :
       {"QRESYNC", "QRESYNC ()", "QRESYNC (0 1)", "QRESYNC (1 0)", "QRESYNC (1)",
        "QRESYNC (1 9223372036854775808)", "QRESYNC (1 2 3:*)", "QRESYNC (1 2 3 4)",
        "QRESYNC (1 2 3 (1:2 5))", "QRESYNC (1 2 (1 5) 3)", "QRESYNC (4294967296 2)"}) {
    EXPECT_TRUE(IsBad("a SELECT box (" + parameters + ")")) << parameters;
  }
}

TEST(ParserMailbox, CreateDeleteRename) {
  EXPECT_EQ(Line("a CREATE a/b/"), "a CREATE mailbox='a/b/'");
  EXPECT_EQ(Line("a CREATE Junk (USE (\\Junk \\Trash))"), "a CREATE mailbox='Junk' use=80");
  EXPECT_EQ(Line("a CREATE a (USE (\\Foo \\Sent))"), "a CREATE mailbox='a' use=32 unknown_use");
  EXPECT_EQ(Line("a DELETE old"), "a DELETE mailbox='old'");
  EXPECT_EQ(Line("a RENAME inbox \"new name\""), "a RENAME from='INBOX' to='new name'");
  EXPECT_EQ(Line("a RENAME {1+}\r\nx {1+}\r\ny"), "a RENAME from='x' to='y'");
  for (const std::string bad :
       {"a CREATE", "a CREATE a b", "a CREATE a (USE)", "a CREATE a (USE (Junk))",
        "a CREATE a (USE (\\))", "a CREATE a (FOO (\\Junk))", "a DELETE", "a DELETE a b",
        "a RENAME a", "a RENAME a b c"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ParserMailbox, Subscriptions) {
  EXPECT_EQ(Line("a SUBSCRIBE a.b"), "a SUBSCRIBE mailbox='a.b'");
  EXPECT_EQ(Line("a UNSUBSCRIBE a.b"), "a UNSUBSCRIBE mailbox='a.b'");
  EXPECT_TRUE(IsBad("a SUBSCRIBE"));
  EXPECT_TRUE(IsBad("a UNSUBSCRIBE a b"));
}

TEST(ParserMailbox, Status) {
  EXPECT_EQ(Line("a STATUS b (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"),
            "a STATUS mailbox='b' items=31");
  EXPECT_EQ(Line("a status b (highestmodseq size appendlimit mailboxid deleted)"),
            "a STATUS mailbox='b' items=992");
  for (const std::string bad : {"a STATUS b", "a STATUS b ()", "a STATUS b MESSAGES",
                                "a STATUS b (FOO)", "a STATUS b (UIDNEXTX)", "a STATUS (UNSEEN)"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ParserMailbox, PlainList) {
  EXPECT_EQ(Line("a LIST \"\" *"), "a LIST reference='' pattern='*'");
  EXPECT_EQ(Line("a LIST \"\" \"\""), "a LIST reference='' pattern=''");
  EXPECT_EQ(Line("a LIST work/ %/x*"), "a LIST reference='work/' pattern='%/x*'");
  EXPECT_EQ(Line("a LIST \"\" &AOQ-%"), "a LIST reference='' pattern='\xc3\xa4%'");
  EXPECT_EQ(Line("a LSUB \"\" {3+}\r\n%/*"), "a LSUB reference='' pattern='%/*'");
  for (const std::string bad : {"a LIST", "a LIST \"\"", "a LIST \"\" * x", "a LIST \"\" &x",
                                "a LSUB \"\"", "a LSUB \"\" (a b)", "a LIST \"\" \\x"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ParserMailbox, ExtendedList) {
  EXPECT_EQ(Line("a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *"),
            "a LIST extended select=5 reference='' pattern='*'");
  EXPECT_EQ(Line("a LIST (special-use remote) \"\" (INBOX \"Sent/%\")"),
            "a LIST extended select=10 reference='' pattern='INBOX' pattern='Sent/%'");
  EXPECT_EQ(Line("a LIST \"\" % RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES SIZE))"),
            "a LIST extended reference='' pattern='%' returns=15 status=65");
  EXPECT_EQ(Line("a LIST () \"\" (a) RETURN ()"), "a LIST extended reference='' pattern='a'");
  for (const std::string bad :
       {"a LIST (FOO) \"\" *", "a LIST (RECURSIVEMATCH) \"\" *", "a LIST \"\" ()",
        "a LIST \"\" * RETURN", "a LIST \"\" * RETURN (FOO)", "a LIST \"\" * RETURN (STATUS)",
        "a LIST \"\" * RETURN (STATUS ())", "a LIST \"\" * FOO (CHILDREN)",
        "a LIST (SUBSCRIBED)\"\" *"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ParserMailbox, PatternsAreCounted) {
  std::string patterns = "(p";
  for (std::size_t i = 1; i < limits::kListPatternsMax; ++i) {
    patterns += " p";
  }
  EXPECT_FALSE(IsBad("a LIST \"\" " + patterns + ")"));
  EXPECT_TRUE(IsBad("a LIST \"\" " + patterns + " p)"));
}

}  // namespace
}  // namespace twinspool::imap
