#include "server/mime/header.h"

#include <gtest/gtest.h>

#include "server/mime/date.h"

namespace twinspool::mime {
namespace {

TEST(Header, FieldsAddUpToTheBlock) {
  const std::string block = "A: 1\r\nB : two\r\n\tfolded\nno colon\r\n: x\r\nC:\r\n\r\n";
  HeaderIterator fields(block);
  HeaderField f;
  std::string raw;
  std::vector<std::pair<std::string, std::string>> seen;
  while (fields.Next(&f)) {
    raw += f.raw;
    seen.emplace_back(f.name, f.value);
  }
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"A", " 1"}, {"B", " two\r\n\tfolded"}, {"", "no colon"}, {"", " x"}, {"C", ""}};
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(raw + std::string(fields.rest()), block);
  EXPECT_EQ(fields.rest(), "\r\n");
}

TEST(Header, ColonOfAFoldedLineIsNoNamesEnd) {
  HeaderIterator fields("garbage\r\n more: x\r\n");
  HeaderField f;
  ASSERT_TRUE(fields.Next(&f));
  EXPECT_EQ(f.name, "");
}

TEST(Header, LeadingContinuationIsAFieldWithoutName) {
  HeaderIterator fields(" lost: x\r\nA: 1\r\n");
  HeaderField f;
  ASSERT_TRUE(fields.Next(&f));
  EXPECT_EQ(f.name, "");
  ASSERT_TRUE(fields.Next(&f));
  EXPECT_EQ(f.name, "A");
}

TEST(Header, BlockLength) {
  EXPECT_EQ(HeaderBlockLength(""), 0u);
  EXPECT_EQ(HeaderBlockLength("A: 1"), 4u);
  EXPECT_EQ(HeaderBlockLength("A: 1\r\n\r\nbody"), 8u);
  EXPECT_EQ(HeaderBlockLength("A: 1\n\nbody"), 6u);
  EXPECT_EQ(HeaderBlockLength("\nbody"), 1u);
}

TEST(Header, FindFieldTakesTheFirstAndIgnoresCase) {
  const auto field = FindField("To: a\r\nSUBJECT: one\r\nSubject: two\r\n\r\n", "subject");
  ASSERT_TRUE(field.has_value());
  EXPECT_EQ(field->value, " one");
  EXPECT_FALSE(FindField("To: a\r\n\r\nSubject: body\r\n", "subject").has_value());
}

TEST(Header, UnfoldDropsBreaksAndNulAndKeepsTheBlank) {
  EXPECT_EQ(Unfold(" a\r\n b\n\tc \r\n"), "a b\tc");
  EXPECT_EQ(Unfold(std::string_view("a\0b", 3)), "ab");
}

std::int64_t Utc(std::int64_t year, int month, int day, std::int64_t seconds) {
  return DaysFromCivil(year, month, day) * 86'400 + seconds;
}

TEST(DateField, CivilDays) {
  EXPECT_EQ(DaysFromCivil(1970, 1, 1), 0);
  EXPECT_EQ(DaysFromCivil(2000, 3, 1), 11'017);
  EXPECT_EQ(DaysFromCivil(1969, 12, 31), -1);
  EXPECT_EQ(DaysFromCivil(2024, 2, 29), 19'782);
}

TEST(DateField, StandardForms) {
  const auto date = ParseDate(" Fri, 21 Nov 1997 09:55:06 -0600");
  ASSERT_TRUE(date.has_value());
  EXPECT_EQ(date->utc_seconds, 880'127'706);
  EXPECT_EQ(date->zone_minutes, -360);
  EXPECT_EQ(ParseDate("21 Nov 97 09:55:06 GMT")->utc_seconds, 880'127'706 - 6 * 3600);
  EXPECT_EQ(ParseDate("1 Jan 2000 00:00 +0530")->zone_minutes, 330);
}

TEST(DateField, ObsoleteAndBrokenForms) {
  const std::int64_t noon = Utc(1998, 1, 5, 12 * 3600);
  EXPECT_EQ(ParseDate("Mon Jan  5 12:00:00 1998")->utc_seconds, noon);
  EXPECT_EQ(ParseDate("Mon, 5 (five) Jan (one)\r\n 98 12:00 (noon) EST")->utc_seconds,
            noon + 5 * 3600);
  EXPECT_EQ(ParseDate("5-Jan-1998 12:00:00 +0000")->utc_seconds, noon);
  EXPECT_EQ(ParseDate("Mon,5 January 1998 12.00.00")->utc_seconds, noon);
  EXPECT_EQ(ParseDate("5 Jan 1998")->utc_seconds, Utc(1998, 1, 5, 0));
  EXPECT_EQ(ParseDate("5 Jan 102 12:00 Z")->utc_seconds, Utc(2002, 1, 5, 12 * 3600));
  EXPECT_EQ(ParseDate("5 Jan 49 00:00 Z")->utc_seconds, Utc(2049, 1, 5, 0));
  EXPECT_EQ(ParseDate("5 Jan 50 00:00 Z")->utc_seconds, Utc(1950, 1, 5, 0));
}

TEST(DateField, NotADate) {
  for (const char* text : {"", "yesterday", "32 Jan 2000", "30 Feb 2001", "1 Foo 2000", "Jan 2000",
                           "0 Jan 2000", "1 Jan 0000", "99999999999999999999 Jan 1"}) {
    EXPECT_FALSE(ParseDate(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseDate(std::string(5000, '(')).has_value());
}

TEST(DateField, LocalDayIsTheSendersDay) {
  EXPECT_EQ(ParseDate("1 Jan 2000 23:30 -0800")->LocalDay(), DaysFromCivil(2000, 1, 1));
  EXPECT_EQ(ParseDate("1 Jan 2000 00:30 +0800")->LocalDay(), DaysFromCivil(2000, 1, 1));
  EXPECT_EQ(ParseDate("1 Jan 1960 00:30 +0800")->LocalDay(), DaysFromCivil(1960, 1, 1));
}

}  // namespace
}  // namespace twinspool::mime
