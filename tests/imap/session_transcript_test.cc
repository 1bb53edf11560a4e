// Every transcript of tests/scenarios/imap, in every way of feeding it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/imap_driver.h"

namespace twinspool {
namespace {

std::vector<std::string> Transcripts() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(TWINSPOOL_SCENARIOS)) {
    if (entry.path().extension() == ".txt") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Text(const std::string& name) {
  std::ifstream in(std::filesystem::path(TWINSPOOL_SCENARIOS) / (name + ".txt"));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
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

INSTANTIATE_TEST_SUITE_P(All, ImapTranscript, ::testing::ValuesIn(Transcripts()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace twinspool
