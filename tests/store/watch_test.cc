// What watches tell, and when; special uses, which a watch tells of, too.
#include <algorithm>
#include <atomic>

#include "server/store/visibility.h"
#include "server/store/watchers.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

class Watching : public ::testing::Test {
 protected:
  Watching() : user_(box_.AddUser("anna")), inbox_(box_.Inbox(user_).ref) {}

  std::vector<MailboxListing> List() {
    return *Await<std::vector<MailboxListing>>(
        [&](Done<std::vector<MailboxListing>> done) { box_.mail().ListMailboxes(user_.id, done); });
  }
  SpecialUse UseOf(const std::string& name) {
    for (const MailboxListing& line : List()) {
      if (line.name == name) {
        return line.use;
      }
    }
    return 0;
  }
  Status SetUse(MailboxId mailbox, SpecialUse use, std::vector<Annotation> changes = {}) {
    return Await<Unit>([&](Done<Unit> done) {
             box_.mail().SetSpecialUse(user_.id, mailbox, use, changes, done);
           })
        .status();
  }
  Status Annotate(MailboxId mailbox, const std::string& entry, const std::string& value) {
    return Await<Unit>([&](Done<Unit> done) {
             box_.mail().SetAnnotations(MailboxRef{user_.id, mailbox}, {{entry, value}}, done);
           })
        .status();
  }

  StoreBox box_;
  UserRef user_;
  MailboxRef inbox_;
};

TEST_F(Watching, WatchersWakeAfterTheChangeIsVisible) {
  std::promise<int> seen;
  std::atomic<bool> told{false};
  const auto watch = box_.mail().WatchMailbox(inbox_, [&] {
    if (!told.exchange(true)) {
      const auto view = box_.path().visibility.view();
      seen.set_value(static_cast<int>(view->seq.value()));
    }
  });
  const CommitSeq before = box_.path().visibility.view()->seq;
  ASSERT_TRUE(box_.Append(inbox_, "one").ok());
  EXPECT_GT(seen.get_future().get(), static_cast<int>(before.value()));
}

TEST_F(Watching, AUsersWatchNamesTheMailboxesThatChanged) {
  const MailboxRef other = box_.Create(user_, "A")->ref;
  std::atomic<int> wakes{0};
  const auto watch = box_.mail().WatchUser(user_.id, [&] { ++wakes; });
  EXPECT_TRUE(watch->Take().mailboxes.empty());
  ASSERT_TRUE(box_.Append(inbox_, "one").ok());
  ASSERT_TRUE(box_.Append(inbox_, "two").ok());
  ASSERT_TRUE(box_.Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, {kSeen, {}}).ok());
  EXPECT_EQ(wakes, 1) << "once, until it is asked";
  UserNews news = watch->Take();
  EXPECT_EQ(news.mailboxes, std::vector<MailboxId>{inbox_.id});
  EXPECT_FALSE(news.listing || news.overflow);
  ASSERT_TRUE(box_.Copy(inbox_, UidSet::Of(1, 1), other).ok());
  EXPECT_EQ(wakes, 2);
  EXPECT_EQ(watch->Take().mailboxes, std::vector<MailboxId>{other.id});
  const UserRef bert = box_.AddUser("bert");
  ASSERT_TRUE(box_.Append(box_.Inbox(bert).ref, "one").ok());
  EXPECT_EQ(wakes, 2) << "of another user nothing is told";
}

TEST_F(Watching, AUsersWatchTellsOfNamesSubscriptionsAndAnnotations) {
  const auto watch = box_.mail().WatchUser(user_.id, [] {});
  const MailboxId made = box_.Create(user_, "A")->ref.id;
  EXPECT_TRUE(watch->Take().listing);
  ASSERT_TRUE(box_.Rename(user_, "A", "B").ok());
  EXPECT_TRUE(watch->Take().listing);
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { box_.mail().Subscribe(user_.id, "B", true, done); }).ok());
  EXPECT_TRUE(watch->Take().listing);
  ASSERT_TRUE(Annotate(made, "/private/comment", "x").ok());
  ASSERT_TRUE(Annotate({}, "/private/comment", "y").ok());
  UserNews news = watch->Take();
  EXPECT_FALSE(news.listing);
  EXPECT_EQ(news.annotations, (std::vector<std::pair<MailboxId, std::string>>{
                                  {made, "/private/comment"}, {MailboxId(), "/private/comment"}}));
  ASSERT_TRUE(SetUse(made, kUseSent).ok());
  EXPECT_TRUE(watch->Take().listing);
  ASSERT_TRUE(SetUse(made, kUseSent).ok());
  ASSERT_TRUE(Annotate(made, "/private/comment", "x").ok());
  news = watch->Take();
  EXPECT_FALSE(news.listing || !news.annotations.empty()) << "what changes nothing tells nothing";
  ASSERT_TRUE(box_.Delete(user_, "B").ok());
  EXPECT_TRUE(watch->Take().listing);
}

TEST_F(Watching, NothingIsToldBeforeItIsAcked) {
  std::atomic<int> wakes{0};
  const auto watch = box_.mail().WatchUser(user_.id, [&] { ++wakes; });
  box_.pair().HoldAcks();
  const std::size_t groups = box_.pair().groups();
  auto made = Begin<MailboxState>(
      [&](Done<MailboxState> done) { box_.mail().CreateMailbox(user_.id, "x", 0, done); });
  box_.pair().WaitGroups(groups + 1);
  EXPECT_EQ(wakes, 0);
  box_.pair().ReleaseAcks();
  ASSERT_TRUE(made.get().ok());
  EXPECT_EQ(wakes, 1);
}

TEST(Watchers, RememberSoMuchAndThenOnlyThatAnythingMayHaveChanged) {
  Random& random = SystemRandom();
  const auto user = random.NewId<UserId>();
  Watchers watchers;
  int wakes = 0;
  auto watch = watchers.AddUser(user, [&] { ++wakes; });
  CommitNews news;
  for (std::size_t i = 0; i < limits::kUserNewsMax; ++i) {
    news.mailboxes.emplace_back(user, random.NewId<MailboxId>());
  }
  watchers.Wake(news);
  watchers.Wake(news);
  UserNews told = watch->Take();
  EXPECT_EQ(told.mailboxes.size(), limits::kUserNewsMax);
  EXPECT_FALSE(told.overflow);
  news.annotations.push_back({user, MailboxId(), "/private/a"});
  watchers.Wake(news);
  told = watch->Take();
  EXPECT_TRUE(told.overflow);
  EXPECT_TRUE(told.mailboxes.empty() && told.annotations.empty());
  EXPECT_EQ(wakes, 2);
  watchers.WakeAll();
  EXPECT_TRUE(watch->Take().overflow) << "the role has changed";
  watch.reset();
  watchers.Wake(news);
  EXPECT_EQ(wakes, 3);
}

TEST_F(Watching, ASpecialUseIsSetWithItsAnnotationsOrNotAtAll) {
  const MailboxId made = box_.Create(user_, "A")->ref.id;
  ASSERT_TRUE(SetUse(made, kUseSent | kUseAll, {{"/private/comment", "x"}}).ok());
  EXPECT_EQ(UseOf("A"), kUseSent | kUseAll);
  box_.Reopen();
  EXPECT_EQ(UseOf("A"), kUseSent | kUseAll);
  std::vector<Annotation> many;
  for (std::size_t i = 0; i <= limits::kAnnotationsPerMailboxMax; ++i) {
    many.push_back({"/private/" + std::to_string(i), "x"});
  }
  EXPECT_TRUE(SetUse(made, 0, many).Is(Code::kLimit));
  EXPECT_EQ(UseOf("A"), kUseSent | kUseAll);
  ASSERT_TRUE(SetUse(made, 0).ok());
  EXPECT_EQ(UseOf("A"), 0);
  ASSERT_TRUE(box_.Delete(user_, "A").ok());
  EXPECT_TRUE(SetUse(made, kUseSent).Is(Code::kNotFound));
}

}  // namespace
}  // namespace twinspool::store
