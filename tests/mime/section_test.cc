#include "server/mime/section.h"

#include <gtest/gtest.h>

namespace twinspool::mime {
namespace {

// The tree of the example in RFC 3501 §6.4.5, smaller.
constexpr char kMessage[] =
    "Subject: top\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    "--o\r\nX-Part: 1\r\n\r\none\r\n"
    "--o\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: nested\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
    "--i\r\n\r\ntwo-one\r\n--i\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: deep\r\n\r\ndeep body\r\n--i--\r\n--o--\r\n";

std::optional<std::string> Get(std::string_view message, const SectionSpec& spec) {
  const Structure structure = Scan(message);
  const auto data = ResolveSection(structure, message, spec);
  return data ? std::optional<std::string>(data->Octets(message)) : std::nullopt;
}

std::optional<std::string> Get(std::vector<std::uint32_t> part,
                               SectionKind kind = SectionKind::kAll) {
  return Get(kMessage, {std::move(part), kind, {}});
}

TEST(Section, WholeMessageHeaderAndText) {
  const std::string whole = kMessage;
  EXPECT_EQ(Get({}), whole);
  EXPECT_EQ(*Get({}, SectionKind::kHeader) + *Get({}, SectionKind::kText), whole);
  EXPECT_EQ(Get({}, SectionKind::kMime), std::nullopt);
}

TEST(Section, PartsByNumber) {
  EXPECT_EQ(Get({1}), "one");
  EXPECT_EQ(Get({1}, SectionKind::kMime), "X-Part: 1\r\n\r\n");
  EXPECT_EQ(Get({2, 1}), "two-one");
  EXPECT_EQ(Get({2, 1}, SectionKind::kMime), "\r\n");
  EXPECT_EQ(Get({2, 2}), "Subject: deep\r\n\r\ndeep body");
  EXPECT_EQ(Get({2, 2, 1}), "deep body");
  EXPECT_EQ(Get({2, 2, 1}, SectionKind::kMime), "Subject: deep\r\n\r\n");
}

TEST(Section, HeaderAndTextOfNestedMessages) {
  EXPECT_EQ(Get({2}, SectionKind::kHeader),
            "Subject: nested\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n");
  EXPECT_EQ(*Get({2}, SectionKind::kHeader) + *Get({2}, SectionKind::kText), *Get({2}));
  EXPECT_EQ(Get({2, 2}, SectionKind::kText), "deep body");
  EXPECT_EQ(Get({2}, SectionKind::kMime), "Content-Type: message/rfc822\r\n\r\n");
  EXPECT_EQ(Get(kMessage, {{2}, SectionKind::kHeaderFields, {"SUBJECT"}}),
            "Subject: nested\r\n\r\n");
}

TEST(Section, MissingPartsAreNothing) {
  for (const std::vector<std::uint32_t>& part : std::vector<std::vector<std::uint32_t>>{
           {0}, {3}, {1, 1}, {2, 3}, {2, 2, 2}, {2, 2, 1, 1}, {4294967295}}) {
    EXPECT_EQ(Get(part), std::nullopt);
    EXPECT_EQ(Get(part, SectionKind::kMime), std::nullopt);
  }
  EXPECT_EQ(Get({1}, SectionKind::kHeader), std::nullopt) << "part 1 is no message";
  EXPECT_EQ(Get({1}, SectionKind::kText), std::nullopt);
}

TEST(Section, PartOneOfASinglePartMessageIsItsBody) {
  const std::string m = "Subject: x\r\n\r\nbody\r\n";
  EXPECT_EQ(Get(m, {{1}, SectionKind::kAll, {}}), "body\r\n");
  EXPECT_EQ(Get(m, {{1}, SectionKind::kMime, {}}), "Subject: x\r\n\r\n");
  EXPECT_EQ(Get(m, {{1}, SectionKind::kHeader, {}}), std::nullopt);
  EXPECT_EQ(Get(m, {{1, 1}, SectionKind::kAll, {}}), std::nullopt);
  EXPECT_EQ(Get(m, {{2}, SectionKind::kAll, {}}), std::nullopt);
}

TEST(Section, MessageThatIsItselfAnAttachedMessage) {
  const std::string m = "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody";
  EXPECT_EQ(Get(m, {{1}, SectionKind::kAll, {}}), "Subject: in\r\n\r\nbody");
  EXPECT_EQ(Get(m, {{1}, SectionKind::kHeader, {}}), "Subject: in\r\n\r\n");
  EXPECT_EQ(Get(m, {{1, 1}, SectionKind::kAll, {}}), "body");
}

TEST(Section, InventedPartIsEmpty) {
  const std::string m = "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts";
  EXPECT_EQ(Get(m, {{1}, SectionKind::kAll, {}}), "");
  EXPECT_EQ(Get(m, {{1}, SectionKind::kMime, {}}), "");
  EXPECT_EQ(Get(m, {{1}, SectionKind::kText, {}}), std::nullopt);
  EXPECT_EQ(Get(m, {{2}, SectionKind::kAll, {}}), std::nullopt);
}

TEST(Section, FilteredFieldsKeepTheirOctets) {
  const std::string m =
      "sUBJECT :  odd \r\n\tfold\r\nTo: a\r\ngarbage line\r\nSubject: two\r\n\r\nbody";
  EXPECT_EQ(Get(m, {{}, SectionKind::kHeaderFields, {"Subject", "nope"}}),
            "sUBJECT :  odd \r\n\tfold\r\nSubject: two\r\n\r\n");
  EXPECT_EQ(Get(m, {{}, SectionKind::kHeaderFieldsNot, {"subject"}}),
            "To: a\r\ngarbage line\r\n\r\n");
  EXPECT_EQ(Get(m, {{}, SectionKind::kHeaderFields, {"nope"}}), "\r\n");
}

TEST(Section, FilteredHeaderEndsWithTheEmptyLineOfTheHeader) {
  EXPECT_EQ(FilterHeader("A: 1\nB: 2\n\n", {"a"}, true), "A: 1\n\n");
  EXPECT_EQ(FilterHeader("A: 1\nB: 2\n\n", {"c"}, true), "\n");
}

// RFC 3501 §6.4.5: "except in the case of a message which has no body and no blank line".
TEST(Section, FilteredHeaderWithoutAnEmptyLineGetsNone) {
  EXPECT_EQ(FilterHeader("A: 1\r\nB: 2\r\n", {"b"}, true), "B: 2\r\n");
  EXPECT_EQ(FilterHeader("A: 1\r\nB: 2\r\n", {"a"}, true), "A: 1\r\n");
  EXPECT_EQ(FilterHeader("A: 1\r\nB: 2", {"b"}, true), "B: 2");
  EXPECT_EQ(FilterHeader("A: 1\r\nB: 2", {"b"}, false), "A: 1\r\n");
  EXPECT_EQ(FilterHeader("", {"b"}, true), "");
}

}  // namespace
}  // namespace twinspool::mime
