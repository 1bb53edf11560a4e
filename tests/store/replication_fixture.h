// A primary and a standby, and the ways a copy comes about: frames, catch-up units, whole users.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/store/pair_fixture.h"

namespace twinspool::store {

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
      auto unit = picture.NextUnit(limits::kCatchUpUnitBytes);
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
        ASSERT_TRUE(standby_.sink().DropUser(UserId::FromBytes(user.user_id()), false).ok());
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

}  // namespace twinspool::store
