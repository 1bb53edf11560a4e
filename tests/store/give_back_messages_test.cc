// What comes of messages when a former primary returns: semantics R9 to R14, each by name.
#include "server/store/merge.h"
#include "tests/store/divergence_fixture.h"

namespace twinspool::store {
namespace {

using Lines = std::vector<std::string>;

class GiveBackMessages : public Divergence {
 protected:
  GiveBackMessages() {
    for (const char* octets : {"one", "two", "three"}) {
      EXPECT_TRUE(old_.Append(inbox_, octets).ok());
    }
    box_ = old_.Create(ann_, "Box")->ref;
  }
  static FlagList Flags(SystemFlags system, std::vector<std::string> keywords = {}) {
    FlagList flags;
    flags.system = system;
    flags.keywords = std::move(keywords);
    return flags;
  }
  void Set(StoreBox& box, std::uint32_t uid, SystemFlags flags,
           std::vector<std::string> keywords = {}) {
    ASSERT_TRUE(
        box.Flag(inbox_, UidSet::Of(uid, uid), FlagChange::kAdd, Flags(flags, std::move(keywords)))
            .ok());
  }
  void Clear(StoreBox& box, std::uint32_t uid, SystemFlags flags,
             std::vector<std::string> keywords = {}) {
    ASSERT_TRUE(box.Flag(inbox_, UidSet::Of(uid, uid), FlagChange::kRemove,
                         Flags(flags, std::move(keywords)))
                    .ok());
  }
  void Remove(StoreBox& box, MailboxRef mailbox, std::uint32_t uid) {
    ASSERT_TRUE(box.Flag(mailbox, UidSet::Of(uid, uid), FlagChange::kAdd, Flags(kDeleted)).ok());
    ASSERT_TRUE(box.Expunge(mailbox, UidSet::Of(uid, uid)).ok());
  }

  MailboxRef box_;
};

TEST_F(GiveBackMessages, R9ARewindMayBreakOffAfterEveryStep) {
  Part();
  ASSERT_TRUE(old_.Append(inbox_, "only here").ok());
  Set(old_, 1, kFlagged);
  Remove(old_, inbox_, 2);
  ASSERT_TRUE(old_.Move(inbox_, UidSet::Of(3, 3), box_).ok());
  Return(false, true);
  EXPECT_EQ(Mail("INBOX"), (Lines{"1:F:one", "4::only here"}));
  EXPECT_EQ(Mail("Box"), Lines{"1::three"});
  EXPECT_EQ(conflicts(), 0u);
}

TEST_F(GiveBackMessages, R10AnAppendedMessageGetsANewUidItsDateAndItsFlags) {
  Part();
  ASSERT_TRUE(now_.Append(inbox_, "meanwhile").ok());
  ASSERT_TRUE(old_.Append(inbox_, "appended", Flags(kDraft)).ok());
  Set(old_, 4, kSeen, {"Work"});
  Return();
  EXPECT_EQ(Mail("INBOX"),
            (Lines{"1::one", "2::two", "3::three", "4::meanwhile", "5:Sd:appended"}));
  EXPECT_EQ(now_.State(inbox_).keywords->back(), "Work");
}

TEST_F(GiveBackMessages, R10WhatIsThereOrWasExpungedMeanwhileIsDropped) {
  Part();
  for (const char* octets : {"sent twice", "dealt with"}) {
    ASSERT_TRUE(old_.Append(inbox_, octets).ok());
    ASSERT_TRUE(now_.Append(inbox_, octets).ok());
  }
  Remove(now_, inbox_, 5);
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "2::two", "3::three", "4::sent twice"}));
  EXPECT_EQ(outcomes(), (Lines{"already there", "already there"}));
}

TEST_F(GiveBackMessages, R10WhatWasExpungedBeforeBothPartedMayComeAgain) {
  Remove(old_, inbox_, 2);
  Part();
  ASSERT_TRUE(old_.Append(inbox_, "two").ok());
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "3::three", "4::two"}));
}

TEST_F(GiveBackMessages, R10AMessageThatCameAndWentStaysInTheFolder) {
  Part();
  ASSERT_TRUE(old_.Append(inbox_, "short-lived").ok());
  Remove(old_, inbox_, 4);
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "2::two", "3::three"}));
  EXPECT_TRUE(outcomes().empty());
  EXPECT_GT(salvage_->size(), 0u);
}

TEST_F(GiveBackMessages, R10AMessageOfAMailboxThatIsGoneGoesToInbox) {
  Part();
  ASSERT_TRUE(old_.Append(box_, "homeless").ok());
  ASSERT_TRUE(now_.Delete(ann_, "Box").ok());
  Return();
  EXPECT_EQ(Mail("INBOX").back(), "4::homeless");
  EXPECT_TRUE(Names(now_).empty()) << "a deleted mailbox is not brought back";
}

TEST_F(GiveBackMessages, R12FlagsOfAnUntouchedMessageAreTakenWhole) {
  Set(old_, 1, kSeen, {"Red"});
  Part();
  Clear(old_, 1, kSeen, {"Red"});
  Set(old_, 1, kDeleted, {"Blue"});
  Set(old_, 2, kFlagged);
  Clear(old_, 2, kFlagged);
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1:D:one", "2::two", "3::three"}));
  EXPECT_EQ(outcomes(), Lines{"flags set"}) << "a flag set and cleared is nothing";
}

TEST_F(GiveBackMessages, R12FlagsAreMergedOneByOne) {
  Set(old_, 1, kAnswered, {"Base"});
  Part();
  Set(old_, 1, kFlagged, {"Theirs"});
  Clear(old_, 1, kAnswered);
  Set(now_, 1, kDraft, {"Ours"});
  Clear(now_, 1, 0, {"Base"});
  Return();
  EXPECT_EQ(Mail("INBOX")[0], "1:Fd:one");
  const auto index = now_.Index(inbox_);
  const std::vector<std::string> table = *now_.State(inbox_).keywords;
  EXPECT_EQ(table, (Lines{"Base", "Ours", "Theirs"}));
}

TEST_F(GiveBackMessages, R12WhatWasAcknowledgedMeanwhileIsNotUndone) {
  Set(old_, 1, kSeen);
  Part();
  Set(old_, 1, kFlagged);
  Clear(now_, 1, kSeen);
  Set(now_, 1, kDeleted);
  Return();
  EXPECT_EQ(Mail("INBOX")[0], "1:FD:one");
}

TEST(MergedFlags, R12TheWholeTable) {
  // What a flag was, what the other side made of it, what it is now: what it becomes.
  struct Row {
    bool base, other, now, plain, seen, deleted;
  };
  for (const Row& row : {Row{0, 0, 0, 0, 0, 0}, Row{0, 0, 1, 1, 1, 1}, Row{0, 1, 0, 1, 1, 0},
                         Row{0, 1, 1, 1, 1, 1}, Row{1, 0, 0, 0, 0, 0}, Row{1, 0, 1, 0, 1, 0},
                         Row{1, 1, 0, 0, 0, 0}, Row{1, 1, 1, 1, 1, 1}}) {
    for (const auto& [flag, wanted] : {std::pair(kFlagged, row.plain), std::pair(kSeen, row.seen),
                                       std::pair(kDeleted, row.deleted)}) {
      const auto of = [flag = flag](bool set) { return set ? flag : SystemFlags{0}; };
      EXPECT_EQ(MergedFlags(of(row.base), of(row.other), of(row.now)), of(wanted))
          << int{flag} << ": " << row.base << row.other << row.now;
    }
    const auto names = [](bool set) { return set ? Lines{"Word"} : Lines{}; };
    const auto other_case = [](bool set) { return set ? Lines{"WORD"} : Lines{}; };
    EXPECT_EQ(MergedKeywords(names(row.base), other_case(row.other), names(row.now)).size(),
              row.plain ? 1u : 0u);
  }
}

TEST_F(GiveBackMessages, R13AnExpungeAppliesToAnUntouchedMessage) {
  Part();
  Remove(old_, inbox_, 2);
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "3::three"}));
  EXPECT_EQ(outcomes(), Lines{"expunged"});
}

TEST_F(GiveBackMessages, R13AMessageChangedMeanwhileStaysAndTheConflictIsSaid) {
  Part();
  Remove(old_, inbox_, 2);
  Set(now_, 2, kSeen);
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "2:S:two", "3::three"}));
  EXPECT_EQ(conflicts(), 1u);
  EXPECT_EQ(salvage_->pending(), 1u) << "this test marks nothing done";
}

TEST_F(GiveBackMessages, R13AnExpungeBeatsFlagsOfTheOtherSide) {
  Part();
  Set(old_, 2, kFlagged);
  Remove(now_, inbox_, 2);
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "3::three"}));
  EXPECT_EQ(conflicts(), 0u);
}

TEST_F(GiveBackMessages, R14AMoveIsMadeAgainAsOne) {
  Set(old_, 2, kFlagged);
  Part();
  Set(old_, 2, kSeen);
  ASSERT_TRUE(old_.Move(inbox_, UidSet::Of(2, 2), box_).ok());
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "3::three"}));
  EXPECT_EQ(Mail("Box"), Lines{"1:SF:two"});
  EXPECT_EQ(outcomes(), Lines{"moved"});
}

TEST_F(GiveBackMessages, R14ACopyIsMadeAgain) {
  Part();
  ASSERT_TRUE(old_.Copy(inbox_, UidSet::Of(1, 3), box_).ok());
  Return();
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "2::two", "3::three"}));
  EXPECT_EQ(Mail("Box"), (Lines{"1::one", "2::two", "3::three"}));
}

TEST_F(GiveBackMessages, R14OfAMoveThatClientsKnowOfBothCopiesStayWhenTheOriginalWasChanged) {
  Part();
  ASSERT_TRUE(old_.Move(inbox_, UidSet::Of(2, 2), box_).ok());
  Set(now_, 2, kAnswered);
  Return(true);
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "2:A:two", "3::three"}));
  EXPECT_EQ(Mail("Box"), Lines{"1::two"});
  EXPECT_EQ(conflicts(), 1u);
}

// The client saw the message at its old place and went on with it there: two of it would be one too
// many.
TEST_F(GiveBackMessages, R14AMoveThatNobodyWasToldOfHasNotHappenedWhenTheOriginalWasChanged) {
  Part();
  ASSERT_TRUE(old_.Move(inbox_, UidSet::Of(2, 2), box_).ok());
  Set(now_, 2, kAnswered);
  Return(false);
  EXPECT_EQ(Mail("INBOX"), (Lines{"1::one", "2:A:two", "3::three"}));
  EXPECT_TRUE(Mail("Box").empty());
  EXPECT_EQ(conflicts(), 1u);
}

TEST_F(GiveBackMessages, R14AMessageMovedOrRemovedMeanwhileIsLeftWhereItIs) {
  const MailboxRef other = old_.Create(ann_, "Other")->ref;
  Part();
  ASSERT_TRUE(old_.Move(inbox_, UidSet::Of(1, 2), box_).ok());
  ASSERT_TRUE(now_.Move(inbox_, UidSet::Of(1, 1), other).ok());
  Remove(now_, inbox_, 2);
  Return();
  EXPECT_EQ(Mail("INBOX"), Lines{"3::three"});
  EXPECT_TRUE(Mail("Box").empty());
  EXPECT_EQ(Mail("Other"), Lines{"1::one"});
}

TEST_F(GiveBackMessages, R14AChainOfMovesEndsWhereItEnded) {
  const MailboxRef other = old_.Create(ann_, "Other")->ref;
  Part();
  ASSERT_TRUE(old_.Move(inbox_, UidSet::Of(1, 3), box_).ok());
  ASSERT_TRUE(old_.Move(box_, UidSet::Of(1, 2), other).ok());
  ASSERT_TRUE(old_.Move(other, UidSet::Of(1, 1), inbox_).ok());
  Remove(old_, other, 2);
  Return();
  EXPECT_EQ(Mail("INBOX"), Lines{"1::one"}) << "back where it was";
  EXPECT_EQ(Mail("Box"), Lines{"1::three"});
  EXPECT_TRUE(Mail("Other").empty()) << "moved there and expunged there";
}

TEST_F(GiveBackMessages, R14AMoveOutOfAMailboxThatWasThenDeletedLosesNothing) {
  ASSERT_TRUE(old_.Append(box_, "kept").ok());
  ASSERT_TRUE(old_.Append(box_, "left").ok());
  Part();
  ASSERT_TRUE(old_.Move(box_, UidSet::Of(1, 1), inbox_).ok());
  ASSERT_TRUE(old_.Delete(ann_, "Box").ok());
  Return();
  EXPECT_EQ(Mail("INBOX").back(), "4::kept");
  EXPECT_TRUE(Names(now_).empty());
}

TEST_F(GiveBackMessages, ALargeMessageAndManyFlagsComeBack) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(old_.Append(box_, "message " + std::to_string(i)).ok());
  }
  Part();
  const std::string large(3'000'000, 'L');
  ASSERT_TRUE(old_.Append(box_, large).ok());
  ASSERT_TRUE(old_.Flag(box_, UidSet::Of(1, 300), FlagChange::kAdd, Flags(kSeen)).ok());
  Return();
  EXPECT_EQ(now_.State(box_).exists, 301u);
  EXPECT_EQ(now_.State(box_).unseen, 1u);
  EXPECT_EQ(now_.Octets(box_, 301), large);
}

}  // namespace
}  // namespace twinspool::store
