#include "server/mime/summary.h"

#include <gtest/gtest.h>

#include "server/mime/bodystructure.h"
#include "server/mime/envelope.h"

namespace twinspool::mime {
namespace {

constexpr char kMessage[] =
    "Date: Wed, 31 Dec 1969 23:00:00 -0100\r\nSubject: s\r\nFrom: a@b\r\n\r\nbody\r\n";

TEST(Summary, ComesBack) {
  const auto summary = ParseSummary(Summarize(kMessage));
  ASSERT_TRUE(summary.ok());
  const Structure structure = Scan(kMessage);
  EXPECT_EQ(summary->envelope, RenderEnvelope(structure.root().header.Of(kMessage)));
  EXPECT_EQ(summary->body, RenderBody(structure, kMessage, BodyForm::kBody));
  EXPECT_EQ(summary->body_structure, RenderBody(structure, kMessage, BodyForm::kBodyStructure));
  EXPECT_EQ(summary->header_bytes, structure.root().header.size());
  ASSERT_TRUE(summary->date.has_value());
  EXPECT_EQ(summary->date->utc_seconds, 0);
  EXPECT_EQ(summary->date->zone_minutes, -60);
  EXPECT_EQ(summary->preview, "body");
  EXPECT_EQ(summary->sort.from, "A");
  const auto sort = ParseSortSummary(Summarize(kMessage));
  ASSERT_TRUE(sort.ok());
  EXPECT_EQ(sort->date, summary->date);
  EXPECT_EQ(sort->sort.subject, "S");
}

TEST(Summary, NegativeDatesAndNoDate) {
  const auto old = ParseSummary(Summarize("Date: 1 Jan 1950 00:00 +0000\r\n\r\n"));
  ASSERT_TRUE(old.ok() && old->date.has_value());
  EXPECT_LT(old->date->utc_seconds, 0);
  const auto none = ParseSummary(Summarize("Date: soon\r\n\r\n"));
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->date.has_value());
}

TEST(Summary, GoldenOctets) {
  // Stored by nodes: a change here needs a new kSummaryVersion.
  const std::string blob = Summarize("Date: 1 Jan 1970 00:01 +0000\r\n\r\n");
  EXPECT_EQ(blob.substr(0, 5), std::string("\x03\x20\x01\x78\x00", 5));
  EXPECT_EQ(blob.substr(5, 25), std::string(25, '\0')) << "what SORT compares, and the preview";
  EXPECT_EQ(blob[30], 62) << "length of the envelope";
}

TEST(Summary, OtherVersionsAndDamageAreDataLoss) {
  std::string blob = Summarize(kMessage);
  for (std::size_t size = 0; size < blob.size(); ++size) {
    EXPECT_EQ(ParseSummary(std::string_view(blob).substr(0, size)).code(), Code::kDataLoss);
  }
  EXPECT_EQ(ParseSummary(blob + "x").code(), Code::kDataLoss);
  blob[0] = 2;
  EXPECT_EQ(ParseSummary(blob).code(), Code::kDataLoss);
}

}  // namespace
}  // namespace twinspool::mime
