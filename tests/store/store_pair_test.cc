// Two real stores joined by their ports: frames as the commit thread made them give an equal copy;
// and messages that only the former primary had are taken back once.
#include <gtest/gtest.h>

#include "proto/replication.pb.h"

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/page.h"
#include "server/store/row_view.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

struct RecordKeyParts {
  MailboxId mailbox;
  std::uint32_t uid;
};

class StorePair : public ::testing::Test {
 protected:
  StorePair() {
    // The other node was never primary.
    standby_.store().ports().visibility->SetServing({});
  }

  void StreamAll() { SendFrames(primary_, standby_, &sent_); }

  void ExpectEqualDigests() {
    const auto picture = primary_.store().ports().pictures->TakePicture();
    ASSERT_TRUE(picture.ok());
    const auto mine = picture.value()->Users().value();
    const auto theirs = standby_.store().ports().sink->Users().value();
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_EQ(mine[i].SerializeAsString(), theirs[i].SerializeAsString());
    }
  }

  Result<proto::GivenBack> GiveBack(const proto::GiveBack& message, const std::string& octets) {
    return Await<proto::GivenBack>([&](Done<proto::GivenBack> done) {
      primary_.store().ports().take_back->Take(message, octets, done);
    });
  }

  static proto::GiveBack Message(const MailboxRef& mailbox, const std::string& octets) {
    proto::GiveBack message;
    message.set_token("token of " + GuidOf(octets).ToHex());
    message.set_user_id(std::string(mailbox.owner.bytes()));
    message.set_mailbox_id(std::string(mailbox.id.bytes()));
    message.mutable_record()->set_guid(std::string(GuidOf(octets).bytes()));
    message.mutable_record()->set_size(octets.size());
    message.mutable_record()->set_internal_date_ns(1'600'000'000'000'000'000);
    message.mutable_entry()->set_flags(kFlagged);
    message.add_keywords("$Work");
    return message;
  }

  static BoxOptions On(Clock* clock) {
    BoxOptions options;
    options.clock = clock;
    return options;
  }

  ManualClock clock_;
  StoreBox primary_{On(&clock_)};
  StoreBox standby_{On(&clock_)};
  std::size_t sent_ = 0;
};

TEST_F(StorePair, FramesOfTheCommitThreadGiveAnEqualCopy) {
  const UserRef ann = primary_.AddUser("ann");
  const UserRef bob = primary_.AddUser("bob");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  const MailboxRef work = primary_.Create(ann, "Work/Now")->ref;
  for (int i = 0; i < 40; ++i) {
    FlagList flags;
    flags.keywords = {i % 2 == 0 ? "Red" : "green"};
    ASSERT_TRUE(primary_.Append(inbox, "message " + std::to_string(i), flags).ok());
  }
  ASSERT_TRUE(primary_.Append(inbox, std::string(900'000, 'L')).ok());
  StreamAll();
  ExpectEqualDigests();
  FlagList gone;
  gone.system = kDeleted;
  ASSERT_TRUE(primary_.Flag(inbox, UidSet::Of(3, 30), FlagChange::kAdd, gone).ok());
  ASSERT_TRUE(primary_.Copy(inbox, UidSet::Of(1, 10), work).ok());
  ASSERT_TRUE(primary_.Copy(inbox, UidSet::Of(1, 10), primary_.Inbox(bob).ref).ok());
  ASSERT_TRUE(primary_.Move(inbox, UidSet::Of(31, 35), work).ok());
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  ASSERT_TRUE(primary_.Rename(ann, "Work", "Play").ok());
  ASSERT_TRUE(primary_.Rename(ann, "INBOX", "Old").ok());
  ASSERT_TRUE(primary_.Delete(ann, "Trash").ok());
  ASSERT_TRUE(primary_.Deliver(bob, "delivered").ok());
  ASSERT_TRUE(primary_.store().RunJobsNow().ok());
  primary_.pair().WaitGroups(
      static_cast<std::size_t>(primary_.store().ports().log->last().seq.value()));
  StreamAll();
  ExpectEqualDigests();
  EXPECT_EQ(standby_.store().ports().sink->last(), primary_.store().ports().log->last());
}

// R20, R21: a purge is a change like others, so both nodes have one floor; a standby that has the
// same mail, as old, does nothing by itself.
TEST_F(StorePair, APurgeTravelsAndAStandbyPurgesNothingByItself) {
  constexpr std::int64_t kDayMs = 24ll * 3600 * 1000;
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  FlagList gone;
  gone.system = kDeleted;
  ASSERT_TRUE(primary_.Append(inbox, "one", gone).ok());
  ASSERT_TRUE(primary_.Append(inbox, "two").ok());
  const Modseq known = primary_.State(inbox).highest_modseq;
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  StreamAll();
  clock_.AdvanceMs(8 * kDayMs);
  const Result<JobReport> nothing = standby_.store().RunJobsNow();
  EXPECT_TRUE(!nothing.ok() || nothing->purged + nothing->collected == 0);
  ExpectEqualDigests();
  ASSERT_EQ(primary_.store().RunJobsNow()->purged, 1U);
  StreamAll();
  ExpectEqualDigests();
  const Modseq floor = primary_.State(inbox).purge_floor;
  EXPECT_GT(floor, known);
  standby_.BePrimary(3);
  EXPECT_EQ(standby_.State(inbox).purge_floor, floor);
  IndexQuery query;
  query.since = known;
  EXPECT_EQ(standby_.Index(inbox, query)->vanished.ToString(), "1");
}

/// Fields that nothing of this version writes: reserved ones, and one of a later version.
TEST_F(StorePair, ReservedAndUnknownFieldsSurviveEveryChangeOnBothNodes) {
  const std::string later("\xa2\x06\x05later", 8);  // field 100, octets
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  const MailboxRef work = primary_.Create(ann, "Work")->ref;
  ASSERT_TRUE(primary_.Append(inbox, "the body").ok());
  primary_.path().pipeline.Drain();
  {
    StoreTxn txn(primary_.path(), ann.id);
    proto::RecordHeader record;
    ASSERT_TRUE(record.ParseFromString(
        *primary_.path().engine.Get(Family::kRecords, RecordKey(inbox.id, Uid(1))).value()));
    record.set_thread_id("thread");
    record.set_sha1_guid("sha1");
    record.set_cid(77);
    proto::RecordItem* item = txn.Add(ann.id)->mutable_record();
    item->set_mailbox_id(std::string(work.id.bytes()));
    item->set_uid(1);
    item->set_record(record.SerializeAsString() + later);
    item->mutable_entry()->set_tail("tail of an entry");
    item->set_modseq(txn.NextModseq(ann.id)->value());
    proto::MailboxHeader header = (*txn.edit().Mailbox(ann.id, work.id))->header->decoded;
    header.set_options(5);
    header.set_quota_root("root");
    proto::MailboxItem* mailbox = txn.Add(ann.id)->mutable_mailbox();
    mailbox->set_mailbox_id(std::string(work.id.bytes()));
    mailbox->set_modseq(txn.NextModseq(ann.id)->value());
    mailbox->set_header(header.SerializeAsString() + later);
    ASSERT_TRUE(txn.Commit().ok());
  }
  primary_.path().pipeline.Drain();
  ASSERT_TRUE(primary_.Flag(work, UidSet::Of(1, 1), FlagChange::kAdd, {kSeen, {"New"}}).ok());
  ASSERT_TRUE(primary_.Rename(ann, "Work", "Play").ok());
  ASSERT_TRUE(primary_.Copy(work, UidSet::Of(1, 1), inbox).ok());
  primary_.path().pipeline.Drain();
  StreamAll();
  ExpectEqualDigests();

  StoreBox filled;  // by a catch-up from nothing
  filled.store().ports().visibility->SetServing({});
  const auto picture = *primary_.store().ports().pictures->TakePicture();
  ASSERT_TRUE(picture->StartSince(CommitSeq(0)).ok());
  while (const auto unit = picture->NextUnit(limits::kCatchUpUnitBytes).value()) {
    ASSERT_TRUE(filled.store().ports().sink->ApplyUnit(*unit).value());
  }
  for (StoreBox* node : {&primary_, &standby_, &filled}) {
    Engine& engine = node->path().engine;
    for (const RecordKeyParts& at : {RecordKeyParts{work.id, 1}, RecordKeyParts{inbox.id, 2}}) {
      const auto row = engine.Get(Family::kRecords, RecordKey(at.mailbox, Uid(at.uid))).value();
      proto::RecordHeader record;
      ASSERT_TRUE(row && record.ParseFromString(*row));
      EXPECT_EQ(record.thread_id(), "thread");
      EXPECT_EQ(record.sha1_guid(), "sha1");
      EXPECT_EQ(record.cid(), 77u);
      EXPECT_NE(row->find(later), std::string::npos);
    }
    const auto page = Page::Decode(*engine.Get(Family::kIndex, PageKey(work.id, 0)).value());
    EXPECT_EQ(page->Find(1)->tail, "tail of an entry");
    EXPECT_EQ(page->Find(1)->flags & kSeen, kSeen);
    const auto header = RowView(engine).MailboxHeader(ann.id, work.id).value();
    proto::MailboxHeader decoded;
    ASSERT_TRUE(decoded.ParseFromString(header->bytes));
    EXPECT_EQ(decoded.name(), "Play");
    EXPECT_EQ(decoded.options(), 5u);
    EXPECT_EQ(decoded.quota_root(), "root");
    EXPECT_NE(header->bytes.find(later), std::string::npos);
  }
}

TEST_F(StorePair, PromotedStandbyServesWhatItApplied) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  ASSERT_TRUE(primary_.Append(inbox, "one").ok());
  StreamAll();
  const MailboxState before = primary_.State(inbox);
  standby_.BePrimary(3);
  const MailboxState after = standby_.State(inbox);
  EXPECT_EQ(after.uid_validity, before.uid_validity);
  EXPECT_EQ(after.uid_next, before.uid_next);
  EXPECT_EQ(after.highest_modseq, before.highest_modseq);
  EXPECT_EQ(standby_.Octets(inbox, 1), "one");
  ASSERT_TRUE(standby_.Append(inbox, "two").ok());
  EXPECT_GT(standby_.State(inbox).highest_modseq, before.highest_modseq);
}

TEST_F(StorePair, APromotedStandbyGivesForgottenNamesOutAnew) {
  const UserRef ann = primary_.AddUser("ann");
  const UserRef bob = primary_.AddUser("bob");
  const MailboxState first = *primary_.Create(ann, "again");
  ASSERT_TRUE(primary_.Delete(ann, "again").ok());
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { primary_.store().users().Delete("bob", done); }).ok());
  JobOptions now{.purge_after_s = 0, .collect_after_s = 0, .abandon_after_s = 0};
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(RunJobs(primary_.path(), now).ok());
  }
  StreamAll();
  ExpectEqualDigests();
  EXPECT_FALSE(*RowView(standby_.path().engine).UserHeader(bob.id));
  EXPECT_FALSE(*RowView(standby_.path().engine).MailboxRowOf(first.ref.id));
  standby_.BePrimary(3);
  EXPECT_GT(standby_.Create(ann, "again")->uid_validity, first.uid_validity);
  const UserRef again = standby_.AddUser("bob");
  EXPECT_NE(again.id, bob.id);
  ASSERT_TRUE(standby_.Append(standby_.Inbox(again).ref, "mail").ok());
}

TEST_F(StorePair, ForgottenUsersAreNamedOnceThatIsAckedAndUntilTheyAreSettled) {
  const UserRef bob = primary_.AddUser("bob");
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { primary_.store().users().Delete("bob", done); }).ok());
  const JobOptions now{.purge_after_s = 0, .collect_after_s = 0, .abandon_after_s = 0};
  primary_.pair().HoldAcks();
  // He himself goes in the round after what he had, once that is durable.
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(RunJobs(primary_.path(), now).ok());
    primary_.path().pipeline.Drain();
  }
  ASSERT_FALSE(*RowView(primary_.path().engine).UserHeader(bob.id)) << "forgotten, not acked";
  replica::ForgottenUsers& mine = *primary_.store().ports().forgotten;
  EXPECT_TRUE(mine.Forgotten()->empty());
  primary_.pair().ReleaseAcks();
  StreamAll();
  for (StoreBox* node : {&primary_, &standby_}) {
    replica::ForgottenUsers& forgotten = *node->store().ports().forgotten;
    EXPECT_EQ(*forgotten.Forgotten(), std::vector<UserId>{bob.id});
    ASSERT_TRUE(forgotten.Settle(bob.id).ok());
  }
  EXPECT_TRUE(standby_.store().ports().forgotten->Forgotten()->empty());
}

TEST_F(StorePair, TakesAMessageBackOnce) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  const proto::GiveBack message = Message(inbox, "only the old primary had me");
  const auto first = GiveBack(message, "only the old primary had me");
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_TRUE(first->stored());
  EXPECT_EQ(first->outcome(), "stored");
  EXPECT_EQ(primary_.FlagsOf(inbox, first->uid()), kFlagged);
  EXPECT_EQ(primary_.Octets(inbox, first->uid()), "only the old primary had me");
  EXPECT_EQ(primary_.State(inbox).keywords->back(), "$Work");
  const auto again = GiveBack(message, "only the old primary had me");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(primary_.State(inbox).exists, 1u);
  StreamAll();
  ExpectEqualDigests();
}

TEST_F(StorePair, ARetryOfADeliveryThatWasGivenBackIsStoredOnce) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  proto::GiveBack message = Message(inbox, "mail");
  message.mutable_record()->set_origin(proto::ORIGIN_DELIVERY);
  const auto back = GiveBack(message, "mail");
  ASSERT_TRUE(back.ok() && back->stored());
  for (int retry = 0; retry < 2; ++retry) {
    const auto again = primary_.Deliver(ann, "mail");
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->uid, Uid(back->uid()));
  }
  EXPECT_EQ(primary_.State(inbox).exists, 1u);
  EXPECT_FALSE(primary_.Deliver(ann, "mail", "other@example.org")->duplicate)
      << "what was given back stands for one delivery";

  proto::GiveBack appended = Message(inbox, "a draft");
  appended.mutable_record()->set_origin(proto::ORIGIN_APPEND);
  ASSERT_TRUE(GiveBack(appended, "a draft")->stored());
  EXPECT_FALSE(primary_.Deliver(ann, "a draft")->duplicate) << "nobody had delivered it";
  StreamAll();
  ExpectEqualDigests();
}

TEST_F(StorePair, DropsWhatIsThereOrWasExpunged) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  FlagList gone;
  gone.system = kDeleted;
  ASSERT_TRUE(primary_.Append(inbox, "live").ok());
  ASSERT_TRUE(primary_.Append(inbox, "dead", gone).ok());
  ASSERT_TRUE(primary_.Expunge(inbox).ok());
  for (const char* octets : {"live", "dead"}) {
    const auto answer = GiveBack(Message(inbox, octets), octets);
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_FALSE(answer->stored());
    EXPECT_EQ(answer->outcome(), "already there");
  }
  EXPECT_EQ(primary_.State(inbox).exists, 1u);
}

// A MOVE that nobody was told of is undone on the old primary: the message is where it was, and
// giving the copy back would double it.
TEST_F(StorePair, CopyThatWasNeverAcknowledgedDoesNotDoubleTheMessage) {
  const UserRef ann = primary_.AddUser("ann");
  ASSERT_TRUE(primary_.Append(primary_.Inbox(ann).ref, "moved once").ok());
  const MailboxRef box = primary_.Create(ann, "Elsewhere")->ref;
  proto::GiveBack copy = Message(box, "moved once");
  copy.mutable_record()->set_origin(proto::ORIGIN_COPY);
  const auto dropped = GiveBack(copy, "moved once");
  ASSERT_TRUE(dropped.ok()) << dropped.status().ToString();
  EXPECT_FALSE(dropped->stored());
  EXPECT_EQ(primary_.State(box).exists, 0u);
  copy.set_token("another");
  copy.mutable_record()->set_origin(proto::ORIGIN_APPEND);
  EXPECT_TRUE(GiveBack(copy, "moved once")->stored())
      << "an APPEND of the same octets is a message";
}

TEST_F(StorePair, MessageOfADeletedMailboxGoesToInbox) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef box = primary_.Create(ann, "Gone")->ref;
  ASSERT_TRUE(primary_.Delete(ann, "Gone").ok());
  const auto answer = GiveBack(Message(box, "homeless"), "homeless");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->outcome(), "stored in INBOX");
  EXPECT_EQ(primary_.Octets(primary_.Inbox(ann).ref, answer->uid()), "homeless");
}

TEST_F(StorePair, LargeMessagesComeBackInChunks) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  const std::size_t groups = primary_.pair().groups();
  // More than one commit group may hold.
  std::string big(limits::kCommitGroupBytesMax + 5 * limits::kBodyChunkBytes + 123, 'B');
  const auto answer = GiveBack(Message(inbox, big), big);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_TRUE(answer->stored());
  EXPECT_GE(primary_.pair().groups(), groups + 2);
  EXPECT_EQ(primary_.Octets(inbox, answer->uid()), big);
  StreamAll();
  ExpectEqualDigests();
}

TEST_F(StorePair, RefusesWhatDoesNotFit) {
  const UserRef ann = primary_.AddUser("ann");
  const MailboxRef inbox = primary_.Inbox(ann).ref;
  EXPECT_EQ(GiveBack(Message(inbox, "right"), "wrong").code(), Code::kDataLoss);
  proto::GiveBack nameless = Message(inbox, "x");
  nameless.clear_token();
  EXPECT_EQ(GiveBack(nameless, "x").code(), Code::kInvalidArgument);
  proto::GiveBack stranger = Message(inbox, "x");
  stranger.set_user_id(std::string(16, 's'));
  const auto answer = GiveBack(stranger, "x");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->outcome(), "the user is gone");
}

}  // namespace
}  // namespace twinspool::store
