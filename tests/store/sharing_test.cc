// Rights, \Seen of each viewer, and quota on real stores: what each rule promises, on both nodes.
#include <gtest/gtest.h>

#include "server/store/engine.h"
#include "server/store/jobs.h"
#include "server/store/quota.h"
#include "server/store/seen_pages.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

constexpr std::int64_t kDayMs = 24ll * 3600 * 1000;
constexpr SystemFlags kNone = 0;

class SharingTest : public ::testing::Test {
 protected:
  SharingTest() {
    standby_.store().ports().visibility->SetServing({});
    ann_ = primary_.AddUser("ann");
    bob_ = primary_.AddUser("bob");
    box_ = primary_.Create(ann_, "Team")->ref;
  }

  static BoxOptions On(Clock* clock) {
    BoxOptions options;
    options.clock = clock;
    return options;
  }
  Status Grant(const std::string& who, const std::string& rights) {
    return Await<Unit>([&](Done<Unit> done) {
             primary_.mail().SetAcl(box_, who, RightsChange::kReplace, *ParseRights(rights), done);
           })
        .status();
  }
  MailboxRef Seen(StoreBox& box, const UserRef& user) {
    return box.Find(user, "Other Users/ann/Team").ref;
  }
  std::vector<std::string> Listed(StoreBox& box, const UserRef& user) {
    const auto list = Await<std::vector<MailboxListing>>(
        [&](Done<std::vector<MailboxListing>> done) { box.mail().ListMailboxes(user.id, done); });
    std::vector<std::string> names;
    for (const MailboxListing& line : *list) {
      if (line.owner != user.id) {
        names.push_back(line.name);
      }
    }
    return names;
  }
  /// The standby gets all and takes over; both had equal digests before.
  void TakeOver() {
    SendFrames(primary_, standby_, &sent_);
    const auto mine = primary_.store().ports().pictures->TakePicture().value()->Users().value();
    const auto theirs = standby_.store().ports().sink->Users().value();
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_EQ(mine[i].SerializeAsString(), theirs[i].SerializeAsString());
    }
    standby_.BePrimary(3);
  }
  int RowsOf(const UserRef& user, proto::MiscItem::Kind kind) {
    int rows = 0;
    const std::string prefix = MiscKey(user.id, static_cast<std::uint8_t>(kind), "");
    RowIterator it = primary_.path().engine.Iterate(Family::kMisc, KeyRange::Prefix(prefix));
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      ++rows;
    }
    return rows;
  }
  Status SetQuota(const std::string& user, std::optional<std::uint64_t> bytes,
                  std::optional<std::uint64_t> messages, bool use_default = false) {
    return Await<Unit>([&](const Done<Unit>& done) {
             primary_.store().users().SetQuota(user, use_default, bytes, messages, done);
           })
        .status();
  }
  QuotaState Quota(StoreBox& box, const UserRef& user) {
    return *Await<QuotaState>([&](Done<QuotaState> done) { box.mail().GetQuota(user.id, done); });
  }

  ManualClock clock_;
  StoreBox primary_{On(&clock_)};
  StoreBox standby_{On(&clock_)};
  std::size_t sent_ = 0;
  UserRef ann_;
  UserRef bob_;
  MailboxRef box_;
};

TEST(SeenPageTest, ComesBackFromItsOctets) {
  SeenPage page;
  page.Set(0, {true, Modseq(7)});
  page.Set(255, {false, Modseq(1'000'000'007)});
  const auto again = SeenPage::Decode(page.Encode());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->marks(), page.marks());
  EXPECT_EQ(again->highest(), Modseq(1'000'000'007));
  EXPECT_FALSE(SeenPage::Decode(page.Encode().substr(0, page.Encode().size() - 1)).ok());
  EXPECT_FALSE(SeenPage::Decode(std::string("\x01\x05\x09", 3)).ok());  // older than the dawn
  EXPECT_TRUE(SeenPage::Decode("").status().Is(Code::kDataLoss));
}

TEST_F(SharingTest, ADeletedUsersSessionSeesNothingMore) {
  ASSERT_TRUE(Grant("bob", "lrsi").ok());
  ASSERT_TRUE(primary_.Append(box_, "one").ok());
  const MailboxRef view = Seen(primary_, bob_);
  ASSERT_TRUE(Await<Unit>([&](const Done<Unit>& done) {
                primary_.store().users().Delete("bob", done);
              }).ok());
  EXPECT_TRUE(
      Await<MailboxState>([&](Done<MailboxState> done) { primary_.mail().GetState(view, done); })
          .status()
          .Is(Code::kNotFound));
  EXPECT_TRUE(Await<FetchBatch>([&](Done<FetchBatch> done) {
                primary_.mail().Fetch(view, {UidSet::Of(Uid(1)), kFetchIndex}, done);
              })
                  .status()
                  .Is(Code::kNotFound));
}

TEST_F(SharingTest, SeenIsEachViewersOwnAndHasModseqsOfItsOwn) {
  ASSERT_TRUE(Grant("bob", "lrsw").ok());
  ASSERT_TRUE(primary_.Append(box_, "one").ok());
  ASSERT_TRUE(primary_.Append(box_, "two").ok());
  const MailboxRef view = Seen(primary_, bob_);
  const Modseq before = primary_.State(view).highest_modseq;
  ASSERT_TRUE(primary_.Flag(view, UidSet::Of(Uid(1)), FlagChange::kAdd, {kSeen, {}}).ok());
  EXPECT_EQ(primary_.FlagsOf(view, 1), kSeen);
  EXPECT_EQ(primary_.FlagsOf(box_, 1), kNone);
  EXPECT_EQ(primary_.State(view).unseen, 1u);
  EXPECT_EQ(primary_.State(box_).unseen, 2u);
  // The other message is untouched, the owner's picture too.
  IndexQuery since;
  since.since = before;
  const auto news = primary_.Index(view, since);
  ASSERT_EQ(news->entries.size(), 1u);
  EXPECT_EQ(news->entries[0].uid, Uid(1));
  EXPECT_GT(primary_.State(view).highest_modseq, before);
  EXPECT_EQ(primary_.Index(box_, since)->entries.size(), 0u);
  // A condition is about what the viewer sees.
  const auto refused =
      primary_.Flag(view, UidSet::Of(1, 2), FlagChange::kAdd, {kFlagged, {}}, before);
  EXPECT_EQ(refused->modified, UidSet::Of(Uid(1)));
  EXPECT_EQ(primary_.FlagsOf(box_, 2), kFlagged);
  // The same again changes nothing.
  const std::size_t groups = primary_.pair().groups();
  EXPECT_TRUE(
      primary_.Flag(view, UidSet::Of(Uid(1)), FlagChange::kAdd, {kSeen, {}})->changed.empty());
  EXPECT_EQ(primary_.pair().groups(), groups);
}

TEST_F(SharingTest, RightsAndSeenMarksAreThereAfterATakeover) {
  ASSERT_TRUE(Grant("bob", "lrs").ok());
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(primary_.Append(box_, "message " + std::to_string(i)).ok());
  }
  ASSERT_TRUE(
      primary_.Flag(Seen(primary_, bob_), UidSet::Of(200, 280), FlagChange::kAdd, {kSeen, {}})
          .ok());
  TakeOver();
  EXPECT_EQ(Listed(standby_, bob_), std::vector<std::string>{"Other Users/ann/Team"});
  const MailboxRef view = Seen(standby_, bob_);
  EXPECT_EQ(standby_.State(view).unseen, 300u - 81u);
  EXPECT_EQ(standby_.FlagsOf(view, 255), kSeen);
  EXPECT_EQ(standby_.FlagsOf(view, 281), kNone);
  EXPECT_EQ(standby_.Flag(view, UidSet::Of(Uid(1)), FlagChange::kAdd, {kFlagged, {}}).code(),
            Code::kPermissionDenied);
}

TEST_F(SharingTest, ListFollowsWhatIsGivenAndTakenBack) {
  EXPECT_TRUE(Listed(primary_, bob_).empty());
  ASSERT_TRUE(Grant("anyone", "l").ok());
  EXPECT_EQ(Listed(primary_, bob_).size(), 1u);
  ASSERT_TRUE(Grant("-bob", "l").ok());
  EXPECT_TRUE(Listed(primary_, bob_).empty());
  ASSERT_TRUE(Grant("-bob", "").ok());
  ASSERT_TRUE(primary_.Rename(ann_, "Team", "Crew").ok());
  EXPECT_EQ(Listed(primary_, bob_), std::vector<std::string>{"Other Users/ann/Crew"});
  primary_.Reopen();
  EXPECT_EQ(Listed(primary_, bob_), std::vector<std::string>{"Other Users/ann/Crew"});
  ASSERT_TRUE(primary_.Delete(ann_, "Crew").ok());
  EXPECT_TRUE(Listed(primary_, bob_).empty());
}

TEST_F(SharingTest, AWriteThatIsNotAckedYetIsNotListed) {
  ASSERT_TRUE(Listed(primary_, bob_).empty());
  primary_.pair().HoldAcks();
  auto granted = Begin<Unit>([&](Done<Unit> done) {
    primary_.mail().SetAcl(box_, "bob", RightsChange::kReplace, kRightLookup, done);
  });
  primary_.pair().WaitGroups(primary_.pair().groups() + 1);
  EXPECT_TRUE(Listed(primary_, bob_).empty());
  primary_.pair().ReleaseAcks();
  ASSERT_TRUE(granted.get().ok());
  EXPECT_EQ(Listed(primary_, bob_).size(), 1u);
}

TEST_F(SharingTest, WhoGetsAFormerUsersNameGetsNoneOfHisRights) {
  ASSERT_TRUE(Grant("bob", "lr").ok());
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { primary_.store().users().Delete("bob", done); }).ok());
  const UserRef other = primary_.AddUser("bob");
  EXPECT_TRUE(Listed(primary_, other).empty());
  const auto found = Await<MailboxState>([&](Done<MailboxState> done) {
    primary_.mail().FindMailbox(other.id, "Other Users/ann/Team", done);
  });
  EXPECT_EQ(found.code(), Code::kNotFound);
  const auto acl = Await<std::vector<AclEntry>>(
      [&](Done<std::vector<AclEntry>> done) { primary_.mail().GetAcl(box_, done); });
  EXPECT_TRUE(acl->empty());
}

TEST_F(SharingTest, ARenameOrDeleteNeverTouchesAnotherUser) {
  ASSERT_TRUE(Grant("bob", "lrx").ok());
  const MailboxRef own = primary_.Create(bob_, "Team")->ref;
  ASSERT_TRUE(primary_.Append(own, "of bob").ok());
  EXPECT_EQ(primary_.Rename(bob_, "Other Users/ann/Team", "Mine").code(), Code::kPermissionDenied);
  EXPECT_EQ(primary_.Rename(bob_, "Team", "Other Users/ann/Mine").code(), Code::kPermissionDenied);
  ASSERT_TRUE(primary_.Delete(bob_, "Other Users/ann/Team").ok());
  EXPECT_EQ(primary_.Octets(primary_.Find(bob_, "Team").ref, 1), "of bob");
}

TEST_F(SharingTest, RowsOfAMailboxGoWithIt) {
  ASSERT_TRUE(Grant("bob", "lrs").ok());
  ASSERT_TRUE(primary_.Append(box_, "one").ok());
  ASSERT_TRUE(
      primary_.Flag(Seen(primary_, bob_), UidSet::Of(Uid(1)), FlagChange::kAdd, {kSeen, {}}).ok());
  EXPECT_EQ(RowsOf(ann_, proto::MiscItem::SEEN_PAGE), 1);
  EXPECT_EQ(RowsOf(ann_, proto::MiscItem::ACL), 1);
  ASSERT_TRUE(primary_.Delete(ann_, "Team").ok());
  clock_.AdvanceMs(8 * kDayMs);
  ASSERT_TRUE(primary_.store().RunJobsNow().ok());
  clock_.AdvanceMs(kDayMs);
  ASSERT_TRUE(primary_.store().RunJobsNow().ok());
  EXPECT_EQ(RowsOf(ann_, proto::MiscItem::SEEN_PAGE), 0);
  EXPECT_EQ(RowsOf(ann_, proto::MiscItem::ACL), 0);
  TakeOver();
}

TEST_F(SharingTest, ACopyBetweenUsersBringsTheOctetsAndTheViewersFlags) {
  ASSERT_TRUE(Grant("bob", "lrsi").ok());
  ASSERT_TRUE(primary_.Append(box_, "one", {kFlagged, {"work"}}).ok());
  const MailboxRef view = Seen(primary_, bob_);
  ASSERT_TRUE(primary_.Flag(view, UidSet::Of(Uid(1)), FlagChange::kAdd, {kSeen, {}}).ok());
  const MailboxRef inbox = primary_.Inbox(bob_).ref;
  ASSERT_TRUE(primary_.Copy(view, UidSet::Of(Uid(1)), inbox).ok());
  EXPECT_EQ(primary_.FlagsOf(inbox, 1), kSeen | kFlagged);
  EXPECT_EQ(primary_.Octets(inbox, 1), "one");
  // Back: what he may not set stays behind, \Seen is his own.
  ASSERT_TRUE(primary_.Copy(inbox, UidSet::Of(Uid(1)), view).ok());
  EXPECT_EQ(primary_.FlagsOf(view, 2), kSeen);
  EXPECT_EQ(primary_.FlagsOf(box_, 2), kNone);
  EXPECT_EQ(primary_.Move(view, UidSet::Of(Uid(1)), inbox).code(), Code::kPermissionDenied);
  TakeOver();
  EXPECT_EQ(standby_.Octets(standby_.Inbox(bob_).ref, 1), "one");
}

TEST_F(SharingTest, ASessionHearsOfItsOwnMarks) {
  ASSERT_TRUE(Grant("bob", "lrs").ok());
  ASSERT_TRUE(primary_.Append(box_, "one").ok());
  const MailboxRef view = Seen(primary_, bob_);
  std::promise<void> woken;
  std::once_flag once;
  const auto watch =
      primary_.mail().WatchMailbox(view, [&] { std::call_once(once, [&] { woken.set_value(); }); });
  ASSERT_TRUE(primary_.Flag(view, UidSet::Of(Uid(1)), FlagChange::kAdd, {kSeen, {}}).ok());
  EXPECT_EQ(woken.get_future().wait_for(std::chrono::seconds(100)), std::future_status::ready);
}

// --- quota

TEST_F(SharingTest, AQuotaHoldsForEveryWayIn) {
  ASSERT_TRUE(SetQuota("ann", 10, std::nullopt).ok());
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(box_, "12345678").ok());
  EXPECT_EQ(Quota(primary_, ann_).bytes, 8u);
  EXPECT_EQ(primary_.TryStage(ann_.id, "123"), nullptr);  // told before the octets come
  EXPECT_EQ(primary_.mail().StageBody(ann_.id, 3).code(), Code::kOverQuota);
  auto unknown = std::move(*primary_.mail().StageBody(ann_.id, 0));
  ASSERT_TRUE(Await<Unit>([&](Done<Unit> done) { unknown->Write("123", done); }).ok());
  EXPECT_EQ(primary_.AppendStaged(box_, std::move(unknown)).code(), Code::kOverQuota);
  EXPECT_EQ(primary_.Copy(box_, UidSet::Of(Uid(1)), inbox).code(), Code::kOverQuota);
  EXPECT_TRUE(primary_.Move(box_, UidSet::Of(Uid(1)), inbox).ok());  // no octet more
  ASSERT_TRUE(SetQuota("ann", std::nullopt, 1).ok());
  ASSERT_TRUE(SetQuota("ann", 0, std::nullopt).ok());
  EXPECT_EQ(Quota(primary_, ann_).bytes_max, std::nullopt);
  EXPECT_EQ(Quota(primary_, ann_).messages_max, 1u);
  EXPECT_EQ(primary_.Deliver(ann_, "x").code(), Code::kOverQuota);
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(1)), FlagChange::kAdd, {kDeleted, {}}).ok());
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  EXPECT_TRUE(primary_.Deliver(ann_, "x").ok());
  TakeOver();
  EXPECT_EQ(Quota(standby_, ann_).messages_max, 1u);
  EXPECT_EQ(standby_.Deliver(ann_, "y").code(), Code::kOverQuota);
}

TEST_F(SharingTest, TheConfigurationsQuotaHoldsUntilAUserHasHisOwn) {
  BoxOptions options = On(&clock_);
  options.store.default_quota.messages = 1;
  StoreBox box(options);
  const UserRef eve = box.AddUser("eve");
  ASSERT_TRUE(box.Append(box.Inbox(eve).ref, "1").ok());
  EXPECT_EQ(box.Append(box.Inbox(eve).ref, "2").code(), Code::kOverQuota);
  const auto set = [&](bool use_default, std::uint64_t messages) {
    return Await<Unit>([&](const Done<Unit>& done) {
             box.store().users().SetQuota("eve", use_default, std::nullopt,
                                          use_default ? std::nullopt : std::optional(messages),
                                          done);
           })
        .ok();
  };
  ASSERT_TRUE(set(false, 2));
  EXPECT_TRUE(box.Append(box.Inbox(eve).ref, "2").ok());
  ASSERT_TRUE(set(true, 0));
  EXPECT_EQ(box.Append(box.Inbox(eve).ref, "3").code(), Code::kOverQuota);
  // A namespace of nobody's has none.
  const auto shared =
      Await<UserRef>([&](Done<UserRef> done) { box.store().users().AddShared("team", done); });
  ASSERT_TRUE(shared.ok());
  const MailboxRef inbox = box.Find(*shared, "INBOX").ref;
  EXPECT_TRUE(box.Append(inbox, "1").ok());
  EXPECT_TRUE(box.Append(inbox, "2").ok());
}

TEST_F(SharingTest, ASharedNamespaceHasNoLoginAndShowsBelowShared) {
  const auto shared =
      Await<UserRef>([&](Done<UserRef> done) { primary_.store().users().AddShared("team", done); });
  ASSERT_TRUE(shared.ok());
  EXPECT_EQ(Await<UserRef>([&](Done<UserRef> done) {
              primary_.mail().Authenticate({"team", "", ""}, done);
            }).code(),
            Code::kUnauthenticated);
  const MailboxRef inbox = primary_.Find(*shared, "INBOX").ref;
  ASSERT_TRUE(Await<Unit>([&](Done<Unit> done) {
                primary_.mail().SetAcl(inbox, "anyone", RightsChange::kReplace, kRightsAll, done);
              }).ok());
  EXPECT_EQ(Listed(primary_, bob_), std::vector<std::string>{"Shared/team"});
  ASSERT_TRUE(primary_.Create(bob_, "Shared/Team/Sub").ok());  // names of users know no case
  EXPECT_EQ(Listed(primary_, ann_), (std::vector<std::string>{"Shared/team", "Shared/team/Sub"}));
  TakeOver();
  EXPECT_EQ(Listed(standby_, ann_), (std::vector<std::string>{"Shared/team", "Shared/team/Sub"}));
}

}  // namespace
}  // namespace twinspool::store
