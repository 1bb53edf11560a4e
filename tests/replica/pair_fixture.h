// PairTest: two nodes with their threads, over stores and a link in memory.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/memory_link.h"
#include "tests/support/pair_node.h"

namespace twinspool::test {

using replica::core::Mode;
using replica::core::Outcome;
using replica::core::Role;

/// See the head of this file.
class PairTest : public testing::Test {
 protected:
  void StartPair(Mode mode = Mode::kAvailable, std::uint64_t outbox_bytes_max = 0) {
    const std::filesystem::path dir =
        std::filesystem::path(testing::TempDir()) /
        ("pair-" + std::to_string(getpid()) + "-" +
         testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(dir);
    a_ = std::make_unique<PairNode>(0, dir / "a", mode);
    b_ = std::make_unique<PairNode>(1, dir / "b", mode);
    if (outbox_bytes_max > 0) {
      a_->options.outbox_bytes_max = b_->options.outbox_bytes_max = outbox_bytes_max;
      a_->options.shipper.ring_bytes = b_->options.shipper.ring_bytes = outbox_bytes_max;
    }
    MakeJoined(a_.get(), b_.get());
    if (before_start_) {
      before_start_();
    }
    StartBoth();
  }
  void StartBoth() {
    link_ = std::make_unique<MemoryLink>();
    a_->Start();
    b_->Start();
    a_->Connect(link_->end(0));
    b_->Connect(link_->end(1));
    link_->Connect();
  }
  void TearDown() override {
    for (const auto& made : {a_.get(), b_.get()}) {
      if (made != nullptr) {
        made->Stop();
      }
    }
  }
  void WaitWhole() {
    ASSERT_TRUE(a_->WaitFor(Role::kPrimary)) << a_->pair().Snapshot().advice;
    ASSERT_TRUE(b_->WaitFor(Role::kStandby)) << b_->pair().Snapshot().advice;
  }
  replica::VerifyResult Verify(PairNode& node) {
    auto promise = std::make_shared<std::promise<replica::VerifyResult>>();
    auto future = promise->get_future();
    node.pair().Verify(
        [promise](replica::VerifyResult result) { promise->set_value(std::move(result)); });
    return future.get();
  }

  std::function<void()> before_start_;  // with the nodes made and not yet started
  std::unique_ptr<PairNode> a_;
  std::unique_ptr<PairNode> b_;
  std::unique_ptr<MemoryLink> link_;
};

}  // namespace twinspool::test
