#include "common/status.h"

#include <gtest/gtest.h>

namespace twinspool {
namespace {

Status FailsWith(Status status) {
  TRY(std::move(status));
  return Internal("not reached on failure");
}

Result<int> Twice(Result<int> in) {
  ASSIGN_OR_RETURN(const int value, std::move(in));
  return 2 * value;
}

TEST(Status, OkIsOnePointerAndSaysOk) {
  EXPECT_TRUE(OkStatus().ok());
  EXPECT_EQ(OkStatus().ToString(), "ok");
  EXPECT_TRUE(OkStatus().Annotate("while testing").ok());
}

TEST(Status, AnnotateKeepsTheCode) {
  const Status s = NotFound("mailbox x").Annotate("while renaming");
  EXPECT_TRUE(s.Is(Code::kNotFound));
  EXPECT_EQ(s.ToString(), "not_found: while renaming: mailbox x");
}

TEST(Status, TryReturnsTheFirstError) {
  EXPECT_TRUE(FailsWith(Conflict("c")).Is(Code::kConflict));
  EXPECT_TRUE(FailsWith(OkStatus()).Is(Code::kInternal));
}

TEST(Result, AssignOrReturnUnwraps) {
  EXPECT_EQ(*Twice(21), 42);
  EXPECT_TRUE(Twice(Timeout("late")).status().Is(Code::kTimeout));
}

TEST(Status, EveryCodeHasAName) {
  for (int c = 0; c <= static_cast<int>(Code::kInternal); ++c) {
    EXPECT_NE(CodeName(static_cast<Code>(c)), "unknown");
  }
}

}  // namespace
}  // namespace twinspool
