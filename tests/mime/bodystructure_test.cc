#include "server/mime/bodystructure.h"

#include <gtest/gtest.h>

#include "tests/mime/check.h"

namespace twinspool::mime {
namespace {

std::string Body(std::string_view message) {
  return RenderBody(Scan(message), message, BodyForm::kBody);
}
std::string BodyStructure(std::string_view message) {
  return RenderBody(Scan(message), message, BodyForm::kBodyStructure);
}

TEST(BodyStructure, PlainTextWithDefaults) {
  EXPECT_EQ(Body("Subject: x\r\n\r\none\r\ntwo\r\n"),
            R"(("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 10 2))");
  EXPECT_EQ(BodyStructure("Subject: x\r\n\r\none"),
            R"(("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 3 0 NIL NIL NIL NIL))");
}

TEST(BodyStructure, CharsetIsAddedToOtherParametersOfText) {
  EXPECT_EQ(Body("Content-Type: text/html; format=x\r\n\r\n"),
            R"(("text" "html" ("format" "x" "CHARSET" "us-ascii") NIL NIL "7BIT" 0 0))");
  EXPECT_EQ(Body("Content-Type: text/html; Charset=utf-8\r\n\r\n"),
            R"(("text" "html" ("Charset" "utf-8") NIL NIL "7BIT" 0 0))");
}

std::string ParametersOf(const std::string& parameters) {
  const std::string body = Body("Content-Type: a/b" + parameters + "\r\n\r\n");
  const std::size_t begin = std::string_view(R"(("a" "b" )").size();
  return body.substr(begin, body.find(R"( NIL NIL "7BIT")") - begin);
}

// RFC 2231 §6: servers should put continuations together in BODY and BODYSTRUCTURE.
TEST(BodyStructure, ContinuedParametersAreJoined) {
  EXPECT_EQ(ParametersOf("; x=1; name*0=\"a b\"; name*1=c; y=2"),
            R"(("x" "1" "name" "a bc" "y" "2"))");
  EXPECT_EQ(ParametersOf("; Name*1=c; NAME*0=ab; name*2=d"), R"(("Name" "abcd"))");
  EXPECT_EQ(ParametersOf("; a*0=1; b*0=2; a*1=3; b*1=4"), R"(("a" "13" "b" "24"))");
  EXPECT_EQ(ParametersOf("; a*0=1"), R"(("a" "1"))");
}

TEST(BodyStructure, ContinuedParametersWithCharsetStayEncoded) {
  EXPECT_EQ(ParametersOf("; n*=utf-8''%c3%a4"), R"(("n*" "utf-8''%c3%a4"))");
  EXPECT_EQ(ParametersOf("; n*0*=utf-8'de'%c3%a4; n*1*=%20b"), R"(("n*" "utf-8'de'%c3%a4%20b"))");
  EXPECT_EQ(ParametersOf("; n*0*=utf-8''%c3; n*1=\"a b%\""), R"(("n*" "utf-8''%c3a%20b%25"))");
  EXPECT_EQ(ParametersOf("; n*0=\"it's\"; n*1*=%20b"), R"(("n*" "''it%27s%20b"))");
}

TEST(BodyStructure, PiecesThatFitNowhereStandAsWritten) {
  EXPECT_EQ(ParametersOf("; n*1=b; n*2=c"), R"(("n*1" "b" "n*2" "c"))");
  EXPECT_EQ(ParametersOf("; n*0=a; n*2=c"), R"(("n" "a" "n*2" "c"))");
  EXPECT_EQ(ParametersOf("; n*0=a; n*0=b; n*1=c"), R"(("n" "ac" "n*0" "b"))");
  EXPECT_EQ(ParametersOf("; n*x=a; *0=b; n*12345678=c"),
            R"(("n*x" "a" "*0" "b" "n*12345678" "c"))");
}

TEST(BodyStructure, ContinuedOrEncodedCharsetIsACharset) {
  EXPECT_EQ(Body("Content-Type: text/html; charset*0=utf; charset*1=-8\r\n\r\n"),
            R"(("text" "html" ("charset" "utf-8") NIL NIL "7BIT" 0 0))");
  EXPECT_EQ(Body("Content-Type: text/html; charset*=us-ascii'en'utf-8\r\n\r\n"),
            R"(("text" "html" ("charset*" "us-ascii'en'utf-8") NIL NIL "7BIT" 0 0))");
}

TEST(BodyStructure, OtherTypesHaveNoLines) {
  EXPECT_EQ(Body("Content-Type: image/png\r\nContent-ID: <1>\r\nContent-Description: d\r\n"
                 "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"),
            R"(("image" "png" NIL "<1>" "d" "base64" 6))");
}

TEST(BodyStructure, ExtensionData) {
  EXPECT_EQ(BodyStructure("Content-Type: image/png; name=\"a b\"\r\nContent-MD5: m\r\n"
                          "Content-Disposition: inline; filename=x\r\nContent-Language: en, de\r\n"
                          "Content-Location: l\r\n\r\n"),
            R"(("image" "png" ("name" "a b") NIL NIL "7BIT" 0 "m" )"
            R"(("inline" ("filename" "x")) ("en" "de") "l"))");
  EXPECT_EQ(BodyStructure("Content-Type: image/png\r\nContent-Disposition: attachment\r\n\r\n"),
            R"(("image" "png" NIL NIL NIL "7BIT" 0 NIL ("attachment" NIL) NIL NIL))");
}

constexpr char kMultipart[] =
    "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
    "--b\r\n\r\none\r\n"
    "--b\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--b--\r\n";

TEST(BodyStructure, Multipart) {
  EXPECT_EQ(Body(kMultipart), R"((("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 3 0))"
                              R"(("image" "gif" NIL NIL NIL "7BIT" 3) "mixed"))");
  EXPECT_EQ(BodyStructure(kMultipart),
            R"((("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 3 0 NIL NIL NIL NIL))"
            R"(("image" "gif" NIL NIL NIL "7BIT" 3 NIL NIL NIL NIL) "mixed" ("boundary" "b") )"
            R"(NIL NIL NIL))");
}

TEST(BodyStructure, MultipartWithoutPartsShowsOneEmptyPart) {
  const std::string m = "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts";
  EXPECT_EQ(Body(m), R"((("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 0 0) "mixed"))");
  EXPECT_GT(ListLength(BodyStructure(m)), 0);
}

TEST(BodyStructure, NestedMessageHasEnvelopeStructureAndLines) {
  const std::string m =
      "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: text/html\r\n\r\n<p>\r\n";
  EXPECT_EQ(Body(m), R"(("message" "rfc822" NIL NIL NIL "7BIT" 45 )"
                     R"((NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) )"
                     R"(("text" "html" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 1) 4))");
  EXPECT_EQ(BodyStructure(m),
            R"(("message" "rfc822" NIL NIL NIL "7BIT" 45 )"
            R"((NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) )"
            R"(("text" "html" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 1 NIL NIL NIL NIL) )"
            R"(4 NIL NIL NIL NIL))");
}

TEST(BodyStructure, EightBitParameterIsLiteral) {
  EXPECT_EQ(Body("Content-Type: image/png; name=\"\xc3\xa9\"\r\n\r\n"),
            "(\"image\" \"png\" (\"name\" {2}\r\n\xc3\xa9) NIL NIL \"7BIT\" 0)");
}

TEST(BodyStructure, EveryPartOfANestedTreeCloses) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
      "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
      "--i\r\n\r\na\r\n--i--\r\n--o\r\n\r\nb\r\n--o--\r\n";
  EXPECT_EQ(ListLength(Body(m)), 3);
  EXPECT_EQ(ListLength(BodyStructure(m)), 7);
}

}  // namespace
}  // namespace twinspool::mime
