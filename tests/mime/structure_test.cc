#include "server/mime/structure.h"

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/mime/check.h"

namespace twinspool::mime {
namespace {

constexpr char kMixed[] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

/// Scans, and fails the test if a rule that always holds is broken.
Structure ScanChecked(std::string_view message) {
  Structure structure = Scan(message);
  EXPECT_EQ(StructureFault(structure, message), "") << message;
  return structure;
}

std::string_view Body(const Structure& structure, PartIndex index, std::string_view message) {
  return structure.at(index).body.Of(message);
}

std::string_view Header(const Structure& structure, PartIndex index, std::string_view message) {
  return structure.at(index).header.Of(message);
}

TEST(Structure, EmptyMessageIsOneEmptyTextPart) {
  const Structure s = ScanChecked("");
  ASSERT_EQ(s.parts.size(), 1u);
  EXPECT_EQ(s.root().type, "TEXT");
  EXPECT_EQ(s.root().subtype, "PLAIN");
}

TEST(Structure, HeaderEndsWithTheFirstEmptyLine) {
  const std::string m = "A: 1\r\nB: 2\r\n\r\none\r\n\r\ntwo";
  const Structure s = ScanChecked(m);
  EXPECT_EQ(Header(s, 0, m), "A: 1\r\nB: 2\r\n\r\n");
  EXPECT_EQ(Body(s, 0, m), "one\r\n\r\ntwo");
  EXPECT_EQ(s.root().body_lines, 2u);
}

TEST(Structure, HeaderWithoutEmptyLineIsTheWholeMessage) {
  const std::string m = "Subject: only\r\nno colon";
  const Structure s = ScanChecked(m);
  EXPECT_EQ(Header(s, 0, m), m);
  EXPECT_EQ(Body(s, 0, m), "");
}

TEST(Structure, EmptyHeaderIsAnEmptyLine) {
  const std::string m = "\r\nbody";
  const Structure s = ScanChecked(m);
  EXPECT_EQ(Header(s, 0, m), "\r\n");
  EXPECT_EQ(Body(s, 0, m), "body");
}

TEST(Structure, LineBreakBeforeABoundaryBelongsToIt) {
  const std::string m =
      std::string(kMixed) +
      "preamble\r\n--b\r\n\r\none\r\n--b\r\nX: y\r\n\r\ntwo\r\n\r\n--b--\r\nend\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 3u);
  EXPECT_EQ(s.root().kind, PartKind::kMultipart);
  EXPECT_EQ(Header(s, 1, m), "\r\n");
  EXPECT_EQ(Body(s, 1, m), "one");
  EXPECT_EQ(Header(s, 2, m), "X: y\r\n\r\n");
  EXPECT_EQ(Body(s, 2, m), "two\r\n");
  EXPECT_EQ(s.at(2).body_lines, 1u);
  EXPECT_EQ(s.root().body.end, m.size()) << "the epilogue is of the multipart's body";
}

TEST(Structure, BareLineFeedsAndMixedLineEndsWork) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\r\n\r\nworld\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 3u);
  EXPECT_EQ(Body(s, 1, m), "hello") << "an LF ahead of a boundary that ends with CRLF is one octet";
  EXPECT_EQ(Body(s, 2, m), "world");
}

TEST(Structure, EndBoundaryAtTheEndWithoutLineBreak) {
  const std::string m = std::string(kMixed) + "--b\r\n\r\none\r\n--b--";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 2u);
  EXPECT_EQ(Body(s, 1, m), "one");
}

TEST(Structure, BoundaryAtTheEndWithoutLineBreakOpensNoPart) {
  const std::string m = std::string(kMixed) + "--b\r\n\r\none\r\n--b";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 2u);
  EXPECT_EQ(Body(s, 1, m), "one");
  EXPECT_EQ(ScanChecked(m + "\r\n").parts.size(), 3u);
}

TEST(Structure, UnterminatedMultipartReachesToTheEnd) {
  const std::string m = std::string(kMixed) + "--b\r\n\r\none\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 2u);
  EXPECT_EQ(Body(s, 1, m), "one\r\n");
}

TEST(Structure, LongestMatchingBoundaryWins) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
      "Content-Type: multipart/alternative; boundary=bb\r\n\r\n"
      "--bb\r\n\r\ninner one\r\n--bb\r\n\r\ninner two\r\n--bb--\r\n--b\r\n\r\nouter\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 5u);
  EXPECT_EQ(s.at(2).parent, 1);
  EXPECT_EQ(s.at(3).parent, 1);
  EXPECT_EQ(s.at(4).parent, 0);
  EXPECT_EQ(Body(s, 3, m), "inner two");
  EXPECT_EQ(Body(s, 4, m), "outer");
}

TEST(Structure, LongestMatchingBoundaryWinsWhenTheOuterIsLonger) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n"
      "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
      "--b\r\n\r\ninner\r\n--bb\r\n\r\nouter\r\n--bb--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 4u);
  EXPECT_EQ(s.at(3).parent, 0);
  EXPECT_EQ(Body(s, 2, m), "inner");
  EXPECT_EQ(Body(s, 3, m), "outer");
}

TEST(Structure, OfEqualBoundariesTheInnermostWins) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 4u);
  EXPECT_EQ(s.at(2).parent, 1);
  EXPECT_EQ(s.at(3).parent, 0) << "the inner one was ended, so the outer one counts again";
}

TEST(Structure, OuterBoundaryEndsEverythingInside) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n"
      "Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\none\r\n--out\r\n\r\ntwo";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 4u);
  EXPECT_EQ(Body(s, 2, m), "one");
  EXPECT_EQ(Body(s, 1, m), "--in\r\n\r\none");
  EXPECT_EQ(Body(s, 3, m), "two");
}

TEST(Structure, LineBreakAfterAnInnerEndBoundaryBelongsToTheOuterBoundary) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n"
      "Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\none\r\n--in--\r\n--out--\r\n";
  const Structure s = ScanChecked(m);
  EXPECT_EQ(Body(s, 1, m), "--in\r\n\r\none\r\n--in--");
}

TEST(Structure, BoundaryInsideAHeaderEndsIt) {
  const std::string m = std::string(kMixed) + "--b\r\nX: y\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 3u);
  EXPECT_EQ(Header(s, 1, m), "X: y");
  EXPECT_EQ(Body(s, 1, m), "");
  EXPECT_EQ(Body(s, 2, m), "two");
}

TEST(Structure, BoundaryRightBehindABoundaryOpensAnEmptyPart) {
  const std::string m = std::string(kMixed) + "--b\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 3u);
  EXPECT_EQ(Header(s, 1, m), "");
  EXPECT_EQ(Body(s, 1, m), "");
}

TEST(Structure, EmptyLineOfAHeaderIsNotTakenForTheBoundarysLineBreak) {
  const std::string m = std::string(kMixed) + "--b\r\nX: y\r\n\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  EXPECT_EQ(Header(s, 1, m), "X: y\r\n\r\n");
  EXPECT_EQ(Body(s, 1, m), "");
}

TEST(Structure, EndBoundaryIsSeenOnce) {
  const std::string m = std::string(kMixed) + "--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\nlate\r\n";
  EXPECT_EQ(ScanChecked(m).parts.size(), 2u);
}

TEST(Structure, GarbageBehindABoundaryIsIgnored) {
  const std::string m = std::string(kMixed) + "--b  \r\n\r\none\r\n--b--</BODY>\r\nrest";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 2u);
  EXPECT_EQ(Body(s, 1, m), "one");
}

TEST(Structure, BoundaryParameterForms) {
  for (const std::string parameter :
       {"boundary=\"b\"", "BOUNDARY = b", "x=y; boundary=b (comment)", "boundary=\"b \"",
        "boundary*0=\"\"; boundary*1=b", "charset=\"a;b\"; boundary=\"\\b\""}) {
    const std::string m =
        "Content-Type: multipart/mixed;\r\n " + parameter + "\r\n\r\n--b\r\n\r\none\r\n--b--\r\n";
    EXPECT_EQ(ScanChecked(m).parts.size(), 2u) << parameter;
  }
}

TEST(Structure, LongBoundariesAreComparedUpToTheLimit) {
  const std::string cut(limits::kMimeBoundaryBytesMax, 'x');
  const std::string m = "Content-Type: multipart/mixed; boundary=" + cut + "tail\r\n\r\n--" + cut +
                        "other\r\n\r\none\r\n";
  EXPECT_EQ(ScanChecked(m).parts.size(), 2u);
  const std::string shorter = "Content-Type: multipart/mixed; boundary=" + cut.substr(1) +
                              "y\r\n\r\n--" + cut + "\r\n\r\none\r\n";
  EXPECT_EQ(ScanChecked(shorter).parts.size(), 1u);
}

TEST(Structure, MultipartWithoutBoundaryParameterIsReadableText) {
  const std::string m = "Content-Type: multipart/mixed\r\n\r\ntext";
  const Structure s = ScanChecked(m);
  EXPECT_EQ(s.root().kind, PartKind::kLeaf);
  EXPECT_EQ(s.root().type, "TEXT");
  EXPECT_EQ(s.root().subtype, "PLAIN");
}

TEST(Structure, MultipartInWhichNoBoundaryOccursHasNoParts) {
  const Structure s = ScanChecked(std::string(kMixed) + "text");
  EXPECT_EQ(s.parts.size(), 1u);
  EXPECT_EQ(s.root().kind, PartKind::kMultipart);
}

TEST(Structure, DigestPartsAreMessages) {
  const std::string m =
      "Content-Type: multipart/digest; boundary=b\r\n\r\n"
      "--b\r\n\r\nSubject: one\r\n\r\nfirst\r\n"
      "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 4u);
  EXPECT_EQ(s.at(1).kind, PartKind::kMessage);
  EXPECT_EQ(s.at(1).type, "MESSAGE");
  EXPECT_EQ(Header(s, 2, m), "Subject: one\r\n\r\n");
  EXPECT_EQ(Body(s, 2, m), "first");
  EXPECT_EQ(s.at(2).type, "TEXT") << "the nested message is not itself a part of the digest";
  EXPECT_EQ(s.at(3).kind, PartKind::kLeaf);
}

TEST(Structure, NestedMessageFillsTheBody) {
  const std::string m =
      "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: text/html\r\n\r\n<p>\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 2u);
  EXPECT_EQ(s.root().body_lines, 4u);
  EXPECT_EQ(Header(s, 1, m), "Subject: in\r\nContent-Type: text/html\r\n\r\n");
  EXPECT_EQ(Body(s, 1, m), "<p>\r\n");
  EXPECT_EQ(s.at(1).subtype, "html");
}

TEST(Structure, BoundaryCutsANestedMessagesHeader) {
  const std::string m = std::string(kMixed) +
                        "--b\r\nContent-Type: message/rfc822\r\n--b\r\nContent-Type: "
                        "message/rfc822\r\n\r\nSubject: x\r\n--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), 5u);
  EXPECT_EQ(s.at(1).kind, PartKind::kMessage);
  EXPECT_EQ(Body(s, 1, m), "");
  EXPECT_EQ(Body(s, 3, m), "Subject: x");
  EXPECT_EQ(Header(s, 4, m), "Subject: x");
}

TEST(Structure, OuterBoundaryBehindANestedHeadersEmptyLineKeepsChildrenInside) {
  const std::string m =
      "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
      "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nX: y\r\n\r\n--o--\r\n";
  ScanChecked(m);
}

TEST(Structure, ContentFieldsAreReadOnceUnfoldedAndUnquoted) {
  const std::string m =
      "Content-Type: (c) Text (d) / Html (e);\r\n\tCharset=\"a\\\"b\"; format=flowed; broken; "
      "=x;\r\n"
      " name*0*=utf-8''%41; empty=\"\"\r\n"
      "Content-Type: image/png\r\n"
      "content-id: <1@x>\r\nContent-Description: some\r\n  thing\r\n"
      "Content-Transfer-Encoding: Base64 (really)\r\nContent-MD5: abc==\r\n"
      "Content-Disposition: attachment; filename=x.txt\r\n"
      "Content-Language: en, de (German) ,fr\r\nContent-Location: http://x/\r\n\r\n";
  const Part part = ScanChecked(m).root();
  EXPECT_EQ(part.type, "Text");
  EXPECT_EQ(part.subtype, "Html");
  const std::vector<Parameter> expected = {
      {"Charset", "a\"b"}, {"format", "flowed"}, {"name*0*", "utf-8''%41"}, {"empty", ""}};
  EXPECT_EQ(part.fields.parameters, expected);
  EXPECT_EQ(part.fields.id, "<1@x>");
  EXPECT_EQ(part.fields.description, "some  thing");
  EXPECT_EQ(part.fields.encoding, "Base64");
  EXPECT_EQ(part.fields.md5, "abc==");
  EXPECT_EQ(part.fields.disposition, "attachment");
  ASSERT_EQ(part.fields.disposition_parameters.size(), 1u);
  EXPECT_EQ(part.fields.disposition_parameters[0].value, "x.txt");
  EXPECT_EQ(part.fields.languages, (std::vector<std::string>{"en", "de", "fr"}));
  EXPECT_EQ(part.fields.location, "http://x/");
}

TEST(Structure, UnreadableContentTypeIsPlainText) {
  for (const std::string value : {"", "garbage", "/", "text/", "/plain", ";charset=x"}) {
    const Structure s = ScanChecked("Content-Type: " + value + "\r\n\r\nx");
    EXPECT_EQ(s.root().type, "TEXT") << value;
    EXPECT_EQ(s.root().subtype, "PLAIN") << value;
  }
}

TEST(Structure, DepthStopsAtTheLimitAndTheCutContainerIsOpaque) {
  std::string m;
  for (int i = 0; i < limits::kMimeDepthMax + 5; ++i) {
    const std::string boundary = "b" + std::to_string(i) + "x";
    m += "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n";
  }
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), static_cast<std::size_t>(limits::kMimeDepthMax));
  EXPECT_EQ(s.parts.back().kind, PartKind::kLeaf);
  EXPECT_EQ(s.parts.back().type, "APPLICATION");
  EXPECT_EQ(s.parts.back().subtype, "OCTET-STREAM");
}

TEST(Structure, LastPartKeepsWhatIsLeftAtTheLimitOfParts) {
  std::string m = kMixed;
  for (int i = 0; i < limits::kMimePartsMax + 5; ++i) {
    m += "--b\r\n\r\nx\r\n";
  }
  m += "--b--\r\n";
  const Structure s = ScanChecked(m);
  ASSERT_EQ(s.parts.size(), static_cast<std::size_t>(limits::kMimePartsMax));
  EXPECT_EQ(s.parts.back().body.end, m.size());
}

TEST(Structure, OfAnEndlessHeaderTheBeginningIsLookedAt) {
  const std::string filler = "X-Filler: " + std::string(90, 'x') + "\r\n";
  std::string m = "Content-Type: text/html\r\n";
  while (m.size() < 2u << 20) {
    m += filler;
  }
  m += "Content-ID: <late>\r\n\r\nbody";
  const Structure s = Scan(m);
  EXPECT_EQ(s.root().subtype, "html");
  EXPECT_EQ(s.root().fields.id, "");
  EXPECT_EQ(Body(s, 0, m), "body");
}

}  // namespace
}  // namespace twinspool::mime
