// Damage of every kind of row, on either node: found, named, and healed octet for octet from the
// other one. Rows are damaged as a fault in memory would do it: the database's checksums are right.
#include <gmock/gmock.h>

#include "common/digest.h"
#include "common/limits.h"
#include "tests/store/scrub_fixture.h"

namespace twinspool::store {
namespace {

using ::testing::HasSubstr;

/// Each test on the primary and on the standby.
class Scrub : public ScrubPair, public ::testing::WithParamInterface<bool> {
 protected:
  bool node() const { return GetParam(); }
  /// Every `step`-th bit of the row, one after the other.
  void FlipEach(Family family, const std::string& key, const char* kind, std::size_t step,
                std::size_t first = 0) {
    const Rows before = RowsOf(node());
    const std::string value = Get(node(), family, key);
    for (std::size_t bit = first; bit < 8 * value.size(); bit += step) {
      SCOPED_TRACE("bit " + std::to_string(bit));
      Flip(node(), family, key, bit);
      ExpectHealed(node(), kind, before);
      ASSERT_FALSE(HasFailure());
    }
  }
  void LoseRow(Family family, const std::string& key, const char* kind) {
    const Rows before = RowsOf(node());
    Delete(node(), family, key);
    ExpectHealed(node(), kind, before);
  }
};

TEST_P(Scrub, NothingIsFoundWhereNothingIsDamaged) {
  ASSERT_TRUE(Pass(node()).ok());
  EXPECT_EQ(Tell(host(node()).found), "");
  EXPECT_EQ(host(node()).asked, 0) << "the other node is not troubled";
  EXPECT_GT(host(node()).mailboxes, 1U);
  EXPECT_EQ(host(node()).bodies, 8U);
  EXPECT_GT(host(node()).read, 700'000U);
}

TEST_P(Scrub, AFlippedBitInAnIndexPageIsHealed) {
  // The second octet counts operands and is one node's own.
  FlipEach(Family::kIndex, PageKey(inbox_.id, 0), "mailbox", 37, 16);
  FlipEach(Family::kIndex, PageKey(inbox_.id, 0), "mailbox", 1000, 0);
}

TEST_P(Scrub, AFlippedBitInARecordIsHealed) {
  FlipEach(Family::kRecords, RecordKey(inbox_.id, Uid(3)), "mailbox", 29);
}

TEST_P(Scrub, AFlippedBitInABodyIsHealed) {
  FlipEach(Family::kBodies, BodyKey(user_.id, Pooled("message 4").body, 0), "body", 7);
  const std::string large(700'000, 'L');
  FlipEach(Family::kBodies, BodyKey(user_.id, Pooled(large).body, 1), "body", 1'000'001);
  const proto::Damage last = [&] {
    Flip(node(), Family::kBodies, BodyKey(user_.id, Pooled("message 4").body, 0), 5);
    EXPECT_TRUE(Pass(node()).ok());
    return host(node()).found.at(0);
  }();
  EXPECT_EQ(MailboxId::FromBytes(last.mailbox_id()), inbox_.id);
  EXPECT_EQ(last.uid(), 4U) << "the message is named";
}

TEST_P(Scrub, AFlippedBitInAMailboxHeaderIsHealed) {
  FlipEach(Family::kMailboxes, MailboxKey(user_.id, inbox_.id), "mailbox", 41);
}

TEST_P(Scrub, AFlippedBitInAUserHeaderIsHealed) {
  FlipEach(Family::kUsers, UserKey(user_.id), "user", 101);
}

TEST_P(Scrub, AFlippedBitInASmallRowIsHealed) {
  const std::string misc = RowsOf(false).lower_bound("misc:")->first.substr(5);
  FlipEach(Family::kMisc, misc, "user", 3);
  const std::string token = RowsOf(false).lower_bound("tokens:")->first.substr(7);
  FlipEach(Family::kTokens, token, "user", 23);
}

TEST_P(Scrub, AFlippedBitInThePoolIsHealed) {
  const std::string key = GuidKey(user_.id, GuidOf("message 5"));
  const Rows before = RowsOf(node());
  Flip(node(), Family::kGuids, key, 8 * 9 + 1);  // the number of chunks, which no digest covers
  ExpectHealed(node(), "body", before);
  for (std::size_t bit = 0; bit < 8 * 9; bit += 5) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    Flip(node(), Family::kGuids, key, bit);
    ExpectHealed(node(), "user", before);
  }
}

TEST_P(Scrub, AFlippedBitInAnOutboxEntryIsHealed) {
  for (std::size_t bit = 0; bit < 4000; bit += 331) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    ASSERT_TRUE(primary_.Append(inbox_, "new " + std::to_string(bit)).ok());
    ASSERT_TRUE(primary_.Append(inbox_, "newer " + std::to_string(bit)).ok());
    Stream();
    replica::ChangeLog& log = *box(node()).store().ports().log;
    const CommitSeq damaged(log.last().seq.value() - 1);
    const std::string key = OutboxKey(damaged);
    Flip(node(), Family::kOutbox, key, bit % (8 * Get(node(), Family::kOutbox, key).size()));
    ExpectHealed(node(), "log", RowsOf(node()));
    EXPECT_GE(log.low_water(), damaged);
    EXPECT_TRUE(log.Identify(log.last().seq).ok());
  }
}

TEST_P(Scrub, ALostRowIsHealed) {
  LoseRow(Family::kIndex, PageKey(inbox_.id, 0), "mailbox");
  LoseRow(Family::kRecords, RecordKey(inbox_.id, Uid(7)), "mailbox");
  LoseRow(Family::kMailboxes, MailboxKey(user_.id, work_.id), "mailbox");
  LoseRow(Family::kUsers, UserKey(user_.id), "user");
  LoseRow(Family::kGuids, GuidKey(user_.id, GuidOf("message 1")), "user");
  LoseRow(Family::kBodies, BodyKey(user_.id, Pooled("message 1").body, 0), "body");
  LoseRow(Family::kBodies, BodyKey(user_.id, Pooled(std::string(700'000, 'L')).body, 2), "body");
}

TEST_P(Scrub, ARowThatShouldNotBeThereIsTakenAway) {
  const Rows before = RowsOf(node());
  const std::string record = Get(node(), Family::kRecords, RecordKey(inbox_.id, Uid(1)));
  Put(node(), Family::kRecords, RecordKey(inbox_.id, Uid(70'000)), record);
  ExpectHealed(node(), "mailbox", before);
  Put(node(), Family::kRecords, RecordKey(inbox_.id, Uid(200)), record);
  ExpectHealed(node(), "mailbox", before);
  Put(node(), Family::kMisc, MiscKey(user_.id, 1, "stray"), EncodeMiscRow({Modseq(7), false, ""}));
  ExpectHealed(node(), "user", before);
}

TEST_P(Scrub, DerivedRowsAreMadeAnew) {
  LoseRow(Family::kMailboxes, MailboxStateKey(inbox_.id), "mailbox");
  LoseRow(Family::kMailboxes, MailboxNameKey(user_.id, "Work"), "names");
  LoseRow(Family::kUsers, UserNameKey("ann"), "names");
  LoseRow(Family::kRefs, RefKey(user_.id, Pooled("message 2").body, inbox_.id, Uid(2)),
          "references");
  const Rows before = RowsOf(node());
  Put(node(), Family::kRefs, RefKey(user_.id, Pooled("message 2").body, inbox_.id, Uid(99)), "");
  ExpectHealed(node(), "references", before);
  Put(node(), Family::kMailboxes, MailboxNameKey(user_.id, "Nowhere"), std::string(16, 'x'));
  ExpectHealed(node(), "names", before);
  Put(node(), Family::kMailboxes, MailboxStateKey(work_.id), "?");
  ExpectHealed(node(), "mailbox", before);
}

TEST_P(Scrub, CountersAreCountedAnewWhereTheDigestProvesTheRows) {
  const Rows before = RowsOf(node());
  MailboxRow row =
      DecodeMailboxRow(Get(node(), Family::kMailboxes, MailboxStateKey(inbox_.id))).value();
  row.unseen += 3;
  row.bytes -= 1;
  Put(node(), Family::kMailboxes, MailboxStateKey(inbox_.id), EncodeMailboxRow(row));
  ExpectHealed(node(), "counters", before);
  UserState state = DecodeUserState(Get(node(), Family::kUsers, UserStateKey(user_.id))).value();
  state.messages += 1;
  Put(node(), Family::kUsers, UserStateKey(user_.id), EncodeUserState(state));
  ExpectHealed(node(), "counters", before);
}

TEST_P(Scrub, AWrongDigestBesideRightRowsIsMadeAnew) {
  const Rows before = RowsOf(node());
  MailboxRow row =
      DecodeMailboxRow(Get(node(), Family::kMailboxes, MailboxStateKey(inbox_.id))).value();
  row.digest.data()[3] ^= 4;
  Put(node(), Family::kMailboxes, MailboxStateKey(inbox_.id), EncodeMailboxRow(row));
  ExpectHealed(node(), "mailbox", before);
}

TEST_P(Scrub, WhatIsDamagedInDifferentPlacesOnBothNodesIsPutTogether) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(primary_.Append(inbox_, "more " + std::to_string(i)).ok());
  }
  Stream();
  const Rows here = RowsOf(node());
  const Rows there = RowsOf(!node());
  Flip(node(), Family::kIndex, PageKey(inbox_.id, 0), 400);
  Flip(!node(), Family::kRecords, RecordKey(inbox_.id, Uid(280)), 40);
  ExpectHealed(node(), "mailbox", here);
  ExpectHealed(!node(), "mailbox", there);
}

TEST_P(Scrub, WhatIsDamagedOnBothNodesIsLeftAlone) {
  host(true).may_replace = false;
  Flip(node(), Family::kRecords, RecordKey(inbox_.id, Uid(2)), 40);
  Flip(!node(), Family::kRecords, RecordKey(inbox_.id, Uid(2)), 48);
  ExpectLeftAlone(node(), "mailbox");
  Flip(node(), Family::kBodies, BodyKey(user_.id, Pooled("message 6").body, 0), 3);
  Delete(!node(), Family::kBodies, BodyKey(user_.id, Pooled("message 6").body, 0));
  ExpectLeftAlone(node(), "body");
  EXPECT_THAT(Tell(host(node()).found), HasSubstr("damaged on the other node, too"));
}

TEST_P(Scrub, WithoutTheOtherNodeDamageIsToldAndLeftAlone) {
  host(node()).no_peer = Unavailable("the peer is away");
  Put(node(), Family::kRecords, RecordKey(inbox_.id, Uid(2)), "?");
  Flip(node(), Family::kBodies, BodyKey(user_.id, Pooled("message 6").body, 0), 3);
  ExpectLeftAlone(node(), "mailbox");
  ExpectLeftAlone(node(), "body");
  EXPECT_THAT(Tell(host(node()).found), HasSubstr("the peer is away"));
  EXPECT_THAT(Tell(host(node()).found), HasSubstr("page of messages 1 to 255"));
}

TEST_P(Scrub, APassGoesOnWhereItWasCutShort) {
  const UserRef bob = primary_.AddUser("bob");
  ASSERT_TRUE(primary_.Append(primary_.Inbox(bob).ref, "to bob").ok());
  Stream();
  replica::ScrubStore& scrub = *box(node()).store().ports().scrub;
  ASSERT_TRUE(Pass(node()).ok());
  const std::uint64_t all = host(node()).bodies;
  EXPECT_FALSE(scrub.Memory().under_way);
  EXPECT_GT(scrub.Memory().ended_ns, 0);
  std::uint64_t in_two = 0;
  for (std::int64_t reads = 1; in_two == 0; ++reads) {
    host(node()).reads_left = reads;
    host(node()).bodies = 0;
    EXPECT_TRUE(scrub.Pass(host(node()), true).Is(Code::kUnavailable));
    EXPECT_TRUE(scrub.Memory().under_way);
    // Once the first user was done.
    const std::uint64_t first = host(node()).bodies;
    host(node()).reads_left = -1;
    host(node()).bodies = 0;
    ASSERT_TRUE(scrub.Pass(host(node()), false).ok());
    in_two = host(node()).bodies < all ? first + host(node()).bodies : 0;
  }
  EXPECT_GE(in_two, all);
}

// A write that the disk refuses ends the process: a search must not be what does that.
TEST_P(Scrub, OnAFullDiskNothingIsWritten) {
  replica::ScrubStore& scrub = *box(node()).store().ports().scrub;
  Flip(node(), Family::kIndex, PageKey(inbox_.id, 0), 400);
  const replica::ScrubMemory before = scrub.Memory();
  EXPECT_TRUE(scrub.HasRoom());
  box(node()).path().disk.OverrideFreeBytes([] { return limits::kDiskLastBytes; });
  EXPECT_FALSE(scrub.HasRoom());
  EXPECT_TRUE(Pass(node()).Is(Code::kOverQuota));
  EXPECT_EQ(scrub.Memory().began_ns, before.began_ns);
  EXPECT_EQ(host(node()).found.size(), 0U);
  box(node()).path().disk.OverrideFreeBytes([] { return UINT64_MAX; });
  ASSERT_TRUE(Pass(node()).ok());
  EXPECT_TRUE(host(node()).found.at(0).healed()) << Tell(host(node()).found);
}

/// Only one of the two nodes.
using ScrubOne = ScrubPair;

// What clients have cached stays right: the repair is no change.
TEST_F(ScrubOne, ARepairOfThePrimaryIsNoHistory) {
  const MailboxState before = primary_.State(inbox_);
  const EntryId end = primary_.store().ports().log->last();
  Flip(false, Family::kIndex, PageKey(inbox_.id, 0), 400);
  Flip(false, Family::kBodies, BodyKey(user_.id, Pooled("message 4").body, 0), 9);
  ASSERT_TRUE(Pass(false).ok());
  ASSERT_EQ(host(false).found.size(), 2U) << Tell(host(false).found);
  const MailboxState after = primary_.State(inbox_);
  EXPECT_EQ(after.highest_modseq, before.highest_modseq);
  EXPECT_EQ(after.uid_next, before.uid_next);
  EXPECT_EQ(after.uid_validity, before.uid_validity);
  EXPECT_EQ(primary_.store().ports().log->last(), end);
  IndexQuery query;
  query.since = before.highest_modseq;
  EXPECT_TRUE(primary_.Index(inbox_, query)->entries.empty());
}

// Nothing is committed in between: the view itself must move.
TEST_F(ScrubOne, ReadersSeeWhatWasMendedAtOnce) {
  Delete(false, Family::kRecords, RecordKey(inbox_.id, Uid(3)));
  ASSERT_TRUE(primary_.Append(work_, "so that the loss is visible").ok());
  FetchRequest request;
  request.uids = UidSet::Of(3, 3);
  request.parts = kFetchRecord;
  const auto fetch = [&] {
    return Await<FetchBatch>(
        [&](Done<FetchBatch> done) { primary_.mail().Fetch(inbox_, request, done); });
  };
  ASSERT_TRUE(fetch()->messages.at(0).failure.Is(Code::kDataLoss));
  Stream();
  ASSERT_TRUE(Pass(false).ok());
  EXPECT_TRUE(fetch()->messages.at(0).failure.ok());
}

// The damaged page is in memory, too, where changes are worked out.
TEST_F(ScrubOne, ChangesAfterARepairAreWorkedOutFromWhatWasMended) {
  Flip(false, Family::kIndex, PageKey(inbox_.id, 0), 8 * 19 + 5);
  primary_.Reopen();
  hosts_[0] = std::make_unique<DirectHost>(primary_, standby_, false);
  EXPECT_FALSE(primary_.Flag(inbox_, UidSet::Of(90, 90), FlagChange::kAdd, {kFlagged, {}})
                   .status()
                   .Is(Code::kInternal));  // reads the page
  ASSERT_TRUE(Pass(false).ok());
  EXPECT_EQ(host(false).found.size(), 1U) << Tell(host(false).found);
  sent_ = 0;
  ASSERT_TRUE(primary_.Flag(inbox_, UidSet::Of(1, 6), FlagChange::kAdd, {kFlagged, {}}).ok());
  Stream();  // the standby checks the digest of it
  EXPECT_EQ(Differing(RowsOf(false), RowsOf(true)), "");
}

TEST_F(ScrubOne, AChangeDuringARepairIsNeitherLostNorOverwritten) {
  Flip(false, Family::kRecords, RecordKey(inbox_.id, Uid(2)), 40);
  host(false).before_ask = [this] {
    if (host(false).asked <= 4) {
      ASSERT_TRUE(primary_.Append(inbox_, "meanwhile " + std::to_string(host(false).asked)).ok());
      Stream();
    }
  };
  ASSERT_TRUE(Pass(false).ok());
  ASSERT_EQ(host(false).found.size(), 1U);
  EXPECT_TRUE(host(false).found[0].healed()) << Tell(host(false).found);
  EXPECT_GT(host(false).asked, 4);
  EXPECT_EQ(Differing(RowsOf(false), RowsOf(true)), "");
}

TEST_F(ScrubOne, AStandbyThatIsBehindIsAskedAgainUntilItGivesUp) {
  Flip(false, Family::kRecords, RecordKey(inbox_.id, Uid(2)), 40);
  ASSERT_TRUE(primary_.Append(inbox_, "not there yet").ok());
  ExpectLeftAlone(false, "mailbox");
  EXPECT_EQ(host(false).asked, limits::kMendTriesMax);
  Stream();
  ASSERT_TRUE(Pass(false).ok());
  EXPECT_TRUE(host(false).found.at(0).healed());
}

TEST_F(ScrubOne, WhereTheDigestIsLostTheStandbyTakesThePrimarysWordAndThePrimaryNobodys) {
  for (const bool standby : {true, false}) {
    Put(standby, Family::kMailboxes, MailboxStateKey(inbox_.id), "?");
    Flip(standby, Family::kRecords, RecordKey(inbox_.id, Uid(2)), 40);
    if (standby) {
      ASSERT_TRUE(Pass(true).ok());
      EXPECT_TRUE(host(true).found.at(0).healed()) << Tell(host(true).found);
      EXPECT_EQ(host(true).replaced, 0);
      EXPECT_EQ(Differing(RowsOf(false), RowsOf(true)), "");
    } else {
      ASSERT_TRUE(Pass(false).ok());
      EXPECT_FALSE(host(false).found.at(0).healed());
      EXPECT_THAT(Tell(host(false).found), HasSubstr("lost here"));
    }
  }
}

TEST_F(ScrubOne, AStandbyThatDiffersInItselfSoundlyIsReplaced) {
  Put(true, Family::kMailboxes, MailboxStateKey(inbox_.id),
      Get(true, Family::kMailboxes, MailboxStateKey(work_.id)));
  Flip(true, Family::kIndex, PageKey(inbox_.id, 0), 400);
  ASSERT_TRUE(Pass(true).ok());
  EXPECT_EQ(host(true).replaced, 1);
  EXPECT_TRUE(host(true).found.at(0).healed()) << Tell(host(true).found);
  EXPECT_EQ(Differing(RowsOf(false), RowsOf(true)), "");
}

TEST_F(ScrubOne, AMailboxThatWasLostWholeIsNotCountedAway) {
  const Rows before = RowsOf(false);
  for (const bool standby : {true, false}) {
    Delete(standby, Family::kMailboxes, MailboxStateKey(work_.id));
    Delete(standby, Family::kMailboxes, MailboxKey(user_.id, work_.id));
    ASSERT_TRUE(Pass(standby).ok());
    EXPECT_EQ(host(standby).found.at(0).healed(), standby) << Tell(host(standby).found);
    if (standby) {
      EXPECT_EQ(Differing(before, RowsOf(true)), "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nodes, Scrub, ::testing::Bool(),
                         [](const auto& node) { return node.param ? "Standby" : "Primary"; });

}  // namespace
}  // namespace twinspool::store
