// Two stores joined by frames, units and undo steps: whatever way the copy came about, its rows are
// those of the primary, octet for octet.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/page.h"
#include "tests/store/replication_fixture.h"

namespace twinspool::store {
namespace {

using ::testing::HasSubstr;

TEST_F(Replication, PrimaryDerivesWhatARecountFinds) {
  writer_.Steps(400);
  EXPECT_EQ(CheckDerived(primary_), "");
}

TEST_F(Replication, FramesGiveEqualRowsAndEntries) {
  writer_.Steps(500);
  Stream(0);
  EXPECT_EQ(standby_.sink().last(), primary_.log().last());
  ExpectEqual();
  const auto a = primary_.view().UserDigests().value();
  const auto b = standby_.sink().Users().value();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].SerializeAsString(), b[i].SerializeAsString());
  }
}

TEST_F(Replication, ReopeningBetweenFramesChangesNothing) {
  writer_.Steps(60);
  for (std::size_t i = 0; i < writer_.frames().size(); ++i) {
    ASSERT_TRUE(standby_.sink().Apply({writer_.frames()[i]}).ok());
    if (i % 5 == 0) {
      ASSERT_TRUE(standby_.Reopen());
    }
  }
  ExpectEqual();
}

// R24: by position, without gaps.
TEST_F(Replication, FramesAreSkippedOrRefusedByNumber) {
  writer_.Steps(20);
  const auto& frames = writer_.frames();
  ASSERT_TRUE(standby_.sink().Apply({frames[0], frames[1]}).ok());
  const auto before = Dump(standby_);
  EXPECT_TRUE(standby_.sink().Apply({frames[0], frames[1]}).ok());
  EXPECT_EQ(standby_.sink().Apply({frames[3]}).code(), Code::kConflict);
  EXPECT_EQ(standby_.sink().Apply({frames[2], frames[4]}).code(), Code::kConflict);
  EXPECT_EQ(Dump(standby_), before);
  ASSERT_TRUE(standby_.sink().Apply({frames[1], frames[2], frames[3]}).ok());
  EXPECT_EQ(standby_.sink().last().seq, CommitSeq(4));
}

// R24: a frame is applied whole or not at all.
TEST_F(Replication, WrongDigestKeepsNothingOfTheFrame) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  const MailboxId inbox = writer_.Mailboxes(user)[0];
  writer_.Append(user, inbox, "one");
  writer_.Append(user, inbox, "two");
  writer_.SetFlags(user, inbox, UidSet::Of(1, 2), 1);
  std::vector<proto::Frame> frames = writer_.frames();
  auto* entry = frames.back().mutable_changes(0)->mutable_items(0)->mutable_entry();
  entry->mutable_entry()->set_flags(4);
  const auto outcome = standby_.sink().Apply(frames);
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  ASSERT_TRUE(outcome.value().mismatch);
  EXPECT_EQ(outcome.value().last.seq, CommitSeq(3));
  EXPECT_EQ(outcome.value().mismatch->seq, CommitSeq(4));
  EXPECT_EQ(outcome.value().mismatch->user, user);
  EXPECT_THAT(outcome.value().mismatch->mailboxes, ::testing::ElementsAre(inbox));
  EXPECT_THAT(outcome.value().mismatch->reason, HasSubstr(inbox.ToHex()));
  EXPECT_EQ(CheckDerived(standby_), "");
  // The true frame fits: the wrong one has left nothing behind, in memory neither.
  Stream(3);
  ExpectEqual();
}

TEST_F(Replication, TrimTravelsInFrames) {
  writer_.Steps(30);
  auto& frames = writer_.frames();
  frames.back().set_trim_upto(10);
  std::vector<proto::Frame> all(frames.begin(), frames.end());
  const std::vector<proto::Frame> last{all.back()};
  all.pop_back();
  ASSERT_TRUE(standby_.sink().Apply(all).ok());
  ASSERT_TRUE(standby_.sink().Apply(last).ok());
  EXPECT_EQ(standby_.log().low_water(), CommitSeq(10));
  primary_.log().Trim(CommitSeq(10));
  EXPECT_EQ(primary_.log().low_water(), CommitSeq(10));
}

// --- catch-up

TEST_F(Replication, CoalescedCatchUpGivesEqualRows) {
  writer_.Steps(150);
  Stream(0);
  const CommitSeq after = standby_.sink().last().seq;
  writer_.Steps(400);
  CatchUp(after);
  EXPECT_EQ(standby_.sink().last(), primary_.log().last());
  EXPECT_EQ(standby_.log().low_water(), standby_.sink().last().seq);
  EXPECT_EQ(standby_.log().entries(), 0u);
  ExpectEqual(kNoOutbox);
  const std::size_t tail = writer_.frames().size();
  writer_.Steps(50);
  Stream(tail);
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, CatchUpFromNothing) {
  writer_.Steps(300);
  CatchUp(CommitSeq(0));
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, CatchUpInSeveralPassesAndWithWholeUsers) {
  writer_.Steps(100);
  Stream(0);
  const CommitSeq after = standby_.sink().last().seq;
  writer_.Steps(300);
  CatchUp(after, {.things = 60, .things_per_user = 120});
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, CatchUpBrokenOffStartsAgain) {
  writer_.Steps(100);
  Stream(0);
  const CommitSeq after = standby_.sink().last().seq;
  writer_.Steps(300);
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartSince(after).ok());
  // One user of several is done, the next is begun and not finished.
  auto unit = *picture->NextUnit(limits::kCatchUpUnitBytes);
  ASSERT_TRUE(standby_.sink().ApplyUnit(*unit).ok());
  unit = *picture->NextUnit(limits::kCatchUpUnitBytes);
  ASSERT_TRUE(unit);
  unit->set_last(false);
  ASSERT_TRUE(standby_.sink().ApplyUnit(*unit).ok());
  ASSERT_TRUE(standby_.Reopen());
  const auto users = standby_.sink().Users().value();
  EXPECT_EQ(std::ranges::count_if(users, [](const auto& u) { return u.digest().empty(); }), 1);
  picture.reset();
  writer_.Steps(20);
  CatchUp(after);
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, PictureShowsOneMoment) {
  writer_.Steps(100);
  auto picture = *StorePicture::Take(primary_.engine());
  const auto then = Dump(primary_, kNoOutbox);
  const std::size_t tail = writer_.frames().size();
  writer_.Steps(100);
  ASSERT_TRUE(picture->StartSince(CommitSeq(0)).ok());
  EXPECT_TRUE(SendUnits(*picture));
  ASSERT_TRUE(standby_.sink().FinishCatchUp(picture->position()).ok());
  EXPECT_EQ(Difference(then, Dump(standby_, kNoOutbox)), "");
  picture.reset();
  Stream(tail);
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, UsersWithFewOctetsComeBeforeThoseWithMany) {
  for (int i = 0; i < 3; ++i) {
    writer_.CreateUser();
  }
  const std::vector<UserId> users = writer_.Users();
  const CommitSeq after = primary_.log().last().seq;
  const std::string big(3 * limits::kBodyChunkBytes, 'x');
  writer_.Stage(users[0], big, limits::kBodyChunkBytes, true);
  writer_.Append(users[1], writer_.Mailboxes(users[1])[0], "small");
  writer_.Stage(users[2], big + "y", limits::kBodyChunkBytes, true);
  writer_.Append(users[2], writer_.Mailboxes(users[2])[0], "small");
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartSince(after).ok());
  std::vector<std::string> order;
  while (const auto unit = picture->NextUnit(limits::kCatchUpUnitBytes).value()) {
    if (unit->first()) {
      order.push_back(unit->user_id());
    }
  }
  ASSERT_EQ(order.size(), 3U);
  EXPECT_EQ(order[0], users[1].bytes());
  EXPECT_EQ(order[1], users[0].bytes());
  EXPECT_EQ(order[2], users[2].bytes());
}

TEST_F(Replication, FlagsOfKnownMessagesComeBeforeTheOctetsOfNewOnes) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  const MailboxId mailbox = writer_.Mailboxes(user)[0];
  writer_.Append(user, mailbox, "known");
  Stream(0);
  const CommitSeq after = standby_.sink().last().seq;
  writer_.Append(user, mailbox, "new");
  writer_.SetFlags(user, mailbox, UidSet::Of(1, 1), 1);
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartSince(after).ok());
  const auto unit = picture->NextUnit(limits::kCatchUpUnitBytes).value();
  ASSERT_TRUE(unit);
  std::vector<proto::ChangeItem::KindCase> kinds;
  for (const proto::ChangeItem& item : unit->items()) {
    kinds.push_back(item.kind_case());
  }
  const auto at = [&](proto::ChangeItem::KindCase kind) {
    return std::ranges::find(kinds, kind) - kinds.begin();
  };
  EXPECT_LT(at(proto::ChangeItem::kEntry), at(proto::ChangeItem::kBody));
  EXPECT_LT(at(proto::ChangeItem::kBody), at(proto::ChangeItem::kRecord));
  picture.reset();
  CatchUp(after);
  ExpectEqual(kNoOutbox);
}

// What a catch-up may hold of the wire and the disk at once is its caller's to say.
TEST_F(Replication, UnitsAreAsSmallAsIsAskedFor) {
  writer_.Steps(300);
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartSince(CommitSeq(0)).ok());
  constexpr std::size_t kSmall = 2'000;
  int units = 0;
  while (const auto unit = picture->NextUnit(kSmall).value()) {
    ++units;
    EXPECT_TRUE(unit->ByteSizeLong() <= kSmall || unit->items_size() == 1) << unit->ByteSizeLong();
    ASSERT_TRUE(standby_.sink().ApplyUnit(*unit).value());
  }
  EXPECT_GT(units, 10);
  ASSERT_TRUE(standby_.sink().FinishCatchUp(picture->position()).ok());
  picture.reset();
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, CatchUpBeyondTheLogIsRefused) {
  writer_.Steps(30);
  primary_.log().Trim(CommitSeq(20));
  auto picture = *StorePicture::Take(primary_.engine());
  EXPECT_EQ(picture->StartSince(CommitSeq(19)).code(), Code::kNotFound);
  EXPECT_TRUE(picture->StartSince(CommitSeq(20)).ok());
  EXPECT_EQ(picture->StartSince(CommitSeq(1'000'000)).code(), Code::kNotFound);
}

TEST_F(Replication, WrongDigestAfterAUserIsTold) {
  writer_.Steps(40);
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartUser(writer_.Users()[0], {}).ok());
  auto unit = *picture->NextUnit(limits::kCatchUpUnitBytes);
  ASSERT_TRUE(unit && unit->last());
  unit->set_user_digest(std::string(16, 'x'));
  EXPECT_FALSE(standby_.sink().ApplyUnit(*unit).value());
  EXPECT_EQ(standby_.sink().Users().value()[0].digest(), "");
}

TEST_F(Replication, LargeBodiesComeInSeveralUnits) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  std::string big;
  std::mt19937_64 random(3);
  while (big.size() < (9u << 20)) {
    big.push_back(static_cast<char>(random()));
  }
  writer_.Stage(user, big, limits::kBodyChunkBytes, true);
  CatchUp(CommitSeq(0));
  EXPECT_GE(units_, 3);
  ExpectEqual(kNoOutbox);
  units_ = 0;
  RefillAll();
  EXPECT_EQ(units_, 0) << "equal users are not sent";
}

// --- whole users

TEST_F(Replication, EmptyStandbyIsFilledUserByUser) {
  writer_.Steps(300);
  RefillAll();
  EXPECT_EQ(refilled_, static_cast<int>(primary_.view().Users()->size()));
  ExpectEqual(kNoOutbox);
  const std::size_t tail = writer_.frames().size();
  writer_.Steps(60);
  Stream(tail);
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, DivergedStandbyIsReplacedWithoutSendingBodiesAgain) {
  writer_.Steps(200);
  Stream(0);
  writer_.Steps(100);
  Writer stray(standby_, 77);
  stray.Steps(100);
  auto picture = *StorePicture::Take(primary_.engine());
  const UserId user = writer_.Users()[0];
  const auto have = standby_.sink().BodiesOf(user).value();
  ASSERT_FALSE(have.empty());
  ASSERT_TRUE(picture->StartUser(user, have).ok());
  const auto unit = *picture->NextUnit(limits::kCatchUpUnitBytes);
  int named = 0;
  for (const proto::ChangeItem& item : unit->items()) {
    named += item.has_copy_body() ? 1 : 0;
  }
  EXPECT_GT(named, 0);
  picture.reset();
  RefillAll();
  ExpectEqual(kNoOutbox);
}

TEST_F(Replication, RefillBrokenOffKeepsTheBodies) {
  writer_.Steps(200);
  Stream(0);
  const UserId user = writer_.Users()[0];
  const auto before = standby_.sink().BodiesOf(user).value();
  proto::CatchUpUnit first;
  first.set_user_id(std::string(user.bytes()));
  first.set_first(true);
  first.set_replace(true);
  ASSERT_TRUE(standby_.sink().ApplyUnit(first).ok());
  ASSERT_TRUE(standby_.Reopen());
  const auto after = standby_.sink().BodiesOf(user).value();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].SerializeAsString(), before[i].SerializeAsString());
  }
  RefillAll();
  EXPECT_EQ(refilled_, 1);
  ExpectEqual(kNoOutbox);
}

// R25: what a frame brings is checked, not believed.
TEST_F(Replication, OctetsThatDoNotHaveTheirHashAreNotKept) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  writer_.Append(user, writer_.Mailboxes(user)[0], "body");
  std::vector<proto::Frame> frames = writer_.frames();
  for (proto::ChangeItem& item : *frames.back().mutable_changes(0)->mutable_items()) {
    if (item.has_body()) {
      item.mutable_body()->set_octets("bodu");
    }
  }
  const auto outcome = standby_.sink().Apply(frames);
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  ASSERT_TRUE(outcome.value().mismatch);
  EXPECT_THAT(outcome.value().mismatch->reason, HasSubstr("do not have that hash"));
  EXPECT_EQ(outcome.value().last.seq.value() + 1, frames.back().seq()) << "not acknowledged";
  Stream(frames.size() - 1);
  ExpectEqual();
}

// R25: nor is a body believed to be here.
TEST_F(Replication, ClaimOfABodyThatIsNotHereIsRefused) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  writer_.Append(user, writer_.Mailboxes(user)[0], "body");
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartUser(user, primary_.sink().BodiesOf(user).value()).ok());
  const auto unit = *picture->NextUnit(limits::kCatchUpUnitBytes);
  EXPECT_EQ(standby_.sink().ApplyUnit(*unit).code(), Code::kDataLoss);
}

TEST_F(Replication, DroppedUserLeavesNothing) {
  writer_.Steps(100);
  Stream(0);
  for (const UserId user : std::vector<UserId>(standby_.view().Users().value())) {
    ASSERT_TRUE(standby_.sink().DropUser(user, true).ok());
  }
  EXPECT_TRUE(Dump(standby_, kNoOutbox).empty());
}

// --- repair of one mailbox

TEST_F(Replication, DamagedMailboxIsReplaced) {
  writer_.Steps(250);
  Stream(0);
  for (const UserId user : writer_.Users()) {
    for (const MailboxId mailbox : writer_.Mailboxes(user)) {
      RowBatch damage;
      RowIterator it = standby_.engine().Iterate(Family::kIndex, KeyRange::Prefix(mailbox.bytes()));
      it.SeekToFirst();
      if (!it.Valid()) {
        continue;
      }
      Page page = Page::Decode(it.value()).value();
      PageEntry entry = page.entries().front();
      entry.flags ^= 1;
      entry.modseq = Modseq(entry.modseq.value() + 5);
      page.Upsert(entry);
      damage.Put(Family::kIndex, std::string(it.key()), page.Encode());
      ASSERT_TRUE(standby_.engine().Write(damage, WriteMode::kSync).ok());
      auto picture = *StorePicture::Take(primary_.engine());
      ASSERT_TRUE(picture->StartMailbox(mailbox).ok());
      EXPECT_TRUE(SendUnits(*picture));
    }
  }
  EXPECT_GT(units_, 0);
  ExpectEqual();
}

TEST_F(Replication, MailboxDigestsArePaged) {
  writer_.Steps(150);
  Stream(0);
  auto picture = *StorePicture::Take(primary_.engine());
  std::vector<std::string> mine;
  std::vector<std::string> theirs;
  for (MailboxId after; true;) {
    const auto page = picture->MailboxDigests(after, 3).value();
    for (const auto& line : page) {
      mine.push_back(line.SerializeAsString());
      after = MailboxId::FromBytes(line.mailbox_id());
    }
    if (page.size() < 3) {
      break;
    }
  }
  const auto all = standby_.sink().MailboxDigests({}, 1000).value();
  for (const auto& line : all) {
    theirs.push_back(line.SerializeAsString());
  }
  EXPECT_GT(mine.size(), 4u);
  EXPECT_EQ(mine, theirs);
}

}  // namespace
}  // namespace twinspool::store
