// What a standby does with frames that do not fit what it holds: nothing of them is kept, what is
// to be replaced is named, and replacing it whole heals whatever the damage was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/digest.h"
#include "common/limits.h"
#include "tests/store/pair_fixture.h"

namespace twinspool::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Repair : public ::testing::Test {
 protected:
  void SetUp() override {
    user_ = writer_.CreateUser();
    inbox_ = writer_.Mailboxes(user_)[0];
    writer_.Append(user_, inbox_, "one");
    writer_.Append(user_, inbox_, "two");
    Stream();
  }

  /// Applies what the standby lacks; the mismatch, if there was one.
  std::optional<replica::ApplyOutcome::Mismatch> Stream() {
    const auto first =
        writer_.frames().begin() + static_cast<std::ptrdiff_t>(standby_.sink().last().seq.value());
    const auto outcome = standby_.sink().Apply({first, writer_.frames().end()});
    EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
    return outcome.ok() ? outcome.value().mismatch : std::nullopt;
  }

  /// Sends the picture's units; the first answer that is not "right".
  Result<bool> Send(replica::Picture& picture) {
    while (true) {
      const auto unit = picture.NextUnit(limits::kCatchUpUnitBytes).value();
      if (!unit) {
        return true;
      }
      const Result<bool> right = standby_.sink().ApplyUnit(*unit);
      if (!right.ok() || !right.value()) {
        return right;
      }
    }
  }
  Result<bool> RepairMailbox(MailboxId mailbox) {
    const auto picture = *StorePicture::Take(primary_.engine());
    EXPECT_TRUE(picture->StartMailbox(mailbox).ok());
    return Send(*picture);
  }
  Result<bool> ReplaceUser() {
    const auto picture = *StorePicture::Take(primary_.engine());
    EXPECT_TRUE(picture->StartUser(user_, standby_.sink().BodiesOf(user_).value()).ok());
    return Send(*picture);
  }
  void Damage(Family family, const std::string& key) {
    RowBatch batch;
    batch.Put(family, key, "?");
    ASSERT_TRUE(standby_.engine().Write(batch, WriteMode::kSync).ok());
    ASSERT_TRUE(standby_.Reopen());
  }
  void Remove(Family family, const std::string& key) {
    RowBatch batch;
    batch.Delete(family, key);
    ASSERT_TRUE(standby_.engine().Write(batch, WriteMode::kSync).ok());
    ASSERT_TRUE(standby_.Reopen());
  }
  void ExpectEqual() {
    EXPECT_EQ(Difference(Dump(primary_, {.outbox = false}), Dump(standby_, {.outbox = false})), "");
    EXPECT_EQ(CheckDerived(standby_), "");
  }

  TestNode primary_;
  TestNode standby_;
  Writer writer_{primary_, 5};
  UserId user_;
  MailboxId inbox_;
};

TEST_F(Repair, AFrameThatNamesAnUnknownBodyNamesItsMailbox) {
  writer_.SetFlags(user_, inbox_, UidSet::Of(1, 2), 1);
  writer_.Append(user_, inbox_, "three");
  proto::Frame& frame = writer_.frames().back();
  frame.mutable_changes(0)->mutable_items()->DeleteSubrange(0, 1);
  const auto mismatch = Stream();
  ASSERT_TRUE(mismatch);
  EXPECT_EQ(mismatch->seq, CommitSeq(frame.seq()));
  EXPECT_EQ(mismatch->user, user_);
  EXPECT_THAT(mismatch->mailboxes, ElementsAre(inbox_));
  EXPECT_THAT(mismatch->reason, HasSubstr("not here"));
  EXPECT_EQ(standby_.sink().last().seq.value() + 1, frame.seq()) << "the good one before is kept";
  EXPECT_TRUE(RepairMailbox(inbox_).value());
  ExpectEqual();
}

TEST_F(Repair, ACopyOfABodyThatIsGoneHereBringsItsOctetsAgain) {
  const auto pooled =
      DecodePoolEntry(*standby_.engine().Get(Family::kGuids, GuidKey(user_, GuidOf("two"))).value())
          .value();
  const MailboxId other = writer_.CreateMailbox(user_);
  Stream();
  Remove(Family::kGuids, GuidKey(user_, GuidOf("two")));
  Remove(Family::kBodies, BodyKey(user_, pooled.body, 0));
  writer_.Append(user_, other, "two");  // refers to the body, sends no octets
  const auto mismatch = Stream();
  ASSERT_TRUE(mismatch);
  EXPECT_THAT(mismatch->mailboxes, ElementsAre(other));
  const Result<bool> repaired = RepairMailbox(other);
  ASSERT_TRUE(repaired.ok()) << repaired.status().ToString();
  EXPECT_TRUE(repaired.value());
  EXPECT_TRUE(ReplaceUser().value());
  ExpectEqual();
}

TEST_F(Repair, AnotherMessageUnderTheSameUidIsKeptUntilItsMailboxIsReplaced) {
  Writer(standby_, 99).Append(user_, inbox_, "an accident");
  writer_.Append(user_, inbox_, "the true message");
  proto::Frame frame = writer_.frames().back();
  frame.set_seq(frame.seq() + 1);
  const auto outcome = standby_.sink().Apply({frame});
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  ASSERT_TRUE(outcome.value().mismatch);
  EXPECT_THAT(outcome.value().mismatch->mailboxes, ElementsAre(inbox_));
  EXPECT_THAT(outcome.value().mismatch->reason, HasSubstr("guid mismatch"));
  const auto record = standby_.engine().Get(Family::kRecords, RecordKey(inbox_, Uid(3))).value();
  proto::RecordHeader kept;
  ASSERT_TRUE(record && kept.ParseFromString(*record));
  EXPECT_EQ(Guid::FromBytes(kept.guid()), GuidOf("an accident"));
  const Result<bool> repaired = RepairMailbox(inbox_);
  if (!repaired.ok()) {
    EXPECT_EQ(repaired.code(), Code::kDataLoss);
  }
  EXPECT_TRUE(ReplaceUser().value());
  ExpectEqual();
}

TEST_F(Repair, ADamagedRowOfTheMailboxIsAMismatchAndIsReplaced) {
  Damage(Family::kIndex, PageKey(inbox_, 0));
  writer_.SetFlags(user_, inbox_, UidSet::Of(1, 2), 1);
  const auto mismatch = Stream();
  ASSERT_TRUE(mismatch);
  EXPECT_THAT(mismatch->mailboxes, ElementsAre(inbox_));
  EXPECT_TRUE(RepairMailbox(inbox_).value());
  ExpectEqual();
}

/// Damage of every kind of row that a user has.
TEST_F(Repair, WhateverIsDamagedReplacingTheUserHealsIt) {
  const PoolEntry pooled =
      DecodePoolEntry(*standby_.engine().Get(Family::kGuids, GuidKey(user_, GuidOf("one"))).value())
          .value();
  const std::vector<std::pair<Family, std::string>> rows = {
      {Family::kUsers, UserKey(user_)},
      {Family::kUsers, UserStateKey(user_)},
      {Family::kMailboxes, MailboxKey(user_, inbox_)},
      {Family::kMailboxes, MailboxStateKey(inbox_)},
      {Family::kIndex, PageKey(inbox_, 0)},
      {Family::kRecords, RecordKey(inbox_, Uid(1))},
      {Family::kGuids, GuidKey(user_, GuidOf("one"))},
      {Family::kMeta, StagingKey(user_, pooled.body)},
      {Family::kMeta, UnclaimedKey(user_, pooled.body)},
      {Family::kTokens, TokenKey(user_, "t")},
      {Family::kMisc, MiscKey(user_, 1, "m")}};
  for (const auto& [family, key] : rows) {
    SCOPED_TRACE(std::to_string(static_cast<int>(family)) + " " + key.substr(0, 1));
    Damage(family, key);
    const auto users = standby_.sink().Users();
    ASSERT_TRUE(users.ok()) << users.status().ToString();
    const Result<bool> right = ReplaceUser();
    ASSERT_TRUE(right.ok()) << right.status().ToString();
    EXPECT_TRUE(right.value());
    ExpectEqual();
  }
}

}  // namespace
}  // namespace twinspool::store
