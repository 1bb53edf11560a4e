// FETCH, STORE, COPY, MOVE, EXPUNGE: good and bad lines.
#include <string>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

TEST(ParserMessage, SequenceSets) {
  EXPECT_EQ(Line("a COPY 1 b"), "a COPY set=1 mailbox='b'");
  EXPECT_EQ(Line("a COPY 5:1,*,3:*,*:4 b"), "a COPY set=5:1,*,3:*,*:4 mailbox='b'");
  EXPECT_EQ(Line("a UID COPY $ b"), "a COPY uid set=$ mailbox='b'");
  EXPECT_EQ(Line("a COPY 4294967295 b"), "a COPY set=4294967295 mailbox='b'");
  for (const std::string set : {"0", "1:0", "4294967296", "1,", ",1", "1:", ":1", "1:2:3", "-1",
                                "a", "$1", "$,1", "1,$", "$:2", "01x", "**"}) {
    EXPECT_TRUE(IsBad("a COPY " + set + " b")) << set;
  }
}

TEST(ParserMessage, CopyMoveExpunge) {
  EXPECT_EQ(Line("a UID COPY 1:* inbox"), "a COPY uid set=1:* mailbox='INBOX'");
  EXPECT_EQ(Line("a MOVE 7 {1}\r\nT"), "+ tag='a' size=1 | a MOVE set=7 mailbox='T'");
  EXPECT_EQ(Line("a uid move 7,8 T"), "a MOVE uid set=7,8 mailbox='T'");
  EXPECT_EQ(Line("a UID EXPUNGE 1:3"), "a EXPUNGE uids=1:3");
  for (const std::string bad : {"a COPY 1", "a COPY b", "a MOVE 1 b c", "a EXPUNGE 1",
                                "a UID EXPUNGE", "a UID EXPUNGE 1 2"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

TEST(ParserMessage, Store) {
  EXPECT_EQ(Line("a STORE 1 FLAGS (\\Seen \\dELETED $Junk)"),
            "a STORE set=1 replace flags=9+$Junk");
  EXPECT_EQ(Line("a UID STORE 1:* +FLAGS.SILENT \\Answered \\Flagged \\Draft k"),
            "a STORE uid set=1:* add silent flags=22+k");
  EXPECT_EQ(Line("a STORE 2 -flags ()"), "a STORE set=2 remove flags=0");
  EXPECT_EQ(Line("a STORE 2 (UNCHANGEDSINCE 12121230045) +FLAGS (x)"),
            "a STORE set=2 unchangedsince=12121230045 add flags=0+x");
  EXPECT_EQ(Line("a STORE 2 (UNCHANGEDSINCE 0) FLAGS x"),
            "a STORE set=2 unchangedsince=0 replace flags=0+x");
  for (const std::string bad :
       {"a STORE 1", "a STORE 1 FLAGS", "a STORE 1 FLAGS (\\Recent)", "a STORE 1 FLAGS (\\*)",
        "a STORE 1 FLAGS \\Foo", "a STORE 1 FLAGX ()", "a STORE 1 FLAGS.LOUD ()",
        "a STORE 1 (UNCHANGEDSINCE) FLAGS ()", "a STORE 1 (FOO 1) FLAGS ()", "a STORE 1 FLAGS (a",
        "a STORE 1 FLAGS (a  b)", "a STORE 1 FLAGS (\"a\")", "a STORE 1 FLAGS (\xc3\xa4)"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
  const std::string longest(limits::kKeywordBytesMax, 'k');
  EXPECT_FALSE(IsBad("a STORE 1 FLAGS " + longest));
  EXPECT_TRUE(IsBad("a STORE 1 FLAGS " + longest + "k"));
}

TEST(ParserMessage, FetchItems) {
  EXPECT_EQ(Line("a FETCH 1 FLAGS"), "a FETCH set=1 item=FLAGS");
  EXPECT_EQ(Line("a FETCH 1 (uid Flags INTERNALDATE ENVELOPE RFC822.SIZE BODY BODYSTRUCTURE "
                 "MODSEQ EMAILID THREADID RFC822 RFC822.HEADER RFC822.TEXT)"),
            "a FETCH set=1 item=UID item=FLAGS item=INTERNALDATE item=ENVELOPE item=SIZE item=BODY "
            "item=BODYSTRUCTURE item=MODSEQ item=EMAILID item=THREADID item=RFC822 "
            "item=RFC822.HEADER item=RFC822.TEXT");
  for (const std::string items : {"", "()", "(FLAGS", "FLAGS UID", "FOO", "(ALL)", "RFC822.FOO",
                                  "BODY.PEEK", "(FLAGS  UID)", "(FLAGS )", "\"FLAGS\""}) {
    EXPECT_TRUE(IsBad("a FETCH 1 " + items)) << items;
  }
}

TEST(ParserMessage, FetchItemsOfExtensions) {
  EXPECT_EQ(Line("a FETCH 1 (SAVEDATE PREVIEW PREVIEW (LAZY) BINARY[1.2]<3.4> BINARY.PEEK[] "
                 "BINARY.SIZE[1])"),
            "a FETCH set=1 item=SAVEDATE item=PREVIEW item=PREVIEW item=BINARY[1.2.]<3.4> "
            "item=BINARY.PEEK[] item=BINARY.SIZE[1.]");
  EXPECT_EQ(Line("a FETCH 1 PREVIEW (CHANGEDSINCE 5)"),
            "a FETCH set=1 item=PREVIEW changedsince=5");
  EXPECT_EQ(Line("a UID FETCH 1:* FLAGS (PARTIAL -1:-3)"),
            "a FETCH uid set=1:* item=FLAGS partial=-1:3");
  for (const std::string items :
       {"BINARY", "BINARY[HEADER]", "BINARY[1.MIME]", "BINARY[1.]", "BINARY.SIZE[1]<0.1>",
        "BINARY.PEEK", "(PREVIEW (EAGER))", "PREVIEW (LAZY", "FLAGS (PARTIAL 1:2)"}) {
    EXPECT_TRUE(IsBad("a FETCH 1 " + items)) << items;
  }
}

TEST(ParserMessage, FetchMacros) {
  EXPECT_EQ(Line("a FETCH 1 FAST"), "a FETCH set=1 item=FLAGS item=INTERNALDATE item=SIZE");
  EXPECT_EQ(Line("a FETCH 1 all"),
            "a FETCH set=1 item=FLAGS item=INTERNALDATE item=SIZE item=ENVELOPE");
  EXPECT_EQ(Line("a UID FETCH 1 FULL"),
            "a FETCH uid set=1 item=FLAGS item=INTERNALDATE item=SIZE item=ENVELOPE item=BODY");
}

TEST(ParserMessage, FetchSections) {
  EXPECT_EQ(Line("a FETCH 1 BODY[]"), "a FETCH set=1 item=SECTION[]");
  EXPECT_EQ(Line("a FETCH 1 BODY.PEEK[]<0.2048>"), "a FETCH set=1 item=SECTION.PEEK[]<0.2048>");
  EXPECT_EQ(Line("a FETCH 1 body[header]"), "a FETCH set=1 item=SECTION[HEADER]");
  EXPECT_EQ(Line("a FETCH 1 (BODY[TEXT] BODY[1] BODY[1.2.MIME] BODY[4.1.HEADER])"),
            "a FETCH set=1 item=SECTION[TEXT] item=SECTION[1.] item=SECTION[1.2.MIME] "
            "item=SECTION[4.1.HEADER]");
  EXPECT_EQ(Line("a FETCH 1 BODY.PEEK[HEADER.FIELDS (DATE \"Message-ID\")]"),
            "a FETCH set=1 item=SECTION.PEEK[FIELDS 'DATE' 'Message-ID']");
  EXPECT_EQ(Line("a FETCH 1 BODY[2.HEADER.FIELDS.NOT (Received)]<5.6>"),
            "a FETCH set=1 item=SECTION[2.FIELDS.NOT 'Received']<5.6>");
  EXPECT_EQ(Line("a FETCH 1 (BODY[HEADER.FIELDS ({4}\r\nFrom {2+}\r\nTo)] UID)"),
            "+ tag='a' size=4 | a FETCH set=1 item=SECTION[FIELDS 'From' 'To'] item=UID");
  for (const std::string item : {"BODY[",
                                 "BODY[FOO]",
                                 "BODY[MIME]",
                                 "BODY[0]",
                                 "BODY[1.]",
                                 "BODY[1.0]",
                                 "BODY[.1]",
                                 "BODY[1 .2]",
                                 "BODY[HEADER.FIELDS]",
                                 "BODY[HEADER.FIELDS ()]",
                                 "BODY[HEADER.FIELDS (a]",
                                 "BODY[HEADER.FIELDS(a)]",
                                 "BODY[]<1>",
                                 "BODY[]<1.0>",
                                 "BODY[]<.1>",
                                 "BODY[]<1.2",
                                 "BODY[]<4294967296.1>",
                                 "BODYSTRUCTURE[]",
                                 "BODY[1]x",
                                 "BODY[1HEADER]"}) {
    EXPECT_TRUE(IsBad("a FETCH 1 " + item)) << item;
  }
}

TEST(ParserMessage, FetchBounds) {
  std::string section = "1";
  for (int i = 1; i < limits::kMimeDepthMax; ++i) {
    section += ".1";
  }
  EXPECT_FALSE(IsBad("a FETCH 1 BODY[" + section + "]"));
  EXPECT_TRUE(IsBad("a FETCH 1 BODY[" + section + ".1]"));
  std::string items = "(UID";
  for (std::size_t i = 1; i < limits::kFetchItemsMax; ++i) {
    items += " UID";
  }
  EXPECT_FALSE(IsBad("a FETCH 1 " + items + ")"));
  EXPECT_TRUE(IsBad("a FETCH 1 " + items + " UID)"));
}

TEST(ParserMessage, FetchModifiers) {
  EXPECT_EQ(Line("a FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"),
            "a FETCH set=1:* item=FLAGS changedsince=12345");
  EXPECT_EQ(Line("a UID FETCH 1:* FLAGS (CHANGEDSINCE 0 VANISHED)"),
            "a FETCH uid set=1:* item=FLAGS changedsince=0 vanished");
  EXPECT_EQ(Line("a FETCH 1 FAST (CHANGEDSINCE 9223372036854775807)"),
            "a FETCH set=1 item=FLAGS item=INTERNALDATE item=SIZE "
            "changedsince=9223372036854775807");
  for (const std::string bad :
       {"a FETCH 1 UID (VANISHED)", "a UID FETCH 1 UID (VANISHED)",
        "a FETCH 1 UID (CHANGEDSINCE 1 VANISHED)", "a FETCH 1 UID (CHANGEDSINCE)",
        "a FETCH 1 UID (CHANGEDSINCE 9223372036854775808)", "a FETCH 1 UID (FOO)",
        "a FETCH 1 UID CHANGEDSINCE 1"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

}  // namespace
}  // namespace twinspool::imap
