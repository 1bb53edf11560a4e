// The salvage folder: what is saved is there after any crash, and is given back once.
#include "replica/salvage.h"

#include <algorithm>
#include <fstream>
#include <iterator>

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
    record.record.set_body_no(uid);  // to tell messages apart
    return record;
  }
  Status Save(const SalvageRecord& record) {
    return salvage_->Save(record, 0, [&](std::uint64_t offset, std::size_t length) {
      return Body(static_cast<std::size_t>(record.record.size()))
          .substr(static_cast<std::size_t>(offset), length);
    });
  }
  /// The message that is given back next, passing over what `skip` wants.
  std::optional<proto::GiveBack> Next(
      const std::function<bool(const std::string& token)>& skip = {}) const {
    for (const GiveBackStep& step : salvage_->waiting()) {
      const bool message = step.message.kind() == proto::GiveBack::MESSAGE;
      if (message && (!skip || !skip(step.message.token()))) {
        return step.message;
      }
    }
    return std::nullopt;
  }
  Status MarkDone(const std::string& token) { return salvage_->MarkDone({token}, {}); }
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
  const auto first = Next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->record().body_no(), 6U) << "the oldest goes first";
  EXPECT_EQ(*salvage_->ReadBody(first->token(), 0, 1'000), Body(500));
  ASSERT_TRUE(MarkDone(first->token()).ok());
  Reopen();
  EXPECT_EQ(salvage_->pending(), 1U);
  const auto second = Next();
  EXPECT_EQ(*salvage_->ReadBody(second->token(), 2'000'000, 5'000'000),
            Body(3'000'000).substr(2'000'000));
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
    const auto item = Next();
    EXPECT_EQ(*salvage_->ReadBody(item->token(), 0, 100), Body(50));
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
  EXPECT_EQ(Next()->entry().flags(), 5U);
}

TEST_F(SalvageTest, AnExpungeOfAnotherRewindHidesNothing) {
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  SalvageRecord flags = Record("flags", 14, 7);
  flags.entry_state.set_flags(5);
  ASSERT_TRUE(Save(flags).ok());
  ASSERT_TRUE(Save(Record("expunge", 13, 6)).ok());
  // UIDs 6 and 7 were undone and given out again before the next rewind.
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(4), CommitSeq(11)).ok());
  SalvageRecord append = Record("append", 16, 7, 50);
  append.entry.epoch = Epoch(4);
  ASSERT_TRUE(Save(append).ok());
  append = Record("append", 15, 6, 50);
  append.entry.epoch = Epoch(4);
  ASSERT_TRUE(Save(append).ok());
  for (int opened = 0; opened < 2; ++opened) {
    ASSERT_EQ(salvage_->pending(), 4U) << "the flags and the expunge count by themselves";
    const auto first = Next();
    EXPECT_EQ(first->record().body_no(), 6U);
    const auto second = Next([&](const std::string& token) { return token == first->token(); });
    EXPECT_EQ(second->record().body_no(), 7U);
    EXPECT_EQ(second->entry().flags(), 0U);
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

// --- erasing

class SalvageEraseTest : public SalvageTest {
 protected:
  static SalvageRecord Of(char user, const std::string& kind, std::uint64_t seq, std::uint32_t uid,
                          std::size_t body = 0) {
    SalvageRecord record = Record(kind, seq, uid, body);
    record.user = User(user);
    record.user_name = std::string("name of ") + user;
    return record;
  }
  static UserId User(char user) { return UserId::FromBytes(std::string(UserId::kSize, user)); }
  static std::string Octets(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  /// Newest first, as a rewind saves: mail of both users, and what became of it.
  void SaveBoth() {
    ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
    ASSERT_TRUE(Save(Of('b', "flags", 17, 5)).ok());
    ASSERT_TRUE(Save(Of('a', "flags", 16, 7)).ok());
    ASSERT_TRUE(Save(Of('b', "append", 15, 5, 500)).ok());
    ASSERT_TRUE(Save(Of('a', "append", 14, 7, 600)).ok());
    ASSERT_TRUE(Save(Of('b', "append", 13, 4, 70'000)).ok());
    ASSERT_TRUE(Save(Of('a', "append", 12, 6, 2'000'000)).ok());
    ASSERT_TRUE(Save(Of('a', "user", 11, 0)).ok());
  }
};

TEST_F(SalvageEraseTest, NothingOfTheUserIsLeftAndOthersKeepTheirs) {
  SaveBoth();
  ASSERT_TRUE(salvage_->Sync().ok());
  const auto first = Next([](const std::string& token) {
    return token.find(std::string("\0\x0c", 2)) != std::string::npos;  // entry 12: a's
  });
  ASSERT_TRUE(first);
  ASSERT_EQ(first->record().body_no(), 4U);
  ASSERT_TRUE(MarkDone(first->token()).ok());
  EXPECT_EQ(salvage_->pending(), 4U) << "three messages, and the user himself";
  EXPECT_EQ(*salvage_->Erase(User('a')), 4U);
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(salvage_->size(), 3U);
    EXPECT_EQ(salvage_->pending(), 1U);
    const auto next = Next();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->record().body_no(), 5U);
    EXPECT_EQ(*salvage_->ReadBody(next->token(), 0, 1'000), Body(500));
    for (const proto::SalvageItem& item : salvage_->List()) {
      EXPECT_EQ(item.user_id(), User('b').bytes());
    }
    Reopen();
  }
  EXPECT_EQ(Octets(Folder() / "records").find("name of a"), std::string::npos);
  const std::string bodies = Octets(Folder() / "bodies");
  EXPECT_EQ(std::ranges::count_if(bodies, [](char c) { return c != 0; }), 70'500) << "b's alone";
  EXPECT_EQ(*salvage_->Erase(User('a')), 0U) << "again: nothing to do";
}

TEST_F(SalvageEraseTest, AFolderOfNobodyElseGoesWhole) {
  SaveBoth();
  ASSERT_TRUE(salvage_->Erase(User('a')).ok());
  ASSERT_TRUE(salvage_->Erase(User('b')).ok());
  EXPECT_FALSE(std::filesystem::exists(Folder()));
  EXPECT_EQ(salvage_->size(), 0U);
  // The same rewind begins anew.
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), CommitSeq(11)).ok());
  ASSERT_TRUE(Save(Of('b', "append", 15, 5, 500)).ok());
  ASSERT_TRUE(salvage_->Sync().ok());
  Reopen();
  EXPECT_EQ(salvage_->pending(), 1U);
}

TEST_F(SalvageEraseTest, TheFolderUnderWayGoesOn) {
  SaveBoth();
  ASSERT_TRUE(salvage_->Erase(User('a')).ok());  // what was saved is not synced yet
  ASSERT_TRUE(Save(Of('b', "append", 10, 3, 300)).ok());
  ASSERT_TRUE(Save(Of('b', "append", 15, 5, 500)).ok());
  ASSERT_TRUE(salvage_->Sync().ok());
  Reopen();
  EXPECT_EQ(salvage_->size(), 4U);
  EXPECT_EQ(salvage_->pending(), 3U);
  EXPECT_EQ(*salvage_->ReadBody(Next()->token(), 0, 1'000), Body(300));
}

TEST_F(SalvageEraseTest, AnErasureThatBrokeOffIsFinished) {
  SaveBoth();
  ASSERT_TRUE(salvage_->Sync().ok());
  // The process died when the octets were wiped and the new records were being written.
  std::filesystem::copy(Folder(), dir_ / "before");
  ASSERT_TRUE(salvage_->Erase(User('a')).ok());
  std::filesystem::copy_file(dir_ / "before" / "records", Folder() / "records",
                             std::filesystem::copy_options::overwrite_existing);
  std::ofstream(Folder() / "records.new") << "torn";
  Reopen();
  EXPECT_EQ(salvage_->size(), 7U);
  EXPECT_EQ(*salvage_->Erase(User('a')), 4U);
  Reopen();
  EXPECT_EQ(salvage_->size(), 3U);
  EXPECT_EQ(Octets(Folder() / "records").find("name of a"), std::string::npos);
}

TEST_F(SalvageEraseTest, EveryRewindIsLookedThrough) {
  SaveBoth();
  ASSERT_TRUE(salvage_->BeginRewind(Epoch(4), CommitSeq(20)).ok());
  SalvageRecord later = Of('a', "append", 21, 9, 100);
  later.entry.epoch = Epoch(4);
  ASSERT_TRUE(Save(later).ok());
  EXPECT_EQ(*salvage_->Erase(User('a')), 5U);
  EXPECT_EQ(salvage_->size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "salvage" / "4-20"));
}

}  // namespace
}  // namespace twinspool::replica
