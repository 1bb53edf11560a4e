// The store against the model: random commands, the same to both, every answer and the whole state
// compared, with reopenings in between. And what is derived against a recount from the rows.
#include <map>
#include <random>
#include <set>

#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/recount.h"
#include "tests/store/store_fixture.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool::store {
namespace {

/// Both stores side by side. Ids and numbers differ; names, UIDs, flags, octets must not.
class Twins {
 public:
  explicit Twins(std::uint32_t seed)
      : random_(seed), model_(clock_, model_random_), box_(Box()), standby_(Box()) {
    standby_.store().ports().visibility->SetServing({});
    model_user_ = model_.AddUser("anna", "pass", true);
    user_ = box_.AddUser("anna");
  }

  void Step() {
    switch (random_() % 14) {
      case 0:
      case 1:
      case 2:
        return Append();
      case 3:
      case 4:
      case 5:
      case 6:
        return Store();
      case 7:
        return Expunge();
      case 8:
      case 9:
        return CopyOrMove();
      case 10:
        return Create();
      case 11:
        return random_() % 3 == 0 ? Delete() : Rename();
      case 12:
        return Subscribe();
      default:
        return random_() % 4 == 0 ? Housekeep() : PassTime();
    }
  }

  void CompareAll() {
    CompareStandby();
    const auto ours = Lines(box_.mail(), user_.id);
    const auto theirs = Lines(model_, model_user_.id);
    ASSERT_EQ(ours, theirs);
    for (const auto& [name, line] : ours) {
      if (line.find("mailbox") != std::string::npos) {
        Compare(name);
      }
    }
  }

  std::uint64_t forgotten() const { return forgotten_; }

 private:
  BoxOptions Box() {
    BoxOptions options;
    options.clock = &clock_;
    options.store.head = {4, 4};  // small, so that objects come and go
    return options;
  }

  void PassTime() {
    clock_.AdvanceMs(static_cast<std::int64_t>(random_() % 60'000));
    if (random_() % 8 == 0) {
      Stream();
      box_.Reopen();
      sent_ = 0;
    }
  }

  /// The retention is over: what was deleted is forgotten, and no client sees a difference.
  void Housekeep() {
    clock_.AdvanceMs(8 * 24 * 3'600'000LL);
    const auto report = box_.store().RunJobsNow();
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->failed_users, 0u);
    purged_ |= report->purged > 0;
    forgotten_ += report->tombstones;
  }

  void Stream() { SendFrames(box_, standby_, &sent_); }

  void CompareStandby() {
    box_.path().pipeline.Drain();
    Stream();
    const auto mine = RowView(box_.path().engine).UserDigests();
    const auto theirs = standby_.store().ports().sink->Users();
    ASSERT_TRUE(mine.ok() && theirs.ok());
    ASSERT_EQ(mine->size(), theirs->size());
    EXPECT_EQ(mine->front().SerializeAsString(), theirs->front().SerializeAsString());
  }

  static std::map<std::string, std::string> Lines(MailStore& mail, UserId user) {
    std::map<std::string, std::string> lines;
    const auto list = Await<std::vector<MailboxListing>>(
        [&](Done<std::vector<MailboxListing>> done) { mail.ListMailboxes(user, done); });
    EXPECT_TRUE(list.ok()) << list.status().ToString();
    for (const MailboxListing& line : *list) {
      lines[line.name] = std::string(line.id.nil() ? "" : "mailbox ") + std::to_string(line.use) +
                         (line.subscribed ? " subscribed" : "");
    }
    return lines;
  }

  std::string AnyName() {
    static const char* const kNames[] = {"INBOX", "a", "b", "a/x", "b/x", "a/x/y", "Sent", "c/d"};
    return kNames[random_() % 8];
  }
  UidSet AnyUids() {
    const auto first = static_cast<std::uint32_t>(1 + random_() % 40);
    UidSet uids = UidSet::Of(first, first + static_cast<std::uint32_t>(random_() % 12));
    if (random_() % 4 == 0) {
      uids.Add(static_cast<std::uint32_t>(1 + random_() % 600));
    }
    return uids;
  }
  FlagList AnyFlags() {
    FlagList flags;
    flags.system = static_cast<SystemFlags>(random_() % 32);
    static const char* const kKeywords[] = {"work", "Home", "$Junk", "WORK"};
    if (random_() % 2 == 0) {
      flags.keywords.push_back(kKeywords[random_() % 4]);
    }
    return flags;
  }

  /// The mailbox of this name on both sides; false when it is on neither.
  bool Both(const std::string& name, MailboxState* ours, MailboxState* theirs) {
    const auto a = Await<MailboxState>(
        [&](Done<MailboxState> done) { box_.mail().FindMailbox(user_.id, name, done); });
    const auto b = Await<MailboxState>(
        [&](Done<MailboxState> done) { model_.FindMailbox(model_user_.id, name, done); });
    EXPECT_EQ(a.ok(), b.ok()) << name;
    if (a.ok() && b.ok()) {
      *ours = *a;
      *theirs = *b;
    }
    return a.ok() && b.ok();
  }

  static std::vector<AppendMessage> Messages(MailStore& mail, UserId user,
                                             const std::vector<std::string>& octets,
                                             const FlagList& flags) {
    std::vector<AppendMessage> messages;
    for (const std::string& one : octets) {
      AppendMessage message;
      message.body = std::move(*mail.StageBody(user, one.size()));
      EXPECT_TRUE(Await<Unit>([&](Done<Unit> done) { message.body->Write(one, done); }).ok());
      message.flags = flags;
      message.internal_date = 1'700'000'000;
      messages.push_back(std::move(message));
    }
    return messages;
  }

  void Append() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyName(), &ours, &theirs)) {
      return;
    }
    std::vector<std::string> octets;
    for (std::size_t i = 0; i <= random_() % 6; ++i) {
      octets.push_back("message " + std::to_string(random_() % 200));
    }
    if (random_() % 20 == 0) {
      octets.emplace_back(300'000 + random_() % 300'000, 'L');
    }
    const FlagList flags = AnyFlags();
    auto a = Messages(box_.mail(), user_.id, octets, flags);
    auto b = Messages(model_, model_user_.id, octets, flags);
    const auto x = Await<AppendResult>(
        [&](Done<AppendResult> done) { box_.mail().Append(ours.ref, std::move(a), done); });
    const auto y = Await<AppendResult>(
        [&](Done<AppendResult> done) { model_.Append(theirs.ref, std::move(b), done); });
    ASSERT_TRUE(x.ok() && y.ok()) << x.status().ToString();
    EXPECT_EQ(x->uids, y->uids);
    EXPECT_EQ(x->uid_validity, ours.uid_validity);
  }

  void Store() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyName(), &ours, &theirs)) {
      return;
    }
    StoreRequest request;
    request.uids = AnyUids();
    request.change = static_cast<FlagChange>(random_() % 3);
    request.flags = AnyFlags();
    const auto x = Await<StoreResult>(
        [&](Done<StoreResult> done) { box_.mail().StoreFlags(ours.ref, request, done); });
    const auto y = Await<StoreResult>(
        [&](Done<StoreResult> done) { model_.StoreFlags(theirs.ref, request, done); });
    ASSERT_TRUE(x.ok() && y.ok()) << x.status().ToString();
    EXPECT_EQ(x->missing, y->missing);
    ASSERT_EQ(x->changed.size(), y->changed.size());
    for (std::size_t i = 0; i < x->changed.size(); ++i) {
      EXPECT_EQ(x->changed[i].first, y->changed[i].first);
    }
  }

  void Expunge() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyName(), &ours, &theirs)) {
      return;
    }
    const std::optional<UidSet> uids = random_() % 2 == 0 ? std::optional(AnyUids()) : std::nullopt;
    const auto x = box_.Expunge(ours.ref, uids);
    const auto y = Await<ExpungeResult>(
        [&](Done<ExpungeResult> done) { model_.Expunge(theirs.ref, uids, done); });
    ASSERT_TRUE(x.ok() && y.ok());
    EXPECT_EQ(x->expunged, y->expunged);
  }

  void CopyOrMove() {
    MailboxState ours_from;
    MailboxState theirs_from;
    MailboxState ours_to;
    MailboxState theirs_to;
    if (!Both(AnyName(), &ours_from, &theirs_from) || !Both(AnyName(), &ours_to, &theirs_to)) {
      return;
    }
    const UidSet uids = AnyUids();
    const bool move = random_() % 2 == 0;
    const auto x = move ? box_.Move(ours_from.ref, uids, ours_to.ref)
                        : box_.Copy(ours_from.ref, uids, ours_to.ref);
    const auto y = Await<CopyResult>([&](Done<CopyResult> done) {
      move ? model_.Move(theirs_from.ref, uids, theirs_to.ref, done)
           : model_.Copy(theirs_from.ref, uids, theirs_to.ref, done);
    });
    ASSERT_TRUE(x.ok() && y.ok()) << x.status().ToString();
    EXPECT_EQ(x->pairs, y->pairs);
  }

  void Create() {
    const std::string name = AnyName();
    const auto y = Await<MailboxState>(
        [&](Done<MailboxState> done) { model_.CreateMailbox(model_user_.id, name, 0, done); });
    EXPECT_EQ(box_.Create(user_, name).code(), y.code()) << name;
  }
  void Delete() {
    const std::string name = AnyName();
    const auto y =
        Await<Unit>([&](Done<Unit> done) { model_.DeleteMailbox(model_user_.id, name, done); });
    EXPECT_EQ(box_.Delete(user_, name).code(), y.code()) << name;
  }
  void Rename() {
    const std::string from = AnyName();
    const std::string to = AnyName();
    const auto y =
        Await<Unit>([&](Done<Unit> done) { model_.RenameMailbox(model_user_.id, from, to, done); });
    EXPECT_EQ(box_.Rename(user_, from, to).code(), y.code()) << from << " -> " << to;
  }
  void Subscribe() {
    const std::string name = AnyName();
    const bool on = random_() % 2 == 0;
    for (MailStore* mail :
         {static_cast<MailStore*>(&box_.mail()), static_cast<MailStore*>(&model_)}) {
      const UserId user = mail == &model_ ? model_user_.id : user_.id;
      EXPECT_TRUE(
          Await<Unit>([&](Done<Unit> done) { mail->Subscribe(user, name, on, done); }).ok());
    }
  }

  /// Everything a reader can see of a mailbox, as text. Expunged messages can be read until they
  /// are purged, which the model never does.
  std::string Text(MailStore& mail, const MailboxState& state) const {
    std::string text = "next " + std::to_string(state.uid_next.value()) + " exists " +
                       std::to_string(state.exists) + " unseen " + std::to_string(state.unseen) +
                       " deleted " + std::to_string(state.deleted) + " bytes " +
                       std::to_string(state.bytes) + "\n";
    FetchRequest request;
    request.uids = UidSet::Of(1, state.uid_next.value());
    request.parts = kFetchIndex | kFetchRecord;
    request.body_bytes = 1000;
    while (!request.uids.empty()) {
      const auto batch =
          Await<FetchBatch>([&](Done<FetchBatch> done) { mail.Fetch(state.ref, request, done); });
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      if (!batch.ok()) {
        break;
      }
      for (const FetchedMessage& message : batch->messages) {
        if (message.entry.expunged && purged_) {
          continue;
        }
        text += std::to_string(message.uid.value()) + (message.entry.expunged ? " gone " : " ") +
                std::to_string(message.entry.flags) + " " + std::to_string(message.record.size) +
                " " + std::to_string(message.record.internal_date) + " " +
                message.record.guid.ToHex().substr(0, 8) + " " + message.octets.substr(0, 20);
        std::set<std::string> keywords;  // tables may number them differently
        for (std::size_t bit = 0; bit < batch->keywords->size(); ++bit) {
          if (message.entry.keywords.Test(bit)) {
            keywords.insert(Lower((*batch->keywords)[bit]));
          }
        }
        for (const std::string& keyword : keywords) {
          text += " " + keyword;
        }
        text += "\n";
      }
      request.uids = batch->rest;
    }
    return text;
  }
  static std::string Lower(std::string text) {
    for (char& c : text) {
      c = static_cast<char>(std::tolower(c));
    }
    return text;
  }

  void Compare(const std::string& name) {
    MailboxState ours;
    MailboxState theirs;
    ASSERT_TRUE(Both(name, &ours, &theirs));
    ASSERT_EQ(Text(box_.mail(), ours), Text(model_, theirs)) << name;
    Index(ours, theirs);
    Recount(ours.ref.id);
  }
  /// What Apply() has added up over time is what the rows say now.
  void Recount(MailboxId mailbox) {
    Engine& engine = box_.path().engine;
    const auto row = engine.Get(Family::kMailboxes, MailboxStateKey(mailbox));
    ASSERT_TRUE(row.ok() && row->has_value());
    const auto stored = DecodeMailboxRow(**row);
    ASSERT_TRUE(stored.ok());
    const RowView view(engine);
    const auto counted = RecountMailbox(view, *stored, mailbox);
    ASSERT_TRUE(counted.ok() && counted->has_value()) << counted.status().ToString();
    EXPECT_EQ(EncodeMailboxRow(**counted), EncodeMailboxRow(*stored));
    const auto user_row = engine.Get(Family::kUsers, UserStateKey(user_.id));
    ASSERT_TRUE(user_row.ok() && user_row->has_value());
    const auto user = RecountUser(view, user_.id);
    ASSERT_TRUE(user.ok()) << user.status().ToString();
    EXPECT_EQ(EncodeUserState(*user), **user_row);
  }
  /// ReadIndex in small batches, and the difference since a moment both know by a UID's modseq.
  void Index(const MailboxState& ours, const MailboxState& theirs) {
    IndexQuery query;
    query.limit = 1 + random_() % 50;
    std::vector<std::uint32_t> a;
    while (true) {
      const auto batch = box_.Index(ours.ref, query);
      ASSERT_TRUE(batch.ok());
      for (const IndexEntry& entry : batch->entries) {
        a.push_back(entry.uid.value());
      }
      if (!batch->next) {
        break;
      }
      query.from = *batch->next;
    }
    const auto all =
        Await<IndexBatch>([&](Done<IndexBatch> done) { model_.ReadIndex(theirs.ref, {}, done); });
    std::vector<std::uint32_t> b;
    for (const IndexEntry& entry : all->entries) {
      b.push_back(entry.uid.value());
    }
    ASSERT_EQ(a, b);
    const auto uids =
        Await<UidBatch>([&](Done<UidBatch> done) { box_.mail().ReadUids(ours.ref, Uid(1), done); });
    const auto modelled =
        Await<UidBatch>([&](Done<UidBatch> done) { model_.ReadUids(theirs.ref, Uid(1), done); });
    ASSERT_TRUE(uids.ok() && modelled.ok());
    ASSERT_EQ(uids->uids, modelled->uids);
    ASSERT_EQ(uids->first_unseen, modelled->first_unseen);
  }

  std::mt19937 random_;
  ManualClock clock_;
  SeededRandom model_random_{7};
  testing::MemoryMailStore model_;
  StoreBox box_;
  StoreBox standby_;
  std::size_t sent_ = 0;  // frames that the standby has, of this life of the primary
  bool purged_ = false;
  std::uint64_t forgotten_ = 0;
  UserRef model_user_;
  UserRef user_;
};

class Model : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Model, AgreesAfterRandomCommandsAndReopenings) {
  Twins twins(GetParam());
  for (int round = 0; round < 12; ++round) {
    for (int step = 0; step < 40; ++step) {
      twins.Step();
      if (::testing::Test::HasFailure()) {
        FAIL() << "seed " << GetParam() << ", round " << round << ", step " << step;
      }
    }
    twins.CompareAll();
    if (::testing::Test::HasFailure()) {
      FAIL() << "seed " << GetParam() << ", round " << round;
    }
  }
  EXPECT_GT(twins.forgotten(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Model, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace twinspool::store
