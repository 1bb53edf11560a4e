// What the session's own thread does: small writes whose rows are in memory, and learning what is
// new from the pages that changed.
#include "common/limits.h"
#include "server/store/changed_pages.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/row_batch.h"
#include "server/store/visibility.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

using Pages = std::vector<std::uint32_t>;

MailboxId Box(char name) {
  return MailboxId::FromBytes(std::string(16, name));
}

void Note(ChangedPages& changed, char name, std::uint64_t before, std::uint64_t after,
          Pages pages) {
  changed.Note({Box(name), Modseq(before), Modseq(after), std::move(pages)});
}

TEST(ChangedPages, KnowWhatChangedSinceTheFirstNote) {
  ChangedPages changed;
  EXPECT_EQ(changed.Since(Box('a'), Modseq(5)), std::nullopt) << "nothing is known";
  Note(changed, 'a', 5, 6, {3});
  Note(changed, 'a', 6, 7, {1, 2});
  Note(changed, 'a', 7, 9, {2});
  EXPECT_EQ(changed.Since(Box('a'), Modseq(4)), std::nullopt) << "before the first note";
  EXPECT_EQ(changed.Since(Box('a'), Modseq(5)), (Pages{1, 2, 3}));
  EXPECT_EQ(changed.Since(Box('a'), Modseq(6)), (Pages{1, 2}));
  EXPECT_EQ(changed.Since(Box('a'), Modseq(8)), (Pages{2}));
  EXPECT_EQ(changed.Since(Box('a'), Modseq(9)), Pages{});
  EXPECT_EQ(changed.Since(Box('b'), Modseq(9)), std::nullopt);
  changed.Clear();
  EXPECT_EQ(changed.Since(Box('a'), Modseq(9)), std::nullopt);
}

TEST(ChangedPages, ForgetTheOldestOfOneMailbox) {
  ChangedPages changed;
  const std::uint64_t count = limits::kChangedPagesPerMailbox + 2;
  for (std::uint64_t i = 1; i <= count; ++i) {
    Note(changed, 'a', i - 1, i, {static_cast<std::uint32_t>(i)});
  }
  EXPECT_EQ(changed.Since(Box('a'), Modseq(1)), std::nullopt);
  const auto known = changed.Since(Box('a'), Modseq(2));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->size(), limits::kChangedPagesPerMailbox);
  EXPECT_EQ(known->front(), 3u);
}

TEST(ChangedPages, ForgetMailboxesThatDidNotChangeForLong) {
  ChangedPages changed;
  const auto id = [](std::uint64_t number) {
    std::string bytes(16, '\0');
    bytes.replace(0, sizeof number, reinterpret_cast<const char*>(&number), sizeof number);
    return MailboxId::FromBytes(bytes);
  };
  const std::uint64_t most = 2 * limits::kChangedPagesMailboxes;
  for (std::uint64_t i = 1; i <= most + 1; ++i) {
    changed.Note({id(i), Modseq(1), Modseq(2), {0}});
  }
  EXPECT_EQ(changed.Since(id(1), Modseq(1)), std::nullopt);
  EXPECT_TRUE(changed.Since(id(most), Modseq(1)));
  // One that was set aside is taken along with all it knows when it changes again.
  changed.Note({id(most), Modseq(2), Modseq(3), {7}});
  EXPECT_EQ(changed.Since(id(most), Modseq(1)), (Pages{0, 7}));
}

class AtOnce : public ::testing::Test {
 protected:
  AtOnce() : user_(box_.AddUser("anna")), inbox_(box_.Inbox(user_).ref) {}

  void Fill(std::uint32_t messages) {
    while (box_.State(inbox_).uid_next.value() <= messages) {
      std::vector<AppendMessage> more(256);
      for (AppendMessage& message : more) {
        message.body = box_.Stage(user_.id, "m");
      }
      const auto appended = Await<AppendResult>(
          [&](Done<AppendResult> done) { box_.mail().Append(inbox_, std::move(more), done); });
      ASSERT_TRUE(appended.ok()) << appended.status().ToString();
    }
  }
  std::future<Result<StoreResult>> BeginFlag(const UidSet& uids) {
    return Begin<StoreResult>([&](Done<StoreResult> done) {
      box_.mail().StoreFlags(inbox_, {uids, FlagChange::kAdd, {kSeen, {}}, {}}, done);
    });
  }
  Ticket last() { return box_.path().pipeline.last_ticket(); }

  StoreBox box_;
  UserRef user_;
  MailboxRef inbox_;
};

TEST_F(AtOnce, ASmallWriteIsQueuedBeforeTheCallReturns) {
  Fill(1);
  box_.pair().HoldAcks();
  const Ticket before = last();
  auto flagged = BeginFlag(UidSet::Of(1, 1));
  EXPECT_GT(last(), before);
  EXPECT_FALSE(Ready(flagged)) << "the answer waits for the ack as ever";
  const Ticket flagged_at = last();
  std::vector<AppendMessage> messages(1);
  messages[0].body = box_.Stage(user_.id, "second");
  auto appended = Begin<AppendResult>(
      [&](Done<AppendResult> done) { box_.mail().Append(inbox_, std::move(messages), done); });
  EXPECT_GT(last(), flagged_at);
  box_.pair().ReleaseAcks();
  EXPECT_TRUE(flagged.get().ok());
  EXPECT_EQ(appended.get()->uids, UidSet::Of(257, 257));
}

TEST_F(AtOnce, AWriteBehindALockedUserWaitsOnAnotherThread) {
  Fill(1);
  std::future<Result<StoreResult>> flagged;
  {
    const StoreTxn other(box_.path(), user_.id);
    const StoreTxn mine(box_.path(), user_.id, std::nullopt, Effort::kInMemory);
    EXPECT_FALSE(mine.ready());
    const Ticket before = last();
    flagged = BeginFlag(UidSet::Of(1, 1));
    EXPECT_EQ(last(), before);
  }
  EXPECT_TRUE(flagged.get().ok());
  EXPECT_EQ(box_.FlagsOf(inbox_, 1), kSeen);
}

TEST_F(AtOnce, NothingIsTriedWhileTheRoleChanges) {
  // Closing waits for those inside, so nobody may be.
  box_.path().gate.Close();
  {
    const StoreTxn txn(box_.path(), user_.id, std::nullopt, Effort::kInMemory);
    EXPECT_FALSE(txn.ready());
  }
  box_.path().gate.Open(*box_.path().gate.state());
  const StoreTxn txn(box_.path(), user_.id, std::nullopt, Effort::kInMemory);
  EXPECT_TRUE(txn.ready());
}

TEST_F(AtOnce, WhatIsNotInMemoryIsReadOnAnotherThread) {
  Fill(1);
  ASSERT_TRUE(box_.path().engine.Flush().ok());
  box_.Reopen();
  box_.BePrimary(4);
  {
    StoreTxn txn(box_.path(), user_.id, std::nullopt, Effort::kInMemory);
    ASSERT_TRUE(txn.ready());
    EXPECT_TRUE(txn.edit().ReadPage(user_.id, inbox_.id, 0).status().Is(Code::kTimeout));
  }
  EXPECT_TRUE(box_.Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, {kSeen, {}}).ok());
  EXPECT_EQ(box_.FlagsOf(inbox_, 1), kSeen);
}

TEST_F(AtOnce, WhatIsNewIsReadFromThePagesThatChanged) {
  Fill(600);
  const Modseq before = box_.State(inbox_).highest_modseq;
  ASSERT_TRUE(BeginFlag(UidSet::Of(300, 300)).get().ok());
  // Page 0 can't be read any more: who reads it finds out.
  RowBatch rows;
  rows.Put(Family::kIndex, PageKey(inbox_.id, 0), "no page");
  ASSERT_TRUE(box_.path().engine.Write(rows, WriteMode::kSync).ok());
  ASSERT_TRUE(BeginFlag(UidSet::Of(301, 301)).get().ok()) << "makes the row visible";
  IndexQuery query;
  query.since = before;
  const auto fresh = box_.Index(inbox_, query);
  ASSERT_TRUE(fresh.ok()) << fresh.status().ToString();
  ASSERT_EQ(fresh->entries.size(), 2u);
  EXPECT_EQ(fresh->entries[0].uid, Uid(300));
  EXPECT_EQ(fresh->entries[1].uid, Uid(301));
  query.since = Modseq(before.value() - 1);
  EXPECT_TRUE(box_.Index(inbox_, query).ok()) << "every append is known, too";
  query.since = Modseq();
  EXPECT_FALSE(box_.Index(inbox_, query).ok());
}

}  // namespace
}  // namespace twinspool::store
