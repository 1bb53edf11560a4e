// Modified UTF-7, LIST patterns, dates.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/utf8.h"
#include "server/imap/date.h"
#include "server/imap/list_match.h"
#include "server/imap/mutf7.h"

namespace twinspool::imap {
namespace {

using std::string_literals::operator""s;

TEST(ModifiedUtf7, BothWays) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"plain name/%*\"", "plain name/%*\""},
      {"R&D", "R&-D"},
      {"&&", "&-&-"},
      {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
       "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
      {"\xc3\xa4", "&AOQ-"},
      {"\xc3\xa4&", "&AOQ-&-"},
      {"\xf0\x9f\x98\x80", "&2D3eAA-"},
      {"tab\t", "tab&AAk-"},
  };
  for (const auto& [utf8, wire] : cases) {
    EXPECT_EQ(EncodeModifiedUtf7(utf8), wire);
    const auto decoded = DecodeModifiedUtf7(wire);
    ASSERT_TRUE(decoded.ok()) << wire;
    EXPECT_EQ(*decoded, utf8);
  }
}

TEST(ModifiedUtf7, EveryCodePointComesBack) {
  for (std::uint32_t code = 1; code < 0x110000; code += code < 0x900 ? 1 : 131) {
    if (code >= 0xd800 && code <= 0xdfff) {
      continue;
    }
    std::string utf8 = "a";
    const auto put = [&utf8](std::uint32_t octet) { utf8 += static_cast<char>(octet); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6), put(0x80 | (code & 63));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
    } else {
      put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 63)), put(0x80 | (code >> 6 & 63)),
          put(0x80 | (code & 63));
    }
    utf8 += utf8.substr(1);
    ASSERT_TRUE(IsUtf8(utf8)) << code;
    const auto decoded = DecodeModifiedUtf7(EncodeModifiedUtf7(utf8));
    ASSERT_TRUE(decoded.ok()) << code;
    ASSERT_EQ(*decoded, utf8) << code;
  }
}

TEST(ModifiedUtf7, OneSpellingOnly) {
  for (const std::string& wire :
       {"&"s,      "a&b"s, "&AOQ"s,     "&AOQ-&AOQ-"s, "&AGE-"s, "&AAA-"s,    "&AOR-"s,
        "&AOQA-"s, "&A-"s, "&AO-"s,     "&2D0-"s,      "&3gA-"s, "&2D3YPQ-"s, "&2D0AQQ-"s,
        "&AO/-"s,  "&=-"s, "\xc3\xa4"s, "\x7f"s,       "\t"s,    "a\0b"s}) {
    EXPECT_FALSE(DecodeModifiedUtf7(wire).ok()) << wire;
  }
}

TEST(ModifiedUtf7, BrokenUtf8IsReplaced) {
  EXPECT_EQ(EncodeModifiedUtf7("a\xff"), "a&,,0-");
  for (const std::string bad :
       {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xc3(", "\xf0\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

bool Match(std::string_view pattern, std::string_view name) {
  return ListPattern(pattern).Matches(name);
}

TEST(ListPattern, Wildcards) {
  EXPECT_TRUE(Match("*", "a/b/c"));
  EXPECT_TRUE(Match("*", ""));
  EXPECT_TRUE(Match("", ""));
  EXPECT_FALSE(Match("", "a"));
  EXPECT_TRUE(Match("%", "a"));
  EXPECT_FALSE(Match("%", "a/b"));
  EXPECT_TRUE(Match("%/%", "a/b"));
  EXPECT_FALSE(Match("%/%", "a/b/c"));
  EXPECT_TRUE(Match("a*c", "abbc"));
  EXPECT_TRUE(Match("a*c", "ac"));
  EXPECT_FALSE(Match("a*c", "acb"));
  EXPECT_TRUE(Match("a%c/*x%", "abc/d/exf"));
  EXPECT_FALSE(Match("a%c/*x%", "abc/d/exf/g"));
  EXPECT_TRUE(Match("*%", "a/b"));
  EXPECT_TRUE(Match("%*", "a/b"));
  EXPECT_TRUE(Match("%%", "a"));
  EXPECT_TRUE(Match("%ab", "aab"));
  EXPECT_TRUE(Match("*ab*ab", "ababab"));
  EXPECT_FALSE(Match("abc", "ABC"));
  EXPECT_TRUE(Match("\xc3\xa4%", "\xc3\xa4\xc3\xb6"));
}

TEST(ListPattern, InboxInAnyCase) {
  EXPECT_TRUE(Match("inbox", "INBOX"));
  EXPECT_TRUE(Match("In%", "INBOX"));
  EXPECT_TRUE(Match("*X", "inbox"));
  EXPECT_TRUE(Match("inbox/%", "INBOX/Work"));
  EXPECT_FALSE(Match("inbox/work", "INBOX/Work"));
  EXPECT_FALSE(Match("inboxes", "INBOXES"));
  EXPECT_FALSE(Match("inbo", "INBOX"));
}

// The plain recursive definition.
bool Slow(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) {
    return name.empty();
  }
  if (pattern[0] != '*' && pattern[0] != '%') {
    return !name.empty() && name[0] == pattern[0] && Slow(pattern.substr(1), name.substr(1));
  }
  if (Slow(pattern.substr(1), name)) {
    return true;
  }
  return !name.empty() && (pattern[0] == '*' || name[0] != '/') && Slow(pattern, name.substr(1));
}

TEST(ListPattern, AgreesWithTheDefinition) {
  const std::string_view pattern_alphabet = "ab/%*";
  const std::string_view name_alphabet = "ab/";
  const auto word = [](std::string_view alphabet, unsigned number, unsigned length) {
    std::string text;
    for (unsigned i = 0; i < length; ++i, number /= static_cast<unsigned>(alphabet.size())) {
      text += alphabet[number % alphabet.size()];
    }
    return text;
  };
  int matches = 0;
  for (unsigned p = 0; p < 3125; ++p) {
    const std::string pattern = word(pattern_alphabet, p, 5);
    const ListPattern compiled(pattern);
    for (unsigned n = 0; n < 729; n += 1 + p % 7) {
      const std::string name = word(name_alphabet, n, 6).substr(0, 2 + n % 5);
      ASSERT_EQ(compiled.Matches(name), Slow(pattern, name)) << pattern << " " << name;
      matches += compiled.Matches(name) ? 1 : 0;
    }
  }
  EXPECT_GT(matches, 1000);
}

TEST(ListPattern, LongPatterns) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) {
    pattern += "*a";
  }
  EXPECT_TRUE(Match(pattern, std::string(900, 'a')));
  EXPECT_FALSE(Match(pattern, std::string(499, 'a')));
  EXPECT_FALSE(Match(pattern + "b", std::string(1000, 'a')));
  const std::string name = std::string(70, 'x') + "/" + std::string(70, 'y');
  EXPECT_TRUE(Match(name, name));
  EXPECT_TRUE(Match(std::string(64, 'x') + "%/" + std::string(70, 'y'), name));
  EXPECT_FALSE(Match(std::string(1001, 'a'), std::string(1001, 'a')));
}

TEST(ListPattern, References) {
  EXPECT_EQ(JoinReference("", "*"), "*");
  EXPECT_EQ(JoinReference("work/", "%"), "work/%");
}

TEST(Date, Days) {
  EXPECT_EQ(ParseDate("1-Jan-1970"), 0);
  EXPECT_EQ(ParseDate("01-jan-1970"), 0);
  EXPECT_EQ(ParseDate("29-Feb-2000"), 11016);
  EXPECT_EQ(ParseDate("31-DEC-1969"), -1);
  for (const std::string_view bad :
       {"", "1-Jan-197", "1-Jan-19700", "-Jan-1970", "001-Jan-1970", "0-Jan-1970", "32-Jan-1970",
        "29-Feb-1900", "31-Apr-2020", "1-Foo-1970", "1/Jan/1970", "1-Jan-0000", "1-Jan--970",
        " 1-Jan-1970", "x-Jan-1970"}) {
    EXPECT_EQ(ParseDate(bad), std::nullopt) << bad;
  }
}

TEST(Date, DateTimes) {
  EXPECT_EQ(ParseDateTime(" 1-Jan-1970 00:00:00 +0000"), (DateTime{0, 0}));
  EXPECT_EQ(ParseDateTime("17-Jul-1996 02:44:25 -0700"), (DateTime{837596665, -420}));
  EXPECT_EQ(ParseDateTime("31-Dec-2016 23:59:60 +0000"),
            ParseDateTime("31-Dec-2016 23:59:59 +0000"));
  for (const std::string_view bad :
       {"", "1-Jan-1970 00:00:00 +0000", " 1-Jan-1970 24:00:00 +0000", " 1-Jan-1970 00:60:00 +0000",
        " 1-Jan-1970 00:00:61 +0000", " 1-Jan-1970 00:00:00 00000", " 1-Jan-1970 00:00:00 +2400",
        " 1-Jan-1970 00:00:00 +0060", " 1-Jan-1970 00-00-00 +0000", "30-Feb-1970 00:00:00 +0000",
        " x-Jan-1970 00:00:00 +0000", "  -Jan-1970 00:00:00 +0000",
        " 1-Jan-1970 00:00:00 +0000 "}) {
    EXPECT_EQ(ParseDateTime(bad), std::nullopt) << bad;
  }
}

TEST(Date, WrittenDatesComeBack) {
  for (std::int64_t seconds = -62'000'000'000; seconds < 250'000'000'000;
       seconds += 1'234'567'890) {
    for (const int minutes : {-720, -1, 0, 60, 345, 840}) {
      const auto zone = static_cast<std::int16_t>(minutes);
      std::string text;
      AppendDateTime(&text, {seconds, zone});
      ASSERT_EQ(ParseDateTime(text), (DateTime{seconds, zone})) << text;
    }
  }
}

TEST(Date, EndsOfTheCalendarAreKept) {
  std::string first;
  AppendDateTime(&first, {INT64_MIN, 840});
  EXPECT_EQ(first, " 1-Jan-0001 00:00:00 +1400");
  std::string last;
  AppendDateTime(&last, {INT64_MAX, -720});
  EXPECT_EQ(last, "31-Dec-9999 23:59:59 -1200");
}

}  // namespace
}  // namespace twinspool::imap
