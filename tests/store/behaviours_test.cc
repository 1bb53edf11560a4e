// What mail users and operators count on when names, deletions and expunges meet replication: each
// by its number in the catalogue that the project was measured against, on a primary and on the
// standby that takes over from it.
#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/store/annotations.h"
#include "server/store/engine.h"
#include "server/store/jobs.h"
#include "server/store/recovery.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

using Lines = std::vector<std::string>;
constexpr std::int64_t kDayMs = 24ll * 3600 * 1000;

class Behaviours : public ::testing::Test {
 protected:
  Behaviours() {
    standby_.store().ports().visibility->SetServing({});
    ann_ = primary_.AddUser("ann");
  }

  BoxOptions Options() {
    BoxOptions options;
    options.clock = &clock_;
    return options;
  }
  /// The standby gets all; both have equal digests.
  void Send() {
    SendFrames(primary_, standby_, &sent_);
    const auto mine = primary_.store().ports().pictures->TakePicture().value()->Users().value();
    const auto theirs = standby_.store().ports().sink->Users().value();
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_EQ(mine[i].SerializeAsString(), theirs[i].SerializeAsString());
    }
  }
  void TakeOver() {
    Send();
    standby_.BePrimary(3);
  }
  /// Names beyond those that every user has.
  static Lines Names(StoreBox& box, const UserRef& user) {
    const auto list = Await<std::vector<MailboxListing>>(
        [&](Done<std::vector<MailboxListing>> done) { box.mail().ListMailboxes(user.id, done); });
    Lines names;
    for (std::size_t i = 0; list.ok() && i < list->size(); ++i) {
      if ((*list)[i].use == 0 && (*list)[i].name != "INBOX" && !(*list)[i].id.nil()) {
        names.push_back((*list)[i].name);
      }
    }
    return names;
  }
  static Lines Mail(StoreBox& box, const MailboxRef& mailbox) {
    Lines lines;
    const auto batch = box.Index(mailbox);
    for (std::size_t i = 0; batch.ok() && i < batch->entries.size(); ++i) {
      const std::uint32_t uid = batch->entries[i].uid.value();
      lines.push_back(std::to_string(uid) + ":" + box.Octets(mailbox, uid));
    }
    return lines;
  }
  Status DeleteUser(const std::string& name) {
    return Await<Unit>([&](Done<Unit> done) { primary_.store().users().Delete(name, done); })
        .status();
  }
  void ExpungeAll(const MailboxRef& mailbox) {
    ASSERT_TRUE(primary_.Flag(mailbox, UidSet::Of(1, 1000), FlagChange::kAdd, {kDeleted, {}}).ok());
    ASSERT_TRUE(primary_.Expunge(mailbox).ok());
  }
  void PassDays(std::int64_t days) {
    for (int round = 0; round < 2; ++round) {
      clock_.AdvanceMs(days * kDayMs / 2 + 1000);
      ASSERT_TRUE(primary_.store().RunJobsNow().ok());
    }
    ASSERT_TRUE(primary_.store().RunJobsNow().ok());
  }
  Status Set(const MailboxRef& mailbox, const char* entry, std::optional<std::string> value) {
    return Await<Unit>([&](Done<Unit> done) {
             primary_.mail().SetAnnotations(mailbox, {{entry, std::move(value)}}, done);
           })
        .status();
  }
  Result<std::uint64_t> Restore(const MailboxRef& mailbox, std::optional<UidSet> uids = {}) {
    return Await<std::uint64_t>([&](const Done<std::uint64_t>& done) {
      primary_.store().recovery().RestoreExpunged(mailbox, uids, done);
    });
  }
  /// Rows of any family but the log with these octets.
  int RowsWith(std::string_view octets) {
    int rows = 0;
    for (const FamilyInfo& info : kFamilies) {
      RowIterator it = primary_.path().engine.Iterate(info.family, {});
      for (it.SeekToFirst(); info.family != Family::kOutbox && it.Valid(); it.Next()) {
        const bool found = it.key().find(octets) != std::string_view::npos ||
                           it.value().find(octets) != std::string_view::npos;
        rows += found ? 1 : 0;
      }
    }
    return rows;
  }

  ManualClock clock_;
  StoreBox primary_{Options()};
  StoreBox standby_{Options()};
  std::size_t sent_ = 0;
  UserRef ann_;
};

TEST_F(Behaviours, B50AUserWhoseNameBeginsAnothersIsNotMixedUpWithHim) {
  const UserRef anna = primary_.AddUser("anna");
  const UserRef an = primary_.AddUser("an");
  for (const UserRef& user : {ann_, anna, an}) {
    ASSERT_TRUE(primary_.Append(primary_.Inbox(user).ref, "of " + user.name).ok());
  }
  ASSERT_TRUE(DeleteUser("ann").ok());
  TakeOver();
  EXPECT_EQ(Mail(standby_, standby_.Inbox(anna).ref), Lines{"1:of anna"});
  EXPECT_EQ(Mail(standby_, standby_.Inbox(an).ref), Lines{"1:of an"});
}

TEST_F(Behaviours, B51AMissingParentMayBecomeAMailboxAndMoveWithItsChildren) {
  ASSERT_TRUE(primary_.Create(ann_, "top/sub").ok());
  ASSERT_TRUE(primary_.Delete(ann_, "top").ok());
  EXPECT_EQ(primary_.Rename(ann_, "top", "other").code(), Code::kNotFound);
  Send();
  ASSERT_TRUE(primary_.Create(ann_, "top").ok());
  ASSERT_TRUE(primary_.Rename(ann_, "top", "other").ok());
  TakeOver();
  EXPECT_EQ(Names(standby_, ann_), (Lines{"other", "other/sub"}));
}

TEST_F(Behaviours, B52RenamingInboxMovesItsMailAndLeavesAnEmptyOne) {
  const MailboxRef old = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(old, "one").ok());
  ASSERT_TRUE(primary_.Rename(ann_, "INBOX", "Old").ok());
  TakeOver();
  EXPECT_EQ(Mail(standby_, standby_.Find(ann_, "Old").ref), Lines{"1:one"});
  EXPECT_EQ(standby_.Find(ann_, "Old").ref.id, old.id);
  EXPECT_EQ(standby_.Inbox(ann_).exists, 0u);
  EXPECT_TRUE(standby_.Deliver(ann_, "two").ok());
  EXPECT_EQ(Mail(standby_, standby_.Inbox(ann_).ref), Lines{"1:two"});
}

TEST_F(Behaviours, B53ADeepTreeMovesWithAllItsChildren) {
  std::string name = "a";
  for (int level = 0; level < 30; ++level) {
    ASSERT_TRUE(primary_.Create(ann_, name).ok());
    ASSERT_TRUE(primary_.Append(primary_.Find(ann_, name).ref, name).ok());
    name += "/" + std::to_string(level);
  }
  ASSERT_TRUE(primary_.Rename(ann_, "a", "moved/a").ok());
  TakeOver();
  const Lines names = Names(standby_, ann_);
  ASSERT_EQ(names.size(), 31u);  // and "moved"
  for (const std::string& one : names) {
    if (one != "moved") {
      EXPECT_EQ(Mail(standby_, standby_.Find(ann_, one).ref),
                Lines{"1:" + one.substr(std::string("moved/").size())});
    }
  }
}

TEST_F(Behaviours, B54ARenameKeepsTheIdsOfMailboxAndMessages) {
  const MailboxState before = *primary_.Create(ann_, "Box");
  ASSERT_TRUE(primary_.Append(before.ref, "one").ok());
  ASSERT_TRUE(primary_.Rename(ann_, "Box", "Other").ok());
  TakeOver();
  const MailboxState after = standby_.Find(ann_, "Other");
  EXPECT_EQ(after.ref.id, before.ref.id);
  EXPECT_EQ(after.uid_validity, before.uid_validity);
  EXPECT_EQ(Mail(standby_, after.ref), Lines{"1:one"});
}

TEST_F(Behaviours, B55ARenameKeepsTheQuotaRight) {
  const MailboxRef box = primary_.Create(ann_, "Box")->ref;
  ASSERT_TRUE(primary_.Append(box, "12345").ok());
  ASSERT_TRUE(primary_.Append(primary_.Inbox(ann_).ref, "678").ok());
  ASSERT_TRUE(primary_.Rename(ann_, "Box", "Other").ok());
  ASSERT_TRUE(primary_.Rename(ann_, "INBOX", "Former").ok());
  const auto used = [&](StoreBox& store) {
    return Await<QuotaState>([&](Done<QuotaState> done) { store.mail().GetQuota(ann_.id, done); })
        ->bytes;
  };
  EXPECT_EQ(used(primary_), 8u);
  ASSERT_TRUE(primary_.Delete(ann_, "Other").ok());
  EXPECT_EQ(used(primary_), 3u);
  TakeOver();
  EXPECT_EQ(used(standby_), 3u);
}

TEST_F(Behaviours, B56ARenameKeepsWhatIsShared) {
  const UserRef bob = primary_.AddUser("bob");
  const MailboxRef box = primary_.Create(ann_, "Box")->ref;
  ASSERT_TRUE(Await<Unit>([&](Done<Unit> done) {
                primary_.mail().SetAcl(box, "bob", RightsChange::kReplace,
                                       kRightLookup | kRightRead | kRightSeen, done);
              }).ok());
  ASSERT_TRUE(primary_.Append(box, "one").ok());
  const MailboxRef view = primary_.Find(bob, "Other Users/ann/Box").ref;
  ASSERT_TRUE(primary_.Flag(view, UidSet::Of(Uid(1)), FlagChange::kAdd, {kSeen, {}}).ok());
  ASSERT_TRUE(primary_.Rename(ann_, "Box", "Work/Box").ok());
  TakeOver();
  const MailboxRef moved = standby_.Find(bob, "Other Users/ann/Work/Box").ref;
  EXPECT_EQ(standby_.FlagsOf(moved, 1), kSeen);
  EXPECT_EQ(standby_.FlagsOf(box, 1), 0);
}

TEST_F(Behaviours, B59ADeletedMailboxIsNotThereItsMailIsUntilItExpiresAndThenGoneFromDisk) {
  const MailboxState box = *primary_.Create(ann_, "Box");
  ASSERT_TRUE(primary_.Append(box.ref, "precious octets").ok());
  ASSERT_TRUE(primary_.Delete(ann_, "Box").ok());
  EXPECT_TRUE(Names(primary_, ann_).empty());
  EXPECT_EQ(primary_.Append(box.ref, "late").code(), Code::kNotFound);
  const auto deleted = primary_.store().recovery().ListDeleted(ann_.id);
  ASSERT_EQ(deleted->size(), 1u);
  EXPECT_EQ((*deleted)[0].name, "Box");
  EXPECT_EQ((*deleted)[0].messages, 1u);
  const auto restore = [&](const std::string& name) {
    return Await<Unit>([&](const Done<Unit>& done) {
             primary_.store().recovery().RestoreMailbox(ann_.id, box.ref.id, name, done);
           })
        .code();
  };
  ASSERT_TRUE(primary_.Create(ann_, "Box").ok());
  EXPECT_EQ(restore(""), Code::kAlreadyExists);
  EXPECT_EQ(restore("Back/Box"), Code::kOk);
  EXPECT_EQ(restore("Twice"), Code::kNotFound);
  Send();
  const MailboxState back = primary_.Find(ann_, "Back/Box");
  EXPECT_EQ(back.ref.id, box.ref.id);
  EXPECT_EQ(back.uid_validity, box.uid_validity);
  EXPECT_EQ(Mail(primary_, back.ref), Lines{"1:precious octets"});
  ASSERT_TRUE(primary_.Delete(ann_, "Back/Box").ok());
  PassDays(30);
  EXPECT_EQ(restore(""), Code::kNotFound);
  EXPECT_EQ(RowsWith("precious octets"), 0);
  TakeOver();
}

TEST_F(Behaviours, B60TheExpiryOfADeletedUserLeavesAndMakesNothing) {
  ASSERT_TRUE(primary_.Append(primary_.Inbox(ann_).ref, "one").ok());
  ASSERT_TRUE(DeleteUser("ann").ok());
  PassDays(30);
  PassDays(30);
  EXPECT_EQ(RowsWith(ann_.id.bytes()), 1);  // the mark for his salvage, which the pair takes
  Send();
}

TEST_F(Behaviours, B61WhatNeverExpiresIsKept) {
  const MailboxRef kept = primary_.Create(ann_, "Kept")->ref;
  const MailboxRef other = primary_.Create(ann_, "Other")->ref;
  for (const MailboxRef& box : {kept, other}) {
    ASSERT_TRUE(primary_.Append(box, "one").ok());
    ASSERT_TRUE(primary_.Append(box, "two").ok());
  }
  ASSERT_TRUE(Set(kept, kNoExpireEntry, "true").ok());
  ExpungeAll(kept);
  ASSERT_TRUE(primary_.Append(kept, "three").ok());
  ASSERT_TRUE(primary_.Delete(ann_, "Kept").ok());
  ASSERT_TRUE(primary_.Delete(ann_, "Other").ok());
  PassDays(100);
  const auto deleted = primary_.store().recovery().ListDeleted(ann_.id);
  ASSERT_EQ(deleted->size(), 1u);
  EXPECT_EQ((*deleted)[0].id, kept.id);
  ASSERT_TRUE(Await<Unit>([&](const Done<Unit>& done) {
                primary_.store().recovery().RestoreMailbox(ann_.id, kept.id, "", done);
              }).ok());
  EXPECT_EQ(*Restore(kept), 2u);
  ASSERT_TRUE(Set(kept, kNoExpireEntry, std::nullopt).ok());
  ASSERT_TRUE(primary_.Delete(ann_, "Kept").ok());
  PassDays(100);
  EXPECT_TRUE(primary_.store().recovery().ListDeleted(ann_.id)->empty());
  // Nothing protects the mail of a deleted user.
  const MailboxRef last = primary_.Create(ann_, "Last")->ref;
  ASSERT_TRUE(Set(last, kNoExpireEntry, "true").ok());
  ASSERT_TRUE(primary_.Append(last, "the last octets").ok());
  ASSERT_TRUE(DeleteUser("ann").ok());
  PassDays(100);
  PassDays(100);
  EXPECT_EQ(RowsWith("the last octets"), 0);
}

TEST_F(Behaviours, B62AMailboxWithChildrenIsNotDeletedWhereThatIsConfigured) {
  BoxOptions options = Options();
  options.store.mail.delete_with_children = false;
  StoreBox strict(options);
  const UserRef eve = strict.AddUser("eve");
  ASSERT_TRUE(strict.Create(eve, "top/sub").ok());
  EXPECT_EQ(strict.Delete(eve, "top").code(), Code::kConflict);
  EXPECT_EQ(Names(strict, eve), (Lines{"top", "top/sub"}));
  ASSERT_TRUE(strict.Delete(eve, "top/sub").ok());
  EXPECT_TRUE(strict.Delete(eve, "top").ok());
  ASSERT_TRUE(primary_.Create(ann_, "top/sub").ok());
  EXPECT_TRUE(primary_.Delete(ann_, "top").ok());
}

TEST_F(Behaviours, B63AnAppendThatRacesWithADeleteIsRefused) {
  const MailboxRef box = primary_.Create(ann_, "Box")->ref;
  auto stage = primary_.Stage(ann_.id, std::string(300'000, 'x'));
  ASSERT_TRUE(primary_.Delete(ann_, "Box").ok());
  EXPECT_EQ(primary_.AppendStaged(box, std::move(stage)).code(), Code::kNotFound);
  Send();
}

TEST_F(Behaviours, B64UidsAreNeverUsedAgain) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(inbox, "one").ok());
  ASSERT_TRUE(primary_.Append(inbox, "two").ok());
  ExpungeAll(inbox);
  PassDays(30);  // purged: the highest UID is used up all the same
  TakeOver();
  EXPECT_EQ(standby_.Append(inbox, "three")->uids, UidSet::Of(Uid(3)));
}

TEST_F(Behaviours, B65CountsAreRightAfterAnExpunge) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(inbox, "1").ok());
  ASSERT_TRUE(primary_.Append(inbox, "22", {kSeen, {}}).ok());
  ASSERT_TRUE(primary_.Append(inbox, "333", {kDeleted, {}}).ok());
  ASSERT_TRUE(
      primary_.Append(inbox, "4444", {static_cast<SystemFlags>(kSeen | kDeleted), {}}).ok());
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  TakeOver();
  for (StoreBox* box : {&primary_, &standby_}) {
    const MailboxState state = box->State(inbox);
    EXPECT_EQ(state.exists, 2u);
    EXPECT_EQ(state.unseen, 1u);
    EXPECT_EQ(state.deleted, 0u);
    EXPECT_EQ(state.bytes, 3u);
  }
}

TEST_F(Behaviours, B66AFlagChangeRaisesTheModseqOfItsMessageAloneAndANoOpNone) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(inbox, "one").ok());
  ASSERT_TRUE(primary_.Append(inbox, "two").ok());
  const auto modseqs = [&](StoreBox& box) {
    const auto batch = box.Index(inbox);
    return std::vector<Modseq>{batch->entries[0].modseq, batch->entries[1].modseq,
                               batch->state.highest_modseq};
  };
  const auto before = modseqs(primary_);
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(1)), FlagChange::kAdd, {kFlagged, {}}).ok());
  const auto set = modseqs(primary_);
  EXPECT_GT(set[0], before[0]);
  EXPECT_EQ(set[1], before[1]);
  EXPECT_EQ(set[2], set[0]);
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(1)), FlagChange::kAdd, {kFlagged, {}}).ok());
  EXPECT_EQ(modseqs(primary_), set);
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(1)), FlagChange::kRemove, {kFlagged, {}}).ok());
  const auto cleared = modseqs(primary_);
  EXPECT_GT(cleared[0], set[0]);
  TakeOver();
  EXPECT_EQ(modseqs(standby_), cleared);
}

TEST_F(Behaviours, B67UnchangedSinceIsDecidedForEachMessage) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  for (const char* octets : {"one", "two", "three"}) {
    ASSERT_TRUE(primary_.Append(inbox, octets).ok());
  }
  const Modseq then = primary_.State(inbox).highest_modseq;
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(2)), FlagChange::kAdd, {kSeen, {}}).ok());
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(3)), FlagChange::kAdd, {kDeleted, {}}).ok());
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  TakeOver();
  const auto result =
      standby_.Flag(inbox, UidSet::Of(1, 3), FlagChange::kAdd, {kFlagged, {}}, then);
  EXPECT_EQ(result->changed.front().first, UidSet::Of(Uid(1)));
  EXPECT_EQ(result->modified, UidSet::Of(Uid(2)));
  EXPECT_EQ(result->missing, UidSet::Of(Uid(3)));
}

TEST_F(Behaviours, B68AClientThatKnowsAModseqIsToldTheDifferenceAlone) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(primary_.Append(inbox, std::to_string(i)).ok());
  }
  IndexQuery since;
  since.since = primary_.State(inbox).highest_modseq;
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(300)), FlagChange::kAdd, {kSeen, {}}).ok());
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(5)), FlagChange::kAdd, {kDeleted, {}}).ok());
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  TakeOver();
  const auto news = standby_.Index(inbox, since);
  ASSERT_EQ(news->entries.size(), 1u);
  EXPECT_EQ(news->entries[0].uid, Uid(300));
  EXPECT_EQ(news->vanished, UidSet::Of(Uid(5)));
}

TEST_F(Behaviours, B72AnOperatorSeesExpungedMessagesAndBringsThemBack) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(inbox, "one", {kFlagged, {"work"}}).ok());
  ASSERT_TRUE(primary_.Append(inbox, "two").ok());
  ASSERT_TRUE(primary_.Append(inbox, "three").ok());
  ExpungeAll(inbox);
  ASSERT_TRUE(primary_.Append(inbox, "two").ok());
  const auto listed = primary_.store().recovery().ListExpunged(inbox, Uid(2));
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[1].uid, Uid(3));
  EXPECT_EQ((*listed)[1].record.size, 5u);
  EXPECT_EQ(*Restore(inbox, UidSet::Of(1, 2)), 1u);  // "two" is there
  EXPECT_EQ(*Restore(inbox), 1u);
  EXPECT_EQ(*Restore(inbox), 0u);
  TakeOver();
  EXPECT_EQ(Mail(standby_, inbox), (Lines{"4:two", "5:one", "6:three"}));
  EXPECT_EQ(standby_.FlagsOf(inbox, 5), kFlagged);
  EXPECT_EQ(standby_.Index(inbox)->entries[1].keywords, KeywordBits({{1, 0}}));
}

TEST_F(Behaviours, B73KeywordsAreBoundedAndThoseOutOfUseMakeRoom) {
  const MailboxRef inbox = primary_.Inbox(ann_).ref;
  ASSERT_TRUE(primary_.Append(inbox, "one").ok());
  ASSERT_TRUE(primary_.Append(inbox, "two").ok());
  for (std::size_t i = 0; i < limits::kKeywordsPerMailboxMax; ++i) {
    ASSERT_TRUE(
        primary_
            .Flag(inbox, UidSet::Of(Uid(1)), FlagChange::kAdd, {0, {"word" + std::to_string(i)}})
            .ok());
  }
  EXPECT_EQ(primary_.Flag(inbox, UidSet::Of(Uid(2)), FlagChange::kAdd, {0, {"more"}}).code(),
            Code::kLimit);
  ASSERT_TRUE(
      primary_.Flag(inbox, UidSet::Of(Uid(1)), FlagChange::kRemove, {0, {"word7", "word9"}}).ok());
  Send();
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(Uid(2)), FlagChange::kAdd, {0, {"more"}}).ok());
  EXPECT_EQ(primary_.Flag(inbox, UidSet::Of(Uid(2)), FlagChange::kAdd, {0, {"a", "b"}}).code(),
            Code::kLimit);
  ASSERT_TRUE(primary_.Append(inbox, "three", {0, {"Other"}}).ok());
  TakeOver();
  const auto batch = standby_.Index(inbox);
  const std::vector<std::string>& table = *batch->state.keywords;
  const auto words = [&](const IndexEntry& entry) {
    std::set<std::string> found;
    for (std::size_t bit = 0; bit < table.size(); ++bit) {
      if (entry.keywords.Test(bit)) {
        found.insert(table[bit]);
      }
    }
    return found;
  };
  EXPECT_EQ(table.size(), limits::kKeywordsPerMailboxMax);
  EXPECT_EQ(words(batch->entries[0]).size(), limits::kKeywordsPerMailboxMax - 2);
  EXPECT_EQ(words(batch->entries[1]), std::set<std::string>{"more"});
  EXPECT_EQ(words(batch->entries[2]), std::set<std::string>{"Other"});
}

TEST_F(Behaviours, B82ABodyDeliveredOftenIsStoredOnceAndNoMessageIsLost) {
  const std::string octets(50'000, 'x');
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(primary_.Deliver(ann_, octets, "sender" + std::to_string(i) + "@example.org").ok());
  }
  EXPECT_TRUE(primary_.Deliver(ann_, octets, "sender3@example.org")->duplicate);
  TakeOver();
  const MailboxRef inbox = standby_.Inbox(ann_).ref;
  EXPECT_EQ(standby_.State(inbox).exists, 20u);
  EXPECT_EQ(standby_.Octets(inbox, 20), octets);
  int bodies = 0;
  RowIterator it =
      standby_.path().engine.Iterate(Family::kBodies, KeyRange::Prefix(ann_.id.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ++bodies;
  }
  EXPECT_EQ(bodies, 1);
}

}  // namespace
}  // namespace twinspool::store
