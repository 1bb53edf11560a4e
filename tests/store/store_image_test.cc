// Power cuts under the whole store: while sessions append, flag and expunge side by side, images
// are taken of what the disk would hold if the power failed at that moment. Every image opens,
// holds everything that was acknowledged before it was taken, and is torn nowhere.
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "common/digest.h"
#include "server/store/change_log.h"
#include "server/store/engine.h"
#include "server/store/page.h"
#include "server/store/recount.h"
#include "server/store/row_view.h"
#include "tests/store/store_fixture.h"
#include "tests/support/unsynced_fs.h"

namespace twinspool::store {
namespace {

constexpr int kImages = 200;
constexpr int kWriters = 3;
constexpr int kBurst = 6;

/// What a session was told: the newest acknowledged modseq of each message.
struct Acked {
  Guid guid;
  Modseq modseq;
};
using Ledger = std::map<std::uint32_t, Acked>;

class StoreImage : public ::testing::Test {
 protected:
  void SetUp() override {
    BoxOptions options;
    options.store.env = env_.get();
    options.store.write_buffer_bytes = 1u << 20;
    box_ = std::make_unique<StoreBox>(std::move(options));
    user_ = box_->AddUser("ann");
    inbox_ = box_->Inbox(user_).ref;
  }

  void Note(std::uint32_t uid, std::optional<Guid> guid, Modseq modseq) {
    const std::lock_guard lock(mutex_);
    Acked& acked = ledger_[uid];
    acked.modseq = std::max(acked.modseq, modseq);
    acked.guid = guid.value_or(acked.guid);
  }

  /// Sessions work in bursts, or the mailbox would grow without end while images are checked.
  bool WaitForTurn() {
    int allowed = allowed_;
    while (started_ >= allowed && !stop_) {
      allowed_.wait(allowed);
      allowed = allowed_;
    }
    ++started_;
    return !stop_;
  }

  void Write(int number) {
    std::mt19937_64 random(static_cast<std::uint64_t>(number) + 100);
    std::vector<std::uint32_t> mine;
    for (int i = 0; WaitForTurn(); ++i) {
      if (mine.empty() || random() % 2 == 0) {
        const std::string octets = std::to_string(number) + "/" + std::to_string(i) +
                                   std::string(random() % 3000, 'x') +
                                   std::string(random() % 60 == 0 ? 300'000 : 0, 'L');
        const auto done = box_->Append(inbox_, octets);
        ASSERT_TRUE(done.ok()) << done.status().ToString();
        mine.push_back(done->uids.Min());
        Note(mine.back(), GuidOf(octets), done->modseq);
      } else {
        const std::uint32_t uid = mine[random() % mine.size()];
        FlagList flags;
        flags.system = static_cast<SystemFlags>(random() % 8);
        const auto done =
            box_->Flag(inbox_, UidSet::Of(uid, uid), FlagChange::kReplace, std::move(flags));
        ASSERT_TRUE(done.ok()) << done.status().ToString();
        for (const auto& [uids, modseq] : done->changed) {
          Note(uid, std::nullopt, modseq);
        }
      }
      ++writes_;
    }
  }

  void CheckImage(const std::string& directory, const Ledger& acked) {
    EngineOptions options;
    options.block_cache_bytes = 4u << 20;
    const auto opened = Engine::Open(directory, options);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    Engine& engine = **opened;
    auto log = OutboxLog::Open(engine);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    if (log.value()->last().seq > CommitSeq(0)) {
      EXPECT_TRUE(log.value()->Read(log.value()->last().seq).ok()) << "the newest entry is missing";
    }
    std::optional<std::uint32_t> number;  // of the page
    Page page;
    for (const auto& [uid, want] : acked) {
      const auto record = engine.Get(Family::kRecords, RecordKey(inbox_.id, Uid(uid))).value();
      proto::RecordHeader header;
      ASSERT_TRUE(record && header.ParseFromString(*record)) << "lost message " << uid;
      EXPECT_EQ(Guid::FromBytes(header.guid()), want.guid);
      if (number != uid >> kPageBits) {
        number = uid >> kPageBits;
        const auto octets = engine.Get(Family::kIndex, PageKey(inbox_.id, *number)).value();
        ASSERT_TRUE(octets);
        page = Page::Decode(*octets).value();
      }
      const PageEntry* entry = page.Find(static_cast<std::uint8_t>(uid & 0xff));
      ASSERT_NE(entry, nullptr);
      EXPECT_GE(entry->modseq, want.modseq) << "lost change of message " << uid;
    }
    const RowView view(engine);
    const auto row = view.MailboxRowOf(inbox_.id).value();
    if (row) {
      const auto counted = RecountMailbox(view, *row, inbox_.id);
      ASSERT_TRUE(counted.ok()) << counted.status().ToString();
      EXPECT_EQ(**counted, *row) << "rows and counters are torn";
      EXPECT_EQ(RecountUser(view, user_.id).value(), view.StateOf(user_.id).value());
    }
  }

  std::shared_ptr<testing::UnsyncedFs> fs_ = std::make_shared<testing::UnsyncedFs>();
  std::unique_ptr<rocksdb::Env> env_ = testing::MakeUnsyncedEnv(fs_);
  std::unique_ptr<StoreBox> box_;
  UserRef user_;
  MailboxRef inbox_;
  std::mutex mutex_;
  Ledger ledger_;
  std::atomic<bool> stop_{false};
  std::atomic<int> writes_{0};
  std::atomic<int> started_{0};
  std::atomic<int> allowed_{0};
};

TEST_F(StoreImage, HoldsEverythingAcknowledged) {
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this, i] { Write(i); });
  }
  const testing::TempDir images;
  std::size_t checked = 0;
  for (int image = 0; image < kImages && !HasFatalFailure(); ++image) {
    // In the middle of a burst.
    const int target = writes_ + 1 + image % kBurst;
    allowed_ = started_ + kBurst + kWriters;
    allowed_.notify_all();
    while (writes_ < target && !HasFailure()) {
      std::this_thread::yield();
    }
    Ledger acked;
    {
      const std::lock_guard lock(mutex_);
      acked = ledger_;
    }
    const std::string directory = images / std::to_string(image);
    ASSERT_TRUE(
        fs_->CopyImage(box_->directory() + "/store", directory, static_cast<std::uint64_t>(image)));
    CheckImage(directory, acked);
    checked += acked.size();
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }
  stop_ = true;
  ++allowed_;
  allowed_.notify_all();
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_GT(checked, static_cast<std::size_t>(kImages));
  RecordProperty("images", kImages);
  RecordProperty("writes", writes_);
}

}  // namespace
}  // namespace twinspool::store
