// The rules of a write, each by name: what a client may learn when, what is refused beforehand,
// what is cut and what stays whole, what costs no row.
#include <algorithm>

#include "common/digest.h"
#include "server/store/disk_policy.h"
#include "server/store/engine.h"
#include "server/store/page.h"
#include "server/store/visibility.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

FlagList Flags(SystemFlags system, std::vector<std::string> keywords = {}) {
  return {system, std::move(keywords)};
}

class WriteRules : public ::testing::Test {
 protected:
  void Start(BoxOptions options = {}) {
    box_ = std::make_unique<StoreBox>(std::move(options));
    user_ = box_->AddUser("anna");
    inbox_ = box_->Inbox(user_).ref;
  }
  std::future<Result<StoreResult>> BeginFlag(std::uint32_t uid, SystemFlags flags,
                                             std::optional<Modseq> since = {}) {
    return Begin<StoreResult>([&](Done<StoreResult> done) {
      box_->mail().StoreFlags(inbox_, {UidSet::Of(uid, uid), FlagChange::kAdd, {flags, {}}, since},
                              done);
    });
  }
  ManualClock clock_;  // of boxes that ask for it; derived rows are made until the box is closed
  std::unique_ptr<StoreBox> box_;
  UserRef user_;
  MailboxRef inbox_;
};

TEST_F(WriteRules, NothingIsVisibleOrAnsweredBeforeItIsAcked) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  box_->pair().HoldAcks();
  const std::size_t groups = box_->pair().groups();
  auto stored = BeginFlag(1, kSeen);
  box_->pair().WaitGroups(groups + 1);
  EXPECT_FALSE(Ready(stored));
  EXPECT_EQ(box_->FlagsOf(inbox_, 1), 0) << "durable here is not enough";
  box_->pair().ReleaseAcks();
  ASSERT_TRUE(stored.get().ok());
  EXPECT_EQ(box_->FlagsOf(inbox_, 1), kSeen);
}

TEST_F(WriteRules, RefusalsAndNoOpsWaitForWhatLedToThem) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  const Modseq before = box_->State(inbox_).highest_modseq;
  box_->pair().HoldAcks();
  const std::size_t groups = box_->pair().groups();
  auto change = BeginFlag(1, kSeen);
  auto create = Begin<MailboxState>(
      [&](Done<MailboxState> done) { box_->mail().CreateMailbox(user_.id, "x", 0, done); });
  box_->pair().WaitGroups(groups + 1);
  auto no_op = BeginFlag(1, kSeen);
  auto modified = BeginFlag(1, kFlagged, before);
  auto exists = Begin<MailboxState>(
      [&](Done<MailboxState> done) { box_->mail().CreateMailbox(user_.id, "x", 0, done); });
  while (box_->path().visibility.waiting() < 5) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(Ready(no_op) || Ready(modified) || Ready(exists) || Ready(change));
  box_->pair().ReleaseAcks();
  EXPECT_TRUE(no_op.get()->changed.empty());
  EXPECT_TRUE(modified.get()->modified.Contains(1));
  EXPECT_TRUE(create.get().ok());
  EXPECT_TRUE(exists.get().status().Is(Code::kAlreadyExists));
}

TEST_F(WriteRules, BlockedWritesAreRefusedBeforehandAndReadsGoOn) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  box_->Serve(Unavailable("the other node is away"));
  const std::size_t groups = box_->pair().groups();
  EXPECT_TRUE(box_->Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, Flags(kSeen))
                  .status()
                  .Is(Code::kUnavailable));
  EXPECT_TRUE(box_->mail().StageBody(user_.id, 3).status().Is(Code::kUnavailable));
  EXPECT_EQ(box_->FlagsOf(inbox_, 1), 0);
  EXPECT_EQ(box_->pair().groups(), groups);
  box_->Serve(OkStatus());
  EXPECT_TRUE(box_->Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, Flags(kSeen)).ok());
}

TEST_F(WriteRules, EnqueuedWritesEndUnknownAfterTheHoldNeverNegative) {
  BoxOptions options;
  options.clock = &clock_;
  Start(options);
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  box_->pair().HoldAcks();
  const std::size_t groups = box_->pair().groups();
  auto stored = BeginFlag(1, kSeen);
  box_->pair().WaitGroups(groups + 1);
  clock_.AdvanceMs(limits::kWriteHoldMs - 1000);
  box_->store().Tick();
  EXPECT_FALSE(Ready(stored));
  clock_.AdvanceMs(2000);
  box_->store().Tick();
  EXPECT_TRUE(stored.get().status().Is(Code::kOutcomeUnknown));
  box_->pair().ReleaseAcks();
  EXPECT_EQ(box_->FlagsOf(inbox_, 1), kSeen) << "it was kept after all";
}

TEST_F(WriteRules, LosingTheRoleCompletesEveryWaitingWriteAsUnknown) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  box_->pair().HoldAcks();
  const std::size_t groups = box_->pair().groups();
  auto stored = BeginFlag(1, kSeen);
  box_->pair().WaitGroups(groups + 1);
  replica::ServingState fenced;
  fenced.primary = false;
  box_->store().ports().visibility->SetServing(fenced);
  EXPECT_TRUE(stored.get().status().Is(Code::kOutcomeUnknown));
  EXPECT_TRUE(box_->Index(inbox_).status().Is(Code::kFenced));
  EXPECT_TRUE(box_->mail().Serving().Is(Code::kFenced));
  EXPECT_TRUE(BeginFlag(1, kSeen).get().status().Is(Code::kFenced));
}

TEST_F(WriteRules, AfterARestartNothingIsReadBeforeTheWholeLogIsAcked) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  box_->Reopen();
  replica::ServingState fenced;
  fenced.primary = false;
  replica::Visibility& visibility = *box_->store().ports().visibility;
  visibility.SetServing(fenced);
  replica::ServingState serving;
  serving.primary = serving.reads = serving.keep_outbox = true;
  serving.writes = OkStatus();
  serving.epoch = Epoch(2);
  serving.incarnation = Incarnation(9);
  visibility.SetServing(serving);
  const CommitSeq last = box_->store().ports().log->last().seq;
  ASSERT_GT(last.value(), 1u);
  EXPECT_TRUE(box_->Index(inbox_).status().Is(Code::kUnavailable));
  visibility.AdvanceTo(CommitSeq(last.value() - 1));
  EXPECT_TRUE(box_->Index(inbox_).status().Is(Code::kUnavailable)) << "one entry is missing";
  visibility.AdvanceTo(last);
  EXPECT_EQ(box_->Index(inbox_)->entries.size(), 1u);
}

TEST_F(WriteRules, ModseqsCarryTheEpochAndNeverStepBack) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  const Modseq before = box_->State(inbox_).highest_modseq;
  EXPECT_EQ(before.value() >> kModseqEpochShift, 2u);
  box_->BePrimary(4);
  ASSERT_TRUE(box_->Append(inbox_, "two").ok());
  EXPECT_EQ(box_->State(inbox_).highest_modseq.value() >> kModseqEpochShift, 4u);
}

TEST_F(WriteRules, ANoOpStoreChangesNothing) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one", Flags(kSeen, {"Work"})).ok());
  const MailboxState before = box_->State(inbox_);
  const std::size_t groups = box_->pair().groups();
  for (const FlagChange change : {FlagChange::kAdd, FlagChange::kReplace}) {
    const auto result = box_->Flag(inbox_, UidSet::Of(1, 1), change, Flags(kSeen, {"WORK"}));
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->changed.empty());
  }
  ASSERT_TRUE(box_->Flag(inbox_, UidSet::Of(1, 1), FlagChange::kRemove, Flags(kDraft, {"x"})).ok());
  EXPECT_EQ(box_->State(inbox_).highest_modseq, before.highest_modseq);
  EXPECT_EQ(box_->State(inbox_).keywords->size(), 1u);
  EXPECT_EQ(box_->pair().groups(), groups);
}

TEST_F(WriteRules, OneStoreHasOneModseqAndUnchangedSinceIsPerMessage) {
  Start();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(box_->Append(inbox_, "m" + std::to_string(i)).ok());
  }
  const Modseq before = box_->State(inbox_).highest_modseq;
  ASSERT_TRUE(box_->Flag(inbox_, UidSet::Of(2, 2), FlagChange::kAdd, Flags(kSeen)).ok());
  const auto result =
      box_->Flag(inbox_, UidSet::Of(1, 9), FlagChange::kAdd, Flags(kFlagged), before);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->modified.ToString(), "2");
  EXPECT_EQ(result->missing.ToString(), "4:9");
  ASSERT_EQ(result->changed.size(), 1u);
  EXPECT_EQ(result->changed[0].first.ToString(), "1,3");
  EXPECT_EQ(result->changed[0].second, box_->State(inbox_).highest_modseq);
}

TEST_F(WriteRules, EveryAppendedRecordHasItsOwnModseqAndABodyIsStoredOnce) {
  Start();
  std::vector<AppendMessage> messages(3);
  for (AppendMessage& message : messages) {
    message.body = box_->Stage(user_.id, "the same");
  }
  const auto result = Await<AppendResult>(
      [&](Done<AppendResult> done) { box_->mail().Append(inbox_, std::move(messages), done); });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->uids.ToString(), "1:3");
  FetchRequest request;
  request.uids = result->uids;
  request.parts = kFetchRecord;
  const auto batch =
      Await<FetchBatch>([&](Done<FetchBatch> done) { box_->mail().Fetch(inbox_, request, done); });
  ASSERT_EQ(batch->messages.size(), 3u);
  EXPECT_EQ(batch->messages[0].record.guid, GuidOf("the same"));
  EXPECT_EQ(batch->messages[0].record.body, batch->messages[2].record.body);
  EXPECT_EQ(batch->messages[0].record.body.value(), batch->messages[0].record.created.value());
  EXPECT_LT(batch->messages[0].record.created, batch->messages[1].record.created);
  const auto frames = box_->pair().frames();
  proto::Frame frame;
  ASSERT_TRUE(frame.ParseFromString(*frames.back()));
  int bodies = 0;
  for (const auto& item : frame.changes(0).items()) {
    bodies += item.has_body() ? 1 : 0;
  }
  EXPECT_EQ(bodies, 1);
}

TEST_F(WriteRules, CopySendsNoOctetsAndKeepsFlagsAndDates) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "hello", Flags(kSeen, {"work"})).ok());
  const MailboxRef sent = box_->Find(user_, "Sent").ref;
  const auto copied = box_->Copy(inbox_, UidSet::Of(1, 1), sent);
  ASSERT_TRUE(copied.ok());
  ASSERT_EQ(copied->pairs.size(), 1u);
  EXPECT_EQ(box_->Octets(sent, 1), "hello");
  EXPECT_EQ(box_->FlagsOf(sent, 1), kSeen);
  EXPECT_EQ(*box_->State(sent).keywords, std::vector<std::string>{"work"});
  EXPECT_EQ(box_->pair().frames().back()->find("hello"), std::string::npos);
}

TEST_F(WriteRules, CopyBetweenUsersIsAnOperation) {
  Start();
  const UserRef other = box_->AddUser("bob");
  const MailboxRef target = box_->Inbox(other).ref;
  const std::string large(700'000, 'x');
  ASSERT_TRUE(box_->Append(inbox_, large).ok());
  ASSERT_TRUE(box_->Copy(inbox_, UidSet::Of(1, 1), target).ok());
  EXPECT_EQ(box_->Octets(target, 1), large);
  EXPECT_LT(box_->pair().frames().back()->size(), 2000u);
  ASSERT_TRUE(box_->Copy(inbox_, UidSet::Of(1, 1), target).ok());
  EXPECT_EQ(box_->Octets(target, 2), large);
}

TEST_F(WriteRules, MoveIsOneCommitSoAMessageIsInExactlyOneMailbox) {
  Start();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(box_->Append(inbox_, "m" + std::to_string(i)).ok());
  }
  const MailboxRef trash = box_->Find(user_, "Trash").ref;
  const std::size_t groups = box_->pair().groups();
  const auto moved = box_->Move(inbox_, UidSet::Of(5, 14), trash);
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(moved->pairs.size(), 10u);
  EXPECT_EQ(box_->pair().groups(), groups + 1);
  EXPECT_EQ(box_->State(inbox_).exists, 10u);
  EXPECT_EQ(box_->State(trash).exists, 10u);
  ASSERT_TRUE(box_->Move(inbox_, UidSet::Of(1, UINT32_MAX), inbox_).ok());
  EXPECT_EQ(box_->State(inbox_).exists, 10u) << "a move onto itself ends";
}

TEST_F(WriteRules, LargeBodiesAreStagedAheadInTheirOwnGroups) {
  Start();
  std::string large;
  for (int i = 0; large.size() < 1'500'000; ++i) {
    large += std::to_string(i) + " lines of mail\r\n";
  }
  const std::size_t groups = box_->pair().groups();
  ASSERT_TRUE(box_->Append(inbox_, large).ok());
  EXPECT_GE(box_->pair().groups(), groups + 5);
  EXPECT_EQ(box_->Octets(inbox_, 1), large);
  const auto frames = box_->pair().frames();
  for (const auto& frame : frames) {
    EXPECT_LT(frame->size(), 400'000u) << "no group delays the others";
  }
  const auto middle = Await<std::string>([&](Done<std::string> done) {
    FetchRequest request;
    request.uids = UidSet::Of(1, 1);
    request.parts = kFetchRecord;
    const auto batch =
        Await<FetchBatch>([&](Done<FetchBatch> end) { box_->mail().Fetch(inbox_, request, end); });
    box_->mail().ReadBody(user_.id, batch->messages.at(0).record.body, 262'000, 300'000, done);
  });
  EXPECT_EQ(*middle, large.substr(262'000, 300'000));
}

TEST_F(WriteRules, ARetriedDeliveryIsAnsweredWithoutStoringTwice) {
  BoxOptions options;
  options.clock = &clock_;
  Start(options);
  const auto first = box_->Deliver(user_, "mail");
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->duplicate);
  box_->Reopen();
  const auto again = box_->Deliver(user_, "mail");
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->uid, first->uid);
  EXPECT_FALSE(box_->Deliver(user_, "mail", "other@example.org")->duplicate);
  EXPECT_EQ(box_->State(inbox_).exists, 2u);
  clock_.AdvanceMs((limits::kDeliveryMemorySeconds + 10) * 1000);
  EXPECT_FALSE(box_->Deliver(user_, "mail")->duplicate) << "remembered for a day";
}

TEST_F(WriteRules, AFullDiskRefusesBodiesFirstAndThenEverything) {
  for (const bool peer : {false, true}) {
    BoxOptions options;
    options.clock = &clock_;
    options.store.disk = {1'000'000'000, 100'000'000, 0};
    Start(options);
    const auto free_bytes = [&](std::uint64_t bytes) {
      if (peer) {
        box_->store().ports().visibility->SetPeerFreeBytes(bytes);
      } else {
        box_->path().disk.OverrideFreeBytes([bytes] { return bytes; });
      }
    };
    ASSERT_TRUE(box_->Append(inbox_, "one").ok());
    free_bytes(500'000'000);
    EXPECT_TRUE(box_->mail().StageBody(user_.id, 10).status().Is(Code::kOverQuota));
    EXPECT_TRUE(box_->Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, Flags(kDeleted)).ok());
    EXPECT_TRUE(box_->Expunge(inbox_).ok());
    free_bytes(50'000'000);
    EXPECT_TRUE(box_->Create(user_, "x").status().Is(Code::kOverQuota));
    EXPECT_TRUE(box_->store().RunJobsNow().ok()) << "what gives room back goes on";
    EXPECT_TRUE(box_->path().disk.Admit(Admission::kFree).ok());
    free_bytes(limits::kDiskLastBytes - 1);
    EXPECT_TRUE(box_->path().disk.Admit(Admission::kFree).Is(Code::kOverQuota))
        << "but for the last";
    free_bytes(5'000'000'000);
    EXPECT_TRUE(box_->Append(inbox_, "two").ok());
  }
}

TEST_F(WriteRules, AppendsStopAtTheJumpFromWhatThePeerKnows) {
  BoxOptions options;
  options.limit_uid_distance = true;
  Start(options);
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  box_->pair().peer_has = false;
  {
    StoreTxn txn(box_->path(), user_.id);
    EXPECT_TRUE(txn.CheckUidDistance(user_.id, inbox_.id, limits::kUidJump).ok());
    EXPECT_TRUE(txn.CheckUidDistance(user_.id, inbox_.id, limits::kUidJump + 1).Is(Code::kLimit));
  }
  ASSERT_TRUE(box_->Append(inbox_, "two").ok());
  {
    StoreTxn txn(box_->path(), user_.id);
    EXPECT_TRUE(txn.CheckUidDistance(user_.id, inbox_.id, limits::kUidJump).Is(Code::kLimit));
    EXPECT_TRUE(txn.CheckUidDistance(user_.id, inbox_.id, limits::kUidJump - 1).ok());
  }
  box_->store().ports().visibility->PeerHas(box_->store().ports().log->last().seq);
  StoreTxn txn(box_->path(), user_.id);
  EXPECT_TRUE(txn.CheckUidDistance(user_.id, inbox_.id, limits::kUidJump).ok());
}

TEST_F(WriteRules, AHotPageIsWrittenWholeEvery32ndOperand) {
  Start();
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(box_->Flag(inbox_, UidSet::Of(1, 1),
                           i % 2 == 0 ? FlagChange::kAdd : FlagChange::kRemove, Flags(kSeen))
                    .ok());
    const auto row = box_->path().engine.Get(Family::kIndex, PageKey(inbox_.id, 0));
    ASSERT_TRUE(row.ok() && row->has_value());
    const auto header = ReadPageHeader(**row);
    ASSERT_TRUE(header.ok());
    EXPECT_LT(header->changed, static_cast<std::uint32_t>(limits::kPageOperandsMax));
  }
}

TEST_F(WriteRules, LongStoresAreCutAndReportEachPartsModseq) {
  Start();
  std::vector<AppendMessage> messages(100);
  for (AppendMessage& message : messages) {
    message.body = box_->Stage(user_.id, "same");
  }
  ASSERT_TRUE(Await<AppendResult>([&](Done<AppendResult> done) {
                box_->mail().Append(inbox_, std::move(messages), done);
              }).ok());
  while (box_->State(inbox_).exists <= limits::kMessagesPerWrite) {
    ASSERT_TRUE(box_->Copy(inbox_, UidSet::Of(1, 8000), inbox_).ok());
  }
  const std::uint32_t exists = box_->State(inbox_).exists;
  const auto result =
      box_->Flag(inbox_, UidSet::Of(1, UINT32_MAX), FlagChange::kAdd, Flags(kDeleted));
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->changed.size(), 2u);
  EXPECT_EQ(result->changed[0].first.Count(), limits::kMessagesPerWrite);
  EXPECT_LT(result->changed[0].second, result->changed[1].second);
  EXPECT_EQ(box_->State(inbox_).deleted, exists);
  const auto expunged = box_->Expunge(inbox_);
  EXPECT_EQ(expunged->expunged.Count(), exists);
  EXPECT_EQ(box_->State(inbox_).exists, 0u);
}

TEST_F(WriteRules, SingleModeNumbersCommitsWithoutEntriesOrFrames) {
  BoxOptions options;
  options.keep_outbox = false;
  Start(options);
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  EXPECT_GT(box_->store().ports().log->last().seq.value(), 0u);
  EXPECT_EQ(box_->store().ports().log->entries(), 0u);
  EXPECT_EQ(box_->pair().frames().back(), nullptr);
  box_->Reopen();
  EXPECT_EQ(box_->Octets(inbox_, 1), "one");
}

TEST_F(WriteRules, PurgeRaisesTheFloorAndCollectionFreesTheBody) {
  BoxOptions options;
  options.clock = &clock_;
  Start(options);
  ASSERT_TRUE(box_->Append(inbox_, "one", Flags(kDeleted)).ok());
  ASSERT_TRUE(box_->Append(inbox_, "two").ok());
  const Modseq old = box_->State(inbox_).highest_modseq;
  ASSERT_TRUE(box_->Expunge(inbox_).ok());
  EXPECT_EQ(box_->Octets(inbox_, 1), "one") << "expunged mail is still served";
  clock_.AdvanceMs(8ll * 24 * 3600 * 1000);
  EXPECT_EQ(box_->store().RunJobsNow()->purged, 1u);
  IndexQuery query;
  query.since = old;
  EXPECT_EQ(box_->Index(inbox_, query)->vanished.ToString(), "1");
  EXPECT_GT(box_->State(inbox_).purge_floor, old);
  clock_.AdvanceMs(2ll * 3600 * 1000);
  EXPECT_EQ(box_->store().RunJobsNow()->collected, 1u);
  const auto row = box_->path().engine.Get(Family::kGuids, GuidKey(user_.id, GuidOf("one")));
  EXPECT_FALSE(row->has_value());
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  EXPECT_EQ(box_->Octets(inbox_, 3), "one") << "the same mail may come again";
  EXPECT_EQ(box_->Octets(inbox_, 2), "two");
}

TEST_F(WriteRules, SummariesAreBuiltOnceAndFollowTheBody) {
  std::atomic<int> built{0};
  BoxOptions options;
  options.summarizer.make = [&built](std::string_view octets) {
    ++built;
    return "<" + std::string(octets) + ">";
  };
  options.store.mail.summarize_on_arrival = false;
  Start(options);
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  const MailboxRef sent = box_->Find(user_, "Sent").ref;
  ASSERT_TRUE(box_->Copy(inbox_, UidSet::Of(1, 1), sent).ok());
  FetchRequest request;
  request.uids = UidSet::Of(1, 1);
  request.parts = kFetchSummary;
  for (const MailboxRef mailbox : {inbox_, sent, inbox_}) {
    const auto batch = Await<FetchBatch>(
        [&](Done<FetchBatch> done) { box_->mail().Fetch(mailbox, request, done); });
    EXPECT_EQ(batch->messages.at(0).summary, "<one>");
  }
  EXPECT_EQ(built, 1);
}

TEST_F(WriteRules, SummariesOfAnOlderVersionAreBuiltAnewAndKept) {
  std::string version = "1";
  BoxOptions options;
  int built = 0;
  options.summarizer.make = [&](std::string_view) {
    ++built;
    return version;
  };
  options.summarizer.usable = [&](std::string_view summary) { return summary == version; };
  options.store.mail.summarize_on_arrival = false;
  Start(options);
  ASSERT_TRUE(box_->Append(inbox_, "one").ok());
  FetchRequest request;
  request.uids = UidSet::Of(1, 1);
  request.parts = kFetchSummary;
  for (const char* present : {"1", "2", "2"}) {
    version = present;
    const auto batch = Await<FetchBatch>(
        [&](Done<FetchBatch> done) { box_->mail().Fetch(inbox_, request, done); });
    EXPECT_EQ(batch->messages.at(0).summary, present);
  }
  EXPECT_EQ(built, 2);
}

}  // namespace
}  // namespace twinspool::store
