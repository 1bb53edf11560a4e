// Background jobs on the real store: what goes after which time, and what an error stops.
#include "server/store/jobs.h"

#include <algorithm>
#include <future>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/mailbox_ops.h"
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
  /// Rows of any family but the log whose key or value has these octets.
  int RowsWith(std::string_view octets) {
    int rows = 0;
    for (const FamilyInfo& info : kFamilies) {
      RowIterator it = box_.path().engine.Iterate(info.family, {});
      for (it.SeekToFirst(); info.family != Family::kOutbox && it.Valid(); it.Next()) {
        const bool found = it.key().find(octets) != std::string_view::npos ||
                           it.value().find(octets) != std::string_view::npos;
        rows += found ? 1 : 0;
      }
    }
    return rows;
  }
  void Subscribe(const UserRef& user, const std::string& name, bool on) {
    EXPECT_TRUE(
        Await<Unit>([&](Done<Unit> done) { box_.mail().Subscribe(user.id, name, on, done); }).ok());
  }
  UserRef DeleteAndAddAgain(const UserRef& user) {
    EXPECT_TRUE(
        Await<Unit>([&](Done<Unit> done) { box_.store().users().Delete(user.name, done); }).ok());
    return box_.AddUser(user.name);
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
  // The bodies of a deleted user wait for no term: they go in this round, or in the next if what
  // refers to them is not durably gone yet.
  const JobReport first = Round();
  EXPECT_EQ(first.purged, 20u);
  box_.path().pipeline.Drain();
  EXPECT_EQ(first.collected + Round().collected, 20u);
  EXPECT_EQ(Bodies(user), 0);
  EXPECT_EQ(Rows(Family::kGuids, user.id.bytes()), 0);
}

// --- tombstones

TEST_F(Jobs, ADeletedMailboxIsForgottenOnceItsMailIsPurged) {
  const UserRef user = box_.AddUser("anna");
  const MailboxRef gone = box_.Create(user, "gone")->ref;
  ASSERT_TRUE(box_.Append(gone, "mail").ok());
  ASSERT_TRUE(box_.Delete(user, "gone").ok());
  clock_.AdvanceMs(7 * kDayMs - kHourMs);
  EXPECT_EQ(Round().tombstones, 0u);
  EXPECT_EQ(RowsWith(gone.id.bytes()), 5) << "header, state, page, record, reference";
  clock_.AdvanceMs(2 * kHourMs);
  EXPECT_EQ(Round().tombstones, 1u);
  EXPECT_EQ(RowsWith(gone.id.bytes()), 0);
  const auto state =
      Await<MailboxState>([&](Done<MailboxState> done) { box_.mail().GetState(gone, done); });
  EXPECT_EQ(state.code(), Code::kNotFound) << "a session that has it selected still";
}

TEST_F(Jobs, OnlyWhatIsAckedIsForgotten) {
  const UserRef user = box_.AddUser("anna");
  const MailboxRef gone = box_.Create(user, "gone")->ref;
  const std::size_t groups = box_.pair().groups();
  box_.pair().HoldAcks();
  auto deleted =
      Begin<Unit>([&](Done<Unit> done) { box_.mail().DeleteMailbox(user.id, "gone", done); });
  box_.pair().WaitGroups(groups + 1);
  clock_.AdvanceMs(8 * kDayMs);
  EXPECT_EQ(Round().tombstones, 0u);
  box_.pair().ReleaseAcks();
  ASSERT_TRUE(deleted.get().ok());
  EXPECT_EQ(Round().tombstones, 1u);
  EXPECT_EQ(RowsWith(gone.id.bytes()), 0);
}

TEST_F(Jobs, AMailboxOfAForgottenNameGetsAHigherUidValidity) {
  const UserRef user = box_.AddUser("anna");
  for (int life = 0; life < 3; ++life) {
    const MailboxState first = *box_.Create(user, "again");
    ASSERT_TRUE(box_.Delete(user, "again").ok());
    const MailboxState before = *box_.Create(user, "again");
    EXPECT_GT(before.uid_validity, first.uid_validity);
    ASSERT_TRUE(box_.Delete(user, "again").ok());
    clock_.AdvanceMs(8 * kDayMs);
    EXPECT_EQ(Round().tombstones, 2u);
    if (life == 1) {
      box_.Reopen();
    }
    const MailboxState after = *box_.Create(user, "again");
    EXPECT_GT(after.uid_validity, before.uid_validity);
    ASSERT_TRUE(box_.Append(after.ref, "mail").ok());
    EXPECT_EQ(box_.State(after.ref).exists, 1u);
    ASSERT_TRUE(box_.Delete(user, "again").ok());
    clock_.AdvanceMs(8 * kDayMs);
    EXPECT_EQ(Round().tombstones, 1u);
  }
}

TEST_F(Jobs, TheFloorOfUidValiditiesCoversWhatIsForgotten) {
  const UserRef user = box_.AddUser("anna");
  const MailboxState gone = *box_.Create(user, "gone");
  ASSERT_TRUE(box_.Delete(user, "gone").ok());
  clock_.AdvanceMs(8 * kDayMs);
  EXPECT_EQ(Round().tombstones, 1u);
  proto::UserHeader header;
  ASSERT_TRUE(header.ParseFromString((*RowView(box_.path().engine).UserHeader(user.id))->bytes));
  EXPECT_GE(header.uid_validity_floor(), gone.uid_validity.value());
}

TEST_F(Jobs, ANameOnceUnsubscribedIsForgotten) {
  const UserRef user = box_.AddUser("anna");
  Subscribe(user, "old", true);
  Subscribe(user, "old", false);
  Subscribe(user, "back", true);
  Subscribe(user, "back", false);
  const int rows = Rows(Family::kMisc, user.id.bytes());
  clock_.AdvanceMs(6 * kDayMs);
  EXPECT_EQ(Round().tombstones, 0u);
  Subscribe(user, "back", true);
  clock_.AdvanceMs(2 * kDayMs);
  EXPECT_EQ(Round().tombstones, 1u);
  EXPECT_EQ(RowsWith("old"), 0);
  EXPECT_EQ(Rows(Family::kMisc, user.id.bytes()), rows - 1);
  Subscribe(user, "old", true);
  EXPECT_EQ(RowsWith("old"), 1);
}

TEST_F(Jobs, OfADeletedUserNothingIsLeft) {
  const UserRef user = box_.AddUser("anna");
  const UserRef other = box_.AddUser("bert");
  ASSERT_TRUE(box_.Append(box_.Inbox(user).ref, "mail").ok());
  ASSERT_TRUE(box_.Deliver(user, "delivered").ok());
  { const auto stage = box_.Stage(user.id, std::string(1'000'000, 'x')); }
  const UserRef again = DeleteAndAddAgain(user);
  clock_.AdvanceMs(8 * kDayMs);
  for (int round = 0; round < 3; ++round) {
    Round();
  }
  EXPECT_EQ(RowsWith(user.id.bytes()), 1) << "the mark for the salvage alone";
  EXPECT_EQ(Round().tombstones, 0u);
  EXPECT_EQ(box_.store().users().Find("anna")->id, again.id);
  EXPECT_EQ(box_.store().users().Find("bert")->id, other.id);
  ASSERT_TRUE(box_.Append(box_.Inbox(again).ref, "new mail").ok());
  EXPECT_EQ(box_.State(box_.Inbox(again).ref).exists, 1u);
  EXPECT_EQ(box_.TryStage(user.id, std::string(1'000'000, 'x')), nullptr);
  const UserRef third = DeleteAndAddAgain(again);
  EXPECT_EQ(box_.store().users().Find("anna")->id, third.id);
}

TEST_F(Jobs, TenThousandDeletedMailboxesAreForgottenInSmallSteps) {
  const UserRef user = box_.AddUser("anna");
  for (int part = 0; part < 10; ++part) {
    StoreTxn txn(box_.path(), user.id);
    MailboxWriter writer(txn, SystemRandom(), user.id);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(writer.Make("box" + std::to_string(1000 * part + i), 0, 0).ok());
    }
    ASSERT_TRUE(txn.Commit().ok());
  }
  for (bool more = true; more;) {
    StoreTxn txn(box_.path(), user.id);
    more = *MailboxWriter(txn, SystemRandom(), user.id).DeleteSome();
    ASSERT_TRUE(txn.Commit().ok());
  }
  box_.path().pipeline.Drain();
  const std::size_t groups = box_.pair().groups();
  clock_.AdvanceMs(8 * kDayMs);
  EXPECT_EQ(Round().tombstones, 10'006u);
  const auto frames = box_.pair().frames();
  EXPECT_GE(frames.size(), groups + 10);
  for (std::size_t i = groups; i < frames.size(); ++i) {
    proto::Frame frame;
    ASSERT_TRUE(frame.ParseFromString(*frames[i]));
    int items = 0;
    for (const proto::UserChanges& changes : frame.changes()) {
      items += changes.items_size();
    }
    // A group takes what waits until it has enough, and then one transaction more.
    EXPECT_LE(items, static_cast<int>(limits::kCommitGroupItemsMax + limits::kThingsPerJobWrite));
  }
  EXPECT_EQ(Rows(Family::kMailboxes, MailboxPrefix(user.id)), 0);
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
