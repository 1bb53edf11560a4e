// PREVIEW (RFC 8970): the first words of plain text, of HTML, of hostile mail.
#include "server/mime/preview.h"

#include <gtest/gtest.h>

#include "common/limits.h"
#include "common/utf8.h"

namespace twinspool::mime {
namespace {

std::string Of(const std::string& message) {
  return Preview(Scan(message), message);
}

TEST(Preview, FirstWordsOfPlainText) {
  EXPECT_EQ(Of("Subject: s\r\n\r\nDear  Ann,\r\n\r\n\tall is well.\r\n"), "Dear Ann, all is well.");
  EXPECT_EQ(Of("Subject: s\r\n\r\n> you said\r\n> much\r\nYes.\r\n"), "Yes.");
  EXPECT_EQ(Of("Subject: s\r\n\r\n"), "");
  EXPECT_EQ(Of("Content-Type: text/plain; charset=iso-8859-1\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"),
            "Gr\xc3\xbc\xc3\x9f"
            "e");
}

TEST(Preview, PlainTextComesBeforeHtmlAndAttachmentsDoNotCount) {
  const std::string mixed =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nlog\r\n"
      "--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n"
      "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b--\r\n";
  EXPECT_EQ(Of(mixed), "plain");
  const std::string only =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain\r\n\r\n \r\n"
      "--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--\r\n";
  EXPECT_EQ(Of(only), "rich");
}

TEST(Preview, HtmlLosesItsMarkup) {
  const std::string head = "Content-Type: text/html\r\n\r\n";
  EXPECT_EQ(Of(head + "<html><head><title>t</title></head><style>p{}</style><body><!-- > x -->"
                      "<p>One</p><p>t<b>w</b>o</p><script>if (a<b) c</script> &amp; 3&nbsp;&#52;"
                      "&#x35;&bogus;</body>"),
            "One two & 3 45&bogus;");
  EXPECT_EQ(Of(head + "a &lt; b < c"), "a < b") << "an open tag swallows the rest";
  EXPECT_EQ(Of(head + "<style>never closed"), "");
  EXPECT_EQ(Of(head + "&#55296;&#0;&#1114112;x"), "&#55296;&#0;&#1114112;x") << "no characters";
}

TEST(Preview, WhatIsThereNotToBeSeenDoesNotCount) {
  EXPECT_EQ(
      Of("Content-Type: text/html; charset=utf-8\r\n\r\nSale&zwnj;&nbsp;\xe2\x80\x8b \xcd\x8f now"),
      "Sale now");
}

TEST(Preview, IsBounded) {
  const std::string preview = Of("Subject: s\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_EQ(preview.size(), limits::kPreviewCharactersMax);
  std::string wide = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
  for (int i = 0; i < 1000; ++i) {
    wide += "\xf0\x9f\x98\x80";
  }
  const std::string faces = Of(wide);
  EXPECT_EQ(faces.size(), 4 * limits::kPreviewCharactersMax);
  EXPECT_TRUE(IsUtf8(faces));
  std::string tags = "Content-Type: text/html\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) {
    tags += "<style><";
  }
  EXPECT_EQ(Of(tags), "");
}

}  // namespace
}  // namespace twinspool::mime
