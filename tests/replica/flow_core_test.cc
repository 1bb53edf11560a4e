// The pure cores of the conversation: histories, parts, ring and window, the applier's queue.
#include <gtest/gtest.h>

#include "common/limits.h"
#include "replica/core/applier_core.h"
#include "replica/core/frame_parts.h"
#include "replica/core/history.h"
#include "replica/core/shipper_core.h"

namespace twinspool::replica::core {
namespace {

EpochHistory History(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& periods) {
  std::vector<EpochStart> starts;
  starts.reserve(periods.size());
  for (const auto& [epoch, first] : periods) {
    starts.push_back({Epoch(epoch), CommitSeq(first)});
  }
  return EpochHistory(starts);
}

TEST(History, BeginReplacesPeriodsThatWroteNothing) {
  EpochHistory history;
  history.Begin(Epoch(2), CommitSeq(1));
  history.Begin(Epoch(3), CommitSeq(11));
  history.Begin(Epoch(4), CommitSeq(11));
  EXPECT_EQ(history, History({{2, 1}, {4, 11}}));
  history.Begin(Epoch(3), CommitSeq(20));
  EXPECT_EQ(history, History({{2, 1}, {4, 11}})) << "a lower epoch";
  EXPECT_EQ(history.EpochOf(CommitSeq(10)), Epoch(2));
  EXPECT_EQ(history.EpochOf(CommitSeq(11)), Epoch(4));
  EXPECT_EQ(history.EpochOf(CommitSeq(0)), std::nullopt);
}

TEST(History, CommonPointIsTheSmallerEndOfTheLastSharedEpoch) {
  // a wrote on to 15 in epoch 2 while b had 10 and was promoted.
  const LogEnd a{History({{2, 1}}), CommitSeq(15)};
  const LogEnd b{History({{2, 1}, {3, 11}}), CommitSeq(30)};
  const CommonPoint common = FindCommon(a, b);
  EXPECT_TRUE(common.known);
  EXPECT_EQ(common.seq, CommitSeq(10));
  EXPECT_EQ(common.epoch, Epoch(2));
  EXPECT_EQ(FindCommon(b, a).seq, CommitSeq(10));
}

TEST(History, CommonPointOfAPrefixIsItsEnd) {
  const LogEnd a{History({{2, 1}, {3, 11}}), CommitSeq(30)};
  const LogEnd b{History({{2, 1}, {3, 11}}), CommitSeq(25)};
  EXPECT_EQ(FindCommon(a, b).seq, CommitSeq(25));
}

TEST(History, StrangersShareNothingAndAnEmptyLogSharesZero) {
  const LogEnd a{History({{2, 1}}), CommitSeq(5)};
  const LogEnd b{History({{3, 1}}), CommitSeq(5)};
  EXPECT_FALSE(FindCommon(a, b).known);
  const CommonPoint empty = FindCommon(a, {{}, CommitSeq(0)});
  EXPECT_TRUE(empty.known);
  EXPECT_EQ(empty.seq, CommitSeq(0));
}

TEST(History, EpochWithoutEntriesIsNoCommonEpoch) {
  const LogEnd a{History({{2, 1}, {4, 11}}), CommitSeq(10)};
  const LogEnd b{History({{2, 1}, {4, 6}}), CommitSeq(20)};
  EXPECT_EQ(FindCommon(a, b).seq, CommitSeq(5));
}

EntryId Entry(std::uint32_t epoch, std::uint64_t incarnation, std::uint64_t seq) {
  return {Epoch(epoch), Incarnation(incarnation), CommitSeq(seq)};
}

// The writer of epoch 4 is at 20, which it wrote in its 7th life.
TEST(LostEntries, ShownByAnEntryOfTheSameEpochAboveTheEnd) {
  const PlaceInLog nothing_there{Epoch(4), CommitSeq(20), std::nullopt};
  EXPECT_TRUE(ShowsLostEntries(nothing_there, Entry(4, 7, 21)));
  EXPECT_TRUE(ShowsLostEntries({Epoch(4), CommitSeq(0), std::nullopt}, Entry(4, 7, 1)));
  EXPECT_FALSE(ShowsLostEntries(nothing_there, Entry(3, 7, 21))) << "a tail to rewind";
  EXPECT_FALSE(ShowsLostEntries(nothing_there, Entry(5, 7, 21))) << "not this node's to judge";
}

TEST(LostEntries, ShownByAnotherEntryInItsPlace) {
  const auto mine = [](const EntryId& id) { return PlaceInLog{Epoch(4), CommitSeq(20), id}; };
  EXPECT_FALSE(ShowsLostEntries(mine(Entry(4, 7, 20)), Entry(4, 7, 20))) << "equal to the end";
  EXPECT_FALSE(ShowsLostEntries(mine(Entry(4, 6, 15)), Entry(4, 6, 15))) << "of a former life";
  EXPECT_TRUE(ShowsLostEntries(mine(Entry(4, 7, 20)), Entry(4, 6, 20))) << "lost, then written";
  EXPECT_TRUE(ShowsLostEntries(mine(Entry(2, 1, 20)), Entry(4, 7, 20)));
  EXPECT_FALSE(ShowsLostEntries(mine(Entry(4, 7, 15)), Entry(3, 5, 15))) << "a tail to rewind";
}

TEST(LostEntries, NotShownByWhatNobodyKnowsAnyMore) {
  EXPECT_FALSE(ShowsLostEntries({Epoch(4), CommitSeq(20), std::nullopt}, Entry(4, 7, 5)));
  EXPECT_FALSE(ShowsLostEntries({Epoch(4), CommitSeq(20), std::nullopt}, Entry(4, 0, 0)));
  EXPECT_FALSE(ShowsLostEntries({Epoch(0), CommitSeq(0), std::nullopt}, Entry(0, 0, 0)));
}

TEST(FrameParts, CutAndPutTogether) {
  std::string whole(3 * limits::kFramePartBytes, '\0');
  std::uint64_t x = 88172645463325252ULL;
  for (char& c : whole) {  // does not compress
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    c = static_cast<char>(x & 255U);
  }
  const auto parts = CutIntoParts(whole, 7, false);
  ASSERT_TRUE(parts.ok());
  ASSERT_EQ(parts->size(), 3U);
  PartAssembler assembler;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const auto again = assembler.Take((*parts)[i > 0 ? i - 1 : 0]);
    ASSERT_TRUE(again.ok()) << "a repeated part is fine";
    const auto taken = assembler.Take((*parts)[i]);
    ASSERT_TRUE(taken.ok());
    ASSERT_EQ(taken->has_value(), i == 2);
    if (i == 2) {
      EXPECT_EQ((*taken)->octets, whole);
    }
  }
}

TEST(FrameParts, LargeTextIsCompressedAndSmallIsNot) {
  const auto large = CutIntoParts(std::string(100'000, 'x'), 1, true);
  ASSERT_TRUE(large.ok());
  EXPECT_TRUE((*large)[0].zstd());
  EXPECT_LT((*large)[0].octets().size(), 1'000U);
  const auto small = CutIntoParts(std::string(100, 'x'), 1, true);
  EXPECT_FALSE((*small)[0].zstd());
  PartAssembler assembler;
  EXPECT_EQ((**assembler.Take((*large)[0])).octets, std::string(100'000, 'x'));
}

TEST(FrameParts, OnePartSaysNothingThatTheFrameItselfSays) {
  const auto parts = CutIntoParts("a small frame", 7, false);
  ASSERT_TRUE(parts.ok());
  ASSERT_EQ(parts->size(), 1U);
  EXPECT_EQ((*parts)[0].ByteSizeLong(), std::string("a small frame").size() + 2);
  PartAssembler assembler;
  EXPECT_EQ((**assembler.Take((*parts)[0])).octets, "a small frame");
}

/// A frame with one message of `size` octets of text, among ids and digests that are noise.
proto::Frame FrameWithMail(std::size_t size) {
  std::uint64_t x = 88172645463325252ULL;
  const auto noise = [&](std::size_t count) {
    std::string out(count, '\0');
    for (char& c : out) {
      x = x * 6364136223846793005ULL + 1442695040888963407ULL;
      c = static_cast<char>(x >> 56U);
    }
    return out;
  };
  proto::Frame frame;
  frame.set_seq(7);
  proto::UserChanges* changes = frame.add_changes();
  changes->set_user_id(noise(16));
  proto::BodyItem* body = changes->add_items()->mutable_body();
  for (const char c : noise(size)) {
    body->mutable_octets()->push_back(static_cast<char>('a' + (c & 15)));
  }
  body->set_guid(noise(32));
  changes->add_items()->mutable_record()->set_record(noise(120));
  frame.add_digests(noise(16));
  frame.add_digests(noise(16));
  return frame;
}

TEST(FrameParts, MailIsCompressedApartFromTheNoiseAroundIt) {
  const proto::Frame frame = FrameWithMail(4096);
  const std::string whole = frame.SerializeAsString();
  const auto parts = CutIntoParts(whole, 7, false);
  ASSERT_TRUE(parts.ok());
  EXPECT_LT((*parts)[0].octets().size(), 4096U / 2 + (whole.size() - 4096) + 120)
      << "four bits a letter, and the noise as it is";
  PartAssembler assembler;
  EXPECT_EQ((**assembler.Take((*parts)[0])).octets, whole);
}

TEST(FrameParts, SeveralBodiesAndDamagedFramesComeBackAsTheyWere) {
  proto::Frame frame = FrameWithMail(2000);
  *frame.add_changes() = FrameWithMail(700).changes(0);
  *frame.add_changes() = FrameWithMail(100).changes(0);
  const std::string whole = frame.SerializeAsString();
  for (std::size_t cut = 0; cut < whole.size(); cut += 7) {
    std::string damaged = whole;
    damaged[cut] = static_cast<char>(damaged[cut] ^ 0x5a);
    for (const std::string& octets : {damaged, whole.substr(0, whole.size() - cut)}) {
      for (const bool unit : {false, true}) {
        const auto parts = CutIntoParts(octets, 7, unit);
        ASSERT_TRUE(parts.ok());
        PartAssembler assembler;
        ASSERT_EQ((**assembler.Take((*parts)[0])).octets, octets);
      }
    }
  }
}

TEST(FrameParts, WhatIsAboveTheLimitIsRefusedAndNotBuffered) {
  EXPECT_EQ(CutIntoParts(std::string(limits::kFrameBytesMax + 1, 'x'), 1, false).code(),
            Code::kLimit);
  proto::FramePart part;
  part.set_count(1);
  part.set_raw_bytes(limits::kFrameBytesMax + 1);
  PartAssembler assembler;
  EXPECT_EQ(assembler.Take(part).code(), Code::kLimit);
  part.set_raw_bytes(10);
  part.set_octets(std::string(limits::kFramePartBytes + 1, 'x'));
  EXPECT_EQ(assembler.Take(part).code(), Code::kLimit);
  EXPECT_EQ(assembler.held_bytes(), 0U);
}

TEST(Shipper, SaysWhenMoreIsAtHand) {
  ShipperCore shipper({.ring_bytes = 1 << 20, .window_bytes = 250});
  shipper.Reset(CommitSeq(0));
  shipper.StartTail(CommitSeq(0));
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    shipper.Push({Epoch(2), Incarnation(1), CommitSeq(seq)},
                 std::make_shared<const std::string>(100, 'x'), Instant());
  }
  EXPECT_TRUE(shipper.nothing_in_flight());
  EXPECT_TRUE(shipper.HasMore());
  EXPECT_TRUE((*shipper.Next())->more());
  EXPECT_FALSE((*shipper.Next())->more()) << "the window has no room for the third";
  EXPECT_FALSE(shipper.HasMore());
  EXPECT_FALSE(shipper.nothing_in_flight());
  ASSERT_TRUE(shipper.OnAck(CommitSeq(2)).ok());
  EXPECT_TRUE(shipper.nothing_in_flight());
  EXPECT_FALSE((*shipper.Next())->more()) << "the last";
}

TEST(Shipper, AFrameThatCanNeverTravelLeavesTheTailToAnotherWay) {
  const auto frame = [](std::size_t bytes) {
    return std::make_shared<const std::string>(bytes, 'x');
  };
  ShipperCore shipper;
  shipper.Reset(CommitSeq(0));
  shipper.StartTail(CommitSeq(0));
  const auto push = [&](std::uint64_t seq, std::size_t bytes) {
    shipper.Push({Epoch(2), Incarnation(1), CommitSeq(seq)}, frame(bytes), Instant());
  };
  push(1, 100);
  ASSERT_TRUE(shipper.Next().ok());
  push(2, limits::kFrameBytesMax + 1);
  push(3, 100);
  const auto next = shipper.Next();
  ASSERT_TRUE(next.ok()) << next.status().ToString();
  EXPECT_FALSE(next->has_value());
  EXPECT_TRUE(shipper.fell_behind());
  EXPECT_FALSE(shipper.CanTail(CommitSeq(1)));
  ASSERT_TRUE(shipper.CanTail(CommitSeq(2))) << "behind it the tail goes on";
  shipper.StartTail(CommitSeq(2));
  EXPECT_TRUE(shipper.Next()->has_value());
}

TEST(FrameParts, BombsLiesAndHolesAreErrors) {
  auto parts = CutIntoParts(std::string(100'000, 'x'), 1, false);
  proto::FramePart lie = (*parts)[0];
  lie.set_raw_bytes(50);
  PartAssembler assembler;
  EXPECT_EQ(assembler.Take(lie).code(), Code::kDataLoss);
  proto::FramePart middle;
  middle.set_index(1);
  middle.set_count(3);
  EXPECT_EQ(assembler.Take(middle).code(), Code::kInvalidArgument);
  proto::FramePart first;
  first.set_count(3);
  ASSERT_TRUE(assembler.Take(first).ok());
  middle.set_index(2);
  EXPECT_EQ(assembler.Take(middle).code(), Code::kInvalidArgument);
}

class ShipperTest : public testing::Test {
 protected:
  void Push(std::uint64_t seq, std::size_t bytes = 100) {
    shipper_.Push({Epoch(2), Incarnation(1), CommitSeq(seq)},
                  std::make_shared<const std::string>(bytes, 'f'), Instant{});
  }
  std::vector<std::uint64_t> TakeAll() {
    std::vector<std::uint64_t> seqs;
    while (true) {
      const auto part = shipper_.Next();
      EXPECT_TRUE(part.ok());
      if (!part->has_value()) {
        return seqs;
      }
      seqs.push_back(shipper_.sent_upto().value());
    }
  }
  ShipperCore shipper_{{.ring_bytes = 1'000, .window_bytes = 350}};
};

TEST_F(ShipperTest, SendsInOrderAsFarAsTheWindowAllows) {
  shipper_.Reset(CommitSeq(0));
  for (std::uint64_t seq = 1; seq <= 6; ++seq) {
    Push(seq);
  }
  EXPECT_TRUE(TakeAll().empty()) << "no tail yet";
  shipper_.StartTail(CommitSeq(0));
  EXPECT_EQ(TakeAll(), (std::vector<std::uint64_t>{1, 2, 3}));
  ASSERT_TRUE(shipper_.OnAck(CommitSeq(2)).ok());
  EXPECT_EQ(TakeAll(), (std::vector<std::uint64_t>{4, 5}));
  EXPECT_EQ(shipper_.lag_records(), 4U);
  ASSERT_TRUE(shipper_.OnAck(CommitSeq(6)).ok());
  EXPECT_EQ(shipper_.lag_bytes(), 0U);
  EXPECT_FALSE(shipper_.oldest_unacked().has_value());
}

TEST_F(ShipperTest, WhatLeftTheRingUnackedIsStillBehind) {
  shipper_.Reset(CommitSeq(0));
  for (std::uint64_t seq = 1; seq <= 20; ++seq) {
    Push(seq);  // the ring holds ten
  }
  EXPECT_EQ(shipper_.lag_bytes(), 2'000U);
  EXPECT_TRUE(shipper_.oldest_unacked().has_value());
  ASSERT_TRUE(shipper_.OnAck(CommitSeq(3)).ok());
  EXPECT_TRUE(shipper_.oldest_unacked().has_value());
  ASSERT_TRUE(shipper_.OnAck(CommitSeq(15)).ok());
  EXPECT_EQ(shipper_.lag_bytes(), 500U);
  ASSERT_TRUE(shipper_.OnAck(CommitSeq(20)).ok());
  EXPECT_FALSE(shipper_.oldest_unacked().has_value());
  // After a restart the log counts from now on.
  shipper_.Reset(CommitSeq(20), Instant{}.PlusMs(5));
  EXPECT_TRUE(shipper_.oldest_unacked().has_value());
}

TEST_F(ShipperTest, AFrameLargerThanTheWindowTravelsAlone) {
  shipper_.Reset(CommitSeq(0));
  Push(1, 900);
  Push(2);
  shipper_.StartTail(CommitSeq(0));
  EXPECT_EQ(TakeAll(), (std::vector<std::uint64_t>{1}));
  ASSERT_TRUE(shipper_.OnAck(CommitSeq(1)).ok());
  EXPECT_EQ(TakeAll(), (std::vector<std::uint64_t>{2}));
}

TEST_F(ShipperTest, FallsBehindWhenItsFrameLeavesTheRing) {
  shipper_.Reset(CommitSeq(0));
  shipper_.StartTail(CommitSeq(0));
  for (std::uint64_t seq = 1; seq <= 20; ++seq) {
    Push(seq);
  }
  EXPECT_TRUE(shipper_.fell_behind());
  EXPECT_TRUE(TakeAll().empty());
  EXPECT_LE(shipper_.ring_bytes(), 1'000U);
  EXPECT_FALSE(shipper_.CanTail(CommitSeq(5)));
  EXPECT_TRUE(shipper_.CanTail(CommitSeq(15)));
  EXPECT_TRUE(shipper_.CanTail(CommitSeq(20)));
  shipper_.StartTail(CommitSeq(18));
  EXPECT_EQ(TakeAll(), (std::vector<std::uint64_t>{19, 20}));
}

TEST_F(ShipperTest, AnAckForMoreThanThereIsIsRefused) {
  shipper_.Reset(CommitSeq(4));
  EXPECT_EQ(shipper_.OnAck(CommitSeq(5)).code(), Code::kInvalidArgument);
  EXPECT_TRUE(shipper_.OnAck(CommitSeq(4)).ok());
}

class ApplierTest : public testing::Test {
 protected:
  static proto::FramePart Part(std::uint64_t seq, std::uint32_t epoch = 2) {
    proto::Frame frame;
    frame.set_seq(seq);
    frame.set_epoch(epoch);
    frame.set_incarnation(1);
    auto parts = CutIntoParts(frame.SerializeAsString(), seq, false);
    return (*parts)[0];
  }
  ApplierCore applier_;
};

TEST_F(ApplierTest, QueuesContiguousFramesSkipsRepeatsAndRefusesGaps) {
  applier_.Reset({Epoch(2), Incarnation(1), CommitSeq(4)});
  EXPECT_EQ(*applier_.Take(Part(4), Epoch(2)), ApplierCore::Taken::kDuplicate);
  EXPECT_EQ(*applier_.Take(Part(5), Epoch(2)), ApplierCore::Taken::kFrame);
  EXPECT_EQ(*applier_.Take(Part(5), Epoch(2)), ApplierCore::Taken::kDuplicate);
  EXPECT_EQ(*applier_.Take(Part(6), Epoch(2)), ApplierCore::Taken::kFrame);
  EXPECT_EQ(applier_.Take(Part(8), Epoch(2)).code(), Code::kConflict);
  EXPECT_EQ(applier_.TakeQueue().size(), 2U) << "two frames, one sync";
  EXPECT_FALSE(applier_.has_queue());
}

TEST_F(ApplierTest, RefusesFramesOfImpossibleEpochs) {
  applier_.Reset({Epoch(4), Incarnation(1), CommitSeq(4)});
  EXPECT_EQ(applier_.Take(Part(5, 6), Epoch(4)).code(), Code::kInvalidArgument);
  EXPECT_EQ(applier_.Take(Part(5, 3), Epoch(4)).code(), Code::kInvalidArgument);
  EXPECT_TRUE(applier_.Take(Part(5, 4), Epoch(4)).ok());
}

TEST_F(ApplierTest, AsksToBeFlushedBeforeItHoldsTooMuch) {
  applier_.Reset({});
  for (std::uint64_t seq = 1; seq < limits::kApplyBatchFrames; ++seq) {
    ASSERT_TRUE(applier_.Take(Part(seq), Epoch(2)).ok());
    ASSERT_FALSE(applier_.ShouldFlush());
  }
  ASSERT_TRUE(applier_.Take(Part(limits::kApplyBatchFrames), Epoch(2)).ok());
  EXPECT_TRUE(applier_.ShouldFlush());
}

}  // namespace
}  // namespace twinspool::replica::core
