// Whoever has little waiting is not behind whoever has much.
#include "common/fair_line.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace twinspool {
namespace {

std::vector<std::string> Drain(FairLine<std::string>& line) {
  std::vector<std::string> order;
  while (const auto item = line.Pop()) {
    order.push_back(*item);
  }
  return order;
}

TEST(FairLine, KeysTakeTurnsAndEachKeepsItsOrder) {
  FairLine<std::string> line;
  for (const char* item : {"a1", "a2", "a3", "b1", "c1", "c2"}) {
    line.Push(std::string(1, item[0]), item);
  }
  EXPECT_EQ(Drain(line), (std::vector<std::string>{"a1", "b1", "c1", "a2", "c2", "a3"}));
  EXPECT_FALSE(line.Pop().has_value());
}

TEST(FairLine, WhoComesLateIsNextButOne) {
  FairLine<std::string> line;
  for (int i = 0; i < 200; ++i) {
    line.Push("guessed", "guess");
  }
  EXPECT_EQ(line.Pop(), "guess");
  line.Push("owner", "mine");
  EXPECT_EQ(line.Pop(), "guess");
  EXPECT_EQ(line.Pop(), "mine");
  EXPECT_EQ(Drain(line).size(), 198u);
}

}  // namespace
}  // namespace twinspool
