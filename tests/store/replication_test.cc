// Two stores joined by frames, units and undo steps: whatever way the copy came about, its rows are
// those of the primary, octet for octet.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/page.h"
#include "tests/store/pair_fixture.h"

namespace twinspool::store {
namespace {

using ::testing::HasSubstr;

class Replication : public ::testing::Test {
 protected:
  /// Frames of the primary from `from` on, as the stream brings them: a few at a time.
  void Stream(std::size_t from) {
    std::size_t next = from;
    while (next < writer_.frames().size()) {
      const std::size_t count = std::min<std::size_t>(1 + next % 7, writer_.frames().size() - next);
      const auto begin = writer_.frames().begin() + static_cast<std::ptrdiff_t>(next);
      const auto outcome =
          standby_.sink().Apply({begin, begin + static_cast<std::ptrdiff_t>(count)});
      ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
      ASSERT_FALSE(outcome.value().mismatch) << outcome.value().mismatch->reason;
      next += count;
    }
  }

  void ExpectEqual(const DumpOptions& options = {}) {
    const auto a = Dump(primary_, options);
    const auto b = Dump(standby_, options);
    EXPECT_EQ(Difference(a, b), "");
    EXPECT_EQ(CheckDerived(standby_), "");
  }

  /// Sends every unit of the picture; true if each last digest was right.
  bool SendUnits(replica::Picture& picture) {
    bool equal = true;
    while (true) {
      auto unit = picture.NextUnit();
      EXPECT_TRUE(unit.ok()) << unit.status().ToString();
      if (!unit.ok() || !unit.value()) {
        return equal && unit.ok();
      }
      EXPECT_LE((**unit).ByteSizeLong(), limits::kCatchUpUnitBytes);
      ++units_;
      const Result<bool> applied = standby_.sink().ApplyUnit(**unit);
      EXPECT_TRUE(applied.ok()) << applied.status().ToString();
      equal = equal && applied.ok() && applied.value();
    }
  }

  void CatchUp(CommitSeq after, TouchedLimits limits = {}) {
    auto picture = *StorePicture::Take(primary_.engine(), limits);
    ASSERT_TRUE(picture->StartSince(after).ok());
    EXPECT_TRUE(SendUnits(*picture));
    ASSERT_TRUE(standby_.sink().FinishCatchUp(picture->position()).ok());
  }

  /// Whole users, as after an outage beyond the outbox.
  void RefillAll() {
    auto picture = *StorePicture::Take(primary_.engine());
    std::set<std::string> wanted;
    for (const proto::UserDigest& user : std::vector<proto::UserDigest>(picture->Users().value())) {
      wanted.insert(user.user_id());
    }
    std::map<std::string, std::string> here;
    for (const proto::UserDigest& user :
         std::vector<proto::UserDigest>(standby_.sink().Users().value())) {
      here[user.user_id()] = user.digest();
      if (!wanted.contains(user.user_id())) {
        ASSERT_TRUE(standby_.sink().DropUser(UserId::FromBytes(user.user_id())).ok());
      }
    }
    for (const proto::UserDigest& user : std::vector<proto::UserDigest>(picture->Users().value())) {
      if (here[user.user_id()] == user.digest()) {
        continue;
      }
      ++refilled_;
      const UserId id = UserId::FromBytes(user.user_id());
      ASSERT_TRUE(picture->StartUser(id, standby_.sink().BodiesOf(id).value()).ok());
      EXPECT_TRUE(SendUnits(*picture));
    }
    ASSERT_TRUE(standby_.sink().FinishCatchUp(picture->position()).ok());
  }

  static constexpr DumpOptions kNoOutbox{.outbox = false, .last_modseq = true};

  TestNode primary_;
  TestNode standby_;
  Writer writer_{primary_, 5};
  int units_ = 0;
  int refilled_ = 0;
};

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
  auto unit = *picture->NextUnit();
  ASSERT_TRUE(standby_.sink().ApplyUnit(*unit).ok());
  unit = *picture->NextUnit();
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
  auto unit = *picture->NextUnit();
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
  EXPECT_EQ(refilled_, static_cast<int>(writer_.Users().size()));
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
  const auto unit = *picture->NextUnit();
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

TEST_F(Replication, ClaimOfABodyThatIsNotHereIsRefused) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  writer_.Append(user, writer_.Mailboxes(user)[0], "body");
  auto picture = *StorePicture::Take(primary_.engine());
  ASSERT_TRUE(picture->StartUser(user, primary_.sink().BodiesOf(user).value()).ok());
  const auto unit = *picture->NextUnit();
  EXPECT_EQ(standby_.sink().ApplyUnit(*unit).code(), Code::kDataLoss);
}

TEST_F(Replication, DroppedUserLeavesNothing) {
  writer_.Steps(100);
  Stream(0);
  for (const UserId user : writer_.Users()) {
    ASSERT_TRUE(standby_.sink().DropUser(user).ok());
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

// --- rewind

class Rewind : public Replication, public ::testing::WithParamInterface<int> {
 protected:
  static constexpr DumpOptions kAfterUndo{.outbox = true, .last_modseq = false};
};

TEST_P(Rewind, DivergentTailIsUndone) {
  const int entries = GetParam();
  writer_.Steps(120);
  Stream(0);
  const EntryId common = standby_.sink().last();
  // The former primary goes on alone; nobody ever saw it.
  Writer stray(standby_, 31);
  stray.AllowIrreversible(false);
  while (standby_.log().last().seq.value() < common.seq.value() + static_cast<unsigned>(entries)) {
    stray.Step();
  }
  int step = 0;
  while (standby_.sink().last().seq > common.seq) {
    ASSERT_TRUE(standby_.sink().ReadForSalvage().ok());
    const Status undone = standby_.sink().UndoLast();
    ASSERT_TRUE(undone.ok()) << undone.ToString();
    if (entries <= 100 || ++step % 50 == 0) {
      ASSERT_TRUE(standby_.Reopen());
    }
  }
  EXPECT_EQ(standby_.sink().last(), common);
  const auto whole = standby_.sink().FinishRewind();
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  EXPECT_TRUE(whole.value().empty());
  ExpectEqual(kAfterUndo);
  const std::size_t tail = writer_.frames().size();
  primary_.SetEpoch(3);
  writer_.Steps(40);
  Stream(tail);
  ExpectEqual(kAfterUndo);
}

INSTANTIATE_TEST_SUITE_P(Tails, Rewind, ::testing::Values(0, 1, 2, 25, 100, 1000));

TEST_F(Replication, UndoingAPurgeAsksForTheWholeUser) {
  writer_.Steps(150);
  Stream(0);
  const CommitSeq common = standby_.sink().last().seq;
  Writer stray(standby_, 32);
  stray.Steps(150);
  while (standby_.sink().last().seq > common) {
    ASSERT_TRUE(standby_.sink().UndoLast().ok());
  }
  const auto whole = standby_.sink().FinishRewind();
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  EXPECT_FALSE(whole.value().empty());
  RefillAll();
  ExpectEqual({.outbox = false, .last_modseq = false});
}

// The whole life of a copy, from many seeds: frames, an outage, a divergent tail, catch-up again.
TEST(ReplicationSeeds, EveryWayGivesThePrimarysRows) {
  const DumpOptions rows{.outbox = false, .last_modseq = false};
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    TestNode primary;
    TestNode standby;
    Writer writer(primary, seed * 1000);
    writer.Steps(60);
    ASSERT_TRUE(standby.sink().Apply(writer.frames()).ok());
    EXPECT_EQ(Difference(Dump(primary), Dump(standby)), "");
    const CommitSeq common = standby.sink().last().seq;
    Writer stray(standby, seed * 1000 + 1);
    stray.AllowIrreversible(false);
    stray.Steps(static_cast<int>(seed) * 3);
    while (standby.sink().last().seq > common) {
      ASSERT_TRUE(standby.sink().UndoLast().ok());
    }
    ASSERT_TRUE(standby.sink().FinishRewind().ok());
    EXPECT_EQ(Difference(Dump(primary, rows), Dump(standby, rows)), "");
    writer.Steps(120);
    auto picture = *StorePicture::Take(
        primary.engine(), {.things = 40 * static_cast<std::size_t>(seed), .things_per_user = 90});
    ASSERT_TRUE(picture->StartSince(common).ok());
    while (true) {
      const auto unit = picture->NextUnit().value();
      if (!unit) {
        break;
      }
      const Result<bool> applied = standby.sink().ApplyUnit(*unit);
      ASSERT_TRUE(applied.ok()) << applied.status().ToString();
      EXPECT_TRUE(applied.value());
    }
    ASSERT_TRUE(standby.sink().FinishCatchUp(picture->position()).ok());
    EXPECT_EQ(Difference(Dump(primary, rows), Dump(standby, rows)), "");
    EXPECT_EQ(CheckDerived(standby), "");
  }
}

TEST_F(Replication, NothingToUndoIsSaid) {
  EXPECT_EQ(standby_.sink().UndoLast().code(), Code::kNotFound);
  writer_.Steps(10);
  CatchUp(CommitSeq(0));
  EXPECT_EQ(standby_.sink().UndoLast().code(), Code::kNotFound);
}

TEST_F(Replication, SalvageTellsWhatWouldBeLost) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  const MailboxId inbox = writer_.Mailboxes(user)[0];
  writer_.Append(user, inbox, "first");
  writer_.SetFlags(user, inbox, UidSet::Of(1, 1), 1);
  auto records = primary_.sink().ReadForSalvage().value();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].kind, "flags");
  EXPECT_EQ(records[0].entry_state.flags(), 1u);
  EXPECT_EQ(records[0].mailbox_name, "INBOX");
  writer_.SetFlags(user, inbox, UidSet::Of(1, 1), 9, true);
  records = primary_.sink().ReadForSalvage().value();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].kind, "expunge");
  EXPECT_EQ(records[0].previous.flags(), 1u);
  const std::string octets = "a second message that is longer";
  writer_.Append(user, inbox, octets);
  records = primary_.sink().ReadForSalvage().value();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].kind, "body");
  EXPECT_EQ(records[1].kind, "append");
  EXPECT_TRUE(records[1].has_body);
  EXPECT_EQ(records[1].uid, Uid(2));
  const BodyNo body(records[1].record.body_no());
  EXPECT_EQ(primary_.sink().ReadSalvageBody(user, body, 0, 1000).value(), octets);
  EXPECT_EQ(primary_.sink().ReadSalvageBody(user, body, 2, 6).value(), octets.substr(2, 6));
  EXPECT_EQ(primary_.sink().ReadSalvageBody(user, body, 500, 6).value(), "");
  EXPECT_EQ(primary_.sink().ReadSalvageBody(user, BodyNo(1), 0, 6).code(), Code::kNotFound);
}

TEST_F(Replication, SalvageReadsBodiesAcrossChunks) {
  writer_.CreateUser();
  const UserId user = writer_.Users()[0];
  std::string octets;
  for (int i = 0; i < 1000; ++i) {
    octets += std::to_string(i) + " ";
  }
  const BodyNo body = writer_.Stage(user, octets, 100, true);
  for (const std::size_t offset : {0u, 99u, 100u, 101u, 3000u}) {
    for (const std::size_t length : {1u, 100u, 250u, 10'000u}) {
      EXPECT_EQ(primary_.sink().ReadSalvageBody(user, body, offset, length).value(),
                octets.substr(offset, length));
    }
  }
}

}  // namespace
}  // namespace twinspool::store
