// NOTIFY (RFC 5465), and what searches ask to be kept up to date (RFC 5267).
#include <string>

#include <gtest/gtest.h>

#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

TEST(ParseNotify, NoneAndSet) {
  EXPECT_EQ(Line("a NOTIFY NONE"), "a NOTIFY");
  EXPECT_EQ(Line("a notify set status (Selected (MessageNew (uid FLAGS) MessageExpunge "
                 "FlagChange)) (subtree (A inbox) (MailboxName)) (mailboxes \"B c\" NONE)"),
            "a NOTIFY status in=selected events=7 item=UID item=FLAGS in=subtree mailbox='A' "
            "mailbox='INBOX' events=8 in=mailboxes mailbox='B c'");
  EXPECT_EQ(Line("a NOTIFY SET (selected-delayed (MessageExpunge MessageNew)) (inboxes "
                 "(SubscriptionChange)) (subscribed (MailboxMetadataChange)) (personal "
                 "(ServerMetadataChange))"),
            "a NOTIFY in=selected delayed events=3 in=inboxes events=16 in=subscribed events=32 "
            "in=personal events=64");
}

TEST(ParseNotify, UnknownEventsAreNoMatterOfSyntax) {
  EXPECT_EQ(Line("a NOTIFY SET (personal (AnnotationChange))"), "a NOTIFY unknown in=personal");
  EXPECT_EQ(Line("a NOTIFY SET (selected (MessageNew Other))"),
            "a NOTIFY unknown in=selected events=1");
}

TEST(ParseNotify, WrongOnes) {
  for (const std::string bad : {"",
                                " ",
                                " SET",
                                " SET ",
                                " SET STATUS",
                                " SET STATUS ",
                                " NONE ",
                                " SET ()",
                                " SET (selected)",
                                " SET (selected ())",
                                " SET (selected MessageNew)",
                                " SET (selected (MessageNew))",
                                " SET (selected (MessageNew () MessageExpunge))",
                                " SET (selected (MessageNew (ALL) MessageExpunge))",
                                " SET (selected (FlagChange))",
                                " SET (selected (MailboxName))",
                                " SET (personal (MessageExpunge))",
                                " SET (personal (MessageNew (UID) MessageExpunge))",
                                " SET (mailboxes (MessageNew MessageExpunge))",
                                " SET (mailboxes () NONE)",
                                " SET (subtree-one A NONE)",
                                " SET (elsewhere NONE)",
                                " SET(personal NONE)",
                                " SET (personal NONE)(personal NONE)",
                                " SET (personal NONE) ",
                                " SET personal NONE",
                                " SET (selected NONE) (selected-delayed NONE)"}) {
    EXPECT_TRUE(IsBad("a NOTIFY" + bad)) << bad;
  }
  std::string many = "a NOTIFY SET";
  for (int i = 0; i < 65; ++i) {
    many += " (personal NONE)";
  }
  EXPECT_TRUE(IsBad(many));
}

TEST(ParseContext, UpdateAndContext) {
  EXPECT_EQ(Line("a SEARCH RETURN (UPDATE) ALL"), "a SEARCH esearch update program=(and (all))");
  EXPECT_EQ(Line("a UID SEARCH RETURN (CONTEXT UPDATE (UID FLAGS) COUNT) SEEN"),
            "a SEARCH uid esearch returns=8 update item=UID item=FLAGS program=(and (flag 1))");
  EXPECT_EQ(Line("a SEARCH RETURN (CONTEXT) ALL"),
            "a SEARCH esearch returns=4 program=(and (all))");
  EXPECT_EQ(Line("a CANCELUPDATE \"x\" \"y\""), "a CANCELUPDATE tag='x' tag='y'");
  for (const std::string bad :
       {"SEARCH RETURN (UPDATE UPDATE) ALL", "SEARCH RETURN (UPDATE ()) ALL",
        "SEARCH RETURN (UPDATE (FULL)) ALL", "SEARCH RETURN (UPDATE(UID)) ALL",
        "ESEARCH RETURN (UPDATE) ALL", "CANCELUPDATE", "CANCELUPDATE ", "CANCELUPDATE x",
        "CANCELUPDATE \"x\" "}) {
    EXPECT_TRUE(IsBad("a " + bad)) << bad;
  }
}

}  // namespace
}  // namespace twinspool::imap
