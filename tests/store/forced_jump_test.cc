// Forced promotions: what they do to UIDs, to UIDVALIDITY and to the answers for clients that knew
// what is lost; and what of a former primary is saved before it is replaced.
#include <map>
#include <random>
#include <string>

#include "proto/replication.pb.h"

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/gaps.h"
#include "server/store/recount.h"
#include "tests/store/store_fixture.h"
#include "tests/support/unsynced_fs.h"

namespace twinspool::store {
namespace {

constexpr std::uint32_t kForced = 66;

BoxOptions InAPair() {
  BoxOptions options;
  options.limit_uid_distance = true;
  return options;
}

Modseq InEpoch(std::uint64_t epoch, std::uint64_t n) {
  return Modseq(epoch << kModseqEpochShift | n);
}

std::map<std::uint32_t, IndexEntry> Live(StoreBox& box, MailboxRef mailbox) {
  std::map<std::uint32_t, IndexEntry> live;
  const auto index = box.Index(mailbox);
  EXPECT_TRUE(index.ok()) << index.status().ToString();
  for (const IndexEntry& entry : index->entries) {
    live[entry.uid.value()] = entry;
  }
  return live;
}

IndexBatch Since(StoreBox& box, MailboxRef mailbox, Modseq since,
                 std::optional<UidSet> uids = std::nullopt) {
  IndexQuery query;
  query.since = since;
  query.uids = std::move(uids);
  const auto batch = box.Index(mailbox, query);
  EXPECT_TRUE(batch.ok()) << batch.status().ToString();
  return *batch;
}

std::int64_t DateOf(StoreBox& box, MailboxRef mailbox, std::uint32_t uid) {
  FetchRequest request;
  request.uids = UidSet::Of(uid, uid);
  request.parts = kFetchRecord;
  const auto batch =
      Await<FetchBatch>([&](Done<FetchBatch> done) { box.mail().Fetch(mailbox, request, done); });
  EXPECT_EQ(batch->messages.size(), 1u);
  return batch->messages.at(0).record.save_date;
}

class ForcedJump : public ::testing::Test {
 protected:
  ForcedJump() : box_(InAPair()) {
    ann_ = box_.AddUser("ann");
    inbox_ = box_.Inbox(ann_).ref;
    for (int i = 1; i <= 5; ++i) {
      EXPECT_TRUE(box_.Append(inbox_, "message " + std::to_string(i)).ok());
    }
  }

  StoreBox box_;
  UserRef ann_;
  MailboxRef inbox_;
};

TEST_F(ForcedJump, EveryMailboxSkipsTheDistanceAndKeepsItsUidValidity) {
  const MailboxState inbox = box_.State(inbox_);
  const MailboxState trash = box_.Find(ann_, "Trash");
  ASSERT_TRUE(box_.Create(ann_, "Gone").ok());
  ASSERT_TRUE(box_.Delete(ann_, "Gone").ok());
  const MailboxState last = *box_.Create(ann_, "Last");
  ASSERT_TRUE(box_.Force(kForced, false).ok());
  for (const MailboxState& before : {inbox, trash, last}) {
    const MailboxState after = box_.State(before.ref);
    EXPECT_EQ(after.uid_next.value(), before.uid_next.value() + limits::kUidJump);
    EXPECT_EQ(after.uid_validity, before.uid_validity);
    EXPECT_GT(after.highest_modseq, InEpoch(kForced, 0));
    EXPECT_EQ(after.exists, before.exists);
  }
  EXPECT_EQ(box_.Create(ann_, "New")->uid_validity.value(), last.uid_validity.value() + 1001);
  EXPECT_EQ(box_.Append(inbox_, "after")->uids.Min(), inbox.uid_next.value() + limits::kUidJump);
  EXPECT_EQ(Live(box_, inbox_).size(), 6u);
}

TEST_F(ForcedJump, AppendsGoOnAlthoughThePeerIsAway) {
  ASSERT_TRUE(box_.Force(kForced, false).ok());
  box_.pair().peer_has = false;
  EXPECT_TRUE(box_.Append(inbox_, "one").ok());
  EXPECT_TRUE(box_.Append(inbox_, "two").ok());
  StoreTxn txn(box_.path(), ann_.id);
  EXPECT_TRUE(txn.CheckUidDistance(ann_.id, inbox_.id, limits::kUidJump - 2).ok());
  EXPECT_TRUE(txn.CheckUidDistance(ann_.id, inbox_.id, limits::kUidJump + 1).Is(Code::kLimit));
}

TEST_F(ForcedJump, RepeatingChangesNothingAndALaterOneJumpsAgain) {
  ASSERT_TRUE(box_.Force(kForced, true).ok());
  const MailboxState once = box_.State(inbox_);
  const CommitSeq end = box_.store().ports().log->last().seq;
  box_.Reopen();
  ASSERT_TRUE(box_.Force(kForced, true).ok());
  EXPECT_EQ(box_.State(inbox_).uid_next, once.uid_next);
  EXPECT_EQ(box_.store().ports().log->last().seq, end) << "nothing was left to write";
  ASSERT_TRUE(box_.Force(kForced + 64, false).ok());
  EXPECT_EQ(box_.State(inbox_).uid_next.value(), once.uid_next.value() + limits::kUidJump);
}

TEST_F(ForcedJump, NobodyElseWritesUntilThePairServes) {
  replica::StorePorts ports = box_.store().ports();
  ports.visibility->SetServing({});
  ASSERT_TRUE(ports.uid_jump->JumpUids(Epoch(kForced), Incarnation(9), false).ok());
  {
    StoreTxn txn(box_.path(), ann_.id);
    EXPECT_TRUE(txn.Admit(Admission::kSmall).Is(Code::kUnavailable));
  }
  const auto refused = Await<MailboxState>(
      [&](Done<MailboxState> done) { box_.mail().CreateMailbox(ann_.id, "Refused", 0, done); });
  EXPECT_TRUE(refused.status().Is(Code::kUnavailable)) << refused.status().ToString();
}

TEST_F(ForcedJump, OnlyAPrimaryJumps) {
  box_.store().ports().visibility->SetServing({});
  StoreTxn txn(box_.path(), ann_.id);
  EXPECT_TRUE(txn.AdmitBeforeServing().Is(Code::kFenced));
}

// R5: the client saw changes that are lost; no difference can be told from what it knows.
TEST_F(ForcedJump, AClientFromTheLostTimeIsToldEverything) {
  FlagList gone;
  gone.system = kDeleted;
  ASSERT_TRUE(box_.Flag(inbox_, UidSet::Of(2, 2), FlagChange::kAdd, gone).ok());
  ASSERT_TRUE(box_.Expunge(inbox_).ok());
  const Modseq before = box_.State(inbox_).highest_modseq;
  ASSERT_TRUE(box_.Force(kForced, false).ok());
  const std::uint32_t next = box_.State(inbox_).uid_next.value();
  UidSet absent = UidSet::Of(6, next - 1);
  absent.Add(2);
  for (const Modseq lost : {Modseq(before.value() + 1), InEpoch(4, 7), InEpoch(kForced - 1, 9)}) {
    const IndexBatch all = Since(box_, inbox_, lost);
    EXPECT_EQ(all.entries.size(), 4u) << "all flags";
    EXPECT_EQ(all.vanished, absent) << all.vanished.ToString();
    const IndexBatch some = Since(box_, inbox_, lost, UidSet::Of(1, 9));
    EXPECT_EQ(some.entries.size(), 4u);
    EXPECT_EQ(some.vanished.ToString(), "2,6:9") << "within what the client knows";
  }
}

// R5 and R6: what was seen before the fork is told apart as ever; the skipped range counts as
// expunged at the first modseq of the new epoch.
TEST_F(ForcedJump, AClientFromBeforeOrAfterGetsTheDifference) {
  const Modseq early = box_.State(inbox_).highest_modseq;
  FlagList seen;
  seen.system = kSeen;
  ASSERT_TRUE(box_.Flag(inbox_, UidSet::Of(3, 3), FlagChange::kAdd, seen).ok());
  const Modseq fork = box_.State(inbox_).highest_modseq;
  ASSERT_TRUE(box_.Force(kForced, false).ok());
  const MailboxState state = box_.State(inbox_);
  const UidSet gap = UidSet::Of(6, state.uid_next.value() - 1);
  const IndexBatch from_early = Since(box_, inbox_, early);
  ASSERT_EQ(from_early.entries.size(), 1u);
  EXPECT_EQ(from_early.entries[0].uid, Uid(3));
  EXPECT_EQ(from_early.vanished, gap);
  const IndexBatch from_fork = Since(box_, inbox_, fork);
  EXPECT_TRUE(from_fork.entries.empty());
  EXPECT_EQ(from_fork.vanished, gap);
  EXPECT_EQ(Since(box_, inbox_, fork, UidSet::Of(1, 7)).vanished.ToString(), "6:7");
  const IndexBatch now = Since(box_, inbox_, state.highest_modseq);
  EXPECT_TRUE(now.entries.empty());
  EXPECT_TRUE(now.vanished.empty());
  EXPECT_TRUE(Since(box_, inbox_, Modseq()).vanished.empty()) << "a client that knows nothing";
}

TEST_F(ForcedJump, PagesOfOneAnswerTellEachVanishedUidOnce) {
  const Modseq fork = box_.State(inbox_).highest_modseq;
  ASSERT_TRUE(box_.Force(kForced, false).ok());
  ASSERT_TRUE(box_.Append(inbox_, "after").ok());
  for (const Modseq since : {Modseq(1), fork, Modseq(fork.value() + 1)}) {
    IndexQuery query;
    query.since = since;
    query.limit = 1;
    UidSet vanished;
    std::uint64_t told = 0;
    for (std::optional<Uid> from = Uid(1); from;) {
      query.from = *from;
      const auto batch = box_.Index(inbox_, query);
      ASSERT_TRUE(batch.ok());
      told += batch->vanished.Count();
      vanished.Add(batch->vanished);
      from = batch->next;
    }
    EXPECT_EQ(vanished.Count(), limits::kUidJump);
    EXPECT_EQ(told, limits::kUidJump);
  }
}

TEST_F(ForcedJump, UnchangedSinceFromTheLostTimeFails) {
  const Modseq fork = box_.State(inbox_).highest_modseq;
  ASSERT_TRUE(box_.Force(kForced, false).ok());
  FlagList seen;
  seen.system = kSeen;
  const auto lost =
      box_.Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, seen, Modseq(fork.value() + 1));
  EXPECT_EQ(lost->modified.ToString(), "1");
  const auto known = box_.Flag(inbox_, UidSet::Of(1, 1), FlagChange::kAdd, seen, fork);
  EXPECT_TRUE(known->modified.empty()) << "what was seen before the fork still proves something";
  EXPECT_EQ(known->changed.size(), 1u);
}

TEST_F(ForcedJump, OwnMessagesThatThePeerMayLackMoveAboveTheGap) {
  box_.pair().peer_has = false;
  FlagList flags;
  flags.system = kFlagged;
  flags.keywords = {"$Work"};
  ASSERT_TRUE(box_.Append(inbox_, "own 1", flags).ok());
  ASSERT_TRUE(box_.Append(inbox_, "own 2", flags).ok());
  ASSERT_TRUE(box_.Flag(inbox_, UidSet::Of(6, 6), FlagChange::kAdd, {kDeleted, {}}).ok());
  const std::int64_t date = DateOf(box_, inbox_, 7);
  const MailboxState before = box_.State(inbox_);
  box_.Reopen();  // a former primary that starts again knows only what it wrote down
  ASSERT_TRUE(box_.Force(kForced, true).ok());
  const auto live = Live(box_, inbox_);
  const std::uint32_t floor = before.uid_next.value() + limits::kUidJump;
  ASSERT_EQ(live.size(), 7u);
  std::map<std::string, std::uint32_t> uid_of;
  for (const auto& [uid, entry] : live) {
    uid_of[box_.Octets(inbox_, uid)] = uid;
  }
  EXPECT_LE(uid_of["message 4"], 5u) << "the peer surely has it";
  EXPECT_GE(uid_of["own 1"], floor);
  EXPECT_GT(uid_of["own 2"], uid_of["own 1"]) << "order is kept";
  EXPECT_EQ(live.at(uid_of["own 1"]).flags, kFlagged | kDeleted);
  EXPECT_TRUE(live.at(uid_of["own 2"]).keywords.Test(0));
  EXPECT_EQ(DateOf(box_, inbox_, uid_of["own 2"]), date);
  EXPECT_EQ(box_.State(inbox_).exists, before.exists);
  const UidSet vanished = Since(box_, inbox_, before.highest_modseq).vanished;
  EXPECT_TRUE(vanished.Contains(6) && vanished.Contains(7)) << vanished.ToString();
  EXPECT_TRUE(vanished.Contains(floor - 1)) << vanished.ToString();
  EXPECT_FALSE(vanished.Contains(uid_of["own 2"])) << vanished.ToString();
}

TEST_F(ForcedJump, TheStandbyDerivesTheSame) {
  box_.pair().peer_has = false;
  ASSERT_TRUE(box_.Append(inbox_, "own").ok());
  ASSERT_TRUE(box_.Force(kForced, true).ok());
  const MailboxState here = box_.State(inbox_);
  const std::uint32_t validity = box_.Create(ann_, "New")->uid_validity.value();
  StoreBox other(InAPair());
  other.store().ports().visibility->SetServing({});
  std::vector<proto::Frame> frames;
  for (const auto& octets : box_.pair().frames()) {
    ASSERT_TRUE(frames.emplace_back().ParseFromString(*octets));
  }
  const auto outcome = other.store().ports().sink->Apply(frames);
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  ASSERT_FALSE(outcome->mismatch) << outcome->mismatch->reason;
  other.BePrimary(kForced + 1);
  EXPECT_EQ(other.State(inbox_).uid_next, here.uid_next);
  EXPECT_EQ(other.State(inbox_).highest_modseq, here.highest_modseq);
  EXPECT_EQ(Live(other, inbox_).size(), Live(box_, inbox_).size());
  EXPECT_EQ(other.Create(ann_, "Next")->uid_validity.value(), validity + 1);
}

TEST(Gaps, OldOnesJoinTheNextAndNothingOverflows) {
  proto::MailboxHeader header;
  std::uint32_t next = 1;
  for (std::uint64_t epoch = 2; epoch < 200; epoch += 2) {
    SkipUids(&header, next, InEpoch(epoch - 1, 5), InEpoch(epoch, 1));
    EXPECT_EQ(header.uid_floor(), next + limits::kUidJump);
    next = header.uid_floor();
  }
  EXPECT_EQ(header.uid_gaps_size(), limits::kUidGapsMax);
  EXPECT_TRUE(InLostTime(header, InEpoch(1, 6)));
  EXPECT_FALSE(InLostTime(header, InEpoch(1, 5)));
  EXPECT_FALSE(InLostTime(header, InEpoch(198, 1)));
  EXPECT_FALSE(InLostTime(header, Modseq()));
  proto::MailboxHeader full;
  SkipUids(&full, UINT32_MAX, InEpoch(1, 1), InEpoch(2, 1));
  EXPECT_EQ(full.uid_floor(), UINT32_MAX);
  EXPECT_TRUE(SkippedSince(full, InEpoch(1, 1)).empty());
  SkipUids(&header, UINT32_MAX - 3, InEpoch(300, 1), InEpoch(301, 1));
  EXPECT_EQ(SkippedSince(header, InEpoch(300, 1)).Count(), 3u);
}

// --- what is saved before a user is replaced

TEST_F(ForcedJump, MessagesThatThePeerMayLackAreReadBeforeTheirUserGoes) {
  box_.pair().peer_has = false;
  const MailboxRef work = box_.Create(ann_, "Work")->ref;
  FlagList flags;
  flags.system = kFlagged;
  flags.keywords = {"$Work"};
  ASSERT_TRUE(box_.Append(inbox_, "own 1", flags).ok());
  ASSERT_TRUE(box_.Append(inbox_, "expunged", {kDeleted, {}}).ok());
  ASSERT_TRUE(box_.Expunge(inbox_).ok());
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(box_.Append(work, "work " + std::to_string(i)).ok());
  }
  replica::ChangeSink& sink = *box_.store().ports().sink;
  box_.store().ports().visibility->SetServing({});
  std::map<std::string, replica::SalvageRecord> found;
  MailboxId mailbox;
  Uid uid;
  int reads = 0;
  for (;; ++reads) {
    const auto records = sink.ReadDoomed(ann_.id, mailbox, uid);
    ASSERT_TRUE(records.ok()) << records.status().ToString();
    ASSERT_LE(records->size(), limits::kDoomedPerRead);
    if (records->empty()) {
      break;
    }
    for (const replica::SalvageRecord& record : *records) {
      const auto octets = sink.ReadSalvageBody(record.user, BodyNo(record.record.body_no()), 0,
                                               record.record.size());
      ASSERT_TRUE(octets.ok());
      EXPECT_TRUE(found.emplace(*octets, record).second) << *octets << " came twice";
      EXPECT_EQ(record.kind, "append");
      EXPECT_TRUE(record.has_body);
    }
    mailbox = records->back().mailbox;
    uid = records->back().uid;
  }
  EXPECT_GE(reads, 2);
  EXPECT_TRUE(found.contains("work 0") && found.contains("work 299") && found.contains("own 1"));
  EXPECT_FALSE(found.contains("expunged"));
  EXPECT_FALSE(found.contains("message 4")) << "the peer surely has it";
  EXPECT_EQ(found["own 1"].mailbox_name, "INBOX");
  EXPECT_EQ(found["own 1"].user_name, "ann");
  EXPECT_EQ(found["own 1"].entry_state.flags(), kFlagged);
  EXPECT_EQ(found["own 1"].keywords, std::vector<std::string>{"$Work"});
}

TEST_F(ForcedJump, OfWhatCameFromThePeerNothingIsDoomed) {
  StoreBox other(InAPair());
  other.store().ports().visibility->SetServing({});
  std::vector<proto::Frame> frames;
  for (const auto& octets : box_.pair().frames()) {
    ASSERT_TRUE(frames.emplace_back().ParseFromString(*octets));
  }
  ASSERT_TRUE(other.store().ports().sink->Apply(frames).ok());
  EXPECT_TRUE(other.store().ports().sink->ReadDoomed(ann_.id, {}, {})->empty());
}

TEST(SingleNode, CountsEverythingAsKnownToThePeerThatIsToBeFilled) {
  StoreBox box;
  const UserRef ann = box.AddUser("ann");
  box.pair().peer_has = false;
  const MailboxRef inbox = box.Inbox(ann).ref;
  ASSERT_TRUE(box.Append(inbox, "one").ok());
  ASSERT_TRUE(box.Append(inbox, "two").ok());
  EXPECT_TRUE(box.store().ports().sink->ReadDoomed(ann.id, {}, {})->empty());
}

// --- a process that dies while it jumps

class JumpPowerCut : public ::testing::Test {
 protected:
  BoxOptions Options() {
    BoxOptions options = InAPair();
    options.store.env = env_.get();
    options.store.on_failed_write = [this](const Status&) { fs_->PowerCut(); };
    return options;
  }

  std::shared_ptr<testing::UnsyncedFs> fs_ = std::make_shared<testing::UnsyncedFs>();
  std::unique_ptr<rocksdb::Env> env_ = testing::MakeUnsyncedEnv(fs_);
};

// How many writes a jump takes depends on what meets in a group, so that one pass may cut few.
TEST_F(JumpPowerCut, IsRepeatedUntilItIsWhole) {
  constexpr int kUsers = 12;
  constexpr std::uint64_t kPass = 23;
  int cuts = 0;
  for (std::uint64_t round = 0; round < kPass || (cuts <= 5 && round < 4 * kPass); ++round) {
    const std::uint64_t after = 1 + round % kPass;
    StoreBox box(Options());
    std::vector<MailboxState> before;
    for (int u = 0; u < kUsers; ++u) {
      const UserRef user = box.AddUser("user" + std::to_string(u));
      const MailboxRef inbox = box.Inbox(user).ref;
      ASSERT_TRUE(box.Append(inbox, "shared").ok());
      ASSERT_TRUE(box.Append(inbox, "shared too").ok());
      box.pair().peer_has = false;
      ASSERT_TRUE(box.Append(inbox, "own").ok());
      box.pair().peer_has = true;
      before.push_back(box.State(inbox));
    }
    fs_->PowerCutAfter(after);
    (void)box.Force(kForced, true);
    cuts += fs_->off() ? 1 : 0;
    fs_->PowerCut();
    box.Close();
    fs_->Restore(1 + round);
    box.Open();
    ASSERT_TRUE(box.Force(kForced, true).ok());
    for (const MailboxState& old : before) {
      const MailboxState now = box.State(old.ref);
      const auto live = Live(box, old.ref);
      ASSERT_EQ(live.size(), 3u) << "cut after " << after;
      EXPECT_EQ(box.Octets(old.ref, live.rbegin()->first), "own");
      EXPECT_GE(live.rbegin()->first, old.uid_next.value() + limits::kUidJump);
      EXPECT_EQ(now.uid_next.value(), live.rbegin()->first + 1) << "cut after " << after;
      EXPECT_LE(now.uid_next.value(), old.uid_next.value() + limits::kUidJump + 3);
      const RowView view(box.path().engine);
      const auto row = view.MailboxRowOf(old.ref.id);
      EXPECT_EQ(**RecountMailbox(view, **row, old.ref.id), **row);
      EXPECT_EQ(*RecountUser(view, old.ref.owner), *view.StateOf(old.ref.owner));
      EXPECT_EQ(view.StateOf(old.ref.owner)->uid_validity,
                old.uid_validity.value() + 5 + limits::kUidValidityJump);
    }
  }
  EXPECT_GT(cuts, 5);
}

}  // namespace
}  // namespace twinspool::store
