// Annotations (RFC 5464) and REPLACE (RFC 8508) on real stores: rules, copies, takeovers,
// forgetting.
#include "server/store/annotations.h"

#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/jobs.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

using Lines = std::vector<std::string>;
constexpr std::int64_t kDayMs = 24ll * 3600 * 1000;

class AnnotationsTest : public ::testing::Test {
 protected:
  AnnotationsTest() {
    standby_.store().ports().visibility->SetServing({});
    ann_ = primary_.AddUser("ann");
    box_ = primary_.Create(ann_, "Box")->ref;
  }

  static BoxOptions On(Clock* clock) {
    BoxOptions options;
    options.clock = clock;
    return options;
  }
  Status Set(MailboxId mailbox, std::vector<Annotation> changes) {
    return Await<Unit>([&](Done<Unit> done) {
             primary_.mail().SetAnnotations({ann_.id, mailbox}, std::move(changes), done);
           })
        .status();
  }
  Lines Of(StoreBox& box, MailboxId mailbox) {
    const auto all = Await<std::vector<Annotation>>([&](Done<std::vector<Annotation>> done) {
      box.mail().GetAnnotations({ann_.id, mailbox}, done);
    });
    Lines lines;
    if (!all.ok()) {
      lines.push_back(all.status().ToString());
      return lines;
    }
    for (const Annotation& one : *all) {
      lines.push_back(one.entry + "=" + *one.value);
    }
    return lines;
  }
  Result<AppendResult> Replace(MailboxRef to, const std::string& octets, MailboxRef from,
                               std::uint32_t old) {
    AppendMessage message;
    message.body = primary_.Stage(to.owner, octets);
    return Await<AppendResult>([&](Done<AppendResult> done) {
      primary_.mail().Replace(to, std::move(message), from, Uid(old), done);
    });
  }
  /// The standby gets all and takes over; both had equal digests before.
  void TakeOver() {
    SendFrames(primary_, standby_, &sent_);
    const auto picture = primary_.store().ports().pictures->TakePicture();
    const auto mine = picture.value()->Users().value();
    const auto theirs = standby_.store().ports().sink->Users().value();
    ASSERT_EQ(mine.size(), theirs.size());
    EXPECT_EQ(mine[0].SerializeAsString(), theirs[0].SerializeAsString());
    standby_.BePrimary(3);
  }
  int MiscRows() {
    int rows = 0;
    RowIterator it =
        primary_.path().engine.Iterate(Family::kMisc, KeyRange::Prefix(ann_.id.bytes()));
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      ++rows;
    }
    return rows;
  }

  ManualClock clock_;
  StoreBox primary_{On(&clock_)};
  StoreBox standby_{On(&clock_)};
  std::size_t sent_ = 0;
  UserRef ann_;
  MailboxRef box_;
};

TEST_F(AnnotationsTest, EachMailboxAndTheServerHasItsOwn) {
  ASSERT_TRUE(Set(box_.id, {{"/private/b", "2"}, {"/private/a", std::string("1\0", 2)}}).ok());
  ASSERT_TRUE(Set(MailboxId(), {{"/private/a", "of the server"}}).ok());
  EXPECT_EQ(Of(primary_, box_.id), (Lines{std::string("/private/a=1\0", 13), "/private/b=2"}));
  EXPECT_EQ(Of(primary_, MailboxId()), Lines{"/private/a=of the server"});
  EXPECT_EQ(Of(primary_, primary_.Inbox(ann_).ref.id), Lines{});
  ASSERT_TRUE(Set(box_.id, {{"/private/a", std::nullopt}, {"/private/none", std::nullopt}}).ok());
  EXPECT_EQ(Of(primary_, box_.id), Lines{"/private/b=2"});
}

TEST_F(AnnotationsTest, TheyAreThereAfterATakeover) {
  ASSERT_TRUE(Set(box_.id, {{"/private/a", "1"}, {"/shared/b", "2"}}).ok());
  ASSERT_TRUE(Set(box_.id, {{"/private/a", std::nullopt}}).ok());
  TakeOver();
  EXPECT_EQ(Of(standby_, box_.id), Lines{"/shared/b=2"});
}

TEST_F(AnnotationsTest, WhatChangesNothingWritesNothing) {
  ASSERT_TRUE(Set(box_.id, {{"/private/a", "1"}}).ok());
  const std::size_t groups = primary_.pair().groups();
  ASSERT_TRUE(Set(box_.id, {{"/private/a", "1"}, {"/private/b", std::nullopt}}).ok());
  EXPECT_EQ(primary_.pair().groups(), groups);
}

TEST_F(AnnotationsTest, TheirNumberIsBoundedAndAllOrNoneAreSet) {
  std::vector<Annotation> many;
  for (std::size_t i = 0; i < limits::kAnnotationsPerMailboxMax; ++i) {
    many.push_back({"/private/" + std::to_string(i), "x"});
  }
  ASSERT_TRUE(Set(box_.id, many).ok());
  EXPECT_EQ(Set(box_.id, {{"/private/0", "y"}, {"/private/more", "x"}}).code(), Code::kLimit);
  EXPECT_EQ(Of(primary_, box_.id)[0], "/private/0=x");
  EXPECT_TRUE(Set(box_.id, {{"/private/0", std::nullopt}, {"/private/more", "x"}}).ok());
}

TEST_F(AnnotationsTest, TheyFollowARenameAndGoWithTheirMailbox) {
  ASSERT_TRUE(Set(box_.id, {{"/private/a", "1"}}).ok());
  ASSERT_TRUE(primary_.Rename(ann_, "Box", "Other").ok());
  EXPECT_EQ(Of(primary_, box_.id), Lines{"/private/a=1"});
  const int before = MiscRows();
  ASSERT_TRUE(primary_.Delete(ann_, "Other").ok());
  EXPECT_EQ(Set(box_.id, {{"/private/a", "2"}}).code(), Code::kNotFound);
  clock_.AdvanceMs(6 * kDayMs);
  ASSERT_TRUE(primary_.store().RunJobsNow().ok());
  EXPECT_EQ(MiscRows(), before) << "a mailbox that may come back keeps its own";
  clock_.AdvanceMs(2 * kDayMs);
  ASSERT_TRUE(primary_.store().RunJobsNow().ok());
  EXPECT_EQ(MiscRows(), before - 1);
  primary_.pair().WaitGroups(
      static_cast<std::size_t>(primary_.store().ports().log->last().seq.value()));
  TakeOver();
}

TEST_F(AnnotationsTest, AReplacementIsBothOrNeither) {
  ASSERT_TRUE(primary_.Append(box_, "old").ok());
  ASSERT_TRUE(primary_.Append(box_, "other").ok());
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  const Result<AppendResult> same = Replace(box_, "new", box_, 1);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->uids.ToString(), "3");
  EXPECT_EQ(primary_.FlagsOf(box_, 1), 255);
  EXPECT_EQ(primary_.Octets(box_, 3), "new");
  const Result<AppendResult> elsewhere = Replace(inbox, std::string(300'000, 'x'), box_, 3);
  ASSERT_TRUE(elsewhere.ok());
  EXPECT_EQ(primary_.State(box_).exists, 1u);
  EXPECT_EQ(primary_.State(inbox).exists, 1u);
  EXPECT_EQ(Replace(inbox, "again", box_, 3).code(), Code::kNotFound) << "it has gone";
  EXPECT_EQ(primary_.State(inbox).exists, 1u) << "so nothing was added";
  TakeOver();
  EXPECT_EQ(standby_.State(box_).exists, 1u);
  EXPECT_EQ(standby_.State(inbox).exists, 1u);
}

TEST_F(AnnotationsTest, AReplacementIsOneCommit) {
  ASSERT_TRUE(primary_.Append(box_, "old").ok());
  const std::size_t groups = primary_.pair().groups();
  ASSERT_TRUE(Replace(primary_.Inbox(ann_).ref, "new", box_, 1).ok());
  EXPECT_EQ(primary_.pair().groups(), groups + 1);
}

}  // namespace
}  // namespace twinspool::store
