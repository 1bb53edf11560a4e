// SearchProgram: three-valued judging, cheap facts first, every key.
#include "server/imap/search.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/imap/sort.h"
#include "server/mime/text.h"

namespace twinspool::imap {
namespace {

SearchKey Key(SearchOp op) {
  SearchKey key;
  key.op = op;
  return key;
}
SearchKey Text(SearchOp op, std::string text, std::string field = "") {
  SearchKey key = Key(op);
  key.text = std::move(text);
  key.field = std::move(field);
  return key;
}
SearchKey Number(SearchOp op, std::uint64_t number) {
  SearchKey key = Key(op);
  key.number = number;
  return key;
}
SearchKey Day(SearchOp op, std::int32_t day) {
  SearchKey key = Key(op);
  key.day = day;
  return key;
}
SearchKey Flags(SearchOp op, SystemFlags flags) {
  SearchKey key = Key(op);
  key.flags = flags;
  return key;
}
SearchKey Group(SearchOp op, std::vector<SearchKey> children) {
  SearchKey key = Key(op);
  key.children = std::move(children);
  return key;
}

class SearchTest : public ::testing::Test {
 protected:
  SearchTest() : view_({}, false) {
    UidBatch batch;
    batch.state.highest_modseq = Modseq(9);
    batch.state.keywords =
        std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"$Junk", "Work"});
    batch.uids.Add(4);
    batch.uids.Add(7);
    view_.Load(batch);
    facts_.entry.uid = Uid(7);
    facts_.entry.modseq = Modseq(6);
    facts_.entry.flags = kSeen | kFlagged;
    facts_.entry.keywords.Set(1);
    record_.size = 100;
    record_.internal_date = 86'400 * 100 + 23 * 3600;
    record_.zone_minutes = 120;  // there it is day 101 already
    folded_ = mime::FoldedText(
        "From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        "Date: Thu, 1 Jan 1970 23:30:00 -0500\r\n\r\nHello World\r\n");
  }

  Truth Judge(const SearchKey& key, const std::string& charset = "") {
    cmd::Search command;
    command.charset = charset;
    command.program = Group(SearchOp::kAnd, {key});
    Result<SearchProgram> program = SearchProgram::Prepare(command, view_, 86'400 * 200);
    EXPECT_TRUE(program.ok());
    return program->Judge(facts_);
  }

  void KnowRecord() {
    facts_.record = &record_;
    facts_.sent = mime::Date{5 * 3600 - 1800 + 86'400 - 1800 * 2, -300};
  }
  void KnowAll() {
    KnowRecord();
    facts_.folded = &folded_;
  }

  SelectedView view_;
  SearchFacts facts_;
  MessageRecord record_;
  std::string folded_;
};

TEST_F(SearchTest, IndexKeys) {
  EXPECT_EQ(Judge(Key(SearchOp::kAll)), Truth::kTrue);
  EXPECT_EQ(Judge(Flags(SearchOp::kFlag, kSeen)), Truth::kTrue);
  EXPECT_EQ(Judge(Flags(SearchOp::kFlag, kDraft)), Truth::kFalse);
  EXPECT_EQ(Judge(Flags(SearchOp::kNoFlag, kSeen)), Truth::kFalse);
  EXPECT_EQ(Judge(Flags(SearchOp::kNoFlag, kDeleted)), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kKeyword, "work")), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kKeyword, "$junk")), Truth::kFalse);
  EXPECT_EQ(Judge(Text(SearchOp::kKeyword, "nosuch")), Truth::kFalse);
  EXPECT_EQ(Judge(Text(SearchOp::kUnkeyword, "nosuch")), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kUnkeyword, "Work")), Truth::kFalse);
  EXPECT_EQ(Judge(Number(SearchOp::kModseq, 6)), Truth::kTrue);
  EXPECT_EQ(Judge(Number(SearchOp::kModseq, 7)), Truth::kFalse);
  EXPECT_EQ(Judge(Key(SearchOp::kNew)), Truth::kFalse);
  EXPECT_EQ(Judge(Key(SearchOp::kRecent)), Truth::kFalse);
  EXPECT_EQ(Judge(Key(SearchOp::kOld)), Truth::kTrue);
}

TEST_F(SearchTest, SequencesAndUids) {
  SearchKey sequence = Key(SearchOp::kSequence);
  sequence.set.ranges = {{2, 2}};
  EXPECT_EQ(Judge(sequence), Truth::kTrue);
  sequence.set.ranges = {{1, 1}};
  EXPECT_EQ(Judge(sequence), Truth::kFalse);
  SearchKey uid = Key(SearchOp::kUid);
  uid.set.ranges = {{5, kStar}};
  EXPECT_EQ(Judge(uid), Truth::kTrue);
  uid.set.ranges = {{1, 6}};
  EXPECT_EQ(Judge(uid), Truth::kFalse);
}

TEST_F(SearchTest, RecordKeysWaitForTheRecord) {
  EXPECT_EQ(Judge(Number(SearchOp::kLarger, 99)), Truth::kUnknown);
  KnowRecord();
  EXPECT_EQ(Judge(Number(SearchOp::kLarger, 99)), Truth::kTrue);
  EXPECT_EQ(Judge(Number(SearchOp::kLarger, 100)), Truth::kFalse);
  EXPECT_EQ(Judge(Number(SearchOp::kSmaller, 101)), Truth::kTrue);
  EXPECT_EQ(Judge(Number(SearchOp::kSmaller, 100)), Truth::kFalse);
  EXPECT_EQ(Judge(Day(SearchOp::kOn, 101)), Truth::kTrue);
  EXPECT_EQ(Judge(Day(SearchOp::kOn, 100)), Truth::kFalse);
  EXPECT_EQ(Judge(Day(SearchOp::kBefore, 102)), Truth::kTrue);
  EXPECT_EQ(Judge(Day(SearchOp::kBefore, 101)), Truth::kFalse);
  EXPECT_EQ(Judge(Day(SearchOp::kSince, 101)), Truth::kTrue);
  EXPECT_EQ(Judge(Day(SearchOp::kSince, 102)), Truth::kFalse);
  EXPECT_EQ(Judge(Number(SearchOp::kOlder, 86'400)), Truth::kTrue);
  EXPECT_EQ(Judge(Number(SearchOp::kYounger, 86'400)), Truth::kFalse);
  EXPECT_EQ(Judge(Day(SearchOp::kSentOn, 0)), Truth::kTrue);
  EXPECT_EQ(Judge(Day(SearchOp::kSentSince, 1)), Truth::kFalse);
  EXPECT_EQ(Judge(Day(SearchOp::kSentBefore, 1)), Truth::kTrue);
  facts_.sent.reset();
  EXPECT_EQ(Judge(Day(SearchOp::kSentOn, 0)), Truth::kFalse);
}

TEST_F(SearchTest, TextKeysWaitForTheOctets) {
  EXPECT_EQ(Judge(Text(SearchOp::kBody, "hello")), Truth::kUnknown);
  KnowAll();
  EXPECT_EQ(Judge(Text(SearchOp::kBody, "hello w")), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kBody, "ann@")), Truth::kFalse);
  EXPECT_EQ(Judge(Text(SearchOp::kText, "ANN@EXAMPLE")), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kHeader, "gr\xc3\xbc\xc3\x9f", "subject")), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kHeader, "gr\xfc\xdf", "Subject"), "ISO-8859-1"), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kHeader, "", "From")), Truth::kTrue);
  EXPECT_EQ(Judge(Text(SearchOp::kHeader, "", "Cc")), Truth::kFalse);
}

TEST_F(SearchTest, OneDecisiveChildNeedsNoDearFacts) {
  const SearchKey dear = Text(SearchOp::kBody, "hello");
  EXPECT_EQ(Judge(Group(SearchOp::kAnd, {dear, Flags(SearchOp::kFlag, kDraft)})), Truth::kFalse);
  EXPECT_EQ(Judge(Group(SearchOp::kOr, {dear, Flags(SearchOp::kFlag, kSeen)})), Truth::kTrue);
  EXPECT_EQ(Judge(Group(SearchOp::kOr, {dear, Flags(SearchOp::kFlag, kDraft)})), Truth::kUnknown);
  EXPECT_EQ(Judge(Group(SearchOp::kNot, {dear})), Truth::kUnknown);
  KnowAll();
  EXPECT_EQ(Judge(Group(SearchOp::kNot, {dear})), Truth::kFalse);
}

TEST_F(SearchTest, UnknownCharsetAndNumbersAreRefused) {
  cmd::Search command;
  command.charset = "X-NO-SUCH";
  command.program = Group(SearchOp::kAnd, {Key(SearchOp::kAll)});
  EXPECT_EQ(SearchProgram::Prepare(command, view_, 0).code(), Code::kInvalidArgument);
  SearchKey sequence = Key(SearchOp::kSequence);
  sequence.set.ranges = {{3, 3}};
  command.charset = "";
  command.program = Group(SearchOp::kAnd, {sequence});
  EXPECT_EQ(SearchProgram::Prepare(command, view_, 0).code(), Code::kConflict);
}

TEST(Sort, ADateThatIsNoneGivesWayToTheInternalDate) {
  MessageRecord record;
  record.internal_date = 1000;
  EXPECT_EQ(SentSeconds(record, std::nullopt), 1000);
  EXPECT_EQ(SentSeconds(record, mime::Date{-2'208'988'800, 0}), -2'208'988'800) << "1900";
  EXPECT_EQ(SentSeconds(record, mime::Date{-2'208'988'801, 0}), 1000);
}

}  // namespace
}  // namespace twinspool::imap
