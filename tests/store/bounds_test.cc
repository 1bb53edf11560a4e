// What one write, one transaction, one commit group and one queue may be, on the real store.
#include <algorithm>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/commit_pipeline.h"
#include "server/store/disk_policy.h"
#include "server/store/engine.h"
#include "server/store/jobs.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/visibility.h"
#include "server/store/write_calls.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

class Bounds : public ::testing::Test {
 protected:
  void SetUp() override {
    user_ = box_.AddUser("anna");
    inbox_ = box_.Inbox(user_).ref;
    other_ = box_.Find(user_, "Archive").ref;
  }

  Result<AppendResult> AppendMany(std::size_t count, std::size_t bytes) {
    std::vector<AppendMessage> messages(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::string octets(bytes, 'x');
      const std::string number = std::to_string(bytes > 8 ? i : 0);
      octets.replace(0, std::min(bytes, number.size()), number, 0, bytes);
      messages[i].body = box_.Stage(user_.id, octets);
    }
    return Await<AppendResult>(
        [&](Done<AppendResult> done) { box_.mail().Append(inbox_, std::move(messages), done); });
  }
  std::future<Result<StoreResult>> BeginFlag(SystemFlags flags) {
    return Begin<StoreResult>([&](Done<StoreResult> done) {
      box_.mail().StoreFlags(inbox_, {UidSet::Of(1, 1), FlagChange::kReplace, {flags, {}}, {}},
                             done);
    });
  }
  /// So many transactions of one item each.
  void WriteSmallRows(std::size_t count, const std::string& value) {
    for (std::size_t i = 0; i < count; ++i) {
      StoreTxn txn(box_.path(), user_.id);
      proto::MiscItem* item = txn.Add(user_.id)->mutable_misc();
      item->set_kind(proto::MiscItem::SCRIPT);
      item->set_key("s" + std::to_string(i));
      item->set_value(value);
      item->set_modseq(txn.NextModseq(user_.id)->value());
      ASSERT_TRUE(txn.Commit().ok());
    }
  }
  /// Everything that `work` queues waits for the commit thread together.
  template <typename Fn>
  void WhileTheCommitThreadWaits(Fn&& work) {
    std::promise<void> held;
    std::promise<void> release;
    box_.path().pipeline.AtBarrier([&](EntryId) {
      held.set_value();
      release.get_future().wait();
    });
    held.get_future().wait();
    work();
    release.set_value();
    box_.path().pipeline.Drain();
  }
  proto::Frame Frame(std::size_t index) {
    proto::Frame frame;
    EXPECT_TRUE(frame.ParseFromString(*box_.pair().frames().at(index)));
    return frame;
  }
  /// Transactions of groups from `before` on: several may have shared a group.
  std::vector<proto::UserChanges> Transactions(std::size_t before) {
    std::vector<proto::UserChanges> all;
    for (std::size_t i = before; i < box_.pair().groups(); ++i) {
      const proto::Frame frame = Frame(i);
      all.insert(all.end(), frame.changes().begin(), frame.changes().end());
    }
    return all;
  }
  /// Number of bodies; none may lie in the transaction of a record.
  int BodiesAhead(std::size_t before) {
    int bodies = 0;
    for (const proto::UserChanges& changes : Transactions(before)) {
      const auto& items = changes.items();
      const auto here = std::ranges::count_if(items, &proto::ChangeItem::has_body);
      EXPECT_FALSE(here > 0 && std::ranges::any_of(items, &proto::ChangeItem::has_record));
      bodies += static_cast<int>(here);
    }
    return bodies;
  }

  StoreBox box_;
  UserRef user_;
  MailboxRef inbox_;
  MailboxRef other_;
};

TEST_F(Bounds, CopyAndMultiappendAreAtomicUpToTheirLimitAndRefusedBeyond) {
  EXPECT_EQ(AppendMany(limits::kAtomicMessagesMax + 1, 1).code(), Code::kLimit);
  EXPECT_EQ(box_.State(inbox_).exists, 0u);
  const auto appended = AppendMany(limits::kAtomicMessagesMax, 1);
  ASSERT_TRUE(appended.ok()) << appended.status().ToString();
  const std::size_t groups = box_.pair().groups();
  ASSERT_TRUE(box_.Copy(inbox_, UidSet::Of(1, UINT32_MAX), other_).ok());
  EXPECT_EQ(box_.pair().groups(), groups + 1);
  EXPECT_EQ(box_.State(other_).exists, limits::kAtomicMessagesMax);
  ASSERT_TRUE(box_.Append(inbox_, "one more").ok());
  EXPECT_EQ(box_.Copy(inbox_, UidSet::Of(1, UINT32_MAX), other_).code(), Code::kLimit);
  EXPECT_EQ(box_.State(other_).exists, limits::kAtomicMessagesMax);
}

TEST_F(Bounds, AMultiappendAboveFourMebibytesStagesEveryBody) {
  const std::size_t before = box_.pair().groups();
  constexpr std::size_t kBytes = 50'000;
  constexpr std::size_t kCount = limits::kInlineAppendBytesMax / kBytes + 1;
  ASSERT_TRUE(AppendMany(kCount, kBytes).ok());
  EXPECT_EQ(BodiesAhead(before), static_cast<int>(kCount));
  EXPECT_EQ(box_.Octets(inbox_, 7).size(), kBytes);
  EXPECT_EQ(box_.Octets(inbox_, 7).substr(0, 2), "6x");
}

TEST_F(Bounds, WritesBeyondWhatMayBePendingAreRefusedAtOnce) {
  ASSERT_TRUE(box_.Append(inbox_, "one").ok());
  box_.pair().HoldAcks();
  auto waiting = BeginFlag(kSeen);
  WriteSmallRows(limits::kPendingWritesPerUserMax, "");
  auto refused = BeginFlag(kDraft);
  ASSERT_EQ(refused.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(refused.get().code(), Code::kUnavailable);
  EXPECT_FALSE(Ready(waiting));
  box_.path().pipeline.Drain();
  box_.pair().ReleaseAcks();
  EXPECT_TRUE(waiting.get().ok());
  EXPECT_TRUE(BeginFlag(kDraft).get().ok());
}

TEST_F(Bounds, AGroupHoldsAtMost1024Items) {
  ASSERT_TRUE(box_.Append(inbox_, "one").ok());
  const std::size_t before = box_.pair().groups();
  WhileTheCommitThreadWaits([&] { WriteSmallRows(2500, ""); });
  ASSERT_EQ(box_.pair().groups(), before + 3);
  for (std::size_t i = before; i < before + 3; ++i) {
    int items = 0;
    const proto::Frame frame = Frame(i);
    for (const proto::UserChanges& changes : frame.changes()) {
      items += changes.items_size();
    }
    EXPECT_LE(items, static_cast<int>(limits::kCommitGroupItemsMax));
  }
}

TEST_F(Bounds, AGroupHoldsAtMostFourMebibytes) {
  const std::size_t before = box_.pair().groups();
  WhileTheCommitThreadWaits([&] { WriteSmallRows(200, std::string(60'000, 'v')); });
  ASSERT_GE(box_.pair().groups(), before + 3);
  for (std::size_t i = before; i < box_.pair().groups(); ++i) {
    EXPECT_LE(box_.pair().frames().at(i)->size(), limits::kCommitGroupBytesMax);
  }
}

TEST_F(Bounds, ATransactionWhoseFrameCouldNotTravelIsRefused) {
  const std::size_t before = box_.pair().groups();
  {
    StoreTxn txn(box_.path(), user_.id);
    for (int i = 0; i < 61; ++i) {
      proto::MiscItem* item = txn.Add(user_.id)->mutable_misc();
      item->set_kind(proto::MiscItem::SCRIPT);
      item->set_key("s" + std::to_string(i));
      item->set_value(std::string(1u << 20, 'v'));
      item->set_modseq(txn.NextModseq(user_.id)->value());
    }
    EXPECT_EQ(txn.Commit().code(), Code::kLimit);
  }
  ASSERT_TRUE(box_.Append(inbox_, "one").ok()) << "nothing of it is left behind";
  EXPECT_EQ(box_.pair().groups(), before + 1);
}

TEST_F(Bounds, AUserOfManyMailboxesIsDeletedInParts) {
  {
    StoreTxn txn(box_.path(), user_.id);
    MailboxWriter writer(txn, box_.path().random, user_.id);
    for (std::size_t i = 0; i < 2 * limits::kMailboxesPerDelete; ++i) {
      ASSERT_TRUE(writer.Make("box" + std::to_string(i), 0, 1).ok());
    }
    ASSERT_TRUE(txn.Commit().ok());
  }
  box_.path().pipeline.Drain();
  const std::size_t before = box_.pair().groups();
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { box_.store().users().Delete("anna", done); }).ok());
  const auto parts = Transactions(before);
  EXPECT_EQ(parts.size(), 3u);
  for (const proto::UserChanges& part : parts) {
    EXPECT_LE(part.items_size(), static_cast<int>(limits::kMailboxesPerDelete) + 1);
  }
  RowIterator left =
      box_.path().engine.Iterate(Family::kMailboxes, KeyRange::Prefix(MailboxNamePrefix(user_.id)));
  left.SeekToFirst();
  EXPECT_FALSE(left.Valid());
}

// --- a body between its staging and its record

class Staging : public Bounds {
 protected:
  /// As if they had lain about for long enough.
  void CollectEverything() {
    JobOptions now;
    now.collect_after_s = now.abandon_after_s = 0;
    const auto report = RunJobs(box_.path(), now);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
  }
  static StagedBody Small(const std::string& octets) {
    StagedBody body;
    body.guid = GuidOf(octets);
    body.size = octets.size();
    body.rest = octets;
    return body;
  }
  Result<AppendResult> Refer(StagedBody body) {
    std::vector<NewMessage> messages(1);
    messages[0].body = std::move(body);
    return Await<AppendResult>([&](const Done<AppendResult>& done) {
      RunTxn<AppendResult>(box_.path(), user_.id, Admission::kBodies, done, [&](StoreTxn& txn) {
        return AppendMessages(txn, inbox_, std::move(messages), proto::ORIGIN_APPEND);
      });
    });
  }
};

TEST_F(Staging, ACollectionBeforeTheRecordLosesNothing) {
  StagedBody body = Small("the only copy");
  ASSERT_TRUE(StageWhole(box_.path(), user_.id, &body).ok());
  CollectEverything();
  ASSERT_TRUE(Refer(std::move(body)).ok());
  EXPECT_EQ(box_.Octets(inbox_, 1), "the only copy");
}

TEST_F(Staging, TheSameMailUnderAnOldLooseBodyThatIsCollectedMeanwhile) {
  StagedBody old = Small("came before");
  ASSERT_TRUE(StageWhole(box_.path(), user_.id, &old).ok());  // the pool has it, nothing refers
  StagedBody body = Small("came before");
  ASSERT_TRUE(StageWhole(box_.path(), user_.id, &body).ok());
  CollectEverything();
  ASSERT_TRUE(Refer(std::move(body)).ok());
  EXPECT_EQ(box_.Octets(inbox_, 1), "came before");
}

TEST_F(Staging, AnUploadWhoseBeginningWasGivenUpIsRefusedNotStoredWithAHole) {
  const std::string large(3 * limits::kBodyChunkBytes + 10, 'L');
  auto stage = box_.Stage(user_.id, large);
  box_.path().pipeline.Drain();
  CollectEverything();
  const auto appended = box_.AppendStaged(inbox_, std::move(stage));
  EXPECT_EQ(appended.code(), Code::kUnavailable) << appended.status().ToString();
  EXPECT_EQ(box_.State(inbox_).exists, 0u);
  ASSERT_TRUE(box_.Append(inbox_, large).ok());
  EXPECT_EQ(box_.Octets(inbox_, 1), large);
}

TEST_F(Staging, ADeliveryAboveTheInlineSizeIsStagedAhead) {
  const std::size_t before = box_.pair().groups();
  const std::string octets(limits::kInlineBodyBytesMax + 1, 'd');
  ASSERT_TRUE(box_.Deliver(user_, octets).ok());
  EXPECT_EQ(BodiesAhead(before), 1);
  EXPECT_EQ(box_.Octets(inbox_, 1), octets);
}

TEST(DiskPolicyTest, WhatNobodyAskedForSeesTheDiskAsItIsNow) {
  ManualClock clock;
  std::uint64_t free = 1ull << 40;
  DiskPolicy policy("/", {}, clock);
  policy.OverrideFreeBytes([&] { return free; });
  EXPECT_TRUE(policy.Admit(Admission::kSmall).ok());
  free = 0;
  EXPECT_TRUE(policy.Admit(Admission::kSmall).ok()) << "an answer is good for a moment";
  EXPECT_EQ(policy.Admit(Admission::kFree).code(), Code::kOverQuota);
  EXPECT_EQ(policy.FreeBytesNow(), 0u);
}

}  // namespace
}  // namespace twinspool::store
