// The log's rows and ends: contiguous numbers, trimming, stepping back, starting anew, reopening.
#include "server/store/change_log.h"

#include <gtest/gtest.h>

#include "common/codec.h"
#include "server/store/engine.h"
#include "tests/support/temp_dir.h"

namespace twinspool::store {
namespace {

class ChangeLogTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    log_.reset();
    engine_.reset();
    EngineOptions options;
    options.block_cache_bytes = 1u << 20;
    options.write_buffer_bytes = 4u << 20;
    engine_ = *Engine::Open(dir_ / "store", options);
    log_ = *OutboxLog::Open(*engine_);
  }
  static EntryId Id(std::uint64_t seq, std::uint32_t epoch = 2) {
    return {Epoch(epoch), Incarnation(5), CommitSeq(seq)};
  }
  void Add(const EntryId& id) {
    proto::OutboxEntry entry;
    entry.add_items()->set_body_no(id.seq.value());
    RowBatch batch;
    log_->AddEntry({id, 77, 1234}, entry.SerializeAsString(), &batch);
    Write(batch);
    log_->SetDurable(id, 50);
  }
  void Write(const RowBatch& batch) { ASSERT_TRUE(engine_->Write(batch, WriteMode::kSync).ok()); }

  testing::TempDir dir_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<OutboxLog> log_;
};

TEST_F(ChangeLogTest, EmptyLogStartsBeforeOne) {
  EXPECT_EQ(log_->last(), EntryId{});
  EXPECT_EQ(log_->low_water(), CommitSeq(0));
  EXPECT_EQ(log_->entries(), 0u);
  EXPECT_EQ(log_->Identify(CommitSeq(1)).code(), Code::kNotFound);
}

TEST_F(ChangeLogTest, EntryOctetsAreThoseOfTheMessage) {
  proto::OutboxEntry entry;
  entry.set_epoch(2);
  entry.set_incarnation(300);
  entry.set_wall_ns(-5);
  entry.add_items()->set_modseq(9);
  entry.add_items()->set_modseq(10);
  entry.set_frame_bytes(4096);
  proto::OutboxEntry items;
  items.add_items()->set_modseq(9);
  items.add_items()->set_modseq(10);
  const std::string octets = EncodeOutboxEntry(
      {{Epoch(2), Incarnation(300), CommitSeq(1)}, -5, 4096}, items.SerializeAsString());
  proto::OutboxEntry crc;
  crc.set_crc(Crc32c(entry.SerializeAsString()));
  EXPECT_EQ(octets, crc.SerializeAsString() + entry.SerializeAsString());
}

TEST_F(ChangeLogTest, AnEntryIsReadOnlyIfItsChecksumIsRight) {
  Add(Id(1));
  const std::string row = *engine_->Get(Family::kOutbox, OutboxKey(CommitSeq(1))).value();
  // The first octet tells that there is a checksum.
  for (std::size_t bit = 8; bit < 8 * row.size(); ++bit) {
    std::string flipped = row;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(ParseOutboxEntry(CommitSeq(1), flipped).code(), Code::kDataLoss) << "bit " << bit;
  }
  proto::OutboxEntry earlier;
  earlier.set_epoch(2);
  EXPECT_TRUE(ParseOutboxEntry(CommitSeq(1), earlier.SerializeAsString()).ok())
      << "of a build that made no checksums";
}

TEST_F(ChangeLogTest, ADamagedEntryIsForgottenWithAllBeforeIt) {
  for (std::uint64_t seq = 1; seq <= 10; ++seq) {
    Add(Id(seq));
  }
  RowBatch batch;
  for (const std::uint64_t seq : {4U, 5U}) {
    batch.Put(Family::kOutbox, OutboxKey(CommitSeq(seq)), "?");
  }
  Write(batch);
  EXPECT_EQ(log_->Read(CommitSeq(4)).code(), Code::kDataLoss);
  EXPECT_TRUE(log_->ForgetDamaged(CommitSeq(4)).ok());
  EXPECT_EQ(log_->low_water(), CommitSeq(6)) << "5 could not be remembered as the newest dropped";
  EXPECT_EQ(log_->Identify(CommitSeq(6)).value(), Id(6));
  EXPECT_TRUE(log_->Read(CommitSeq(7)).ok());
  batch.Clear();
  batch.Put(Family::kOutbox, OutboxKey(CommitSeq(10)), "?");
  Write(batch);
  EXPECT_TRUE(log_->ForgetDamaged(CommitSeq(10)).ok());
  EXPECT_EQ(log_->entries(), 0U);
  EXPECT_EQ(log_->last(), Id(10));
}

TEST_F(ChangeLogTest, AddIdentifyReopen) {
  for (std::uint64_t seq = 1; seq <= 10; ++seq) {
    Add(Id(seq, seq < 6 ? 2 : 4));
  }
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(log_->last(), Id(10, 4));
    EXPECT_EQ(log_->entries(), 10u);
    EXPECT_EQ(log_->Identify(CommitSeq(5)).value(), Id(5, 2));
    EXPECT_EQ(log_->Identify(CommitSeq(6)).value(), Id(6, 4));
    EXPECT_EQ(log_->Read(CommitSeq(3)).value().items(0).body_no(), 3u);
    EXPECT_EQ(log_->Identify(CommitSeq(11)).code(), Code::kNotFound);
    Open();
  }
}

TEST_F(ChangeLogTest, TrimRemembersTheNewestDropped) {
  for (std::uint64_t seq = 1; seq <= 10; ++seq) {
    Add(Id(seq));
  }
  log_->Trim(CommitSeq(4));
  log_->Trim(CommitSeq(3));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(log_->low_water(), CommitSeq(4));
    EXPECT_EQ(log_->entries(), 6u);
    EXPECT_EQ(log_->Identify(CommitSeq(4)).value(), Id(4));
    EXPECT_EQ(log_->Identify(CommitSeq(3)).code(), Code::kNotFound);
    EXPECT_EQ(log_->Read(CommitSeq(4)).code(), Code::kNotFound);
    EXPECT_TRUE(log_->Read(CommitSeq(5)).ok());
    Open();
  }
  log_->Trim(CommitSeq(99));
  EXPECT_EQ(log_->low_water(), CommitSeq(10));
  EXPECT_EQ(log_->Identify(CommitSeq(10)).value(), Id(10));
  Add(Id(11));
  EXPECT_EQ(log_->entries(), 1u);
}

TEST_F(ChangeLogTest, NumbersWithoutEntries) {
  RowBatch batch;
  log_->AddNumber(Id(7), &batch);
  Write(batch);
  log_->SetDurable(Id(7), 0, CommitSeq(7));
  Open();
  EXPECT_EQ(log_->last(), Id(7));
  EXPECT_EQ(log_->low_water(), CommitSeq(7));
  Add(Id(8));
  EXPECT_TRUE(log_->Read(CommitSeq(8)).ok());
  EXPECT_EQ(log_->Identify(CommitSeq(7)).value(), Id(7));
}

TEST_F(ChangeLogTest, NumbersWithoutALowMarkAreNotedOnOpening) {
  Add(Id(1));
  RowBatch batch;
  batch.Put(Family::kMeta, std::string(kMetaLast), PackEntryId(Id(9)));
  batch.Delete(Family::kOutbox, OutboxKey(CommitSeq(1)));
  Write(batch);
  Open();
  EXPECT_EQ(log_->low_water(), CommitSeq(9));
  EXPECT_EQ(log_->entries(), 0u);
}

TEST_F(ChangeLogTest, StepBackAndRestart) {
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    Add(Id(seq));
  }
  RowBatch back;
  log_->AddStepBack(Id(4), &back);
  Write(back);
  log_->SetEnds(Id(4), CommitSeq(0));
  EXPECT_EQ(log_->Read(CommitSeq(5)).code(), Code::kNotFound);
  Add(Id(5, 4));
  EXPECT_EQ(log_->Identify(CommitSeq(5)).value(), Id(5, 4));

  RowBatch restart;
  log_->AddRestart(Id(100, 6), &restart);
  Write(restart);
  log_->SetEnds(Id(100, 6), CommitSeq(100));
  Open();
  EXPECT_EQ(log_->last(), Id(100, 6));
  EXPECT_EQ(log_->low_water(), CommitSeq(100));
  EXPECT_EQ(engine_->Get(Family::kOutbox, OutboxKey(CommitSeq(2))).value(), std::nullopt);
}

TEST_F(ChangeLogTest, BarrierRunsWithTheEnd) {
  Add(Id(1));
  EntryId seen;
  log_->AtBarrier([&](EntryId end) { seen = end; });
  EXPECT_EQ(seen, Id(1));
}

TEST_F(ChangeLogTest, DamagedEndsAreRefused) {
  RowBatch batch;
  batch.Put(Family::kMeta, std::string(kMetaLast), "short");
  Write(batch);
  EXPECT_EQ(OutboxLog::Open(*engine_).code(), Code::kDataLoss);
}

}  // namespace
}  // namespace twinspool::store
