// Exit codes: what a script may conclude from the answer to an order.
#include "server/node/outcome.h"

#include <gtest/gtest.h>

namespace twinspool::node {
namespace {

Status Of(Code code) {
  return {code, "why"};
}

TEST(Outcome, SaysWhetherSomethingHappened) {
  EXPECT_EQ(OutcomeOf(OkStatus()), proto::DONE);
  EXPECT_EQ(OutcomeOf(Of(Code::kUnavailable)), proto::TIMEOUT_UNCHANGED);
  EXPECT_EQ(OutcomeOf(Of(Code::kOverQuota)), proto::TIMEOUT_UNCHANGED);
  EXPECT_EQ(OutcomeOf(Of(Code::kTimeout)), proto::TIMEOUT_UNKNOWN);
  EXPECT_EQ(OutcomeOf(Of(Code::kOutcomeUnknown)), proto::TIMEOUT_UNKNOWN);
}

TEST(Outcome, SaysWhoseFaultItIs) {
  for (const Code code : {Code::kInvalidArgument, Code::kNotFound, Code::kAlreadyExists,
                          Code::kConflict, Code::kPermissionDenied, Code::kLimit}) {
    EXPECT_EQ(OutcomeOf(Of(code)), proto::BAD_REQUEST) << CodeName(code);
  }
  EXPECT_EQ(OutcomeOf(Of(Code::kFenced)), proto::NOT_ELIGIBLE);
  for (const Code code : {Code::kDataLoss, Code::kIo, Code::kInternal}) {
    EXPECT_EQ(OutcomeOf(Of(code)), proto::INTERNAL_ERROR) << CodeName(code);
  }
}

// The node answers, so no failure of its own may look as if it did not.
TEST(Outcome, NoStatusMeansNotReachable) {
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    EXPECT_NE(OutcomeOf(Of(static_cast<Code>(code))), proto::NOT_REACHABLE);
  }
}

TEST(Outcome, TheReplyCarriesTheReasonOrTheGoodNews) {
  const auto refused = ReplyFor<proto::UserReply>(NotFound("no user"), "done");
  EXPECT_EQ(refused.outcome(), proto::BAD_REQUEST);
  EXPECT_EQ(refused.message(), "no user");
  const auto done = ReplyFor<proto::PairReply>(OkStatus(), "done");
  EXPECT_EQ(done.outcome(), proto::DONE);
  EXPECT_EQ(done.message(), "done");
}

}  // namespace
}  // namespace twinspool::node
