// Every transcript of tests/scenarios/pop3, in every way of feeding it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/pop3/session.h"
#include "tests/support/imap_driver.h"

namespace twinspool::pop3 {
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

std::string Problem(const std::string& name, testing::TranscriptMode mode) {
  std::ifstream in(std::filesystem::path(TWINSPOOL_SCENARIOS) / (name + ".txt"));
  std::ostringstream text;
  text << in.rdbuf();
  testing::TranscriptRunner runner(mode,
                                   [](net::SessionHost& host, MailStore& store, Clock& clock) {
                                     return std::make_unique<Session>(host, store, clock);
                                   });
  return runner.Run(text.str());
}

class Pop3Transcript : public ::testing::TestWithParam<std::string> {};

TEST_P(Pop3Transcript, Whole) {
  EXPECT_EQ(Problem(GetParam(), {}), "");
}

TEST_P(Pop3Transcript, OneByteAtATime) {
  EXPECT_EQ(Problem(GetParam(), {.one_byte = true}), "");
}

TEST_P(Pop3Transcript, WithAStoreThatAnswersLater) {
  EXPECT_EQ(Problem(GetParam(), {.complete_later = true}), "");
}

TEST_P(Pop3Transcript, OneByteAtATimeWithAStoreThatAnswersLater) {
  EXPECT_EQ(Problem(GetParam(), {.one_byte = true, .complete_later = true}), "");
}

INSTANTIATE_TEST_SUITE_P(All, Pop3Transcript, ::testing::ValuesIn(Transcripts()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace twinspool::pop3
