// Power cuts under the engine, in one process: whatever was synced is there after the cut, and a
// batch is there whole or not at all. Cuts fall at random into writes, flushes and creations.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "server/store/change_log.h"
#include "server/store/engine.h"
#include "server/store/page.h"
#include "tests/support/temp_dir.h"
#include "tests/support/unsynced_fs.h"

namespace twinspool::store {
namespace {

constexpr int kRounds = 200;

/// What the rows say of one counter: the newest write, seen through four families.
struct Seen {
  std::uint64_t log = 0;
  std::optional<std::string> row;
  std::optional<std::string> entry;
  std::uint64_t page = 0;
};

class PowerCut : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Engine>> Open() {
    EngineOptions options;
    options.env = env_.get();
    options.block_cache_bytes = 1u << 20;
    options.write_buffer_bytes = 1u << 20;
    return Engine::Open(dir_ / "store", options);
  }

  /// One commit group as the store writes it: data, page operand, entry and end of the log.
  static RowBatch Group(std::uint64_t seq, std::mt19937_64& random) {
    RowBatch batch;
    const std::string text = std::to_string(seq);
    batch.Put(Family::kRecords, "row", text + std::string(random() % 3000, 'x'));
    batch.Put(Family::kBodies, BodyKey({}, BodyNo(seq), 0), std::string(random() % 50'000, 'b'));
    PageEntry entry;
    entry.modseq = Modseq(seq);
    std::string operand;
    AppendEntry(entry.view(), &operand);
    batch.MergePage("page", operand);
    batch.Put(Family::kOutbox, OutboxKey(CommitSeq(seq)), text);
    batch.Put(Family::kMeta, std::string(kMetaLast),
              PackEntryId({Epoch(2), Incarnation(1), CommitSeq(seq)}));
    return batch;
  }

  static Seen Look(Engine& engine) {
    Seen seen;
    const auto last = engine.Get(Family::kMeta, kMetaLast).value();
    seen.log = last ? UnpackEntryId(*last)->seq.value() : 0;
    seen.row = engine.Get(Family::kRecords, "row").value();
    seen.entry = engine.Get(Family::kOutbox, OutboxKey(CommitSeq(seen.log))).value();
    const auto page = engine.Get(Family::kIndex, "page").value();
    seen.page = page ? ReadPageHeader(*page)->highest_modseq.value() : 0;
    return seen;
  }

  testing::TempDir dir_;
  std::shared_ptr<testing::UnsyncedFs> fs_ = std::make_shared<testing::UnsyncedFs>();
  std::unique_ptr<rocksdb::Env> env_ = testing::MakeUnsyncedEnv(fs_);
};

TEST_F(PowerCut, SyncedWritesSurviveAndNothingIsTorn) {
  std::mt19937_64 random(11);
  std::uint64_t acked = 0;
  std::uint64_t written = 0;
  int cuts_in_opening = 0;
  for (int round = 0; round < kRounds; ++round) {
    fs_->PowerCutAfter(1 + random() % 250);
    {
      auto engine = Open();
      if (!engine.ok()) {
        ASSERT_TRUE(fs_->off()) << engine.status().ToString();
        ++cuts_in_opening;
      } else {
        const Seen seen = Look(**engine);
        if (!fs_->off()) {
          ASSERT_GE(seen.log, acked) << "round " << round;
        }
        std::uint64_t seq = seen.log;
        while (!fs_->off() && (*engine)->Write(Group(++seq, random), WriteMode::kSync).ok()) {
          acked = seq;
          ++written;
          if (random() % 20 == 0) {
            (void)(*engine)->Flush();
          }
        }
      }
    }
    fs_->PowerCut();
    fs_->Restore(random());

    auto engine = Open();
    ASSERT_TRUE(engine.ok()) << "round " << round << ": " << engine.status().ToString();
    const Seen seen = Look(**engine);
    ASSERT_GE(seen.log, acked) << "an acknowledged write is lost in round " << round;
    ASSERT_EQ(seen.page, seen.log) << "torn in round " << round;
    if (seen.log > 0) {
      ASSERT_EQ(std::strtoull(seen.row->c_str(), nullptr, 10), seen.log);
      ASSERT_EQ(seen.entry, std::to_string(seen.log));
    }
    acked = std::max(acked, seen.log);
  }
  EXPECT_GT(written, 200u);
  EXPECT_GT(fs_->syncs(), 200u);
  RecordProperty("rounds", kRounds);
  RecordProperty("writes", static_cast<int>(written));
  RecordProperty("cuts_in_opening", cuts_in_opening);
}

// The test's own file system must be able to lose data, or the test above shows nothing.
TEST_F(PowerCut, UnsyncedWritesAreReallyLost) {
  std::mt19937_64 random(12);
  int lost = 0;
  std::uint64_t seq = 0;
  for (int round = 0; round < 20; ++round) {
    {
      auto engine = *Open();
      seq = Look(*engine).log;
      for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(engine->Write(Group(++seq, random), WriteMode::kNoSync).ok());
      }
      fs_->PowerCut();
    }
    fs_->Restore(random());
    auto engine = *Open();
    const Seen seen = Look(*engine);
    ASSERT_EQ(seen.page, seen.log);
    lost += seen.log < seq ? 1 : 0;
  }
  EXPECT_GT(lost, 5);
}

TEST_F(PowerCut, CreationIsAllOrNothing) {
  int complete = 0;
  for (std::uint64_t cut = 1; cut <= 60; ++cut) {
    const auto fs = std::make_shared<testing::UnsyncedFs>();
    const auto env = testing::MakeUnsyncedEnv(fs);
    EngineOptions options;
    options.env = env.get();
    testing::TempDir dir;
    fs->PowerCutAfter(cut * 3);
    const bool made = Engine::Open(dir / "store", options).ok() && !fs->off();
    fs->PowerCut();
    fs->Restore(cut);
    const auto engine = Engine::Open(dir / "store", options);
    ASSERT_TRUE(engine.ok()) << "cut at " << cut * 3 << ": " << engine.status().ToString();
    complete += made ? 1 : 0;
  }
  EXPECT_LT(complete, 60);
}

}  // namespace
}  // namespace twinspool::store
