// Every transcript of tests/scenarios/pop3, in every way of feeding it.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "server/pop3/session.h"
#include "tests/support/imap_driver.h"

namespace twinspool::pop3 {
namespace {

std::string Problem(const std::string& name, testing::TranscriptMode mode) {
  testing::TranscriptRunner runner(mode,
                                   [](net::SessionHost& host, MailStore& store, Clock& clock) {
                                     return std::make_unique<Session>(host, store, clock);
                                   });
  return runner.Run(testing::TranscriptText(TWINSPOOL_SCENARIOS, name));
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

INSTANTIATE_TEST_SUITE_P(All, Pop3Transcript,
                         ::testing::ValuesIn(testing::TranscriptNames(TWINSPOOL_SCENARIOS)),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace twinspool::pop3
