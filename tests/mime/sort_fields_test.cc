// What SORT and THREAD compare: base subjects (RFC 5256 §2.1), addresses, message ids.
#include "server/mime/sort_fields.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::mime {
namespace {

struct Base {
  std::string subject;
  bool reply;
  bool operator==(const Base&) const = default;
};
Base Of(std::string_view subject) {
  Base base;
  base.subject = BaseSubject(subject, &base.reply);
  return base;
}

TEST(BaseSubject, ReplyMarksAndListNamesGo) {
  for (const char* subject :
       {"Re: word", "re:word", "RE : word", "Fw: word", "FWD: word", "Re[2]: word",
        "Re [list]: word", "[list] Re: word", "[a][b] re: fwd: word", "Re: [list] Re: word",
        "Re: Re: Re: word", "word (fwd)", "word (FWD)  (fwd) ", "[fwd: word]", "[Fwd: Re: word]"}) {
    EXPECT_EQ(Of(subject), (Base{"word", true})) << subject;
  }
  for (const char* subject : {"word", "  word ", "[list] word", "[list] [x] word"}) {
    EXPECT_EQ(Of(subject), (Base{"word", false})) << subject;
  }
}

TEST(BaseSubject, WhatOnlyLooksLikeAMarkStays) {
  EXPECT_EQ(Of("reword: it"), (Base{"reword: it", false}));
  EXPECT_EQ(Of("[list]"), (Base{"[list]", false})) << "nothing would be left";
  EXPECT_EQ(Of("Re: [list]"), (Base{"[list]", true}));
  EXPECT_EQ(Of("[a[b] word"), (Base{"[a[b] word", false}));
  EXPECT_EQ(Of("[fwd: word"), (Base{"[fwd: word", false}));
  EXPECT_EQ(Of("a\t b  c"), (Base{"a b c", false}));
  EXPECT_EQ(Of("Re:"), (Base{"", true}));
  EXPECT_EQ(Of(""), (Base{"", false}));
}

TEST(BaseSubject, ALongRowOfMarksTakesTimeInLine) {
  std::string subject;
  for (int i = 0; i < 20'000; ++i) {
    subject += "[x] re: ";
  }
  EXPECT_EQ(Of(subject + "end"), (Base{"end", true}));
  std::string blobs;
  for (int i = 0; i < 500'000; ++i) {
    blobs += "[]";
  }
  EXPECT_EQ(Of(blobs + "x"), (Base{"x", false}));
  EXPECT_EQ(Of(blobs), (Base{"[]", false}));
}

TEST(MessageIds, AreNormal) {
  using Ids = std::vector<std::string>;
  EXPECT_EQ(MessageIds("<a@b> <c@d>"), (Ids{"a@b", "c@d"}));
  EXPECT_EQ(MessageIds("<\"a\"@b>"), (Ids{"a@b"})) << "RFC 5256: as without quotes";
  EXPECT_EQ(MessageIds("< a . b (comment) @ c >"), (Ids{"a.b@c"}));
  EXPECT_EQ(MessageIds("Your message of yesterday <a@b>\r\n <c@d>x"), (Ids{"a@b", "c@d"}));
  EXPECT_EQ(MessageIds("<a> <@b> <a@> <a@b <c@d>"), (Ids{"c@d"}));
  EXPECT_EQ(MessageIds("none <"), Ids{});
  EXPECT_EQ(MessageIds("<\"a@b> <c@d>"), Ids{"c@d"}) << "the quotation never ends";
  EXPECT_EQ(MessageIds("<a@b>\r\n <\"from <c@d>"), (Ids{"a@b", "c@d"})) << "seen in real mail";
}

TEST(SortFields, AreFoldedAndDecoded) {
  const SortFields fields = ReadSortFields(
      "From: =?utf-8?q?J=C3=B6rg?= <Joerg@Example.org>, second@x\r\nTo: list: Bob@x, c@y;\r\n"
      "Cc: (nobody) carl@z\r\nSubject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n");
  EXPECT_EQ(fields.from, "JOERG");
  EXPECT_EQ(fields.display_from, "JO\xcc\x88RG");
  EXPECT_EQ(fields.to, "LIST") << "of a group, as ENVELOPE has it";
  EXPECT_EQ(fields.display_to, "LIST");
  EXPECT_EQ(fields.cc, "CARL");
  EXPECT_TRUE(fields.subject.starts_with("GRU\xcc\x88"));
  EXPECT_TRUE(fields.reply);
  EXPECT_TRUE(IsNone(fields.message_id));
  EXPECT_TRUE(fields.references.empty());
}

TEST(SortFields, InReplyToCountsOnlyWithoutReferences) {
  const SortFields both = ReadSortFields("References: <a@x> <b@x>\r\nIn-Reply-To: <c@x>\r\n\r\n");
  EXPECT_EQ(both.references.size(), 2u);
  const SortFields one = ReadSortFields("References: none\r\nIn-Reply-To: <b@x> <c@x>\r\n\r\n");
  ASSERT_EQ(one.references.size(), 1u);
  EXPECT_EQ(one.references[0], both.references[1]);
}

TEST(SortFields, OfTooManyReferencesTheFirstAndTheLastStay) {
  std::string header = "References:";
  for (int i = 0; i < 1000; ++i) {
    header += " <" + std::to_string(i) + "@x>\r\n";
  }
  const SortFields fields = ReadSortFields(header + "\r\n");
  ASSERT_EQ(fields.references.size(), limits::kReferencesMax);
  EXPECT_EQ(fields.references.front(), ReadSortFields("References: <0@x>\r\n\r\n").references[0]);
  EXPECT_EQ(fields.references.back(), ReadSortFields("References: <999@x>\r\n\r\n").references[0]);
}

TEST(SortFields, ComeBack) {
  const SortFields fields = ReadSortFields(
      "From: a@b\r\nSubject: s\r\nMessage-ID: <1@x>\r\nReferences: <2@x> <3@x>\r\n\r\n");
  std::string blob;
  PutSortFields(fields, &blob);
  Reader in(blob);
  SortFields back;
  ASSERT_TRUE(TakeSortFields(&in, &back));
  EXPECT_TRUE(in.AtEnd());
  EXPECT_EQ(back.subject, "S");
  EXPECT_EQ(back.message_id, fields.message_id);
  EXPECT_EQ(back.references, fields.references);
  for (std::size_t size = 0; size < blob.size(); ++size) {
    Reader cut(std::string_view(blob).substr(0, size));
    EXPECT_FALSE(TakeSortFields(&cut, &back)) << size;
  }
}

}  // namespace
}  // namespace twinspool::mime
