// Encoded words, parameters, transfer encodings, charsets, folding.
#include <gtest/gtest.h>

#include "common/limits.h"
#include "common/utf8.h"
#include "server/mime/ascii.h"
#include "server/mime/charset.h"
#include "server/mime/encoded_word.h"
#include "server/mime/fold.h"
#include "server/mime/parameters.h"
#include "server/mime/transfer.h"

namespace twinspool::mime {
namespace {

TEST(EncodedWords, ExamplesOfTheStandard) {
  // RFC 2047 §8.
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?Q?a?="), "a");
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?Q?a?= b"), "a b");
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="), "ab");
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?Q?a?=   =?ISO-8859-1?Q?b?="), "ab");
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?Q?a_b?="), "a b");
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="), "a b");
  EXPECT_EQ(DecodeEncodedWords("=?US-ASCII?Q?Keith_Moore?= <m@x>"), "Keith Moore <m@x>");
  EXPECT_EQ(DecodeEncodedWords("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?="),
            "If you can read this yo");
  EXPECT_EQ(DecodeEncodedWords("=?iso-8859-1?q?Andr=E9?= x"), "André x");
  // RFC 2047 §3: such a word begins and ends in ASCII, so that an empty stretch of it is between
  // two.
  EXPECT_EQ(DecodeEncodedWords("=?iso-2022-jp?B?GyRCJTkbKEI=?= =?ISO-2022-JP?B?GyRCJVEbKEI=?="),
            "スパ");
}

TEST(EncodedWords, CharacterCutBetweenTwoWordsSurvives) {
  EXPECT_EQ(DecodeEncodedWords("=?utf-8?Q?=C3?= =?UTF-8?Q?=A9?="), "é");
  EXPECT_EQ(DecodeEncodedWords("=?utf-8?B?w6k?==?utf-8*en?Q?!?="), "é!");
}

TEST(EncodedWords, TrailingBlankAndQuestionMarksStay) {
  EXPECT_EQ(DecodeEncodedWords("=?utf-8?Q?a_?=b"), "a b");
  for (const char* text : {"=?", "=?utf-8?", "=?utf-8?Q", "=?utf-8?Q?", "=?utf-8?Q?abc",
                           "=?utf-8?Q?a?b", "=?utf-8?X?abc?=", "what=?no", "=?=?=?"}) {
    EXPECT_EQ(DecodeEncodedWords(text), text);
  }
}

TEST(EncodedWords, RawEightBitIsGuessed) {
  EXPECT_EQ(DecodeEncodedWords("caf\xc3\xa9"), "café");
  EXPECT_EQ(DecodeEncodedWords("caf\xe9"), "café");
  EXPECT_EQ(DecodeEncodedWords("=?x-unknown?Q?caf=E9?="), "café");
}

TEST(Parameters, Rfc2231Examples) {
  const auto joined = ParseValueWithParameters(
      "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; "
      "title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"");
  EXPECT_EQ(DecodedParameter(joined.parameters, "TITLE"), "This is even more ***fun*** isn't it!");
  const auto single = ParseValueWithParameters("a/b; name*=iso-8859-1''%e9t%E9");
  EXPECT_EQ(DecodedParameter(single.parameters, "name"), "été");
  EXPECT_EQ(DecodedParameter(single.parameters, "other"), std::nullopt);
}

TEST(Parameters, PiecesAreSortedAndStopAtAGap) {
  const auto p = ParseValueWithParameters("a/b; n*2=c; n*0=a; n*1=b; n*4=e; n*x=y");
  EXPECT_EQ(DecodedParameter(p.parameters, "n"), "abc");
}

TEST(Parameters, EncodedWordsInPlainParametersAreDecoded) {
  const auto p = ParseValueWithParameters("a/b; name=\"=?utf-8?B?w6k=?=.txt\"");
  EXPECT_EQ(DecodedParameter(p.parameters, "name"), "é.txt");
}

TEST(Parameters, ForgottenSemicolonBehindTheType) {
  const auto p = ParseValueWithParameters("multipart/mixed\tboundary=\"b\"; x=y");
  EXPECT_EQ(p.parameters, (std::vector<Parameter>{{"boundary", "b"}, {"x", "y"}}));
  EXPECT_TRUE(ParseValueWithParameters("text/plain garbage").parameters.empty());
}

TEST(Parameters, NumberIsLimited) {
  std::string value = "text/plain";
  for (int i = 0; i < 5000; ++i) {
    value += ";a=b";
  }
  EXPECT_EQ(ParseValueWithParameters(value).parameters.size(), limits::kMimeParametersMax);
}

TEST(Ascii, CommentsNestAndMayBeUnclosed) {
  std::string_view comment;
  EXPECT_EQ(SkipCfws(" (a (b) \\) c) x", 0, &comment), 14u);
  EXPECT_EQ(comment, "a (b) \\) c");
  EXPECT_EQ(SkipCfws("(open", 0, &comment), 5u);
  EXPECT_EQ(comment, "open");
  EXPECT_EQ(SkipCfws(std::string(1'000'000, '('), 0), 1'000'000u);
  EXPECT_EQ(SkipCfws("(x\\", 0, &comment), 3u);
}

TEST(Transfer, QuotedPrintable) {
  EXPECT_EQ(DecodeQuotedPrintable("a=3Db =\r\nc  \r\nd=zz=4=\n="), "a=b c\r\nd=zz=4");
  EXPECT_EQ(DecodeQuotedPrintable("soft=  \r\nbreak\n"), "softbreak\n");
  EXPECT_EQ(DecodeTransfer("Quoted-Printable", "=C3=A9"), "é");
}

TEST(Transfer, Base64SkipsGarbageAndGoesOnBehindPadding) {
  EXPECT_EQ(DecodeBase64Loosely("aGVs\r\nbG8="), "hello");
  EXPECT_EQ(DecodeBase64Loosely("aGVs!bG8"), "hello");
  EXPECT_EQ(DecodeBase64Loosely("YQ==Yg=="), "ab");
  EXPECT_EQ(DecodeBase64Loosely("===="), "");
}

TEST(Transfer, UnknownEncodingsChangeNothing) {
  EXPECT_EQ(DecodeTransfer("x-uuencode", "=3D"), "=3D");
}

TEST(Charset, KnownAndUnknown) {
  EXPECT_EQ(ToUtf8("koi8-r", "\xf0\xd2\xc9"), "При");
  EXPECT_EQ(ToUtf8("ISO-2022-JP", "\x1b$B$\"\x1b(B"), "あ");
  EXPECT_EQ(ToUtf8("utf-16le", std::string_view("a\0b\0", 4)), "ab");
  EXPECT_EQ(ToUtf8("no-such-charset", "\xe9"), "é");
  EXPECT_EQ(ToUtf8("../../etc/passwd", "x"), "x");
  EXPECT_EQ(ToUtf8("us-ascii", "\xc3\xa9"), "é");
  EXPECT_TRUE(KnownCharset("UTF-8"));
  EXPECT_FALSE(KnownCharset("latin1,swaplfnl"));
  EXPECT_FALSE(KnownCharset(""));
}

TEST(Charset, IsUtf8RefusesOverlongSurrogatesAndCuts) {
  EXPECT_TRUE(IsUtf8("aé€😀"));
  for (const char* bad :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\xff", "a\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(Fold, AsciiAndBeyond) {
  EXPECT_EQ(Fold("Hello"), "HELLO");
  EXPECT_EQ(Fold("äÄ"), Fold("ÄÄ"));
  EXPECT_EQ(Fold("é"), Fold("e\u0301")) << "composed and decomposed are equal";
  EXPECT_EQ(Fold("ﬁ"), "fi") << "title case keeps a ligature, NFKD opens it";
  EXPECT_EQ(Fold("привет"), Fold("ПРИВЕТ"));
  EXPECT_EQ(Fold("Ａ"), "A");
  EXPECT_EQ(Fold("ǆ"), Fold("Ǆ"));
  EXPECT_EQ(Fold("각"), Fold("\u1100\u1161\u11a8"));
  EXPECT_EQ(Fold("😀\xff"), "😀\uFFFD");
  EXPECT_EQ(Fold("𝐀"), "A") << "decomposed from beyond the basic plane";
}

TEST(Fold, LineBreaksAndSeparators) {
  EXPECT_EQ(Fold("a\r\nb\nc\rd\r"), "A\nB\nC\rD\r");
  EXPECT_EQ(Fold("a\x1c\x1d\x1e\x1f!"), "A    !");
}

TEST(Fold, StopsAtTheBound) {
  std::string out;
  EXPECT_FALSE(FoldInto(std::string(1000, 'x'), 500, &out));
  EXPECT_LE(out.size(), 500u);
  EXPECT_TRUE(FoldInto("y", 2000, &out));
}

TEST(TransferDecoder, PiecesComeToTheSameAsTheWhole) {
  std::string quoted = "a=3Db=\r\nc  \r\n=C3=A4 =\nd\t\n==3D=4\r\nend = ";
  quoted += std::string(TransferDecoder::kLineBytesMax, 'x') + "=41  =42 " +
            std::string(2 * TransferDecoder::kLineBytesMax, 'y') + " =\r\nz";
  std::string base64 = "AGFi\r\nY2Q=\r\nAGFiY2Q";
  base64 += std::string(1000, 'Q');
  for (const auto& [encoding, text] : {std::pair("quoted-printable", quoted),
                                       std::pair("BASE64", base64), std::pair("8bit", quoted)}) {
    const std::string whole = DecodeTransfer(encoding, text);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7},
                                    std::size_t{4096}, std::size_t{100'000}}) {
      TransferDecoder decoder(encoding);
      std::string out;
      for (std::size_t at = 0; at < text.size(); at += piece) {
        decoder.Feed(std::string_view(text).substr(at, piece), &out);
      }
      decoder.Finish(&out);
      EXPECT_TRUE(out == whole) << encoding << " in pieces of " << piece;
    }
  }
}

}  // namespace
}  // namespace twinspool::mime
