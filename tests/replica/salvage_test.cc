// The salvage folder: what is saved is there after any crash, and is given back once.
#include "replica/salvage.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace twinspool::replica {
namespace {

class SalvageTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::path(testing::TempDir()) /
           ("salvage-" + std::to_string(getpid()) + "-" +
            testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    Reopen();
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void Reopen() {
    auto opened = Salvage::Open({.data_dir = dir_});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    salvage_ = std::move(opened).value();
  }
  static SalvageRecord Record(const std::string& kind, std::uint64_t seq, std::uint32_t uid,
                              std::size_t body = 0) {
    SalvageRecord record;
    record.entry = {Epoch(2), Incarnation(3), CommitSeq(seq)};
    record.mailbox = MailboxId::FromBytes(std::string(16, 'm'));
    record.uid = Uid(uid);
    record.kind = kind;
    record.has_body = body > 0;
    record.record.set_size(body);
    return record;
  }
  Status Save(const SalvageRecord& record) {
    return salvage_->Save(record, 0, [&](std::uint64_t offset, std::size_t length) {
      return Body(static_cast<std::size_t>(record.record.size()))
          .substr(static_cast<std::size_t>(offset), length);
    });
  }
  static std::string Body(std::size_t size) {
    std::string body;
    for (std::size_t i = 0; i < size; ++i) {
      body.push_back(static_cast<char>('a' + i % 23));
    }
    return body;
  }
  std::filesystem::path Folder() const { return dir_ / "salvage" / "2-11"; }

  std::filesystem::path dir_;
  std::unique_ptr<Salvage> salvage_;
};

TEST_F(SalvageTest, KeepsRecordsAndBodiesOverARestart) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  ASSERT_TRUE(Save(Record("append", 13, 7, 3'000'000)).ok());
  ASSERT_TRUE(Save(Record("append", 12, 6, 500)).ok());
  ASSERT_TRUE(Save(Record("misc", 11, 0)).ok());
  Reopen();
  EXPECT_EQ(salvage_->size(), 3U);
  EXPECT_EQ(salvage_->pending(), 2U);
  const auto first = salvage_->NextPending();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->uid(), 6U) << "the oldest goes first";
  EXPECT_EQ(*salvage_->ReadBody(*first, 0, 1'000), Body(500));
  ASSERT_TRUE(salvage_->MarkDone(first->token()).ok());
  Reopen();
  EXPECT_EQ(salvage_->pending(), 1U);
  const auto second = salvage_->NextPending();
  EXPECT_EQ(*salvage_->ReadBody(*second, 2'000'000, 5'000'000), Body(3'000'000).substr(2'000'000));
  struct stat info {};
  ASSERT_EQ(::stat(Folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(SalvageTest, SavingTwiceKeepsOne) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  ASSERT_TRUE(Save(Record("append", 12, 6, 500)).ok());
  Reopen();
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  ASSERT_TRUE(Save(Record("append", 12, 6, 500)).ok());
  EXPECT_EQ(salvage_->size(), 1U);
}

TEST_F(SalvageTest, ATornTailIsCutAtEveryLength) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  ASSERT_TRUE(Save(Record("append", 12, 6, 50)).ok());
  const auto whole = std::filesystem::file_size(Folder() / "records");
  ASSERT_TRUE(Save(Record("append", 11, 5, 50)).ok());
  const auto both = std::filesystem::file_size(Folder() / "records");
  for (auto length = both - 1; length > whole; length -= 7) {
    std::filesystem::resize_file(Folder() / "records", length);
    Reopen();
    EXPECT_EQ(salvage_->size(), 1U);
    EXPECT_EQ(std::filesystem::file_size(Folder() / "records"), whole);
    ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
    ASSERT_TRUE(Save(Record("append", 11, 5, 50)).ok());
    const auto item = salvage_->NextPending();
    EXPECT_EQ(*salvage_->ReadBody(*item, 0, 100), Body(50));
  }
}

TEST_F(SalvageTest, AMessageExpungedInTheUndoneHistoryStaysHere) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  ASSERT_TRUE(Save(Record("expunge", 13, 6)).ok());
  ASSERT_TRUE(Save(Record("append", 12, 6, 50)).ok());
  EXPECT_EQ(salvage_->pending(), 0U);
  Reopen();
  EXPECT_EQ(salvage_->pending(), 0U);
  EXPECT_EQ(salvage_->size(), 2U);
}

TEST_F(SalvageTest, FlagsAreThoseOfTheEndOfTheUndoneHistory) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  SalvageRecord newest = Record("flags", 14, 6);
  newest.entry_state.set_flags(5);
  SalvageRecord older = Record("flags", 13, 6);
  older.entry_state.set_flags(1);
  ASSERT_TRUE(Save(newest).ok());
  ASSERT_TRUE(Save(older).ok());
  ASSERT_TRUE(Save(Record("append", 12, 6, 50)).ok());
  EXPECT_EQ(salvage_->NextPending()->entry_state().flags(), 5U);
}

TEST_F(SalvageTest, AnExpungeOfAnotherRewindHidesNothing) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  SalvageRecord flags = Record("flags", 14, 7);
  flags.entry_state.set_flags(5);
  ASSERT_TRUE(Save(flags).ok());
  ASSERT_TRUE(Save(Record("expunge", 13, 6)).ok());
  // UIDs 6 and 7 were undone and given out again before the next rewind.
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(4), CommitSeq(11)).ok());
  SalvageRecord append = Record("append", 15, 6, 50);
  append.entry.epoch = Epoch(4);
  ASSERT_TRUE(Save(append).ok());
  append = Record("append", 16, 7, 50);
  append.entry.epoch = Epoch(4);
  ASSERT_TRUE(Save(append).ok());
  for (int opened = 0; opened < 2; ++opened) {
    ASSERT_EQ(salvage_->pending(), 2U);
    const auto first = salvage_->NextPending();
    EXPECT_EQ(first->uid(), 6U);
    const auto second =
        salvage_->NextPending([&](const std::string& token) { return token == first->token(); });
    EXPECT_EQ(second->uid(), 7U);
    EXPECT_EQ(second->entry_state().flags(), 0U);
    Reopen();
  }
}

TEST_F(SalvageTest, RewindsAreListedInTheOrderOfTheirEpochs) {
  for (const std::uint32_t epoch : {9U, 10U, 100U}) {
    ASSERT_TRUE(salvage_->BeginRewind(Epoch(epoch), CommitSeq(5)).ok());
    SalvageRecord record = Record("misc", 20, 0);
    record.entry.epoch = Epoch(epoch);
    ASSERT_TRUE(Save(record).ok());
  }
  Reopen();
  std::vector<std::uint32_t> epochs;
  for (const proto::SalvageItem& item : salvage_->List()) {
    epochs.push_back(item.epoch());
  }
  EXPECT_EQ(epochs, (std::vector<std::uint32_t>{9, 10, 100}));
}

}  // namespace
}  // namespace twinspool::replica
