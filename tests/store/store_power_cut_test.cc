// Power cuts under the whole store: random commands through the real write path, the power cut at a
// random place, the store opened again. Every acknowledged write is there, the log ends with the
// data, and what is derived is what the rows say.
#include <map>
#include <random>

#include "server/store/engine.h"
#include "server/store/recount.h"
#include "tests/store/store_fixture.h"
#include "tests/support/unsynced_fs.h"

namespace twinspool::store {
namespace {

constexpr int kRounds = 200;

/// What was acknowledged of one message; what was asked and not answered may be or not.
struct Ledger {
  std::string octets;
  int flags = 0;
  bool unsure = false;
  bool expunged = false;
};

class StorePowerCut : public ::testing::Test {
 protected:
  BoxOptions Options() {
    BoxOptions options;
    options.store.env = env_.get();
    options.store.block_cache_bytes = 1u << 20;
    options.store.write_buffer_bytes = 1u << 20;
    options.store.on_failed_write = [this](const Status&) { fs_->PowerCut(); };
    return options;
  }

  /// One command; false: its outcome is unknown, the power went.
  bool Step(StoreBox& box, std::mt19937_64& random) {
    const std::uint32_t last = ledger_.empty() ? 0 : ledger_.rbegin()->first;
    if (last == 0 || random() % 3 == 0) {
      const std::string octets = "mail " + std::to_string(random() % 1000) +
                                 std::string(random() % 20 == 0 ? 600'000 : random() % 9000, 'x');
      auto staged = box.TryStage(user_.id, octets);
      if (staged == nullptr) {
        return false;
      }
      const auto result = box.AppendStaged(inbox_, std::move(staged));
      if (result.ok()) {
        ledger_[result->uids.Min()] = {octets, 0, false, false};
      }
      return result.ok();
    }
    const auto uid = static_cast<std::uint32_t>(1 + random() % last);
    if (!ledger_.contains(uid) || ledger_[uid].expunged) {
      return true;
    }
    Ledger& line = ledger_[uid];
    if (random() % 8 == 0) {
      line.unsure = true;
      const bool done =
          box.Flag(inbox_, UidSet::Of(uid, uid), FlagChange::kReplace, {kDeleted, {}}).ok() &&
          box.Expunge(inbox_, UidSet::Of(uid, uid)).ok();
      line.expunged = done;
      line.unsure = !done;
      return done;
    }
    const auto flags = static_cast<SystemFlags>(random() % 8);
    const auto result =
        box.Flag(inbox_, UidSet::Of(uid, uid), FlagChange::kReplace, {flags, {"k"}});
    line.flags = flags;
    line.unsure = line.unsure || !result.ok();
    return result.ok();
  }

  void Check(StoreBox& box) {
    IndexQuery query;
    const auto index = box.Index(inbox_, query);
    ASSERT_TRUE(index.ok()) << index.status().ToString();
    std::map<std::uint32_t, int> live;
    for (const IndexEntry& entry : index->entries) {
      live[entry.uid.value()] = entry.flags;
    }
    for (auto& [uid, line] : ledger_) {
      if (line.unsure) {
        line.unsure = false;
        line.expunged = !live.contains(uid);
        line.flags = line.expunged ? 0 : live[uid];
      }
      ASSERT_EQ(live.contains(uid), !line.expunged) << "message " << uid;
      if (!line.expunged) {
        ASSERT_EQ(live[uid], line.flags) << "message " << uid;
      }
    }
    for (const auto& [uid, flags] : live) {
      if (!ledger_.contains(uid)) {
        ledger_[uid] = {box.Octets(inbox_, uid), flags, false, false};  // was never answered
      }
    }
    const std::uint32_t newest = ledger_.empty() ? 0 : ledger_.rbegin()->first;
    if (newest > 0) {
      ASSERT_EQ(box.Octets(inbox_, newest), ledger_[newest].octets);
    }
    CheckDerived(box);
  }

  void CheckDerived(StoreBox& box) {
    Engine& engine = box.path().engine;
    const RowView view(engine);
    const auto row = view.MailboxRowOf(inbox_.id);
    const auto counted = RecountMailbox(view, **row, inbox_.id);
    ASSERT_TRUE(counted.ok()) << counted.status().ToString();
    ASSERT_EQ(**counted, **row) << "data torn";
    ASSERT_EQ(*RecountUser(view, user_.id), *view.StateOf(user_.id));
    const CommitSeq last = box.store().ports().log->last().seq;
    ASSERT_TRUE(engine.Get(Family::kOutbox, OutboxKey(last))->has_value()) << "log torn";
    ASSERT_FALSE(engine.Get(Family::kOutbox, OutboxKey(last.Next()))->has_value());
  }

  std::shared_ptr<testing::UnsyncedFs> fs_ = std::make_shared<testing::UnsyncedFs>();
  std::unique_ptr<rocksdb::Env> env_ = testing::MakeUnsyncedEnv(fs_);
  UserRef user_;
  MailboxRef inbox_;
  std::map<std::uint32_t, Ledger> ledger_;
};

TEST_F(StorePowerCut, NoAcknowledgedWriteIsLostAndNothingIsTorn) {
  std::mt19937_64 random(5);
  StoreBox box(Options());
  user_ = box.AddUser("anna");
  inbox_ = box.Inbox(user_).ref;
  int commands = 0;
  for (int round = 0; round < kRounds; ++round) {
    fs_->PowerCutAfter(1 + random() % 60);
    while (!fs_->off() && Step(box, random)) {
      ++commands;
    }
    fs_->PowerCut();
    box.Close();
    fs_->Restore(random());
    box.Open();
    if (!HasFailure()) {
      Check(box);
    }
    if (HasFailure()) {
      FAIL() << "round " << round;
    }
  }
  EXPECT_GT(commands, kRounds);
  RecordProperty("rounds", kRounds);
  RecordProperty("commands", commands);
}

}  // namespace
}  // namespace twinspool::store
