// SEARCH: every key, the tree, RETURN and CHARSET, and its bounds.
#include <string>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/imap/transcript.h"

namespace twinspool::imap {
namespace {

// The program of "a SEARCH keys" as an S-expression, or the whole answer when it is another.
std::string Program(const std::string& keys) {
  const std::string line = Line("a SEARCH " + keys);
  const std::string start = "a SEARCH program=";
  return line.starts_with(start) ? line.substr(start.size()) : line;
}

TEST(ParserSearch, Flags) {
  EXPECT_EQ(Program("ALL"), "(and (all))");
  EXPECT_EQ(Program("ANSWERED DELETED DRAFT FLAGGED SEEN"),
            "(and (flag 2) (flag 8) (flag 16) (flag 4) (flag 1))");
  EXPECT_EQ(Program("unanswered UNDELETED UNDRAFT UNFLAGGED UNSEEN"),
            "(and (noflag 2) (noflag 8) (noflag 16) (noflag 4) (noflag 1))");
  EXPECT_EQ(Program("NEW OLD RECENT"), "(and (new) (old) (recent))");
  EXPECT_EQ(Program("KEYWORD $Junk UNKEYWORD x"), "(and (kw '$Junk') (nokw 'x'))");
}

TEST(ParserSearch, Dates) {
  EXPECT_EQ(Program("BEFORE 2-Jan-1970 ON 02-jan-1970 SINCE \"1-Feb-2024\""),
            "(and (before 1) (on 1) (since 19754))");
  EXPECT_EQ(Program("SENTBEFORE 2-Jan-1970 SENTON 2-Jan-1970 SENTSINCE 31-Dec-1969"),
            "(and (sbefore 1) (son 1) (ssince -1))");
  EXPECT_EQ(Program("OLDER 60 YOUNGER 86400"), "(and (older 60) (younger 86400))");
  for (const std::string keys : {"ON", "ON 1-Foo-2024", "ON 30-Feb-2024", "ON 2024-02-01",
                                 "ON 1-Feb-24", "ON (1-Feb-2024)", "OLDER 0", "YOUNGER x"}) {
    EXPECT_TRUE(IsBad("a SEARCH " + keys)) << keys;
  }
}

TEST(ParserSearch, SavedDatesAndResults) {
  EXPECT_EQ(Program("SAVEDBEFORE 2-Jan-1970 SAVEDON 2-Jan-1970 SAVEDSINCE 31-Dec-1969"),
            "(and (vbefore 1) (von 1) (vsince -1))");
  EXPECT_EQ(Program("SAVEDATESUPPORTED"), "(and (all))");
  EXPECT_EQ(Program("$ NOT $ UID $"), "(and (seq $) (not (seq $)) (uid $))");
  for (const std::string keys : {"SAVEDON", "SAVEDON x", "$,1", "1,$", "$ALL"}) {
    EXPECT_TRUE(IsBad("a SEARCH " + keys)) << keys;
  }
}

TEST(ParserSearch, SaveAndPartial) {
  EXPECT_EQ(Line("a SEARCH RETURN (SAVE) ALL"), "a SEARCH esearch returns=16 program=(and (all))");
  EXPECT_EQ(Line("a UID SEARCH RETURN (PARTIAL 1:500 COUNT) ALL"),
            "a SEARCH uid esearch returns=40 partial=1:500 program=(and (all))");
  EXPECT_EQ(Line("a SEARCH RETURN (PARTIAL -100:-1) ALL"),
            "a SEARCH esearch returns=32 partial=-1:100 program=(and (all))");
  for (const std::string options :
       {"PARTIAL", "PARTIAL 0:1", "PARTIAL 1", "PARTIAL 1:-1", "PARTIAL -1:1", "PARTIAL 1:2 ALL",
        "PARTIAL 1:2 PARTIAL 1:2", "PARTIAL 1:*", "UPDATES", "SAVED"}) {
    EXPECT_TRUE(IsBad("a SEARCH RETURN (" + options + ") ALL")) << options;
  }
}

TEST(ParserSearch, Sort) {
  EXPECT_EQ(Line("a SORT (SUBJECT) UTF-8 ALL"),
            "a SORT rising=SUBJECT charset='UTF-8' program=(and (all))");
  EXPECT_EQ(Line("a UID SORT RETURN (COUNT) (REVERSE DATE displayfrom REVERSE displayto) us-ascii "
                 "1:2 SEEN"),
            "a SORT falling=DATE rising=DISPLAYFROM falling=DISPLAYTO uid esearch returns=8 "
            "charset='US-ASCII' program=(and (seq 1:2) (flag 1))");
  EXPECT_EQ(Line("a SORT (ARRIVAL CC FROM SIZE TO) X ALL"),
            "a SORT rising=ARRIVAL rising=CC rising=FROM rising=SIZE rising=TO charset='X' "
            "program=(and (all))");
  EXPECT_EQ(Line("a SORT (CC SIZE REVERSE CC CC) X ALL"),
            "a SORT rising=CC rising=SIZE charset='X' program=(and (all))");
  for (const std::string arguments : {"", "()", "() UTF-8 ALL", "(SUBJECT) ALL", "(SUBJECT) UTF-8",
                                      "(REVERSE) UTF-8 ALL", "(BCC) UTF-8 ALL", "SUBJECT UTF-8 ALL",
                                      "(SUBJECT,DATE) UTF-8 ALL", "RETURN () UTF-8 ALL"}) {
    EXPECT_TRUE(IsBad("a SORT " + arguments)) << arguments;
  }
}

TEST(ParserSearch, Thread) {
  EXPECT_EQ(Line("a THREAD references UTF-8 ALL"),
            "a THREAD by=REFERENCES charset='UTF-8' program=(and (all))");
  EXPECT_EQ(Line("a UID THREAD ORDEREDSUBJECT US-ASCII TEXT x"),
            "a THREAD by=ORDEREDSUBJECT uid charset='US-ASCII' program=(and (text 'x'))");
  EXPECT_EQ(Line("a THREAD REFS UTF-8 $"),
            "a THREAD by=REFS charset='UTF-8' program=(and (seq $))");
  for (const std::string arguments : {"", "UTF-8 ALL", "JWZ UTF-8 ALL", "REFERENCES ALL",
                                      "REFERENCES UTF-8", "RETURN (COUNT) REFERENCES UTF-8 ALL"}) {
    EXPECT_TRUE(IsBad("a THREAD " + arguments)) << arguments;
  }
}

TEST(ParserSearch, StringsAndNumbers) {
  EXPECT_EQ(Program("BCC a CC b FROM c SUBJECT \"d e\" TO f"),
            "(and (header 'Bcc' 'a') (header 'Cc' 'b') (header 'From' 'c') "
            "(header 'Subject' 'd e') (header 'To' 'f'))");
  EXPECT_EQ(Program("BODY x TEXT y HEADER X-Spam \"\""),
            "(and (body 'x') (text 'y') (header 'X-Spam'))");
  EXPECT_EQ(Program("LARGER 0 SMALLER 5000000000"), "(and (larger) (smaller 5000000000))");
  EXPECT_EQ(Program("EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9"),
            "(and (emailid 'M6d99ac3275bb4e') (threadid 'T64b478a75b7ea9'))");
  EXPECT_EQ(Program("MODSEQ 620162338 MODSEQ \"/flags/\\\\draft\" all 7"),
            "(and (modseq 620162338) (modseq 7))");
  EXPECT_EQ(Program("1:3,* UID 5:* 7"), "(and (seq 1:3,*) (uid 5:*) (seq 7))");
  for (const std::string keys :
       {"", "FOO", "SUBJECT", "HEADER a", "LARGER", "LARGER x", "LARGER 9223372036854775808", "UID",
        "UID x", "KEYWORD", "KEYWORD \\Seen", "MODSEQ", "MODSEQ \"/flags/x\" 7",
        "MODSEQ \"/flags/x\" mine 7", "0", "ALL ", "ALL  SEEN", "SEEN,", "EMAILID \"x\""}) {
    EXPECT_TRUE(IsBad("a SEARCH " + keys)) << keys;
  }
}

TEST(ParserSearch, LiteralsKeepTheirOctets) {
  EXPECT_EQ(Line("a SEARCH CHARSET iso-8859-1 SUBJECT {3}\r\n\xe4 x BODY {1+}\r\ny UNSEEN"),
            "+ tag='a' size=3 | a SEARCH charset='ISO-8859-1' program=(and (header 'Subject' "
            "'\xe4 x') (body 'y') (noflag 1))");
  EXPECT_EQ(Line("a SEARCH CHARSET UTF-8 OR FROM {1+}\r\nx (TO {1+}\r\ny)"),
            "a SEARCH charset='UTF-8' program=(and (or (header 'From' 'x') "
            "(and (header 'To' 'y'))))");
  EXPECT_TRUE(IsBad("a SEARCH CHARSET"));
  EXPECT_TRUE(IsBad("a SEARCH CHARSET UTF-8"));
}

TEST(ParserSearch, Trees) {
  EXPECT_EQ(Program("NOT SEEN"), "(and (not (flag 1)))");
  EXPECT_EQ(Program("OR SEEN (DRAFT 1:2) NOT (ALL)"),
            "(and (or (flag 1) (and (flag 16) (seq 1:2))) (not (and (all))))");
  EXPECT_EQ(Program("OR OR 1 2 3"), "(and (or (or (seq 1) (seq 2)) (seq 3)))");
  EXPECT_EQ(Program("OR 1 OR 2 OR 3 4 SEEN"),
            "(and (or (seq 1) (seq 2) (seq 3) (seq 4)) (flag 1))");
  for (const std::string keys : {"NOT", "OR", "OR SEEN", "OR SEEN ", "(", "()", "(SEEN", "SEEN)",
                                 "(SEEN ) ALL", "OR 1 OR 2", "NOTSEEN"}) {
    EXPECT_TRUE(IsBad("a SEARCH " + keys)) << keys;
  }
}

TEST(ParserSearch, DepthIsBoundedAndOrChainsAreNotDeep) {
  const auto nested = [](int depth) {
    const auto count = static_cast<std::size_t>(depth - 1);
    return "a SEARCH " + std::string(count, '(') + "ALL" + std::string(count, ')');
  };
  EXPECT_FALSE(IsBad(nested(limits::kSearchDepthMax)));
  EXPECT_TRUE(IsBad(nested(limits::kSearchDepthMax + 1)));
  std::string nots;
  std::string left_ors;
  std::string right_ors;
  for (int i = 0; i < 1000; ++i) {
    nots += "NOT ";
    left_ors += "OR ";
    right_ors += "OR 1 ";
  }
  EXPECT_TRUE(IsBad("a SEARCH " + nots + "ALL"));
  EXPECT_TRUE(IsBad("a SEARCH " + left_ors + "1 2"));
  EXPECT_FALSE(IsBad("a SEARCH " + right_ors + "2"));
}

TEST(ParserSearch, KeysAreCounted) {
  std::string keys = "a SEARCH 1";
  for (std::size_t i = 1; i < limits::kSearchKeysMax; ++i) {
    keys += " 1";
  }
  EXPECT_FALSE(IsBad(keys));
  EXPECT_TRUE(IsBad(keys + " 1"));
}

TEST(ParserSearch, Return) {
  EXPECT_EQ(Line("a UID SEARCH RETURN (MIN max COUNT) ALL"),
            "a SEARCH uid esearch returns=11 program=(and (all))");
  EXPECT_EQ(Line("a SEARCH RETURN () CHARSET UTF-8 ALL"),
            "a SEARCH esearch returns=4 charset='UTF-8' program=(and (all))");
  EXPECT_EQ(Line("a SEARCH RETURN (ALL) ALL"), "a SEARCH esearch returns=4 program=(and (all))");
  for (const std::string bad :
       {"a SEARCH RETURN", "a SEARCH RETURN ()", "a SEARCH RETURN (FOO) ALL",
        "a SEARCH RETURN (MIN)ALL", "a SEARCH RETURN MIN ALL"}) {
    EXPECT_TRUE(IsBad(bad)) << bad;
  }
}

}  // namespace
}  // namespace twinspool::imap
