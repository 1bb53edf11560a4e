// Every transcript of tests/scenarios/imap, in every way of feeding it.
#include <string>

#include <gtest/gtest.h>

#include "tests/support/imap_driver.h"

namespace twinspool {
namespace {

std::string Text(const std::string& name) {
  return testing::TranscriptText(TWINSPOOL_SCENARIOS, name);
}

class ImapTranscript : public ::testing::TestWithParam<std::string> {};

TEST_P(ImapTranscript, Whole) {
  EXPECT_EQ(testing::TranscriptRunner({}).Run(Text(GetParam())), "");
}

TEST_P(ImapTranscript, OneByteAtATime) {
  EXPECT_EQ(testing::TranscriptRunner({.one_byte = true}).Run(Text(GetParam())), "");
}

TEST_P(ImapTranscript, WithAStoreThatAnswersLater) {
  EXPECT_EQ(testing::TranscriptRunner({.complete_later = true}).Run(Text(GetParam())), "");
}

INSTANTIATE_TEST_SUITE_P(All, ImapTranscript,
                         ::testing::ValuesIn(testing::TranscriptNames(TWINSPOOL_SCENARIOS)),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace twinspool
