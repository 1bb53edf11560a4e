// Shared mailboxes, the store against the model: three users give each other rights, work in each
// other's mailboxes, and look at them; every answer and every picture compared, news since the last
// look too, and the standby's copy.
#include <map>
#include <random>

#include "server/store/commit_pipeline.h"
#include "tests/store/store_fixture.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool::store {
namespace {

constexpr int kUsers = 3;

/// One store as the three users see it.
struct Side {
  MailStore* mail = nullptr;
  UserRef users[kUsers];
  /// By user and mailbox name: HIGHESTMODSEQ when he looked last.
  std::map<std::pair<int, std::string>, std::pair<MailboxId, Modseq>> looked;
};

class Shared {
 public:
  explicit Shared(std::uint32_t seed)
      : random_(seed), model_(clock_, model_random_), box_(Options()), standby_(Options()) {
    standby_.store().ports().visibility->SetServing({});
    ours_.mail = &box_.mail();
    theirs_.mail = &model_;
    const char* const names[kUsers] = {"ann", "bob", "eve"};
    for (int i = 0; i < kUsers; ++i) {
      ours_.users[i] = box_.AddUser(names[i]);
      theirs_.users[i] = model_.AddUser(names[i], "pass", true);
    }
  }

  void Step() {
    switch (random_() % 12) {
      case 0:
      case 1:
        return SetAcl();
      case 2:
        return Append();
      case 3:
      case 4:
      case 5:
        return Store();
      case 6:
        return Expunge();
      case 7:
        return CopyOrMove();
      case 8:
        return Names();
      case 9:
        return Annotate();
      default:
        return Look();
    }
  }

  void CompareAll() {
    box_.path().pipeline.Drain();
    SendFrames(box_, standby_, &sent_);
    for (int user = 0; user < kUsers; ++user) {
      ASSERT_EQ(Picture(ours_, user), Picture(theirs_, user)) << "user " << user;
    }
  }
  void Reopen() {
    SendFrames(box_, standby_, &sent_);
    box_.Reopen();
    sent_ = 0;
    ours_.mail = &box_.mail();
  }

 private:
  BoxOptions Options() {
    BoxOptions options;
    options.clock = &clock_;
    options.store.head = {4, 4};
    return options;
  }

  int AnyUser() { return static_cast<int>(random_() % kUsers); }
  std::string AnyName() {
    static const char* const kNames[] = {"INBOX",
                                         "Work",
                                         "Work/x",
                                         "Other Users/ann",
                                         "Other Users/ann/Work",
                                         "Other Users/ann/Work/x",
                                         "Other Users/bob",
                                         "Other Users/bob/Work",
                                         "Other Users/eve/Sent",
                                         "Other Users/nobody",
                                         "Shared/ann"};
    return kNames[random_() % 11];
  }
  UidSet AnyUids() {
    const auto first = static_cast<std::uint32_t>(1 + random_() % 10);
    return UidSet::Of(first, first + static_cast<std::uint32_t>(random_() % 6));
  }
  FlagList AnyFlags() {
    FlagList flags;
    flags.system = static_cast<SystemFlags>(random_() % 2 == 0 ? kSeen : random_() % 32);
    if (random_() % 3 == 0) {
      flags.keywords.push_back(random_() % 2 == 0 ? "work" : "home");
    }
    return flags;
  }
  Rights AnyRights() {
    static const char* const kRights[] = {"",     "l", "lr",   "lrs", "lrsw", "lrswipkxtea",
                                          "lrsi", "i", "lrte", "lrk", "a",    "lrx"};
    return *ParseRights(kRights[random_() % 12]);
  }

  static Result<MailboxState> Find(const Side& side, int user, const std::string& name) {
    return Await<MailboxState>(
        [&](Done<MailboxState> done) { side.mail->FindMailbox(side.users[user].id, name, done); });
  }
  /// The same mailbox on both sides; false when it is on neither.
  bool Both(int user, const std::string& name, MailboxState* ours, MailboxState* theirs) {
    const auto a = Find(ours_, user, name);
    const auto b = Find(theirs_, user, name);
    EXPECT_EQ(a.code(), b.code()) << user << " " << name << " " << a.status().ToString();
    if (!a.ok() || !b.ok()) {
      return false;
    }
    *ours = *a;
    *theirs = *b;
    EXPECT_EQ(a->rights, b->rights);
    EXPECT_EQ(a->name, b->name);
    return true;
  }

  void SetAcl() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyUser(), AnyName(), &ours, &theirs)) {
      return;
    }
    static const char* const kWho[] = {"ann", "bob", "eve", "anyone", "-bob", "-anyone", "nobody"};
    const std::string who = kWho[random_() % 7];
    const auto change = static_cast<RightsChange>(random_() % 3);
    const Rights rights = AnyRights();
    const auto set = [&](const Side& side, const MailboxRef& ref) {
      return Await<Unit>(
                 [&](Done<Unit> done) { side.mail->SetAcl(ref, who, change, rights, done); })
          .code();
    };
    EXPECT_EQ(set(ours_, ours.ref), set(theirs_, theirs.ref)) << who;
    const auto lines = [](const Side& side, const MailboxRef& ref) {
      std::string text;
      const auto acl = Await<std::vector<AclEntry>>(
          [&](Done<std::vector<AclEntry>> done) { side.mail->GetAcl(ref, done); });
      for (std::size_t i = 0; acl.ok() && i < acl->size(); ++i) {
        text += (*acl)[i].identifier + "=" + RightsText((*acl)[i].rights) + " ";
      }
      return acl.ok() ? text : std::string(CodeName(acl.code()));
    };
    EXPECT_EQ(lines(ours_, ours.ref), lines(theirs_, theirs.ref));
  }

  void Append() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyUser(), AnyName(), &ours, &theirs)) {
      return;
    }
    const std::string octets = "message " + std::to_string(random_() % 50);
    const FlagList flags = AnyFlags();
    const auto append = [&](const Side& side, const MailboxRef& ref) {
      std::vector<AppendMessage> messages(1);
      messages[0].body = std::move(*side.mail->StageBody(ref.owner, octets.size()));
      EXPECT_TRUE(
          Await<Unit>([&](Done<Unit> done) { messages[0].body->Write(octets, done); }).ok());
      messages[0].flags = flags;
      const auto result = Await<AppendResult>(
          [&](Done<AppendResult> done) { side.mail->Append(ref, std::move(messages), done); });
      return result.ok() ? "uid " + std::to_string(result->uids.Min())
                         : std::string(CodeName(result.code()));
    };
    EXPECT_EQ(append(ours_, ours.ref), append(theirs_, theirs.ref));
  }

  void Store() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyUser(), AnyName(), &ours, &theirs)) {
      return;
    }
    StoreRequest request;
    request.uids = AnyUids();
    request.change = static_cast<FlagChange>(random_() % 3);
    request.flags = AnyFlags();
    const auto store = [&](const Side& side, const MailboxState& state) {
      StoreRequest conditional = request;
      if (condition_) {
        conditional.unchanged_since = state.highest_modseq;
      }
      const auto result = Await<StoreResult>(
          [&](Done<StoreResult> done) { side.mail->StoreFlags(state.ref, conditional, done); });
      if (!result.ok()) {
        return std::string(CodeName(result.code()));
      }
      UidSet changed;
      for (const auto& [uids, modseq] : result->changed) {
        changed.Add(uids);
        EXPECT_GT(modseq, state.highest_modseq);
      }
      return changed.ToString() + " missing " + result->missing.ToString() + " modified " +
             result->modified.ToString();
    };
    condition_ = random_() % 2 == 0;
    EXPECT_EQ(store(ours_, ours), store(theirs_, theirs));
  }

  void Expunge() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyUser(), AnyName(), &ours, &theirs)) {
      return;
    }
    const auto expunge = [&](const Side& side, const MailboxRef& ref) {
      const auto result = Await<ExpungeResult>(
          [&](Done<ExpungeResult> done) { side.mail->Expunge(ref, std::nullopt, done); });
      return result.ok() ? result->expunged.ToString() : std::string(CodeName(result.code()));
    };
    EXPECT_EQ(expunge(ours_, ours.ref), expunge(theirs_, theirs.ref));
  }

  void CopyOrMove() {
    const int user = AnyUser();
    MailboxState ours_from;
    MailboxState theirs_from;
    MailboxState ours_to;
    MailboxState theirs_to;
    if (!Both(user, AnyName(), &ours_from, &theirs_from) ||
        !Both(user, AnyName(), &ours_to, &theirs_to)) {
      return;
    }
    const UidSet uids = AnyUids();
    const bool move = random_() % 2 == 0;
    const auto copy = [&](const Side& side, const MailboxRef& from, const MailboxRef& to) {
      const auto result = Await<CopyResult>([&](Done<CopyResult> done) {
        move ? side.mail->Move(from, uids, to, done) : side.mail->Copy(from, uids, to, done);
      });
      std::string text = result.ok() ? "" : std::string(CodeName(result.code()));
      for (std::size_t i = 0; result.ok() && i < result->pairs.size(); ++i) {
        text += std::to_string(result->pairs[i].first.value()) + ">" +
                std::to_string(result->pairs[i].second.value()) + " ";
      }
      return text;
    };
    EXPECT_EQ(copy(ours_, ours_from.ref, ours_to.ref),
              copy(theirs_, theirs_from.ref, theirs_to.ref));
  }

  void Names() {
    const int user = AnyUser();
    const std::string name = AnyName();
    const std::string other = AnyName();
    const std::uint32_t what = static_cast<std::uint32_t>(random_() % 3);
    const auto change = [&](const Side& side) {
      const UserId id = side.users[user].id;
      if (what == 0) {
        return Await<MailboxState>(
                   [&](Done<MailboxState> done) { side.mail->CreateMailbox(id, name, 0, done); })
            .code();
      }
      return Await<Unit>([&](Done<Unit> done) {
               what == 1 ? side.mail->DeleteMailbox(id, name, done)
                         : side.mail->RenameMailbox(id, name, other, done);
             })
          .code();
    };
    EXPECT_EQ(CodeName(change(ours_)), CodeName(change(theirs_)))
        << user << " " << what << " " << name << " " << other;
  }

  void Annotate() {
    MailboxState ours;
    MailboxState theirs;
    if (!Both(AnyUser(), AnyName(), &ours, &theirs)) {
      return;
    }
    static const char* const kEntries[] = {"/private/a", "/shared/a", kSharedSeenEntry};
    const std::vector<Annotation> changes = {
        {kEntries[random_() % 3], random_() % 2 == 0 ? std::optional("true") : std::nullopt}};
    const auto set = [&](const Side& side, const MailboxRef& ref) {
      return Await<Unit>([&](Done<Unit> done) { side.mail->SetAnnotations(ref, changes, done); })
          .code();
    };
    EXPECT_EQ(set(ours_, ours.ref), set(theirs_, theirs.ref));
    const auto get = [&](const Side& side, const MailboxRef& ref) {
      std::string text;
      const auto all = Await<std::vector<Annotation>>(
          [&](Done<std::vector<Annotation>> done) { side.mail->GetAnnotations(ref, done); });
      for (std::size_t i = 0; all.ok() && i < all->size(); ++i) {
        text += (*all)[i].entry + "=" + *(*all)[i].value + " ";
      }
      return text;
    };
    EXPECT_EQ(get(ours_, ours.ref), get(theirs_, theirs.ref));
    // What \Seen means changed: nobody's modseq tells of it, so nobody is asked for news since.
    ours_.looked.clear();
    theirs_.looked.clear();
  }

  /// What changed since this user looked last.
  void Look() {
    const int user = AnyUser();
    const std::string name = AnyName();
    MailboxState ours;
    MailboxState theirs;
    if (!Both(user, name, &ours, &theirs)) {
      return;
    }
    EXPECT_EQ(News(&ours_, user, name, ours), News(&theirs_, user, name, theirs)) << name;
  }

  static std::string News(Side* side, int user, const std::string& name,
                          const MailboxState& state) {
    auto& [id, since] = side->looked[{user, name}];
    if (id != state.ref.id) {
      id = state.ref.id;
      since = Modseq();
    }
    IndexQuery query;
    query.since = since;
    const auto batch = Await<IndexBatch>(
        [&](Done<IndexBatch> done) { side->mail->ReadIndex(state.ref, query, done); });
    if (!batch.ok()) {
      return std::string(CodeName(batch.code()));
    }
    std::string text = "gone " + batch->vanished.ToString();
    for (const IndexEntry& entry : batch->entries) {
      text += " " + std::to_string(entry.uid.value()) + "/" + std::to_string(entry.flags);
      EXPECT_LE(entry.modseq, batch->state.highest_modseq);
    }
    since = batch->state.highest_modseq;
    return text;
  }

  /// Everything one user can see.
  static std::string Picture(const Side& side, int user) {
    const auto list =
        Await<std::vector<MailboxListing>>([&](Done<std::vector<MailboxListing>> done) {
          side.mail->ListMailboxes(side.users[user].id, done);
        });
    EXPECT_TRUE(list.ok()) << list.status().ToString();
    std::string text;
    for (std::size_t i = 0; list.ok() && i < list->size(); ++i) {
      const MailboxListing& line = (*list)[i];
      text += line.name + " " + RightsText(line.rights);
      const auto state = Find(side, user, line.name);
      if (line.id.nil() || !state.ok()) {
        continue;
      }
      text += " exists " + std::to_string(state->exists) + " unseen " +
              std::to_string(state->unseen) + " deleted " + std::to_string(state->deleted);
      const auto uids = Await<UidBatch>(
          [&](Done<UidBatch> done) { side.mail->ReadUids(state->ref, Uid(1), done); });
      text += uids.ok() ? " first " + std::to_string(uids->first_unseen.value()) : " closed";
      FetchRequest request;
      request.uids = UidSet::Of(1, state->uid_next.value());
      request.parts = kFetchIndex | kFetchRecord;
      const auto batch = Await<FetchBatch>(
          [&](Done<FetchBatch> done) { side.mail->Fetch(state->ref, request, done); });
      for (std::size_t m = 0; batch.ok() && m < batch->messages.size(); ++m) {
        const FetchedMessage& message = batch->messages[m];
        if (!message.entry.expunged) {
          text += " " + std::to_string(message.uid.value()) + "/" +
                  std::to_string(message.entry.flags) + "/" +
                  message.record.guid.ToHex().substr(0, 6);
        }
      }
      text += "\n";
    }
    return text;
  }

  std::mt19937 random_;
  ManualClock clock_;
  SeededRandom model_random_{1};
  testing::MemoryMailStore model_;
  StoreBox box_;
  StoreBox standby_;
  std::size_t sent_ = 0;
  Side ours_;
  Side theirs_;
  bool condition_ = false;
};

class SharingModel : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(SharingModel, TheStoreDoesWhatTheModelDoes) {
  Shared shared(GetParam());
  for (int round = 0; round < 12; ++round) {
    for (int step = 0; step < 60; ++step) {
      shared.Step();
      if (HasFatalFailure() || HasNonfatalFailure()) {
        FAIL() << "seed " << GetParam() << ", round " << round << ", step " << step;
      }
    }
    shared.CompareAll();
    ASSERT_FALSE(HasFailure());
    if (round % 4 == 3) {
      shared.Reopen();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SharingModel, ::testing::Range(1u, 21u));

}  // namespace
}  // namespace twinspool::store
