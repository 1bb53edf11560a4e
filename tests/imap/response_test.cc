// The writer of responses, and sequence sets against a view.
#include "server/imap/response.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/imap/sequence.h"

namespace twinspool::imap {
namespace {

template <typename Fn, typename... Args>
std::string Written(Fn fn, Args&&... args) {
  std::string out;
  fn(&out, std::forward<Args>(args)...);
  return out;
}

TEST(Response, Numbers) {
  EXPECT_EQ(Written(AppendNumber, 0u), "0");
  EXPECT_EQ(Written(AppendNumber, UINT64_MAX), "18446744073709551615");
}

TEST(Response, Strings) {
  EXPECT_EQ(Written(AppendString, ""), "\"\"");
  EXPECT_EQ(Written(AppendString, R"(a "b" \)"), R"("a \"b\" \\")");
  EXPECT_EQ(Written(AppendString, "x\r\n* OK"), "{7}\r\nx\r\n* OK");
  EXPECT_EQ(Written(AppendString, "\xc3\xa4"), "{2}\r\n\xc3\xa4");
  EXPECT_EQ(Written(AppendString, std::string_view("a\0b", 3)),
            "{3}\r\na\x80"
            "b");
  EXPECT_EQ(Written(AppendString, std::string(1001, 'x')).substr(0, 8), "{1001}\r\n");
  EXPECT_EQ(Written(AppendLiteralHead, 42u), "{42}\r\n");
}

TEST(Response, Astrings) {
  EXPECT_EQ(Written(AppendAstring, "abc"), "abc");
  EXPECT_EQ(Written(AppendAstring, ""), "\"\"");
  EXPECT_EQ(Written(AppendAstring, "nil"), "\"nil\"");
  EXPECT_EQ(Written(AppendAstring, "a b"), "\"a b\"");
  EXPECT_EQ(Written(AppendAstring, "a%"), "\"a%\"");
}

TEST(Response, Mailboxes) {
  EXPECT_EQ(Written(AppendMailbox, "Entw\xc3\xbcrfe", false), "Entw&APw-rfe");
  EXPECT_EQ(Written(AppendMailbox, "Entw\xc3\xbcrfe \"x\"", true), "\"Entw\xc3\xbcrfe \\\"x\\\"\"");
  EXPECT_EQ(Written(AppendMailbox, "a\nb", true), "{3}\r\na\nb");
  EXPECT_EQ(Written(AppendMailbox, "R&D x", false), "\"R&-D x\"");
}

TEST(Response, Flags) {
  const std::vector<std::string> table = {"$Junk", "work", "x"};
  KeywordBits bits;
  EXPECT_EQ(Written(AppendFlags, SystemFlags{0}, bits, table), "()");
  bits.Set(0);
  bits.Set(2);
  bits.Set(100);
  EXPECT_EQ(Written(AppendFlags, static_cast<SystemFlags>(kSeen | kDraft), bits, table),
            "(\\Seen \\Draft $Junk x)");
  EXPECT_EQ(Written(AppendFlagTable, table),
            "(\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work x)");
  EXPECT_EQ(Written(AppendPermanentFlags, table, kRightsAll),
            "(\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work x \\*)");
  EXPECT_EQ(
      Written(AppendPermanentFlags, table, static_cast<Rights>(kRightSeen | kRightDeleteMessages)),
      "(\\Deleted \\Seen)");
  EXPECT_EQ(Written(AppendSpecialUse, static_cast<SpecialUse>(kUseSent | kUseAll)), "\\All \\Sent");
}

TEST(Response, Sets) {
  UidSet set = UidSet::Of(1, 3);
  set.Add(7);
  EXPECT_EQ(Written(AppendSet, set), "1:3,7");
  EXPECT_EQ(Written(AppendSet, UidSet()), "");
  EXPECT_EQ(Written(AppendNumbersInOrder,
                    std::vector<Uid>{Uid(5), Uid(6), Uid(3), Uid(9), Uid(10), Uid(11)}),
            "5:6,3,9:11");
}

TEST(Response, InternalDate) {
  EXPECT_EQ(Written(AppendInternalDate, 837596665, std::int16_t{-420}),
            "\"17-Jul-1996 02:44:25 -0700\"");
}

TEST(Response, StatusLines) {
  EXPECT_EQ(Written(AppendStatusLine, "a1", Condition::kOk, "", "done"), "a1 OK done\r\n");
  EXPECT_EQ(Written(AppendStatusLine, "", Condition::kBye, "UNAVAILABLE", "moved"),
            "* BYE [UNAVAILABLE] moved\r\n");
  EXPECT_EQ(Written(AppendStatusLine, "a", Condition::kBad, "", "x\r\n* OK \xc3"),
            "a BAD x??* OK ?\r\n");
  EXPECT_EQ(Written(AppendStatusLine, "a", Condition::kNo, "LIMIT", ""), "a NO [LIMIT] .\r\n");
  EXPECT_LT(Written(AppendStatusLine, "a", Condition::kNo, "", std::string(9999, 'x')).size(),
            600u);
}

TEST(Response, CodesOfStatuses) {
  const auto code = [](const Status& status, Missing missing = Missing::kNonExistent) {
    return std::string(RefusalFor(status, missing, "E7").code);
  };
  EXPECT_EQ(code(OverQuota("x")), "OVERQUOTA");
  EXPECT_EQ(code(NotFound("x")), "NONEXISTENT");
  EXPECT_EQ(code(NotFound("x"), Missing::kTryCreate), "TRYCREATE");
  EXPECT_EQ(code(AlreadyExists("x")), "ALREADYEXISTS");
  EXPECT_EQ(code(LimitExceeded("x")), "LIMIT");
  EXPECT_EQ(code(Unavailable("x")), "UNAVAILABLE");
  EXPECT_EQ(code(Timeout("x")), "UNAVAILABLE");
  EXPECT_EQ(code(PermissionDenied("x")), "NOPERM");
  EXPECT_EQ(code(Unauthenticated("x")), "AUTHENTICATIONFAILED");
  EXPECT_EQ(code(InvalidArgument("x")), "CANNOT");
  EXPECT_EQ(code(Conflict("x")), "");
  EXPECT_EQ(RefusalFor(OverQuota("full"), Missing::kNonExistent, "").text, "full");
}

TEST(Response, FaultsShowNoInside) {
  for (const Status& status : {Internal("secret"), IoError("secret"), DataLoss("secret")}) {
    const Refusal refusal = RefusalFor(status, Missing::kNonExistent, "E7");
    EXPECT_EQ(refusal.code, "SERVERBUG");
    EXPECT_EQ(refusal.text.find("secret"), std::string::npos);
    EXPECT_NE(refusal.text.find("E7"), std::string::npos);
    EXPECT_FALSE(refusal.close);
  }
}

TEST(Response, UnknownOutcomesGetNoTaggedAnswer) {
  for (const Status& status : {OutcomeUnknown("x"), Fenced("x")}) {
    const Refusal refusal = RefusalFor(status, Missing::kNonExistent, "");
    EXPECT_EQ(refusal.condition, Condition::kBye);
    EXPECT_TRUE(refusal.close);
  }
}

TEST(Sequence, Uids) {
  const auto resolve = [](std::vector<SequenceRange> ranges, std::uint32_t max) {
    return ResolveUids(SequenceSet{std::move(ranges)}, Uid(max)).ToString();
  };
  EXPECT_EQ(resolve({{1, kStar}}, 9), "1:9");
  EXPECT_EQ(resolve({{20, kStar}}, 9), "9:20");  // '*' is the largest even when below 20
  EXPECT_EQ(resolve({{kStar, kStar}}, 9), "9");
  EXPECT_EQ(resolve({{kStar, kStar}}, 0), "");
  EXPECT_EQ(resolve({{3, kStar}}, 0), "1:3");
  EXPECT_EQ(resolve({{5, 1}, {4, 8}, {20, 20}}, 9), "1:8,20");
  EXPECT_EQ(resolve({{1, UINT32_MAX}}, 9), "1:4294967295");
}

TEST(Sequence, Numbers) {
  const auto resolve = [](std::vector<SequenceRange> ranges, std::uint32_t exists) {
    const auto set = ResolveSequence(SequenceSet{std::move(ranges)}, exists);
    return set.ok() ? set->ToString() : "bad";
  };
  EXPECT_EQ(resolve({{1, kStar}}, 4), "1:4");
  EXPECT_EQ(resolve({{4, 2}}, 4), "2:4");
  EXPECT_EQ(resolve({{1, 5}}, 4), "bad");
  EXPECT_EQ(resolve({{5, kStar}}, 4), "bad");
  EXPECT_EQ(resolve({{kStar, kStar}}, 0), "bad");
  EXPECT_EQ(resolve({{1, kStar}}, 0), "bad");
}

TEST(Sequence, ManyUnorderedRangesStayCheap) {
  SequenceSet set;
  for (std::uint32_t i = 0; i < 16'000; ++i) {
    const std::uint32_t number = (16'000 - i) * 2;
    set.ranges.push_back({number, number});
  }
  EXPECT_EQ(ResolveUids(set, Uid(9)).ranges().size(), 16'000u);
}

}  // namespace
}  // namespace twinspool::imap
