#include "server/mime/text.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::mime {
namespace {

constexpr char kMessage[] =
    "Subject: =?iso-8859-1?Q?Gr=FC=DFe?= aus\r\n Wien\r\n"
    "From: =?utf-8?B?w4lyaWM=?= <eric@Example.TEST>\r\n"
    "X-Empty:\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble words\r\n"
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nStra=DFen=\r\nbahn\r\n"
    "--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "PGI+SGVsbG88L2I+\r\n"
    "--b\r\nContent-Type: application/pdf\r\n"
    "Content-Disposition: attachment; filename*=utf-8''R%C3%A9sum%C3%A9.pdf\r\n\r\nsecret bytes\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner =?utf-8?Q?=C3=A9?=\r\n\r\ninner "
    "text\r\n"
    "--b--\r\n";

class FoldedTextTest : public ::testing::Test {
 protected:
  bool Body(std::string_view key) const { return FoldedBodyContains(folded_, Fold(key)); }
  bool Text(std::string_view key) const { return FoldedTextContains(folded_, Fold(key)); }
  bool Header(std::string_view name, std::string_view key) const {
    return FoldedHeaderContains(folded_, name, Fold(key));
  }

  const std::string folded_ = FoldedText(kMessage);
};

TEST_F(FoldedTextTest, HeadersAreDecodedAndFolded) {
  EXPECT_TRUE(Header("subject", "grüße AUS wien"));
  EXPECT_TRUE(Header("FROM", "éRIC"));
  EXPECT_TRUE(Header("From", "eric@example.test"));
  EXPECT_FALSE(Header("To", "eric"));
  EXPECT_FALSE(Header("From", "wien"));
  EXPECT_FALSE(Header("ect", "aus")) << "a name is whole";
}

TEST_F(FoldedTextTest, EmptyKeyAsksForThePresenceOfTheField) {
  EXPECT_TRUE(Header("X-Empty", ""));
  EXPECT_FALSE(Header("X-Other", ""));
  EXPECT_TRUE(Body(""));
}

TEST_F(FoldedTextTest, TextPartsAreDecoded) {
  EXPECT_TRUE(Body("straßenbahn"));
  EXPECT_TRUE(Body("<b>hello</b>"));
  EXPECT_TRUE(Body("inner text"));
  EXPECT_FALSE(Body("secret bytes")) << "not text";
  EXPECT_FALSE(Body("preamble"));
}

TEST_F(FoldedTextTest, BodyHasInnerHeadersButNotTheMessages) {
  EXPECT_TRUE(Body("inner é"));
  EXPECT_TRUE(Body("résumé.pdf"));
  EXPECT_FALSE(Body("wien"));
  EXPECT_TRUE(Text("wien"));
  EXPECT_TRUE(Text("subject: grüße"));
  EXPECT_TRUE(Text("straßenbahn"));
}

TEST_F(FoldedTextTest, MatchesDoNotSpanFieldsOrParts) {
  EXPECT_FALSE(Text("wien from"));
  EXPECT_FALSE(Text("bahncontent"));
  EXPECT_FALSE(Text("bahn content"));
  EXPECT_FALSE(Text("bahn\x1e"));
}

TEST(FoldedText, SinglePartMessage) {
  const std::string folded = FoldedText("Subject: x\r\n\r\nOne\r\nTwo");
  EXPECT_EQ(folded, "SUBJECT: X\x1e\x1dONE\nTWO\x1e");
  EXPECT_TRUE(FoldedBodyContains(folded, Fold("one\r\ntwo")));
}

TEST(FoldedText, UnknownCharsetIsGuessed) {
  const std::string folded =
      FoldedText("Content-Type: text/plain; charset=x-mad\r\n\r\ncaf\xe9 na\xc3\xafve");
  EXPECT_TRUE(FoldedBodyContains(folded, Fold("café")));
}

// RFC 2046 §4.1.2: the label says what the octets are. That it often lies is no reason not to find
// what a reader who believes it sees.
TEST(FoldedText, Utf8LabelledLatin1IsFoundAsEither) {
  const std::string folded =
      FoldedText("Content-Type: text/plain; charset=ISO-8859-1\r\n\r\nna\xc3\xafve");
  EXPECT_TRUE(FoldedBodyContains(folded, Fold("naïve")));
  EXPECT_TRUE(FoldedBodyContains(folded, Fold("naÃ¯ve")));
  const std::string latin =
      FoldedText("Content-Type: text/plain; charset=iso-8859-1\r\n\r\nna\xefve");
  EXPECT_TRUE(FoldedBodyContains(latin, Fold("naïve")));
  EXPECT_EQ(FoldedText("Content-Type: text/plain; charset=iso-8859-1\r\n\r\nx"),
            "CONTENT-TYPE: TEXT/PLAIN; CHARSET=ISO-8859-1\x1e\x1dX\x1e");
}

TEST(FoldedText, OneBrokenOctetDoesNotHideUtf8) {
  const std::string folded =
      FoldedText("Content-Type: text/plain; charset=utf-8\r\n\r\nna\xc3\xafve \xff caf\xe9 !");
  EXPECT_TRUE(FoldedBodyContains(folded, Fold("naïve"))) << "as its label has it";
  EXPECT_TRUE(FoldedBodyContains(folded, Fold("café"))) << "as it may be meant";
}

// RFC 2231 §3 and §4 hold for the charset as for any parameter.
TEST(FoldedText, CharsetMayBeContinuedOrEncoded) {
  for (const std::string charset : {"charset*=us-ascii''koi8-r", "charset*0=koi8; charset*1=-r"}) {
    const std::string folded =
        FoldedText("Content-Type: text/plain; " + charset + "\r\n\r\n\xd0\xd2\xc9\xd7\xc5\xd4");
    EXPECT_TRUE(FoldedBodyContains(folded, Fold("привет"))) << charset;
  }
}

TEST(FoldedText, BoundedAndSaysSo) {
  const std::string huge =
      "Subject: x\r\n\r\n" + std::string(limits::kFoldedTextBytesMax, 'y') + "z";
  const std::string folded = FoldedText(huge);
  EXPECT_LE(folded.size(), limits::kFoldedTextBytesMax);
  EXPECT_TRUE(FoldedIsCut(folded));
  EXPECT_TRUE(FoldedHeaderContains(folded, "subject", "X"));
  EXPECT_FALSE(FoldedIsCut(FoldedText("Subject: x\r\n\r\ny")));
}

}  // namespace
}  // namespace twinspool::mime
