// Background jobs on the real store: what goes after which time, and what an error stops.
#include "server/store/jobs.h"

#include <algorithm>
#include <future>

#include "common/digest.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/page.h"
#include "server/store/row_view.h"
#include "server/store/visibility.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

constexpr std::int64_t kHourMs = 3600 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

class Jobs : public ::testing::Test {
 protected:
  Jobs()
      : box_([this] {
          BoxOptions options;
          options.clock = &clock_;
          return options;
        }()) {}

  JobReport Round() {
    const Result<JobReport> report = box_.store().RunJobsNow();
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? report.value() : JobReport{};
  }
  int Rows(Family family, std::string_view prefix) {
    int rows = 0;
    RowIterator it = box_.path().engine.Iterate(family, KeyRange::Prefix(prefix));
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      ++rows;
    }
    return rows;
  }
  int Bodies(const UserRef& user) { return Rows(Family::kBodies, user.id.bytes()); }

  ManualClock clock_;
  StoreBox box_;
};

TEST_F(Jobs, ADeletedMailboxIsPurgedWholeAndItsBodiesFollow) {
  const UserRef user = box_.AddUser("anna");
  const MailboxRef made = box_.Create(user, "gone")->ref;
  for (int i = 0; i < 1500; ++i) {
    ASSERT_TRUE(box_.Append(made, "mail " + std::to_string(i)).ok());
  }
  ASSERT_TRUE(box_.Append(box_.Inbox(user).ref, "mail 7").ok());
  ASSERT_TRUE(box_.Delete(user, "gone").ok());
  EXPECT_EQ(Round().purged, 0u);
  clock_.AdvanceMs(7 * kDayMs + kHourMs);
  EXPECT_EQ(Round().purged, 1500u);
  EXPECT_EQ(Rows(Family::kRecords, made.id.bytes()), 0);
  EXPECT_EQ(Rows(Family::kIndex, made.id.bytes()), 0);
  clock_.AdvanceMs(2 * kHourMs);
  EXPECT_EQ(Round().collected, 1499u);
  EXPECT_EQ(Bodies(user), 1);
  EXPECT_EQ(box_.Octets(box_.Inbox(user).ref, 1), "mail 7");
}

TEST_F(Jobs, OfADeletedUserNoMailIsLeft) {
  const UserRef user = box_.AddUser("anna");
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(box_.Append(box_.Inbox(user).ref, "mail " + std::to_string(i)).ok());
  }
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { box_.store().users().Delete("anna", done); }).ok());
  EXPECT_EQ(Round().purged, 0u);
  clock_.AdvanceMs(8 * kDayMs);
  EXPECT_EQ(Round().purged, 20u);
  clock_.AdvanceMs(2 * kHourMs);
  EXPECT_EQ(Round().collected, 20u);
  EXPECT_EQ(Bodies(user), 0);
  EXPECT_EQ(Rows(Family::kGuids, user.id.bytes()), 0);
}

TEST_F(Jobs, RememberedDeliveriesAreForgottenAfterTheirTime) {
  const UserRef user = box_.AddUser("anna");
  ASSERT_TRUE(box_.Deliver(user, "mail").ok());
  clock_.AdvanceMs(23 * kHourMs);
  EXPECT_EQ(Round().forgotten, 0u);
  clock_.AdvanceMs(2 * kHourMs);
  EXPECT_EQ(Round().forgotten, 1u);
  EXPECT_EQ(Rows(Family::kTokens, user.id.bytes()), 0);
}

TEST_F(Jobs, AnAbandonedUploadGoesAfterADay) {
  const UserRef user = box_.AddUser("anna");
  { const auto stage = box_.Stage(user.id, std::string(1'000'000, 'x')); }
  box_.path().pipeline.Drain();
  EXPECT_GT(Bodies(user), 0);
  clock_.AdvanceMs(23 * kHourMs);
  EXPECT_EQ(Round().collected, 0u);
  clock_.AdvanceMs(2 * kHourMs);
  EXPECT_EQ(Round().collected, 1u);
  EXPECT_EQ(Bodies(user), 0);
}

TEST_F(Jobs, WhereNothingIsDueNothingIsWritten) {
  const UserRef user = box_.AddUser("anna");
  const MailboxRef inbox = box_.Inbox(user).ref;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(box_.Append(inbox, "mail " + std::to_string(i), {kDeleted, {}}).ok());
  }
  ASSERT_TRUE(box_.Expunge(inbox, UidSet::Of(1, 5)).ok());
  const std::size_t groups = box_.pair().groups();
  // Not due yet: not even the user's lock is asked for.
  const StripeLock held(box_.path().head, user.id);
  auto round = std::async(std::launch::async, [&] { return Round(); });
  ASSERT_EQ(round.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(round.get().purged, 0u);
  EXPECT_EQ(box_.pair().groups(), groups);
}

TEST_F(Jobs, DamageOfOneUserDoesNotEndTheRoundForTheOthers) {
  std::vector<UserRef> users;
  for (int i = 0; i < 5; ++i) {
    users.push_back(box_.AddUser("user" + std::to_string(i)));
    const MailboxRef inbox = box_.Inbox(users.back()).ref;
    ASSERT_TRUE(box_.Append(inbox, "mail", {kDeleted, {}}).ok());
    ASSERT_TRUE(box_.Expunge(inbox).ok());
  }
  const UserRef& first = *std::ranges::min_element(users, {}, &UserRef::id);
  RowBatch damage;
  damage.Put(Family::kMailboxes, MailboxStateKey(box_.Inbox(first).ref.id), "?");
  ASSERT_TRUE(box_.path().engine.Write(damage, WriteMode::kSync).ok());
  clock_.AdvanceMs(8 * kDayMs);
  const JobReport report = Round();
  EXPECT_EQ(report.failed_users, 1u);
  EXPECT_EQ(report.purged, 4u);
}

}  // namespace
}  // namespace twinspool::store
