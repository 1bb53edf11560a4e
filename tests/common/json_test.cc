// JsonString: whatever octets come in, a well-formed JSON string goes out.
#include "common/json.h"

#include <string>

#include <gtest/gtest.h>

namespace twinspool {
namespace {

TEST(JsonString, WhatJsonReservesIsEscaped) {
  EXPECT_EQ(JsonString(""), R"("")");
  EXPECT_EQ(JsonString(R"(a "b" \c)"), R"("a \"b\" \\c")");
  EXPECT_EQ(JsonString(std::string("\0\n\x1f", 3)), R"("\u0000\u000a\u001f")");
}

TEST(JsonString, Utf8StaysAsItIs) {
  EXPECT_EQ(JsonString("é€😀\x7f"), "\"é€😀\x7f\"");
}

TEST(JsonString, EachOctetThatIsNotUtf8BecomesTheReplacementCharacter) {
  EXPECT_EQ(JsonString("a\xff\xfe b"), R"("a\ufffd\ufffd b")");
  EXPECT_EQ(JsonString("\xe2\x82"), R"("\ufffd\ufffd")") << "cut at the end";
  EXPECT_EQ(JsonString("\xe2\x82\""), R"("\ufffd\ufffd\"")") << "cut by a quote";
  EXPECT_EQ(JsonString("\xc0\x80"), R"("\ufffd\ufffd")") << "overlong";
  EXPECT_EQ(JsonString("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")") << "a surrogate";
}

}  // namespace
}  // namespace twinspool
