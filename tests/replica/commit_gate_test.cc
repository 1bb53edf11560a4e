// The gate between the commit thread and the conversation.
#include "replica/commit_gate.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/env.h"
#include "common/limits.h"
#include "tests/support/memory_ports.h"

namespace twinspool::test {
namespace {

TEST(CommitGate, OnlyOneSmallGroupIsSentByTheThreadThatCommittedIt) {
  MemoryStore store;
  replica::CommitGate gate(SystemClock(), store, [] {});
  const auto commit = [&](std::uint64_t seq, std::size_t bytes) {
    gate.OnCommitted({{Epoch(2), Incarnation(1), CommitSeq(seq)},
                      std::make_shared<const std::string>(bytes, 'x')});
  };
  EXPECT_FALSE(gate.HoldsOneSmallGroup());
  commit(1, limits::kSendAtOnceBytesMax);
  EXPECT_TRUE(gate.HoldsOneSmallGroup());
  commit(2, 1);
  EXPECT_FALSE(gate.HoldsOneSmallGroup()) << "two";
  gate.Take();
  commit(3, limits::kSendAtOnceBytesMax + 1);
  EXPECT_FALSE(gate.HoldsOneSmallGroup()) << "a large one";
  gate.Take();
  gate.Mark([] {});
  EXPECT_FALSE(gate.HoldsOneSmallGroup()) << "a question between groups may lead to anything";
}

TEST(CommitGate, AVerificationThatRacesWithAPromotionIsAnswered) {
  MemoryStore store;
  replica::CommitGate gate(SystemClock(), store, [] {});
  bool answered = false;
  gate.Mark([&answered] { answered = true; });
  gate.Begin(CommitSeq(7));
  for (replica::CommitGate::Entry& entry : gate.Take()) {
    ASSERT_TRUE(entry.mark);
    entry.mark();
  }
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace twinspool::test
