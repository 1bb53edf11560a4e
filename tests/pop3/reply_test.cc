// Answers, and which Status becomes which.
#include "server/pop3/reply.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::pop3 {
namespace {

TEST(Pop3Reply, LinesAreSafe) {
  EXPECT_EQ(OkLine("1 2"), "+OK 1 2\r\n");
  EXPECT_EQ(ErrLine("", "no"), "-ERR no\r\n");
  EXPECT_EQ(ErrLine(kCodeAuth, "no"), "-ERR [AUTH] no\r\n");
  EXPECT_EQ(ErrLine(kCodeAuth, "a\r\nb\x7f\xc3\xa4"), "-ERR [AUTH] a??b???\r\n");
  EXPECT_EQ(ErrLine("", std::string(5000, 'x')).size(), limits::kPop3ReplyBytesMax);
  EXPECT_EQ(OkLine(std::string(507, 'x')), "+OK " + std::string(506, 'x') + "\r\n");
}

struct Case {
  Status status;
  std::string_view code;
  std::string text;
  Refusal::Then then;
};

TEST(Pop3Reply, EveryStatusHasItsAnswer) {
  using Then = Refusal::Then;
  const Case cases[] = {
      {Unavailable("later"), "SYS/TEMP", "later", Then::kGoOn},
      {OverQuota("full"), "SYS/TEMP", "full", Then::kGoOn},
      {LimitExceeded("many"), "SYS/TEMP", "many", Then::kGoOn},
      {Conflict("changed"), "SYS/TEMP", "changed", Then::kGoOn},
      {NotFound("gone"), "SYS/PERM", "gone", Then::kGoOn},
      {InvalidArgument("odd"), "SYS/PERM", "odd", Then::kGoOn},
      {Status(Code::kUnauthenticated, "wrong"), "AUTH", "wrong", Then::kGoOn},
      {Fenced("not primary"), "SYS/TEMP", "not primary", Then::kClose},
      {Status(Code::kOutcomeUnknown, "?"), "", "", Then::kCloseOnly},
      {DataLoss("secret"), "SYS/PERM", "Damaged here; the log has it under e1", Then::kGoOn},
      {Status(Code::kIo, "secret"), "SYS/TEMP", "Internal error; the log has it under e1",
       Then::kGoOn},
      {Status(Code::kInternal, "secret"), "SYS/TEMP", "Internal error; the log has it under e1",
       Then::kGoOn},
  };
  for (const Case& one : cases) {
    const Refusal refusal = RefusalFor(one.status, "e1");
    EXPECT_EQ(refusal.code, one.code) << one.status.ToString();
    EXPECT_EQ(refusal.text, one.text);
    EXPECT_EQ(refusal.then, one.then) << one.status.ToString();
    EXPECT_EQ(IsFault(one.status), one.text.ends_with("e1"));
  }
}

}  // namespace
}  // namespace twinspool::pop3
