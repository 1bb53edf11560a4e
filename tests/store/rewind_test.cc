// A divergent tail is undone record by record, and what is undone can be salvaged first.
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
      const auto unit = picture->NextUnit(limits::kCatchUpUnitBytes).value();
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
