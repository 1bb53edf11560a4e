// What comes of mailboxes, users and small rows when a former primary returns: semantics R15 to
// R19, each by name.
#include <ctime>

#include "tests/store/divergence_fixture.h"

namespace twinspool::store {
namespace {

using Lines = std::vector<std::string>;

class GiveBackMailboxes : public Divergence {
 protected:
  GiveBackMailboxes() {
    a_ = old_.Create(ann_, "A")->ref;
    b_ = old_.Create(ann_, "B")->ref;
    EXPECT_TRUE(old_.Append(a_, "of A").ok());
  }
  std::string RecoveredToday(const std::string& name) {
    std::time_t now = clock_.WallSeconds();
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
    return name + " (recovered " + text + ")";
  }
  Status AddUser(StoreBox& box, const std::string& name) {
    return Await<UserRef>([&](Done<UserRef> done) { box.store().users().Add(name, "pass", done); })
        .status();
  }
  Status DeleteUser(StoreBox& box, const std::string& name) {
    return Await<Unit>([&](Done<Unit> done) { box.store().users().Delete(name, done); }).status();
  }
  Status SetPassword(StoreBox& box, const std::string& password) {
    return Await<Unit>(
               [&](Done<Unit> done) { box.store().users().SetPassword("ann", password, done); })
        .status();
  }
  bool Login(const std::string& name, const std::string& password) {
    return Await<UserRef>([&](Done<UserRef> done) {
             now_.mail().Authenticate({name, password, ""}, done);
           })
        .ok();
  }
  Status Subscribe(StoreBox& box, const std::string& name, bool subscribed) {
    return Await<Unit>(
               [&](Done<Unit> done) { box.mail().Subscribe(ann_.id, name, subscribed, done); })
        .status();
  }
  bool Subscribed(const std::string& name) {
    const auto list = Await<std::vector<MailboxListing>>(
        [&](Done<std::vector<MailboxListing>> done) { now_.mail().ListMailboxes(ann_.id, done); });
    for (const MailboxListing& mailbox : *list) {
      if (mailbox.name == name) {
        return mailbox.subscribed;
      }
    }
    return false;
  }

  MailboxRef a_;
  MailboxRef b_;
};

TEST_F(GiveBackMailboxes, R19AnnotationsGoWhereTheirMailboxGoes) {
  const auto set = [&](StoreBox& box, MailboxId mailbox, const std::string& value) {
    return Await<Unit>([&](Done<Unit> done) {
             box.mail().SetAnnotations({ann_.id, mailbox}, {{"/private/a", value}}, done);
           })
        .ok();
  };
  const auto of = [&](MailboxId mailbox) {
    Lines lines;
    const auto all = Await<std::vector<Annotation>>([&](Done<std::vector<Annotation>> done) {
      now_.mail().GetAnnotations({ann_.id, mailbox}, done);
    });
    for (std::size_t i = 0; all.ok() && i < all->size(); ++i) {
      lines.push_back(*(*all)[i].value);
    }
    return lines;
  };
  ASSERT_TRUE(set(old_, a_.id, "before"));
  ASSERT_TRUE(set(old_, b_.id, "before"));
  Part();
  const MailboxRef made = old_.Create(ann_, "New")->ref;
  const MailboxRef twin = old_.Create(ann_, "Twin")->ref;
  ASSERT_TRUE(set(old_, made.id, "of the new"));
  ASSERT_TRUE(set(old_, twin.id, "of the twin"));
  ASSERT_TRUE(set(old_, a_.id, "changed"));
  ASSERT_TRUE(set(old_, b_.id, "changed"));
  ASSERT_TRUE(set(now_, b_.id, "changed here"));
  ASSERT_TRUE(now_.Create(ann_, "Twin").ok());
  Return();
  EXPECT_EQ(of(a_.id), Lines{"changed"});
  EXPECT_EQ(of(b_.id), Lines{"changed here"});
  EXPECT_EQ(of(now_.Find(ann_, "New").ref.id), Lines{"of the new"});
  EXPECT_EQ(of(now_.Find(ann_, "Twin").ref.id), Lines{"of the twin"});
}

TEST_F(GiveBackMailboxes, R12MarksOfViewersAreMergedAndR19RightsComeBack) {
  const auto grant = [&](StoreBox& box, const std::string& who, const char* rights) {
    return Await<Unit>([&](Done<Unit> done) {
             box.mail().SetAcl(a_, who, RightsChange::kReplace, *ParseRights(rights), done);
           })
        .ok();
  };
  const auto mark = [&](StoreBox& box, const MailboxRef& view, std::uint32_t uid, FlagChange how) {
    return box.Flag(view, UidSet::Of(Uid(uid)), how, {kSeen, {}}).ok();
  };
  const UserRef bob = old_.AddUser("bob");
  ASSERT_TRUE(grant(old_, "bob", "lrs"));
  ASSERT_TRUE(old_.Append(a_, "two").ok());
  ASSERT_TRUE(old_.Append(a_, "three").ok());
  const MailboxRef view = old_.Find(bob, "Other Users/ann/A").ref;
  ASSERT_TRUE(mark(old_, view, 1, FlagChange::kAdd));
  Part();
  // On the old node: one mark cleared, one set, one on a message that nobody else ever had.
  ASSERT_TRUE(mark(old_, view, 1, FlagChange::kRemove));
  ASSERT_TRUE(mark(old_, view, 2, FlagChange::kAdd));
  ASSERT_TRUE(old_.Append(a_, "of the old node").ok());
  ASSERT_TRUE(mark(old_, view, 4, FlagChange::kAdd));
  ASSERT_TRUE(grant(old_, "anyone", "l"));
  // Meanwhile on the new one: another mark, another message under the same number.
  ASSERT_TRUE(mark(now_, view, 3, FlagChange::kAdd));
  ASSERT_TRUE(now_.Append(a_, "of the new node").ok());
  const Modseq before = now_.State(view).highest_modseq;
  Return();
  EXPECT_EQ(now_.FlagsOf(view, 1), 0);
  EXPECT_EQ(now_.FlagsOf(view, 2), kSeen);
  EXPECT_EQ(now_.FlagsOf(view, 3), kSeen);
  EXPECT_EQ(now_.FlagsOf(view, 4), 0);
  EXPECT_EQ(now_.Octets(view, 4), "of the new node");
  EXPECT_EQ(now_.Octets(view, 5), "of the old node");
  EXPECT_GT(now_.State(view).highest_modseq, before);
  const auto acl = Await<std::vector<AclEntry>>(
      [&](Done<std::vector<AclEntry>> done) { now_.mail().GetAcl(a_, done); });
  ASSERT_EQ(acl->size(), 2u);
  EXPECT_EQ((*acl)[0].identifier, "anyone");
}

TEST_F(GiveBackMailboxes, R15ASpecialUseIsSetAgainUnlessItWasChangedMeanwhile) {
  const auto set = [&](StoreBox& box, MailboxId mailbox, SpecialUse use) {
    return Await<Unit>(
               [&](Done<Unit> done) { box.mail().SetSpecialUse(ann_.id, mailbox, use, {}, done); })
        .ok();
  };
  const MailboxId c = old_.Create(ann_, "C")->ref.id;
  Part();
  ASSERT_TRUE(set(old_, a_.id, kUseFlagged) && set(old_, b_.id, kUseFlagged));
  ASSERT_TRUE(set(old_, c, kUseAll) && old_.Rename(ann_, "C", "D").ok());
  ASSERT_TRUE(set(now_, b_.id, kUseAll));
  Return();
  EXPECT_EQ(now_.Find(ann_, "A").use, kUseFlagged);
  EXPECT_EQ(now_.Find(ann_, "B").use, kUseAll);
  EXPECT_EQ(now_.Find(ann_, "D").use, kUseAll);
  EXPECT_EQ(conflicts(), 1u);
}

TEST_F(GiveBackMailboxes, R15ARenameIsMadeAgain) {
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "A", "Top/A2").ok());
  ASSERT_TRUE(old_.Append(a_, "after the rename").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"B", "Top", "Top/A2"}));
  EXPECT_EQ(Now("Top/A2").id, a_.id);
  EXPECT_EQ(Mail("Top/A2"), (Lines{"1::of A", "2::after the rename"}));
}

TEST_F(GiveBackMailboxes, R15TheNewPrimarysNameStays) {
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "A", "Theirs").ok());
  ASSERT_TRUE(now_.Rename(ann_, "A", "Ours").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"B", "Ours"}));
  EXPECT_EQ(conflicts(), 1u);
}

TEST_F(GiveBackMailboxes, R15ATakenNameIsTakenWithItsDate) {
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "A", "New").ok());
  ASSERT_TRUE(now_.Create(ann_, "New").ok());
  Return(true);
  EXPECT_EQ(Names(now_), (Lines{"B", "New", RecoveredToday("New")}));
  EXPECT_EQ(Now(RecoveredToday("New")).id, a_.id);
}

TEST_F(GiveBackMailboxes, R15ARenameThatNobodyWasToldOfYieldsToTheNewName) {
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "A", "New").ok());
  ASSERT_TRUE(now_.Create(ann_, "New").ok());
  Return(false);
  EXPECT_EQ(Names(now_), (Lines{"A", "B", "New"}));
  EXPECT_EQ(Now("A").id, a_.id);
}

TEST_F(GiveBackMailboxes, R15TwoMailboxesThatSwappedTheirNames) {
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "A", "tmp").ok());
  ASSERT_TRUE(old_.Rename(ann_, "B", "A").ok());
  ASSERT_TRUE(old_.Rename(ann_, "tmp", "B").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"A", "B"}));
  EXPECT_EQ(Now("A").id, b_.id);
  EXPECT_EQ(Now("B").id, a_.id);
}

TEST_F(GiveBackMailboxes, R15ASubtreeMovesWithItsTop) {
  ASSERT_TRUE(old_.Create(ann_, "A/x/deep").ok());
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "A", "C").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"B", "C", "C/x", "C/x/deep"}));
}

TEST_F(GiveBackMailboxes, R15ARenamedInboxLeavesANewOne) {
  ASSERT_TRUE(old_.Append(inbox_, "old mail").ok());
  Part();
  ASSERT_TRUE(old_.Rename(ann_, "INBOX", "Before").ok());
  ASSERT_TRUE(old_.Deliver(ann_, "new mail").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"A", "B", "Before"}));
  EXPECT_EQ(Mail("Before"), Lines{"1::old mail"});
  EXPECT_EQ(Mail("INBOX"), Lines{"1::new mail"});
}

TEST_F(GiveBackMailboxes, R16ANewMailboxIsMadeAgainUnderAnotherIdentity) {
  Part();
  const auto theirs = old_.Create(ann_, "Both/New");
  ASSERT_TRUE(old_.Append(theirs->ref, "in it").ok());
  ASSERT_TRUE(old_.Create(ann_, "Empty").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"A", "B", "Both", "Both/New", "Empty"}));
  EXPECT_EQ(Mail("Both/New"), Lines{"1::in it"});
  EXPECT_NE(Now("Both/New").id, theirs->ref.id) << "its UIDs may mean other messages now";
}

TEST_F(GiveBackMailboxes, R16MessagesOfANameThatBothMadeComeTogether) {
  Part();
  const MailboxRef theirs = old_.Create(ann_, "Both")->ref;
  ASSERT_TRUE(old_.Append(theirs, "only there").ok());
  ASSERT_TRUE(old_.Append(theirs, "on both").ok());
  const MailboxRef ours = now_.Create(ann_, "Both")->ref;
  ASSERT_TRUE(now_.Append(ours, "on both").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"A", "B", "Both"}));
  EXPECT_EQ(Now("Both").id, ours.id);
  EXPECT_EQ(Mail("Both"), (Lines{"1::on both", "2::only there"}));
}

TEST_F(GiveBackMailboxes, R16AMailboxThatCameAndWentIsNoMore) {
  Part();
  const MailboxRef theirs = old_.Create(ann_, "Short")->ref;
  ASSERT_TRUE(old_.Append(theirs, "in it").ok());
  ASSERT_TRUE(old_.Delete(ann_, "Short").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"A", "B"}));
  EXPECT_TRUE(Mail("INBOX").empty());
}

TEST_F(GiveBackMailboxes, R17ADeletionAppliesWhereNothingHasHappened) {
  Part();
  ASSERT_TRUE(old_.Append(a_, "goes with it").ok());
  ASSERT_TRUE(old_.Delete(ann_, "A").ok());
  Return();
  EXPECT_EQ(Names(now_), Lines{"B"});
  EXPECT_TRUE(Mail("INBOX").empty());
}

TEST_F(GiveBackMailboxes, R17AMailboxThatGotMailMeanwhileStays) {
  Part();
  ASSERT_TRUE(old_.Delete(ann_, "A").ok());
  ASSERT_TRUE(now_.Append(a_, "new").ok());
  Return();
  EXPECT_EQ(Mail("A"), (Lines{"1::of A", "2::new"}));
  EXPECT_EQ(conflicts(), 1u);
}

TEST_F(GiveBackMailboxes, R17ADeletionHereBeatsFlagsAndNamesThere) {
  Part();
  FlagList seen;
  seen.system = kSeen;
  ASSERT_TRUE(old_.Flag(a_, UidSet::Of(1, 1), FlagChange::kAdd, seen).ok());
  ASSERT_TRUE(old_.Rename(ann_, "A", "C").ok());
  ASSERT_TRUE(old_.Append(a_, "appended").ok());
  ASSERT_TRUE(now_.Delete(ann_, "A").ok());
  Return();
  EXPECT_EQ(Names(now_), Lines{"B"});
  EXPECT_EQ(Mail("INBOX"), Lines{"1::appended"});
}

TEST_F(GiveBackMailboxes, R17AMailboxDeletedAndMadeAnewIsTheNewOne) {
  Part();
  ASSERT_TRUE(old_.Delete(ann_, "A").ok());
  const MailboxRef anew = old_.Create(ann_, "A")->ref;
  ASSERT_TRUE(old_.Append(anew, "second life").ok());
  Return();
  EXPECT_EQ(Names(now_), (Lines{"A", "B"}));
  EXPECT_NE(Now("A").id, a_.id);
  EXPECT_EQ(Mail("A"), Lines{"1::second life"});
}

TEST_F(GiveBackMailboxes, R18AUserIsMadeAgainWithHisMail) {
  Part();
  const UserRef bob = old_.AddUser("bob");
  ASSERT_TRUE(old_.Deliver(bob, "for bob").ok());
  const UidValidity theirs = old_.Inbox(bob).uid_validity;
  ASSERT_TRUE(old_.Create(bob, "Bob's").ok());
  Return();
  EXPECT_TRUE(Login("bob", "pass"));
  EXPECT_EQ(Mail(now_, now_.Inbox(bob).ref), Lines{"1::for bob"});
  EXPECT_EQ(now_.Find(bob, "Bob's").exists, 0u);
  EXPECT_GT(now_.Inbox(bob).uid_validity, theirs) << "clients know UIDs of the old one";
}

TEST_F(GiveBackMailboxes, R18ANameThatIsTakenStaysWithItsHolder) {
  Part();
  const UserRef theirs = old_.AddUser("bob");
  ASSERT_TRUE(old_.Deliver(theirs, "for the other bob").ok());
  const UserRef ours = now_.AddUser("bob");
  Return();
  EXPECT_TRUE(Mail(now_, now_.Inbox(ours).ref).empty());
  EXPECT_EQ(conflicts(), 1u);
}

TEST_F(GiveBackMailboxes, R18AnUntouchedUserIsDeletedAndAnotherStays) {
  ASSERT_TRUE(AddUser(old_, "idle").ok());
  const UserRef busy = old_.AddUser("busy");
  Part();
  ASSERT_TRUE(DeleteUser(old_, "idle").ok());
  ASSERT_TRUE(DeleteUser(old_, "busy").ok());
  ASSERT_TRUE(now_.Deliver(busy, "for busy").ok());
  Return();
  EXPECT_FALSE(Login("idle", "pass"));
  EXPECT_TRUE(Login("busy", "pass"));
  EXPECT_EQ(Mail(now_, now_.Inbox(busy).ref), Lines{"1::for busy"});
}

TEST_F(GiveBackMailboxes, R18ANewPasswordCountsUnlessThereIsANewerOne) {
  Part();
  ASSERT_TRUE(SetPassword(old_, "theirs").ok());
  Return();
  EXPECT_TRUE(Login("ann", "theirs"));
}

TEST_F(GiveBackMailboxes, R18ThePasswordOfTheNewPrimaryStays) {
  Part();
  ASSERT_TRUE(SetPassword(old_, "theirs").ok());
  ASSERT_TRUE(SetPassword(now_, "ours").ok());
  Return();
  EXPECT_TRUE(Login("ann", "ours"));
  EXPECT_FALSE(Login("ann", "theirs"));
}

TEST_F(GiveBackMailboxes, R19SubscriptionsAreTakenUnlessChangedMeanwhile) {
  ASSERT_TRUE(Subscribe(old_, "B", true).ok());
  Part();
  ASSERT_TRUE(Subscribe(old_, "A", true).ok());
  ASSERT_TRUE(Subscribe(old_, "B", false).ok());
  ASSERT_TRUE(Subscribe(old_, "Sent", false).ok());
  ASSERT_TRUE(Subscribe(now_, "Sent", false).ok());
  ASSERT_TRUE(Subscribe(now_, "Sent", true).ok());
  Return();
  EXPECT_TRUE(Subscribed("A"));
  EXPECT_FALSE(Subscribed("B"));
  EXPECT_TRUE(Subscribed("Sent"));
}

}  // namespace
}  // namespace twinspool::store
