// Forgetting, as both nodes do it: frames, catch-up, whole users, undo.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/replication_fixture.h"

namespace twinspool::store {
namespace {

using ::testing::HasSubstr;

class Forget : public Replication {
 protected:
  Forget() {
    user_ = writer_.CreateUser();
    box_ = writer_.CreateMailbox(user_);
    for (int i = 0; i < 3; ++i) {
      writer_.Append(user_, box_, "mail " + std::to_string(i));
    }
    writer_.Append(user_, writer_.Mailboxes(user_)[0], "stays");
  }

  static std::string Subscription(const std::string& name) { return "\1" + name; }

  void DeleteAndForget(MailboxId mailbox) {
    writer_.DeleteMailbox(user_, mailbox);
    writer_.PurgeAll(user_, mailbox);
    writer_.ForgetMailbox(user_, mailbox);
  }

  /// Rows of any family whose key or value has these octets.
  static int RowsWith(TestNode& node, std::string_view octets) {
    int rows = 0;
    for (const FamilyInfo& info : kFamilies) {
      if (info.family == Family::kOutbox) {
        continue;
      }
      RowIterator it = node.engine().Iterate(info.family, {});
      for (it.SeekToFirst(); it.Valid(); it.Next()) {
        const bool found = it.key().find(octets) != std::string_view::npos ||
                           it.value().find(octets) != std::string_view::npos;
        rows += found ? 1 : 0;
      }
    }
    return rows;
  }

  /// Units of a catch-up since then, whose users are all equal afterwards.
  std::vector<proto::CatchUpUnit> UnitsSince(CommitSeq after) {
    std::vector<proto::CatchUpUnit> units;
    auto picture = *StorePicture::Take(primary_.engine());
    EXPECT_TRUE(picture->StartSince(after).ok());
    while (auto unit = picture->NextUnit(limits::kCatchUpUnitBytes).value()) {
      EXPECT_TRUE(standby_.sink().ApplyUnit(*unit).value());
      units.push_back(*std::move(unit));
    }
    EXPECT_TRUE(standby_.sink().FinishCatchUp(picture->position()).ok());
    return units;
  }

  /// The newest entry of the primary's log, undone; the users to be sent whole.
  std::vector<UserId> UndoNewest() {
    EXPECT_TRUE(primary_.sink().UndoLast().ok());
    return primary_.sink().FinishRewind().value();
  }

  UserId user_;
  MailboxId box_;
};

// --- frames

TEST_F(Forget, AMailboxLeavesNoRowOnEitherNode) {
  DeleteAndForget(box_);
  Stream(0);
  ExpectEqual();
  EXPECT_EQ(CheckDerived(primary_), "");
  EXPECT_EQ(RowsWith(primary_, box_.bytes()), 0);
  EXPECT_EQ(RowsWith(standby_, box_.bytes()), 0);
}

TEST_F(Forget, ASmallRowLeavesNoRowOnEitherNode) {
  writer_.SetMisc(user_, Subscription("once"), false);
  writer_.SetMisc(user_, Subscription("once"), true);
  writer_.ForgetMisc(user_, Subscription("once"));
  Stream(0);
  ExpectEqual();
  EXPECT_EQ(CheckDerived(primary_), "");
  EXPECT_EQ(RowsWith(standby_, "once"), 0);
}

TEST_F(Forget, AUserLeavesNoRowButTheMarkForTheSalvage) {
  writer_.SetMisc(user_, Subscription("name"), false);
  writer_.Stage(user_, std::string(5000, 'x'), 1000, false);
  writer_.DeleteUser(user_);
  writer_.ForgetUser(user_);
  Stream(0);
  ExpectEqual();
  for (TestNode* node : {&primary_, &standby_}) {
    EXPECT_EQ(RowsWith(*node, user_.bytes()), 1);
    EXPECT_EQ(node->view().Marked<UserId>('f').value(), std::vector<UserId>{user_});
    EXPECT_TRUE(node->view().UserDigests()->empty());
  }
}

TEST_F(Forget, SayingItAgainChangesNothing) {
  DeleteAndForget(box_);
  writer_.SetMisc(user_, Subscription("once"), true);
  writer_.ForgetMisc(user_, Subscription("once"));
  const auto before = Dump(primary_, kNoOutbox);
  const auto state = primary_.view().StateOf(user_).value();
  proto::UserChanges again;
  again.set_user_id(std::string(user_.bytes()));
  again.add_items()->mutable_forget()->set_mailbox_id(std::string(box_.bytes()));
  again.add_items()->mutable_forget()->set_key(Subscription("once"));
  for (proto::ChangeItem& item : *again.mutable_items()) {
    item.mutable_forget()->set_modseq(state.last_modseq.value());
  }
  ASSERT_TRUE(primary_.Commit({again}).ok());
  EXPECT_EQ(Difference(before, Dump(primary_, kNoOutbox)), "");
}

TEST_F(Forget, WhatIsNewerStays) {
  const std::uint64_t old = primary_.view().StateOf(user_).value().last_modseq.value();
  writer_.SetMisc(user_, Subscription("again"), false);
  writer_.DeleteMailbox(user_, box_);
  const auto before = Dump(primary_, kNoOutbox);
  proto::UserChanges late;
  late.set_user_id(std::string(user_.bytes()));
  late.add_items()->mutable_forget()->set_mailbox_id(std::string(box_.bytes()));
  late.add_items()->mutable_forget()->set_key(Subscription("again"));
  for (proto::ChangeItem& item : *late.mutable_items()) {
    item.mutable_forget()->set_modseq(old);
  }
  late.add_items()->mutable_forget()->set_modseq(1);
  ASSERT_TRUE(primary_.Commit({late}).ok());
  EXPECT_EQ(Difference(before, Dump(primary_, kNoOutbox)), "");
}

TEST_F(Forget, AUserWhoHasMoreThanAHeaderIsNotForgotten) {
  proto::UserChanges changes;
  changes.set_user_id(std::string(user_.bytes()));
  changes.add_items()->mutable_forget()->set_modseq(UINT64_MAX >> 12);
  const auto refused = primary_.Commit({changes});
  EXPECT_EQ(refused.code(), Code::kDataLoss);
  EXPECT_THAT(refused.status().ToString(), HasSubstr("more than a header"));
  EXPECT_TRUE(primary_.view().UserHeader(user_).value());
}

TEST_F(Forget, NamesLeadToWhoeverHasThemNow) {
  proto::MailboxHeader old;
  ASSERT_TRUE(old.ParseFromString(primary_.view().MailboxHeader(user_, box_).value()->bytes));
  writer_.DeleteMailbox(user_, box_);
  const MailboxId other = writer_.CreateMailbox(user_);
  proto::MailboxHeader header;
  ASSERT_TRUE(header.ParseFromString(primary_.view().MailboxHeader(user_, other).value()->bytes));
  header.set_name(old.name());
  proto::UserChanges rename;
  rename.set_user_id(std::string(user_.bytes()));
  proto::MailboxItem* item = rename.add_items()->mutable_mailbox();
  item->set_mailbox_id(std::string(other.bytes()));
  item->set_modseq(primary_.view().StateOf(user_).value().last_modseq.value() + 1);
  item->set_header(header.SerializeAsString());
  writer_.frames().push_back(*primary_.Commit({rename}));
  writer_.PurgeAll(user_, box_);
  writer_.ForgetMailbox(user_, box_);
  Stream(0);
  ExpectEqual();
  const std::string key = MailboxNameKey(user_, header.name());
  EXPECT_EQ(*standby_.engine().Get(Family::kMailboxes, key).value(), other.bytes());
}

// --- catch-up

TEST_F(Forget, AwayOverDeletionAndForgettingOfAMailbox) {
  Stream(0);
  DeleteAndForget(box_);
  const auto units = UnitsSince(standby_.sink().last().seq);
  ASSERT_EQ(units.size(), 1u);
  EXPECT_FALSE(units[0].replace()) << "the user need not be sent whole";
  EXPECT_EQ(RowsWith(standby_, box_.bytes()), 0);
  ExpectEqual(kNoOutbox);
}

TEST_F(Forget, AwayOverTheWholeLifeOfAMailbox) {
  Stream(0);
  const MailboxId brief = writer_.CreateMailbox(user_);
  writer_.Append(user_, brief, "brief");
  DeleteAndForget(brief);
  const auto units = UnitsSince(standby_.sink().last().seq);
  ASSERT_EQ(units.size(), 1u);
  EXPECT_FALSE(units[0].replace());
  ExpectEqual(kNoOutbox);
}

TEST_F(Forget, AwayOverTheForgettingAlone) {
  writer_.DeleteMailbox(user_, box_);
  writer_.SetMisc(user_, Subscription("once"), true);
  Stream(0);
  writer_.PurgeAll(user_, box_);
  writer_.ForgetMailbox(user_, box_);
  writer_.ForgetMisc(user_, Subscription("once"));
  UnitsSince(standby_.sink().last().seq);
  ExpectEqual(kNoOutbox);
}

TEST_F(Forget, AMessageThatWasMovedOutOutlivesItsMailbox) {
  Stream(0);
  writer_.Append(user_, writer_.Mailboxes(user_)[0], "mail 1");  // the body is shared
  writer_.Append(user_, writer_.Mailboxes(user_)[1], "mail 1");
  DeleteAndForget(box_);
  writer_.CollectLoose(user_);
  UnitsSince(standby_.sink().last().seq);
  ExpectEqual(kNoOutbox);
}

TEST_F(Forget, AwayOverSmallRowsThatCameAndWent) {
  writer_.SetMisc(user_, Subscription("old"), false);
  Stream(0);
  writer_.SetMisc(user_, Subscription("old"), true);
  writer_.SetMisc(user_, Subscription("new"), false);
  writer_.SetMisc(user_, Subscription("new"), true);
  writer_.ForgetMisc(user_, Subscription("old"));
  writer_.ForgetMisc(user_, Subscription("new"));
  const auto units = UnitsSince(standby_.sink().last().seq);
  EXPECT_FALSE(units[0].replace());
  ExpectEqual(kNoOutbox);
  EXPECT_EQ(standby_.view().StateOf(user_)->subscriptions, 0u);
}

TEST_F(Forget, AwayOverDeletionAndForgettingOfAUser) {
  const UserId other = writer_.CreateUser();
  Stream(0);
  writer_.DeleteUser(user_);
  writer_.ForgetUser(user_);
  writer_.Append(other, writer_.Mailboxes(other)[0], "goes on");
  const auto units = UnitsSince(standby_.sink().last().seq);
  const auto gone = std::ranges::find(units, user_.bytes(), &proto::CatchUpUnit::user_id);
  ASSERT_NE(gone, units.end());
  EXPECT_EQ(gone->items_size(), 0) << "nothing of him is sent";
  EXPECT_EQ(RowsWith(standby_, user_.bytes()), 1) << "the mark for the salvage alone";
  EXPECT_EQ(standby_.view().Marked<UserId>('f').value(), std::vector<UserId>{user_});
  ExpectEqual(kNoOutbox);
}

TEST_F(Forget, AwayBeyondTheLogAUserIsDropped) {
  Stream(0);
  writer_.DeleteUser(user_);
  writer_.ForgetUser(user_);
  RefillAll();
  ExpectEqual(kNoOutbox);
  EXPECT_TRUE(standby_.view().Users()->empty());
  EXPECT_EQ(standby_.view().Marked<UserId>('f').value(), std::vector<UserId>{user_});
}

TEST_F(Forget, WhoMayNeverHaveBeenOnThePrimaryKeepsItsSalvage) {
  ASSERT_TRUE(primary_.sink().DropUser(user_, true).ok());
  EXPECT_TRUE(primary_.view().Marked<UserId>('f')->empty());
  const UserId other = writer_.CreateUser();
  writer_.DeleteUser(other);
  ASSERT_TRUE(primary_.sink().DropUser(other, true).ok());
  EXPECT_EQ(primary_.view().Marked<UserId>('f').value(), std::vector<UserId>{other})
      << "deleted here, too";
}

TEST_F(Forget, AUserIsReplacedWholeWithoutWhatWasForgotten) {
  writer_.SetMisc(user_, Subscription("once"), false);
  Stream(0);
  DeleteAndForget(box_);
  writer_.SetMisc(user_, Subscription("once"), true);
  writer_.ForgetMisc(user_, Subscription("once"));
  writer_.Append(user_, writer_.Mailboxes(user_)[0], "last");
  RefillAll();
  EXPECT_EQ(refilled_, 1);
  EXPECT_EQ(RowsWith(standby_, box_.bytes()), 0);
  ExpectEqual({.outbox = false, .last_modseq = false});
}

// --- UIDVALIDITY

TEST_F(Forget, ANodeFilledAnewKnowsWhichUidValiditiesWereGiven) {
  const MailboxId newest = writer_.CreateMailbox(user_);
  DeleteAndForget(newest);
  const std::uint32_t given = primary_.view().StateOf(user_)->uid_validity;
  RefillAll();
  EXPECT_EQ(standby_.view().StateOf(user_)->uid_validity, given);
  EXPECT_EQ(CheckDerived(standby_), "");
}

TEST_F(Forget, ANodeThatCatchesUpKnowsWhichUidValiditiesWereGiven) {
  Stream(0);
  const MailboxId newest = writer_.CreateMailbox(user_);
  DeleteAndForget(newest);
  const std::uint32_t given = primary_.view().StateOf(user_)->uid_validity;
  UnitsSince(standby_.sink().last().seq);
  EXPECT_EQ(standby_.view().StateOf(user_)->uid_validity, given);
}

// --- undo

TEST_F(Forget, UndoneASmallRowIsRestored) {
  writer_.SetMisc(user_, Subscription("once"), true);
  const auto before = Dump(primary_, {.outbox = true, .last_modseq = false});
  writer_.ForgetMisc(user_, Subscription("once"));
  EXPECT_TRUE(UndoNewest().empty());
  EXPECT_EQ(Difference(before, Dump(primary_, {.outbox = true, .last_modseq = false})), "");
  EXPECT_EQ(CheckDerived(primary_), "");
}

TEST_F(Forget, UndoneAMailboxAsksForTheWholeUser) {
  const MailboxId empty = writer_.CreateMailbox(user_);
  writer_.DeleteMailbox(user_, empty);
  Stream(0);
  writer_.ForgetMailbox(user_, empty);
  const CommitSeq common = standby_.sink().last().seq;
  ASSERT_TRUE(standby_.sink().Apply(writer_.frames()).ok());
  EXPECT_GT(standby_.sink().last().seq, common);
  ASSERT_TRUE(standby_.sink().UndoLast().ok());
  EXPECT_EQ(standby_.sink().FinishRewind().value(), std::vector<UserId>{user_});
  RefillAll();
  ExpectEqual({.outbox = false, .last_modseq = false});
}

TEST_F(Forget, UndoneAUserIsAskedForWholeAndKeepsItsSalvage) {
  writer_.DeleteUser(user_);
  writer_.ForgetUser(user_);
  EXPECT_EQ(UndoNewest(), std::vector<UserId>{user_});
  EXPECT_TRUE(primary_.view().Marked<UserId>('f')->empty());
  const auto users = primary_.view().UserDigests().value();
  ASSERT_EQ(users.size(), 1u);
  EXPECT_TRUE(users[0].digest().empty()) << "equal to nobody's";
}

TEST_F(Forget, AWholeTailOfDeletionsIsUndoneAndRefilled) {
  Stream(0);
  const CommitSeq common = standby_.sink().last().seq;
  Writer stray(standby_, 41);
  stray.DeleteMailbox(user_, box_);
  stray.PurgeAll(user_, box_);
  stray.ForgetMailbox(user_, box_);
  stray.DeleteUser(user_);
  stray.ForgetUser(user_);
  while (standby_.sink().last().seq > common) {
    ASSERT_TRUE(standby_.sink().UndoLast().ok());
    ASSERT_TRUE(standby_.Reopen());
  }
  EXPECT_EQ(standby_.sink().FinishRewind().value(), std::vector<UserId>{user_});
  RefillAll();
  ExpectEqual({.outbox = false, .last_modseq = false});
  EXPECT_TRUE(standby_.view().Marked<UserId>('f')->empty());
}

// --- the newest state in memory

TEST_F(Forget, NothingInMemoryRemembersIt) {
  DeleteAndForget(box_);
  writer_.DeleteUser(user_);
  writer_.ForgetUser(user_);
  const StripeLock lock(primary_.head(), user_);
  HeadEdit edit(lock);
  EXPECT_EQ((*edit.Mailbox(user_, box_))->header, nullptr);
  EXPECT_EQ((*edit.User(user_))->header, nullptr);
  EXPECT_EQ((*edit.User(user_))->state, UserState());
}

// --- octets that travel and stay

TEST_F(Forget, GoldenOctets) {
  proto::ChangeItem item;
  item.mutable_forget()->set_modseq(300);
  EXPECT_EQ(item.SerializeAsString(), std::string("\x5a\x03\x08\xac\x02", 5));
  item.mutable_forget()->set_key("\1n");
  EXPECT_EQ(item.SerializeAsString(), std::string("\x5a\x07\x08\xac\x02\x1a\x02\x01n", 9));
  item.mutable_forget()->clear_key();
  item.mutable_forget()->set_mailbox_id("m");
  EXPECT_EQ(item.SerializeAsString(), std::string("\x5a\x06\x08\xac\x02\x12\x01m", 8));
  proto::OutboxItem note;
  note.set_kind(proto::OutboxItem::FORGET);
  note.set_modseq(300);
  EXPECT_EQ(note.SerializeAsString(), std::string("\x08\x0a\x28\xac\x02", 5));
}

}  // namespace
}  // namespace twinspool::store
