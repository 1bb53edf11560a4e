// The model keeps the rules that the real store is measured by.
#include "tests/support/memory_mail_store.h"

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace twinspool::testing {
namespace {

class MemoryStoreTest : public ::testing::Test {
 protected:
  /// Runs a call whose completion comes at once.
  template <typename T, typename Call>
  static Result<T> Now(Call&& call) {
    std::optional<Result<T>> answer;
    call([&answer](Result<T> result) { answer.emplace(std::move(result)); });
    TWINSPOOL_CHECK(answer.has_value(), "the completion did not come");
    return *answer;
  }

  MailboxState State(const std::string& name) {
    return *Now<MailboxState>(
        [&](auto done) { store_.FindMailbox(user_.id, name, std::move(done)); });
  }
  Result<Unit> Rename(const std::string& from, const std::string& to) {
    return Now<Unit>([&](auto done) { store_.RenameMailbox(user_.id, from, to, std::move(done)); });
  }
  Result<MailboxState> Create(const std::string& name) {
    return Now<MailboxState>(
        [&](auto done) { store_.CreateMailbox(user_.id, name, 0, std::move(done)); });
  }
  std::unique_ptr<BodyStage> Body(const std::string& octets) {
    std::unique_ptr<BodyStage> stage = std::move(*store_.StageBody(user_.id, octets.size()));
    stage->Write(octets, [](const Result<Unit>&) {});
    return stage;
  }
  AppendResult Append(const std::string& octets) {
    std::vector<AppendMessage> messages(1);
    messages[0].body = Body(octets);
    return *Now<AppendResult>([&](auto done) {
      store_.Append(State("INBOX").ref, std::move(messages), std::move(done));
    });
  }
  StoreResult Store(StoreRequest request) {
    return *Now<StoreResult>([&](auto done) {
      store_.StoreFlags(State("INBOX").ref, std::move(request), std::move(done));
    });
  }
  StoreResult Add(const UidSet& uids, SystemFlags flags) {
    StoreRequest request;
    request.uids = uids;
    request.change = FlagChange::kAdd;
    request.flags.system = flags;
    return Store(std::move(request));
  }
  IndexBatch Index(IndexQuery query) {
    return *Now<IndexBatch>([&](auto done) {
      store_.ReadIndex(State("INBOX").ref, std::move(query), std::move(done));
    });
  }
  Result<DeliverResult> Deliver(const std::string& sender, const std::string& octets) {
    DeliverRequest request;
    request.user = user_;
    request.sender = sender;
    request.recipient = "test@example.org";
    request.body = Body(octets);
    return Now<DeliverResult>(
        [&](auto done) { store_.Deliver(std::move(request), std::move(done)); });
  }

  ManualClock clock_;
  SeededRandom random_{3};
  MemoryMailStore store_{clock_, random_};
  UserRef user_ = store_.AddUser("Test", "pass");
};

TEST_F(MemoryStoreTest, OnlyTheRightPasswordAuthenticates) {
  const auto ask = [&](const std::string& user, const std::string& password) {
    return Now<UserRef>([&](auto done) {
      store_.Authenticate({user, password, ""}, std::move(done));
    });
  };
  EXPECT_EQ(ask("TEST", "pass")->id, user_.id);
  EXPECT_EQ(ask("test", "Pass").code(), Code::kUnauthenticated);
  EXPECT_EQ(ask("other", "pass").code(), Code::kUnauthenticated);
}

TEST_F(MemoryStoreTest, RecipientsByDomainAndDetail) {
  store_.AddDomain("example.org");
  const auto find = [&](const std::string& address) {
    return Now<UserRef>([&](auto done) { store_.FindRecipient(address, std::move(done)); }).code();
  };
  EXPECT_EQ(find("test@example.org"), Code::kOk);
  EXPECT_EQ(find("Test+lists@Example.org"), Code::kOk);
  EXPECT_EQ(find("test"), Code::kOk);
  EXPECT_EQ(find("test@elsewhere.org"), Code::kNotFound);
  EXPECT_EQ(find("nobody@example.org"), Code::kNotFound);
}

TEST_F(MemoryStoreTest, UidValidityRisesWithEachMailboxAndIsNeverUsedAgain) {
  const UidValidity first = Create("a")->uid_validity;
  std::ignore = Now<Unit>([&](auto done) { store_.DeleteMailbox(user_.id, "a", std::move(done)); });
  EXPECT_GT(Create("a")->uid_validity, first);
  const MailboxState before = State("a");
  ASSERT_TRUE(Rename("a", "b").ok());
  EXPECT_EQ(State("b").uid_validity, before.uid_validity);
  EXPECT_EQ(State("b").ref.id, before.ref.id);
}

TEST_F(MemoryStoreTest, RenameTakesChildrenOrNothing) {
  ASSERT_TRUE(Create("a/b/c").ok());
  ASSERT_TRUE(Create("x/b").ok());
  EXPECT_EQ(Rename("a", "x").code(), Code::kAlreadyExists);
  EXPECT_TRUE(Rename("a", "y/z").ok());
  EXPECT_EQ(State("y/z/b/c").name, "y/z/b/c");
  EXPECT_EQ(State("y").exists, 0u);
}

TEST_F(MemoryStoreTest, RenamingTheInboxLeavesAnEmptyOneOfAnotherIdentity) {
  Append("one");
  const MailboxState before = State("INBOX");
  ASSERT_TRUE(Rename("inbox", "old").ok());
  EXPECT_EQ(State("old").ref.id, before.ref.id);
  EXPECT_EQ(State("old").exists, 1u);
  EXPECT_EQ(State("INBOX").exists, 0u);
  EXPECT_GT(State("INBOX").uid_validity, before.uid_validity);
}

TEST_F(MemoryStoreTest, ANoOpRaisesNothingAndAChangeDoes) {
  Append("one");
  Append("two");
  const Modseq before = State("INBOX").highest_modseq;
  const StoreResult changed = Add(UidSet::Of(1, 1), kSeen);
  ASSERT_EQ(changed.changed.size(), 1u);
  EXPECT_EQ(changed.changed[0].second, State("INBOX").highest_modseq);
  EXPECT_GT(State("INBOX").highest_modseq, before);
  const StoreResult again = Add(UidSet::Of(1, 9), kSeen);
  EXPECT_EQ(again.changed[0].first.ToString(), "2");
  EXPECT_EQ(again.missing.ToString(), "3:9");
  EXPECT_TRUE(Add(UidSet::Of(1, 2), kSeen).changed.empty());
  EXPECT_EQ(State("INBOX").unseen, 0u);
}

TEST_F(MemoryStoreTest, UnchangedSinceIsDecidedPerMessage) {
  Append("one");
  const Modseq between = State("INBOX").highest_modseq;
  Append("two");
  StoreRequest request;
  request.uids = UidSet::Of(1, 2);
  request.flags.system = kFlagged;
  request.unchanged_since = between;
  const StoreResult result = Store(std::move(request));
  EXPECT_EQ(result.changed[0].first.ToString(), "1");
  EXPECT_EQ(result.modified.ToString(), "2");
}

TEST_F(MemoryStoreTest, ExpungedMessagesVanishAndTheirUidsStayUsed) {
  for (const char* octets : {"one", "two", "three"}) {
    Append(octets);
  }
  const Modseq before = State("INBOX").highest_modseq;
  Add(UidSet::Of(2, 3), kDeleted);
  std::ignore = Now<ExpungeResult>(
      [&](auto done) { store_.Expunge(State("INBOX").ref, UidSet::Of(3, 3), std::move(done)); });
  IndexQuery query;
  query.since = before;
  const IndexBatch batch = Index(query);
  EXPECT_EQ(batch.vanished.ToString(), "3");
  ASSERT_EQ(batch.entries.size(), 1u);
  EXPECT_EQ(batch.entries[0].uid, Uid(2));
  EXPECT_EQ(Append("four").uids.ToString(), "4");
  // Past the purge floor nobody remembers which of the absent were there.
  store_.Purge(State("INBOX").ref);
  query.since = Modseq(1);
  EXPECT_EQ(Index(query).vanished.ToString(), "3");
  EXPECT_EQ(Index(query).entries.size(), 3u);
}

TEST_F(MemoryStoreTest, IndexComesInSlices) {
  for (int i = 0; i < 5; ++i) {
    Append("m" + std::to_string(i));
  }
  IndexQuery query;
  query.limit = 2;
  std::vector<std::uint32_t> uids;
  for (std::optional<Uid> from = Uid(1); from;) {
    query.from = *from;
    const IndexBatch batch = Index(query);
    EXPECT_LE(batch.entries.size(), 2u);
    for (const IndexEntry& entry : batch.entries) {
      uids.push_back(entry.uid.value());
    }
    from = batch.next;
  }
  EXPECT_EQ(uids, (std::vector<std::uint32_t>{1, 2, 3, 4, 5}));
}

TEST_F(MemoryStoreTest, ARetriedDeliveryIsStoredOnce) {
  const DeliverResult first = *Deliver("a@example.org", "mail");
  EXPECT_FALSE(first.duplicate);
  const DeliverResult again = *Deliver("a@example.org", "mail");
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.uid, first.uid);
  EXPECT_FALSE(Deliver("b@example.org", "mail")->duplicate);
  EXPECT_EQ(State("INBOX").exists, 2u);
  clock_.AdvanceMs((limits::kDeliveryMemorySeconds + 1) * 1000);
  EXPECT_FALSE(Deliver("a@example.org", "mail")->duplicate);
}

TEST_F(MemoryStoreTest, AFailureWaitsForItsCallAndComesOnce) {
  store_.FailNext("CreateMailbox", OverQuota("no room"));
  EXPECT_TRUE(Rename("INBOX", "x").ok());
  EXPECT_EQ(Create("a").code(), Code::kOverQuota);
  EXPECT_TRUE(Create("a").ok());
}

TEST_F(MemoryStoreTest, AWatchWakesUntilItEnds) {
  int wakes = 0;
  std::unique_ptr<Watch> watch = store_.WatchMailbox(State("INBOX").ref, [&wakes] { ++wakes; });
  Append("one");
  EXPECT_EQ(wakes, 1);
  watch.reset();
  Append("two");
  EXPECT_EQ(wakes, 1);
}

}  // namespace
}  // namespace twinspool::testing
