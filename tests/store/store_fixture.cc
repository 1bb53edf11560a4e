#include "tests/store/store_fixture.h"

#include "proto/types.pb.h"

namespace twinspool::store {

void FakePair::OnCommitted(replica::CommittedGroup group) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    last_ = group.id.seq;
    ++groups_;
    frames_.push_back(group.frame);
  }
  changed_.notify_all();
  if (!hold_) {
    if (peer_has) {
      store_.ports().visibility->PeerHas(group.id.seq);
    }
    store_.ports().visibility->AdvanceTo(group.id.seq);
  }
}

void FakePair::ReleaseAcks() {
  hold_ = false;
  AckHeld();
}

void FakePair::AckHeld() {
  CommitSeq last;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    last = last_;
  }
  if (peer_has) {
    store_.ports().visibility->PeerHas(last);
  }
  store_.ports().visibility->AdvanceTo(last);
}

void FakePair::WaitGroups(std::size_t count) {
  std::unique_lock<std::mutex> lock(mutex_);
  ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return groups_ >= count; }));
}

std::size_t FakePair::groups() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return groups_;
}

std::vector<std::shared_ptr<const std::string>> FakePair::frames() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return frames_;
}

StoreBox::StoreBox(BoxOptions options) : options_(std::move(options)) {
  options_.store.jobs_every_s = 0;
  options_.store.disk.ballast_bytes = 0;
  options_.store.block_cache_bytes = 32u << 20;
  Open();
}

StoreBox::~StoreBox() {
  Close();
}

void StoreBox::Open() {
  StoreSeams seams;
  seams.clock = options_.clock != nullptr ? options_.clock : &SystemClock();
  seams.random = &SystemRandom();
  seams.summarizer = options_.summarizer;
  seams.credentials = &credentials_;
  Result<std::unique_ptr<Store>> opened =
      Store::Open(directory() + "/store", options_.store, seams);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  store_ = std::move(*opened);
  pair_ = std::make_unique<FakePair>(*store_);
  store_->SetCommitListener(pair_.get());
  BePrimary(serving_.epoch.value() > 0 ? serving_.epoch.value() : 2);
}

void StoreBox::Close() {
  if (store_ != nullptr) {
    store_->Stop();
    store_.reset();
    pair_.reset();
  }
}

void StoreBox::BePrimary(std::uint32_t epoch) {
  serving_.primary = true;
  serving_.reads = true;
  serving_.writes = OkStatus();
  serving_.epoch = Epoch(epoch);
  serving_.incarnation = Incarnation(++incarnation_);
  serving_.keep_outbox = options_.keep_outbox;
  serving_.limit_uid_distance = options_.limit_uid_distance;
  store_->ports().visibility->SetServing(serving_);
  store_->ports().visibility->AdvanceTo(store_->ports().log->last().seq);
}

Status StoreBox::Force(std::uint32_t epoch, bool renumber) {
  pair_->HoldAcks();
  serving_.epoch = Epoch(epoch);
  serving_.incarnation = Incarnation(++incarnation_);
  const Status jumped =
      store_->ports().uid_jump->JumpUids(serving_.epoch, serving_.incarnation, renumber);
  store_->ports().visibility->SetServing(serving_);
  pair_->ReleaseAcks();
  store_->ports().visibility->AdvanceTo(store_->ports().log->last().seq);
  return jumped;
}

void StoreBox::Serve(const Status& writes) {
  serving_.writes = writes;
  store_->ports().visibility->SetServing(serving_);
}

UserRef StoreBox::AddUser(const std::string& name) {
  const auto user =
      Await<UserRef>([&](Done<UserRef> done) { store_->users().Add(name, "pass", done); });
  EXPECT_TRUE(user.ok()) << user.status().ToString();
  return user.ok() ? *user : UserRef{};
}

MailboxState StoreBox::Find(const UserRef& user, const std::string& name) {
  const auto state = Await<MailboxState>(
      [&](Done<MailboxState> done) { mail().FindMailbox(user.id, name, done); });
  EXPECT_TRUE(state.ok()) << name << ": " << state.status().ToString();
  return state.ok() ? *state : MailboxState{};
}

Result<MailboxState> StoreBox::Create(const UserRef& user, const std::string& name) {
  return Await<MailboxState>(
      [&](Done<MailboxState> done) { mail().CreateMailbox(user.id, name, 0, done); });
}

Status StoreBox::Rename(const UserRef& user, const std::string& from, const std::string& to) {
  return Await<Unit>([&](Done<Unit> done) { mail().RenameMailbox(user.id, from, to, done); })
      .status();
}

Status StoreBox::Delete(const UserRef& user, const std::string& name) {
  return Await<Unit>([&](Done<Unit> done) { mail().DeleteMailbox(user.id, name, done); }).status();
}

std::unique_ptr<BodyStage> StoreBox::TryStage(const UserId& user, const std::string& octets) {
  Result<std::unique_ptr<BodyStage>> stage = mail().StageBody(user, octets.size());
  if (!stage.ok()) {
    return nullptr;
  }
  constexpr std::size_t kPiece = 100'000;
  for (std::size_t at = 0; at < octets.size(); at += kPiece) {
    const auto written =
        Await<Unit>([&](Done<Unit> done) { (*stage)->Write(octets.substr(at, kPiece), done); });
    if (!written.ok()) {
      return nullptr;
    }
  }
  return std::move(*stage);
}

std::unique_ptr<BodyStage> StoreBox::Stage(const UserId& user, const std::string& octets) {
  auto stage = TryStage(user, octets);
  EXPECT_NE(stage, nullptr);
  return stage;
}

Result<AppendResult> StoreBox::AppendStaged(MailboxRef mailbox, std::unique_ptr<BodyStage> stage,
                                            FlagList flags) {
  std::vector<AppendMessage> messages(1);
  messages[0].body = std::move(stage);
  messages[0].flags = std::move(flags);
  return Await<AppendResult>(
      [&](Done<AppendResult> done) { mail().Append(mailbox, std::move(messages), done); });
}

Result<AppendResult> StoreBox::Append(MailboxRef mailbox, const std::string& octets,
                                      FlagList flags) {
  return AppendStaged(mailbox, Stage(mailbox.owner, octets), std::move(flags));
}

Result<StoreResult> StoreBox::Flag(MailboxRef mailbox, UidSet uids, FlagChange change,
                                   FlagList flags, std::optional<Modseq> unchanged_since) {
  return Await<StoreResult>([&](Done<StoreResult> done) {
    mail().StoreFlags(mailbox, {std::move(uids), change, std::move(flags), unchanged_since}, done);
  });
}

Result<ExpungeResult> StoreBox::Expunge(MailboxRef mailbox, std::optional<UidSet> uids) {
  return Await<ExpungeResult>(
      [&](Done<ExpungeResult> done) { mail().Expunge(mailbox, std::move(uids), done); });
}

Result<CopyResult> StoreBox::Copy(MailboxRef from, UidSet uids, MailboxRef to) {
  return Await<CopyResult>(
      [&](Done<CopyResult> done) { mail().Copy(from, std::move(uids), to, done); });
}

Result<CopyResult> StoreBox::Move(MailboxRef from, UidSet uids, MailboxRef to) {
  return Await<CopyResult>(
      [&](Done<CopyResult> done) { mail().Move(from, std::move(uids), to, done); });
}

Result<DeliverResult> StoreBox::Deliver(const UserRef& user, const std::string& octets,
                                        const std::string& sender) {
  DeliverRequest request;
  request.user = user;
  request.sender = sender;
  request.recipient = user.name;
  request.body = Stage(user.id, octets);
  return Await<DeliverResult>(
      [&](Done<DeliverResult> done) { mail().Deliver(std::move(request), done); });
}

MailboxState StoreBox::State(MailboxRef mailbox) {
  const auto state =
      Await<MailboxState>([&](Done<MailboxState> done) { mail().GetState(mailbox, done); });
  EXPECT_TRUE(state.ok()) << state.status().ToString();
  return state.ok() ? *state : MailboxState{};
}

Result<IndexBatch> StoreBox::Index(MailboxRef mailbox, IndexQuery query) {
  return Await<IndexBatch>(
      [&](Done<IndexBatch> done) { mail().ReadIndex(mailbox, std::move(query), done); });
}

int StoreBox::FlagsOf(MailboxRef mailbox, std::uint32_t uid) {
  IndexQuery query;
  query.uids = UidSet::Of(uid, uid);
  const auto batch = Index(mailbox, query);
  EXPECT_TRUE(batch.ok()) << batch.status().ToString();
  return batch.ok() && batch->entries.size() == 1 ? batch->entries[0].flags : 255;
}

std::string StoreBox::Octets(MailboxRef mailbox, std::uint32_t uid) {
  FetchRequest request;
  request.uids = UidSet::Of(uid, uid);
  request.parts = kFetchRecord;
  const auto batch =
      Await<FetchBatch>([&](Done<FetchBatch> done) { mail().Fetch(mailbox, request, done); });
  if (!batch.ok() || batch->messages.size() != 1) {
    ADD_FAILURE() << "no message " << uid << ": " << batch.status().ToString();
    return "";
  }
  const MessageRecord& record = batch->messages[0].record;
  const auto octets = Await<std::string>([&](Done<std::string> done) {
    mail().ReadBody(mailbox.owner, record.body, 0, static_cast<std::size_t>(record.size), done);
  });
  EXPECT_TRUE(octets.ok()) << octets.status().ToString();
  return octets.ok() ? *octets : "";
}

void SendFrames(StoreBox& primary, StoreBox& standby, std::size_t* sent) {
  const auto frames = primary.pair().frames();
  std::vector<proto::Frame> parsed;
  for (; *sent < frames.size(); ++*sent) {
    ASSERT_TRUE(parsed.emplace_back().ParseFromString(*frames[*sent]));
  }
  const auto outcome = standby.store().ports().sink->Apply(parsed);
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  ASSERT_FALSE(outcome.value().mismatch) << outcome.value().mismatch->reason;
}

}  // namespace twinspool::store
