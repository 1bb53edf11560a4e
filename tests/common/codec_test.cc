#include "common/codec.h"

#include <gtest/gtest.h>

namespace twinspool {
namespace {

TEST(Codec, BigEndianKeepsNumberOrderInBytes) {
  std::string low;
  std::string high;
  PutBe64(&low, 255);
  PutBe64(&high, 256);
  EXPECT_LT(low, high);
  EXPECT_EQ(std::string("\x01\x02\x03\x04", 4), [] {
    std::string s;
    PutBe32(&s, 0x01020304);
    return s;
  }());
}

TEST(Codec, VarintsRoundTrip) {
  for (const std::uint64_t v : {0ull, 1ull, 127ull, 128ull, 16384ull, ~0ull}) {
    std::string s;
    PutVarint(&s, v);
    Reader r(s);
    EXPECT_EQ(r.Varint(), v);
    EXPECT_TRUE(r.ok() && r.AtEnd());
  }
}

TEST(Codec, ReaderFailsOnShortInputAndStaysFailed) {
  Reader r("\x01");
  EXPECT_EQ(r.Be32(), 0u);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.U8(), 0u);
  EXPECT_FALSE(r.ok());
}

TEST(Codec, ReaderRefusesVarintsOverSixtyFourBits) {
  Reader r(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10));
  r.Varint();
  EXPECT_FALSE(r.ok());
}

TEST(Codec, Crc32cOfTheStandardCheckString) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
}

TEST(Codec, Base64RoundTripsAndRefusesGarbage) {
  for (const std::string s : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    std::string back;
    EXPECT_TRUE(Base64Decode(Base64Encode(s), &back));
    EXPECT_EQ(back, s);
  }
  std::string out;
  EXPECT_EQ(Base64Encode("foob"), "Zm9vYg==");
  EXPECT_FALSE(Base64Decode("Zm9vYg=", &out));
  EXPECT_FALSE(Base64Decode("Zm9v!g==", &out));
}

}  // namespace
}  // namespace twinspool
