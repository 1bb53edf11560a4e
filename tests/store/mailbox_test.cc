// Mailboxes: names, deletion, renames, subscriptions; users and what they are made with.
#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "server/store/mailbox_ops.h"
#include "server/store/names.h"
#include "server/store/reader.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

std::vector<MailboxListing> List(StoreBox& box, const UserRef& user) {
  const auto list = Await<std::vector<MailboxListing>>(
      [&](Done<std::vector<MailboxListing>> done) { box.mail().ListMailboxes(user.id, done); });
  EXPECT_TRUE(list.ok()) << list.status().ToString();
  return list.ok() ? *list : std::vector<MailboxListing>();
}

std::string Names(const std::vector<MailboxListing>& list) {
  std::string names;
  for (const MailboxListing& line : list) {
    names += (names.empty() ? "" : " ") + line.name;
  }
  return names;
}

TEST(Users, GetTheUsualFoldersSubscribedAndWithTheirUse) {
  StoreBox box;
  const UserRef user = box.AddUser("Anna@Example.ORG");
  EXPECT_EQ(user.name, "anna@example.org");
  const auto list = List(box, user);
  EXPECT_EQ(Names(list), "INBOX Archive Drafts Junk Sent Trash");
  EXPECT_EQ(list[2].use, kUseDrafts);
  EXPECT_TRUE(list[2].subscribed);
  EXPECT_EQ(box.Inbox(user).exists, 0u);
  EXPECT_GT(box.Inbox(user).highest_modseq.value(), 0u) << "an empty mailbox has its creation";
}

TEST(Users, AuthenticateByNewestAckedPasswordOnly) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto login = [&](const std::string& name, const std::string& password) {
    return Await<UserRef>([&](Done<UserRef> done) {
      box.mail().Authenticate({name, password, ""}, done);
    });
  };
  EXPECT_EQ(login("ANNA", "pass")->id, user.id);
  EXPECT_EQ(login("anna", "pass")->id, user.id) << "from memory";
  EXPECT_TRUE(login("anna", "wrong").status().Is(Code::kUnauthenticated));
  EXPECT_TRUE(login("nobody", "pass").status().Is(Code::kUnauthenticated));
  ASSERT_TRUE(Await<Unit>([&](Done<Unit> done) {
                box.store().users().SetPassword("anna", "new", done);
              }).ok());
  EXPECT_TRUE(login("anna", "pass").status().Is(Code::kUnauthenticated));
  EXPECT_TRUE(login("anna", "new").ok());
}

TEST(Users, NameIsFreeAfterDeletionAndNothingIsInherited) {
  StoreBox box;
  const UserRef first = box.AddUser("anna");
  ASSERT_TRUE(box.Append(box.Inbox(first).ref, "secret").ok());
  const UidValidity old = box.Inbox(first).uid_validity;
  EXPECT_TRUE(
      Await<UserRef>([&](Done<UserRef> done) { box.store().users().Add("anna", "x", done); })
          .status()
          .Is(Code::kAlreadyExists));
  ASSERT_TRUE(Await<Unit>([&](Done<Unit> done) { box.store().users().Delete("anna", done); }).ok());
  EXPECT_TRUE(box.store().users().List()->empty());
  const UserRef second = box.AddUser("anna");
  EXPECT_NE(second.id, first.id);
  EXPECT_EQ(box.Inbox(second).exists, 0u);
  EXPECT_GE(box.Inbox(second).uid_validity, old);
}

TEST(Users, LoginIsKeptWholeAndAnEmptyPasswordLetsNobodyIn) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto header = [&] { return **ReadUserHeader(box.path().engine, user.id, nullptr); };
  const auto set = [&](const std::string& password) {
    return Await<Unit>(
               [&](Done<Unit> done) { box.store().users().SetPassword("Anna", password, done); })
        .status();
  };
  ASSERT_EQ(header().scram_size(), 1);
  EXPECT_EQ(header().scram(0).stored_key(), "key of pass");
  ASSERT_TRUE(set("new").ok());
  ASSERT_EQ(header().scram_size(), 1);
  EXPECT_EQ(header().scram(0).stored_key(), "key of new");
  EXPECT_TRUE(set("refused").Is(Code::kInvalidArgument));
  EXPECT_EQ(header().password_hash(), "$new") << "a refused password changes nothing";
  ASSERT_TRUE(set("").ok());
  EXPECT_EQ(header().password_hash(), "");
  EXPECT_EQ(header().scram_size(), 0);
  EXPECT_TRUE(Await<UserRef>([&](Done<UserRef> done) {
                box.mail().Authenticate({"anna", "", ""}, done);
              })
                  .status()
                  .Is(Code::kUnauthenticated));
}

TEST(Users, ARememberedLoginIsNotVerifiedAgainAndAnUnknownUserIs) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto login = [&](const std::string& name) {
    return Await<UserRef>([&](Done<UserRef> done) {
      box.mail().Authenticate({name, "pass", "192.0.2.1"}, done);
    });
  };
  EXPECT_TRUE(login("nobody").status().Is(Code::kUnauthenticated));
  EXPECT_TRUE(login("").status().Is(Code::kUnauthenticated));
  EXPECT_EQ(box.credentials().verified, 2) << "as slow as for a user";
  box.credentials().remember = true;
  EXPECT_EQ(login("anna")->id, user.id);
  EXPECT_EQ(box.credentials().verified, 2);
}

TEST(Users, ManyGuessesAtOneNameHoldUpNobodyElse) {
  StoreBox box;
  box.AddUser("anna");
  box.AddUser("berta");
  std::mutex mutex;
  std::condition_variable changed;
  bool all_wait = false;
  int guesses = 0;  // that have been checked, or are being
  std::optional<int> before_berta;
  int answers = 0;
  // One thread stays with the first guess, so that the other alone decides the order.
  box.credentials().on_verify = [&](std::string_view user) {
    std::unique_lock lock(mutex);
    if (user == "berta") {
      before_berta = guesses;
      return changed.notify_all();
    }
    const bool first = guesses++ == 0;
    changed.wait(lock, [&] { return all_wait && (!first || before_berta); });
  };
  const auto login = [&](const std::string& name, const std::string& password) {
    box.mail().Authenticate({name, password, "192.0.2.1"}, [&](const Result<UserRef>&) {
      const std::lock_guard lock(mutex);
      ++answers;
      changed.notify_all();
    });
  };
  for (int i = 0; i < 100; ++i) {
    login("anna", "guess");
  }
  login("berta", "pass");
  std::unique_lock lock(mutex);
  all_wait = true;
  changed.notify_all();
  changed.wait(lock, [&] { return answers == 101; });
  EXPECT_LE(*before_berta, 4) << "two were being checked, and she is next but one";
}

TEST(Users, TheGuardStandsBetweenMemoryAndVerification) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto login = [&](const std::string& password) {
    return Await<UserRef>([&](Done<UserRef> done) {
      box.mail().Authenticate({"Anna", password, "192.0.2.1"}, done);
    });
  };
  EXPECT_TRUE(login("guess").status().Is(Code::kUnauthenticated));
  EXPECT_EQ(box.credentials().left, "anna 192.0.2.1 wrong");
  EXPECT_TRUE(login("pass").ok());
  EXPECT_EQ(box.credentials().left, "anna 192.0.2.1");
  EXPECT_EQ(box.credentials().verified, 2);
  box.credentials().welcome = LimitExceeded("while it waited");
  EXPECT_TRUE(login("pass").status().Is(Code::kLimit));
  EXPECT_EQ(box.credentials().left, "anna 192.0.2.1") << "not checked, not wrong";
  box.credentials().left = "";
  box.credentials().enter = LimitExceeded("at once");
  EXPECT_TRUE(login("pass").status().Is(Code::kLimit));
  EXPECT_EQ(box.credentials().left, "");
  EXPECT_EQ(box.credentials().verified, 2);
  box.credentials().remember = true;
  EXPECT_TRUE(login("pass").ok()) << "who was here lately is not held up";
}

TEST(Users, AreFoundByNameAndNamedById) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  EXPECT_EQ(box.store().users().Find("ANNA")->id, user.id);
  EXPECT_TRUE(box.store().users().Find("berta").status().Is(Code::kNotFound));
  EXPECT_TRUE(box.store().users().Find("").status().Is(Code::kInvalidArgument));
  EXPECT_EQ(box.store().users().NameOf(user.id), "anna");
  EXPECT_EQ(box.store().users().NameOf(UserId()), UserId().ToHex());
}

TEST(Users, ReceiveWhatTheCandidatesSay) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto find = [&](const std::string& address) {
    return Await<UserRef>([&](Done<UserRef> done) { box.mail().FindRecipient(address, done); });
  };
  EXPECT_EQ(find("Anna@local.example")->id, user.id);
  EXPECT_TRUE(find("anna@other.example").status().Is(Code::kNotFound));
}

TEST(Mailboxes, AreBoundedPerUserHoweverTheyComeToBe) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  StoreTxn txn(box.path(), user.id);
  MailboxWriter writer(txn, box.path().random, user.id);
  (*txn.edit().EditUser(user.id))->state.mailboxes = limits::kMailboxesPerUserMax;
  EXPECT_TRUE(writer.Create("one", 0).status().Is(Code::kLimit));
  EXPECT_TRUE(writer.Rename("INBOX", "old").Is(Code::kLimit)) << "leaves a new one behind";
  EXPECT_TRUE(writer.Rename("Sent", "a/b").Is(Code::kLimit)) << "makes a parent";
  EXPECT_TRUE(txn.empty()) << "a refusal adds nothing";
  EXPECT_TRUE(writer.Rename("Sent", "Archive/sent").ok()) << "nothing is made";
  (*txn.edit().EditUser(user.id))->state.mailboxes = limits::kMailboxesPerUserMax - 1;
  EXPECT_TRUE(writer.Create("Archive/new", 0).ok()) << "its parent is there";
}

TEST(Subscriptions, AreCountedAndBounded) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto subscribe = [&](const std::string& name, bool on) {
    return Await<Unit>([&](Done<Unit> done) { box.mail().Subscribe(user.id, name, on, done); });
  };
  const auto count = [&] {
    StoreTxn txn(box.path(), user.id);
    return (*txn.edit().User(user.id))->state.subscriptions;
  };
  EXPECT_EQ(count(), 5u) << "the usual folders";
  ASSERT_TRUE(subscribe("nowhere", true).ok());
  ASSERT_TRUE(subscribe("nowhere", true).ok());
  EXPECT_EQ(count(), 6u);
  ASSERT_TRUE(subscribe("nowhere", false).ok());
  ASSERT_TRUE(subscribe("never", false).ok());
  EXPECT_EQ(count(), 5u);
  StoreTxn txn(box.path(), user.id);
  MailboxWriter writer(txn, box.path().random, user.id);
  (*txn.edit().EditUser(user.id))->state.subscriptions = limits::kSubscriptionsPerUserMax;
  EXPECT_TRUE(writer.Subscribe("more", true).Is(Code::kLimit));
  EXPECT_TRUE(writer.Subscribe("Sent", true).ok()) << "is one already";
  EXPECT_TRUE(writer.Subscribe("Sent", false).ok());
}

TEST(Names, AreNormalisedAndBounded) {
  EXPECT_EQ(*CanonicalMailboxName("inBOX/Sub"), "INBOX/Sub");
  EXPECT_EQ(*CanonicalMailboxName("e\xCC\x81t\xC3\xA9"), "\xC3\xA9t\xC3\xA9") << "NFC";
  EXPECT_TRUE(CanonicalMailboxName("a//b").status().Is(Code::kInvalidArgument));
  EXPECT_TRUE(CanonicalMailboxName("\xff").status().Is(Code::kInvalidArgument));
  for (const std::string& bad :
       {std::string("a\0b", 3), std::string("a\r\nb"), std::string("\x1b[2J"), std::string("a\x7f"),
        std::string("a\xC2\x9bm")}) {
    EXPECT_TRUE(CanonicalMailboxName(bad).status().Is(Code::kInvalidArgument)) << bad;
  }
  EXPECT_TRUE(CanonicalMailboxName(std::string(2000, 'a')).status().Is(Code::kLimit));
  std::string deep = "a";
  for (int i = 0; i < 120; ++i) {
    deep += "/a";
  }
  EXPECT_TRUE(CanonicalMailboxName(deep).status().Is(Code::kLimit));
}

TEST(Mailboxes, CreateMakesMissingParentsAndRefusesDoubles) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  ASSERT_TRUE(box.Create(user, "a/b/c").ok());
  EXPECT_EQ(Names(List(box, user)), "INBOX Archive Drafts Junk Sent Trash a a/b a/b/c");
  EXPECT_TRUE(box.Create(user, "a/b").status().Is(Code::kAlreadyExists));
  EXPECT_TRUE(box.Create(user, "Inbox").status().Is(Code::kAlreadyExists));
  EXPECT_GT(box.Find(user, "a/b/c").uid_validity, box.Find(user, "a").uid_validity);
}

TEST(Mailboxes, DeleteLeavesChildrenAndNeverInbox) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  ASSERT_TRUE(box.Create(user, "a/b").ok());
  const MailboxState old = box.Find(user, "a");
  EXPECT_TRUE(box.Delete(user, "inbox").Is(Code::kPermissionDenied));
  ASSERT_TRUE(box.Delete(user, "a").ok());
  EXPECT_TRUE(box.Delete(user, "a").Is(Code::kNotFound));
  EXPECT_EQ(Names(List(box, user)), "INBOX Archive Drafts Junk Sent Trash a/b");
  const auto gone =
      Await<MailboxState>([&](Done<MailboxState> done) { box.mail().GetState(old.ref, done); });
  EXPECT_TRUE(gone.status().Is(Code::kNotFound));
  ASSERT_TRUE(box.Create(user, "a").ok());
  EXPECT_NE(box.Find(user, "a").ref.id, old.ref.id);
  EXPECT_GT(box.Find(user, "a").uid_validity, old.uid_validity);
}

TEST(Mailboxes, RenameOfASubtreeIsOneCommitAndKeepsIds) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  ASSERT_TRUE(box.Create(user, "a/b/c").ok());
  ASSERT_TRUE(box.Create(user, "ab").ok());
  const MailboxState before = box.Find(user, "a/b/c");
  ASSERT_TRUE(box.Append(before.ref, "hello").ok());
  const std::size_t groups = box.pair().groups();
  ASSERT_TRUE(box.Rename(user, "a", "x/y").ok());
  EXPECT_EQ(box.pair().groups(), groups + 1);
  EXPECT_EQ(Names(List(box, user)), "INBOX Archive Drafts Junk Sent Trash ab x x/y x/y/b x/y/b/c");
  const MailboxState after = box.Find(user, "x/y/b/c");
  EXPECT_EQ(after.ref.id, before.ref.id);
  EXPECT_EQ(after.uid_validity, before.uid_validity);
  EXPECT_EQ(box.Octets(after.ref, 1), "hello");
  EXPECT_TRUE(box.Rename(user, "x", "x/z").Is(Code::kInvalidArgument));
  EXPECT_TRUE(box.Rename(user, "x", "ab").Is(Code::kAlreadyExists));
  EXPECT_TRUE(box.Rename(user, "nothing", "n").Is(Code::kNotFound));
}

TEST(Mailboxes, RenameInboxMovesItsMailAndLeavesANewOneInOneCommit) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const MailboxState before = box.Inbox(user);
  ASSERT_TRUE(box.Append(before.ref, "hello").ok());
  const std::size_t groups = box.pair().groups();
  ASSERT_TRUE(box.Rename(user, "inbox", "Old/Mail").ok());
  EXPECT_EQ(box.pair().groups(), groups + 1);
  EXPECT_EQ(box.Find(user, "Old/Mail").ref.id, before.ref.id);
  EXPECT_EQ(box.Inbox(user).exists, 0u);
  EXPECT_NE(box.Inbox(user).uid_validity, before.uid_validity);
  EXPECT_EQ(box.Deliver(user, "next")->uid, Uid(1)) << "deliveries go to the new INBOX";
  EXPECT_EQ(box.Inbox(user).exists, 1u);
}

TEST(Mailboxes, SubscriptionsSurviveTheirMailbox) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const auto subscribe = [&](const std::string& name, bool on) {
    return Await<Unit>([&](Done<Unit> done) { box.mail().Subscribe(user.id, name, on, done); });
  };
  ASSERT_TRUE(subscribe("no such box", true).ok());
  const std::size_t groups = box.pair().groups();
  ASSERT_TRUE(subscribe("no such box", true).ok());
  EXPECT_EQ(box.pair().groups(), groups) << "a no-op writes nothing";
  const auto list = List(box, user);
  const auto line = std::find_if(list.begin(), list.end(),
                                 [](const MailboxListing& l) { return l.name == "no such box"; });
  ASSERT_NE(line, list.end());
  EXPECT_TRUE(line->id.nil());
  EXPECT_TRUE(line->subscribed);
  ASSERT_TRUE(subscribe("no such box", false).ok());
  EXPECT_EQ(Names(List(box, user)), "INBOX Archive Drafts Junk Sent Trash");
}

TEST(Mailboxes, TenThousandAreUsual) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  std::vector<std::future<Result<MailboxState>>> made;
  for (int i = 0; i < 3000; ++i) {
    made.push_back(Begin<MailboxState>([&](Done<MailboxState> done) {
      box.mail().CreateMailbox(user.id, "all/box " + std::to_string(i), 0, done);
    }));
  }
  for (auto& future : made) {
    ASSERT_TRUE(future.get().ok());
  }
  const std::size_t groups = box.pair().groups();
  ASSERT_TRUE(box.Rename(user, "all", "moved").ok());
  EXPECT_EQ(box.pair().groups(), groups + 1);
  EXPECT_EQ(List(box, user).size(), 3007u);
}

}  // namespace
}  // namespace twinspool::store
