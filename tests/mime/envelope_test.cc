#include "server/mime/envelope.h"

#include <gtest/gtest.h>

#include "tests/mime/check.h"

namespace twinspool::mime {
namespace {

TEST(Wire, QuotedLiteralOrNil) {
  const auto render = [](std::string_view value) {
    WireWriter out;
    out.StringOrNil(value);
    return out.Take();
  };
  EXPECT_EQ(render(""), "NIL");
  EXPECT_EQ(render("a"), "\"a\"");
  EXPECT_EQ(render("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(render("caf\xe9"), "{4}\r\ncaf\xe9");
  EXPECT_EQ(render("a\r\nb"), "{4}\r\na\r\nb");
  EXPECT_EQ(render(std::string(1001, 'x')), "{1001}\r\n" + std::string(1001, 'x'));
}

TEST(Wire, BudgetEndsInNil) {
  WireWriter out(5);
  out.String("abc");
  out.StringOrNil("def");
  out.StringOrNil("g");
  out.String("h");
  EXPECT_EQ(out.Take(), "\"abc\"NILNIL\"\"");
  EXPECT_FALSE(out.HasRoom());
}

TEST(Envelope, ExampleOfTheStandard) {
  // RFC 3501 §8, the message of the FETCH example.
  const std::string header =
      "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
      "From: Terry Gray <gray@cac.washington.edu>\r\n"
      "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
      "To: imap@cac.washington.edu\r\n"
      "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
      "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n";
  const std::string terry = R"((("Terry Gray" NIL "gray" "cac.washington.edu")))";
  EXPECT_EQ(RenderEnvelope(header), R"x(("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" )x"
                                    R"("IMAP4rev1 WG mtg summary and minutes" )" +
                                        terry + " " + terry + " " + terry +
                                        R"x( ((NIL NIL "imap" "cac.washington.edu")) )x"
                                        R"(((NIL NIL "minutes" "CNRI.Reston.VA.US"))"
                                        R"x(("John Klensin" NIL "KLENSIN" "MIT.EDU")) )x"
                                        R"x(NIL NIL "<B27397-0100000@cac.washington.edu>"))x");
}

TEST(Envelope, AbsentIsNilEmptyIsEmpty) {
  EXPECT_EQ(RenderEnvelope(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
  EXPECT_EQ(
      RenderEnvelope("Date:\r\nSubject:\r\nFrom:\r\nTo:\r\nIn-Reply-To: \r\nMessage-ID:\r\n\r\n"),
      R"(("" "" NIL NIL NIL NIL NIL NIL "" ""))");
}

TEST(Envelope, SenderAndReplyToDefaultToFrom) {
  EXPECT_EQ(RenderEnvelope("From: a@b\r\nSender: s@t\r\nReply-To: ,\r\n\r\n"),
            R"((NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "s" "t")) ((NIL NIL "a" "b")) )"
            "NIL NIL NIL NIL NIL)");
}

TEST(Envelope, Groups) {
  EXPECT_EQ(RenderEnvelope("To: G: a@b;, c@d\r\n\r\n"),
            R"((NIL NIL NIL NIL NIL ((NIL NIL "G" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))"
            R"((NIL NIL "c" "d")) NIL NIL NIL NIL))");
}

TEST(Envelope, MissingHalvesAreNamed) {
  EXPECT_EQ(RenderEnvelope("To: root, @x\r\n\r\n"),
            R"((NIL NIL NIL NIL NIL ((NIL NIL "root" "MISSING_DOMAIN"))"
            R"((NIL NIL "MISSING_MAILBOX" "x")) NIL NIL NIL NIL))");
}

TEST(Envelope, EightBitIsLiteralEncodedWordsStay) {
  EXPECT_EQ(RenderEnvelope("Subject: caf\xc3\xa9\r\nFrom: =?utf-8?q?=C3=A9?= <e@x>\r\n\r\n")
                .substr(0, 45),
            "(NIL {5}\r\ncaf\xc3\xa9 ((\"=?utf-8?q?=C3=A9?=\" NIL \"e");
}

TEST(Envelope, FirstSingleFieldAndAllAddressFieldsCount) {
  EXPECT_EQ(RenderEnvelope("Subject: one\r\nSubject: two\r\nTo: a@b\r\nto: c@d\r\n\r\n"),
            R"((NIL "one" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL))");
}

TEST(Envelope, FoldedSubjectIsOneLine) {
  EXPECT_EQ(RenderEnvelope("Subject: one\r\n two\r\n\r\n"),
            R"((NIL "one two" NIL NIL NIL NIL NIL NIL NIL NIL))");
}

TEST(Envelope, ListCutByTheBudgetClosesItsGroup) {
  WireWriter out(70);
  WriteEnvelope("To: group: a@b, c@d, e@f;\r\n\r\n", &out);
  const std::string wire = out.Take();
  EXPECT_EQ(ListLength(wire), 10) << wire;
  EXPECT_NE(wire.find("(NIL NIL NIL NIL))"), std::string::npos) << wire;
}

}  // namespace
}  // namespace twinspool::mime
