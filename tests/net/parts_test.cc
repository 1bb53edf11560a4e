// The pure parts of server/net: deadlines and the output queue.
#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/uio.h>

#include "common/env.h"
#include "common/limits.h"
#include "server/net/deadline_queue.h"
#include "server/net/output_queue.h"

namespace twinspool::net {
namespace {

using ::testing::ElementsAre;

class Recorder : public Timed {
 public:
  explicit Recorder(std::vector<std::int64_t>& calls) : calls_(calls) {}
  void OnTime(Instant now) override {
    calls_.push_back(now.ns);
    if (queue != nullptr) {
      queue->Arm(this, again);
    }
  }
  DeadlineQueue* queue = nullptr;
  Instant again;

 private:
  std::vector<std::int64_t>& calls_;
};

TEST(DeadlineQueue, EarlierWinsLaterIsLazy) {
  std::vector<std::int64_t> calls;
  Recorder one(calls);
  DeadlineQueue queue;
  EXPECT_EQ(queue.next(), std::nullopt);
  queue.Arm(&one, {100});
  queue.Arm(&one, {200});
  EXPECT_EQ(queue.next(), Instant{100});
  queue.Arm(&one, {50});
  EXPECT_EQ(queue.next(), Instant{50});
  EXPECT_EQ(queue.size(), 1u);
  queue.Run({49});
  EXPECT_THAT(calls, ElementsAre());
  queue.Run({60});
  queue.Run({300});
  EXPECT_THAT(calls, ElementsAre(60));
}

TEST(DeadlineQueue, CancelledAreNotCalled) {
  std::vector<std::int64_t> calls;
  Recorder one(calls);
  DeadlineQueue queue;
  queue.Arm(&one, {10});
  queue.Cancel(&one);
  queue.Cancel(&one);
  queue.Run({20});
  EXPECT_THAT(calls, ElementsAre());
}

TEST(DeadlineQueue, RearmingAtOnceDoesNotLoop) {
  std::vector<std::int64_t> calls;
  Recorder one(calls);
  DeadlineQueue queue;
  one.queue = &queue;
  one.again = {5};
  queue.Arm(&one, {5});
  queue.Run({10});
  EXPECT_THAT(calls, ElementsAre(10));
  queue.Run({11});
  EXPECT_THAT(calls, ElementsAre(10, 11));
}

TEST(OutputQueue, KeepsOrderThroughAnyCut) {
  SeededRandom random(7);
  for (int round = 0; round < 50; ++round) {
    OutputQueue queue;
    std::string in;
    std::string out;
    while (in.size() < 2'000'000 || !queue.empty()) {
      if (in.size() < 2'000'000 && random.Below(2) == 0) {
        const std::string piece(random.Below(10) == 0 ? random.Below(300'000) : random.Below(2000),
                                static_cast<char>('a' + random.Below(26)));
        queue.Append(piece);
        in += piece;
      }
      std::array<::iovec, 4> parts{};
      std::size_t offered = 0;
      std::string gathered;
      for (std::size_t i = 0, n = queue.Gather(parts.data(), parts.size()); i < n; ++i) {
        gathered.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
        offered += parts[i].iov_len;
      }
      EXPECT_EQ(gathered.substr(0, queue.Front(10).size()), queue.Front(10));
      const std::size_t taken = offered == 0 ? 0 : random.Below(offered + 1);
      out += gathered.substr(0, taken);
      queue.Consume(taken);
    }
    ASSERT_TRUE(in == out) << "round " << round;
  }
}

TEST(OutputQueue, JoinsSmallWrites) {
  OutputQueue queue;
  queue.Append("");
  EXPECT_TRUE(queue.empty());
  for (int i = 0; i < 1000; ++i) {
    queue.Append("0123456789");
  }
  std::array<::iovec, 4> parts{};
  EXPECT_EQ(queue.Gather(parts.data(), parts.size()), 1u);
  EXPECT_EQ(queue.size(), 10'000u);
  queue.Append(std::string(limits::kWriteBytes, 'x'));
  EXPECT_EQ(queue.Gather(parts.data(), parts.size()), 2u);
}

}  // namespace
}  // namespace twinspool::net
