// Messages made to exhaust a parser: each finishes, within the limits, and still holds the rules.
//
// Time is bounded by the test's own timeout: what is not linear here takes minutes.
#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/mime/address.h"
#include "server/mime/bodystructure.h"
#include "server/mime/envelope.h"
#include "server/mime/section.h"
#include "tests/mime/check.h"

namespace twinspool::mime {
namespace {

std::string Repeat(std::string_view text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) {
    out.append(text);
  }
  return out;
}

/// Everything a node does to a message; the structure for further checks.
Structure Survive(const std::string& message) {
  Structure structure = Scan(message);
  EXPECT_EQ(StructureFault(structure, message), "");
  EXPECT_EQ(DerivedFault(structure, message), "");
  return structure;
}

TEST(Hostile, TenThousandNestedMultiparts) {
  std::string message;
  for (int i = 0; i < 10'000; ++i) {
    const std::string boundary = "b" + std::to_string(i) + "_";
    message += "Content-Type: multipart/mixed; boundary=" + boundary + "\n\n--" + boundary + "\n";
  }
  EXPECT_EQ(Survive(message).parts.size(), static_cast<std::size_t>(limits::kMimeDepthMax));
}

TEST(Hostile, TenThousandNestedMessages) {
  const Structure s = Survive(Repeat("Content-Type: message/rfc822\r\n\r\n", 10'000));
  EXPECT_EQ(s.parts.size(), static_cast<std::size_t>(limits::kMimeDepthMax));
}

TEST(Hostile, HundredThousandParts) {
  const std::string message =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + Repeat("--b\r\n\r\nx\r\n", 100'000);
  EXPECT_EQ(Survive(message).parts.size(), static_cast<std::size_t>(limits::kMimePartsMax));
}

TEST(Hostile, TenThousandNestedMessagesSideBySide) {
  const std::string message =
      "Content-Type: multipart/digest; boundary=b\r\n\r\n" + Repeat("--b\r\n\r\n\r\nx\r\n", 20'000);
  const Structure s = Survive(message);
  EXPECT_EQ(s.parts.size(), static_cast<std::size_t>(limits::kMimePartsMax));
}

TEST(Hostile, ManyPartsOfManyContinuedParameters) {
  std::string parameters;
  for (int i = 0; i < 1000; ++i) {
    parameters += "; a*" + std::to_string(i) + "*=x";
  }
  Survive("Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
          Repeat("--b\r\nContent-Type: a/b" + parameters + "\r\n\r\nx\r\n", 300));
}

TEST(Hostile, TenMegabyteHeaderLine) {
  for (const std::string name : {"Subject", "To", "Content-Type", "Date", "X"}) {
    const std::string message = name + ": " + std::string(10u << 20, 'a') + "\r\n\r\nbody";
    EXPECT_EQ(Survive(message).parts.size(), 1u) << name;
  }
}

TEST(Hostile, SevenHundredThousandHeaders) {
  Survive(Repeat("X-Header: 1\r\n", 700'000) + "\r\nbody");
}

TEST(Hostile, HalfAMillionAddresses) {
  const std::string message = "From: " + Repeat("user@example.com, ", 500'000) + "\r\n\r\n";
  Survive(message);
  EXPECT_LE(RenderEnvelope(message).size(), 2 * limits::kMimeWireBytesMax);
}

TEST(Hostile, HalfAMillionAddressFields) {
  Survive(Repeat("To: a@b\r\n", 500'000) + "\r\n");
}

TEST(Hostile, TwoHundredThousandParameters) {
  const Structure s =
      Survive("Content-Type: text/plain" + Repeat("; a=b", 200'000) + "\r\n\r\nbody");
  EXPECT_EQ(s.root().fields.parameters.size(), limits::kMimeParametersMax);
}

TEST(Hostile, TwoHundredThousandContinuations) {
  std::string value = "Content-Type: multipart/mixed";
  for (int i = 0; i < 50'000; ++i) {
    value += "; boundary*" + std::to_string(i) + "*=x";
  }
  Survive(value + "\r\n\r\nbody");
}

TEST(Hostile, FiftyMegabyteLine) {
  const std::string message = "Subject: x\r\n\r\n" + std::string(50u << 20, '-');
  EXPECT_EQ(StructureFault(Scan(message), message), "");
}

TEST(Hostile, NearMissBoundaries) {
  std::string message;
  for (int i = 0; i < 99; ++i) {
    const std::string boundary = std::string(60, 'x') + "b" + std::to_string(i) + "_";
    message += "Content-Type: multipart/mixed; boundary=" + boundary + "\n\n--" + boundary + "\n";
  }
  message += "\n" + Repeat("--" + std::string(60, 'x') + "\n", 160'000);
  EXPECT_EQ(Survive(message).parts.size(), 100u);
}

TEST(Hostile, GroupsWithoutEnd) {
  const std::string message = "To: " + Repeat("a:", 2u << 20) + "\r\n\r\n";
  Survive(message);
}

TEST(Hostile, OpenBrackets) {
  for (const std::string piece : {"<", "<@", "<@,", "(", "\"", "\\", "@", "[", "a@[", ":", ";", ")",
                                  ">", "=?a?q?", "=?a?q?x?= ", ",", "a@b<", "(a)", ". "}) {
    std::vector<Address> list;
    ParseAddressList(Repeat(piece, 200'000), &list);
    EXPECT_LE(list.size(), limits::kAddressesMax + 2) << piece;
    const std::string many = Repeat(piece, 50'000);
    const std::string message = "To: " + many + "\r\nSubject: " + many + "\r\nDate: " + many +
                                "\r\nContent-Type: " + many + "\r\nContent-Language: " + many +
                                "\r\n\r\n";
    Survive(message);
  }
}

TEST(Hostile, NestedMessagesCannotBlowUpTheAnswer) {
  const std::string part = "--b\r\n\r\nFrom: " + Repeat("a,", 5'000) + "\r\n\r\nx\r\n";
  const std::string message =
      "Content-Type: multipart/digest; boundary=b\r\n\r\n" + Repeat(part, 1'000);
  const Structure s = Scan(message);
  const std::string wire = RenderBody(s, message, BodyForm::kBodyStructure);
  EXPECT_GT(ListLength(wire), 0);
  EXPECT_LE(wire.size(), 3 * limits::kMimeWireBytesMax);
}

TEST(Hostile, OneMillionFieldNamesToFilter) {
  const std::vector<std::string> names(1000, "X-Header");
  const std::string header = Repeat("X-Header: 1\r\n", 100'000) + "\r\n";
  EXPECT_EQ(FilterHeader(header, names, true), header);
  EXPECT_EQ(FilterHeader(header, names, false), "\r\n");
}

}  // namespace
}  // namespace twinspool::mime
