// Power cuts under a standby: while it applies frames, is filled, or undoes a divergent tail. After
// each cut the store opens, what was acknowledged is there, and the work goes on where it stood; in
// the end the rows are the primary's.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/store/pair_fixture.h"
#include "tests/support/unsynced_fs.h"

namespace twinspool::store {
namespace {

class StandbyCrash : public ::testing::Test {
 protected:
  /// The power fails and comes back; the store must open.
  void CutAndReopen(std::uint64_t seed) {
    fs_->PowerCut();
    standby_->Close();
    fs_->Restore(seed);
    ASSERT_TRUE(standby_->Reopen());
    ++cuts_;
  }
  void Arm() { fs_->PowerCutAfter(1 + random_() % 60); }
  void Disarm() { fs_->PowerCutAfter(0); }

  std::shared_ptr<testing::UnsyncedFs> fs_ = std::make_shared<testing::UnsyncedFs>();
  std::unique_ptr<rocksdb::Env> env_ = testing::MakeUnsyncedEnv(fs_);
  std::mt19937_64 random_{21};
  TestNode primary_;
  Writer writer_{primary_, 22};
  std::unique_ptr<TestNode> standby_ = std::make_unique<TestNode>(env_.get());
  int cuts_ = 0;
};

TEST_F(StandbyCrash, AcknowledgedFramesSurvive) {
  writer_.Steps(2500);
  const std::vector<proto::Frame>& frames = writer_.frames();
  std::uint64_t acked = 0;
  while (acked < frames.size()) {
    Arm();
    while (acked < frames.size()) {
      const std::size_t count = std::min<std::size_t>(1 + random_() % 4, frames.size() - acked);
      const auto begin = frames.begin() + static_cast<std::ptrdiff_t>(acked);
      const auto outcome =
          standby_->sink().Apply({begin, begin + static_cast<std::ptrdiff_t>(count)});
      if (!outcome.ok()) {
        ASSERT_TRUE(fs_->off()) << outcome.status().ToString();
        break;
      }
      ASSERT_FALSE(outcome.value().mismatch);
      acked = outcome.value().last.seq.value();
    }
    Disarm();
    CutAndReopen(random_());
    const std::uint64_t last = standby_->sink().last().seq.value();
    ASSERT_GE(last, acked) << "an acknowledged frame is lost";
    acked = last;
    if (cuts_ % 10 == 0) {
      ASSERT_EQ(CheckDerived(*standby_), "") << "torn";
    }
  }
  EXPECT_GE(cuts_, 60);
  RecordProperty("cuts", cuts_);
  EXPECT_EQ(Difference(Dump(primary_), Dump(*standby_)), "");
}

TEST_F(StandbyCrash, EveryFailedWriteIsToldToWhoEndsTheProcess) {
  writer_.Steps(60);
  ASSERT_TRUE(standby_->sink().Apply(writer_.frames()).ok());
  writer_.Steps(5);
  const auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartSince(standby_->sink().last().seq).ok());
  const auto unit = *picture->NextUnit(limits::kCatchUpUnitBytes);
  fs_->PowerCut();
  int failed = 0;
  const auto expect_told = [&](bool ok) {
    EXPECT_FALSE(ok);
    EXPECT_GT(standby_->failed_writes(), failed);
    failed = standby_->failed_writes();
  };
  const auto first =
      writer_.frames().begin() + static_cast<std::ptrdiff_t>(standby_->sink().last().seq.value());
  expect_told(standby_->sink().Apply({first, writer_.frames().end()}).ok());
  expect_told(standby_->sink().ApplyUnit(*unit).ok());
  expect_told(standby_->sink().UndoLast().ok());
  expect_told(standby_->sink().FinishCatchUp(primary_.log().last()).ok());
}

TEST_F(StandbyCrash, RefillGoesOn) {
  writer_.Steps(200);
  const std::vector<UserId> users = writer_.Users();
  std::vector<UserId> left = users;
  while (!left.empty()) {
    if (cuts_ < 40) {
      Arm();
    }
    auto picture = *StorePicture::Take(primary_.engine());
    const auto have = standby_->sink().BodiesOf(left.back());
    bool done = false;
    if (have.ok() && picture->StartUser(left.back(), *have).ok()) {
      while (true) {
        const auto unit = picture->NextUnit(limits::kCatchUpUnitBytes).value();
        if (!unit) {
          done = true;
          break;
        }
        const Result<bool> applied = standby_->sink().ApplyUnit(*unit);
        if (!applied.ok()) {
          ASSERT_TRUE(fs_->off()) << applied.status().ToString();
          break;
        }
        ASSERT_TRUE(applied.value());
      }
    }
    picture.reset();
    if (done) {
      left.pop_back();
    }
    Disarm();
    if (!done || random_() % 2 == 0) {
      CutAndReopen(random_());
    }
  }
  ASSERT_TRUE(standby_->sink().FinishCatchUp(primary_.log().last()).ok());
  CutAndReopen(1);
  EXPECT_EQ(standby_->sink().last(), primary_.log().last());
  EXPECT_EQ(Difference(Dump(primary_, {.outbox = false}), Dump(*standby_, {.outbox = false})), "");
}

TEST_F(StandbyCrash, UndoGoesOn) {
  writer_.Steps(60);
  ASSERT_TRUE(standby_->sink().Apply(writer_.frames()).ok());
  const CommitSeq common = standby_->sink().last().seq;
  {
    Writer stray(*standby_, 23);
    stray.AllowIrreversible(false);
    stray.Steps(120);
  }
  CommitSeq undone = standby_->sink().last().seq;
  while (standby_->sink().last().seq > common) {
    Arm();
    while (standby_->sink().last().seq > common) {
      const Status status = standby_->sink().UndoLast();
      if (!status.ok()) {
        ASSERT_TRUE(fs_->off()) << status.ToString();
        break;
      }
      undone = standby_->sink().last().seq;
    }
    Disarm();
    CutAndReopen(random_());
    ASSERT_LE(standby_->sink().last().seq, undone) << "an undone entry came back";
  }
  for (int tries = 0; tries < 5; ++tries) {
    fs_->PowerCutAfter(1 + static_cast<std::uint64_t>(tries) * 4);
    (void)standby_->sink().FinishRewind();
    Disarm();
    CutAndReopen(random_());
  }
  const auto whole = standby_->sink().FinishRewind();
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  EXPECT_TRUE(whole.value().empty());
  const DumpOptions options{.outbox = true, .last_modseq = false};
  EXPECT_EQ(Difference(Dump(primary_, options), Dump(*standby_, options)), "");
  EXPECT_EQ(CheckDerived(*standby_), "");
}

}  // namespace
}  // namespace twinspool::store
