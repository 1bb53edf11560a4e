// Many threads at once: order per user, group commit, late acks, objects that come and go.
#include <map>
#include <set>
#include <thread>

#include "server/store/apply.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/recount.h"
#include "server/store/serial_runner.h"
#include "server/store/visibility.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

/// Acks on a thread of its own, behind the commits, as a peer would.
class LateAcks {
 public:
  explicit LateAcks(StoreBox& box) : box_(box) {
    box_.pair().HoldAcks();
    thread_ = std::thread([this] {
      std::size_t acked = 0;
      while (!stop_) {
        if (box_.pair().groups() > acked) {
          acked = box_.pair().groups();
          box_.pair().AckHeld();
        }
        std::this_thread::yield();
      }
    });
  }
  ~LateAcks() {
    stop_ = true;
    thread_.join();
    box_.pair().ReleaseAcks();
  }
  LateAcks(const LateAcks&) = delete;
  LateAcks& operator=(const LateAcks&) = delete;

 private:
  StoreBox& box_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void ExpectSound(StoreBox& box) {
  Engine& engine = box.path().engine;
  box.path().pipeline.Drain();
  const RowView view(engine);
  const auto users = view.Users();
  ASSERT_TRUE(users.ok());
  for (const UserId user : *users) {
    const auto state = RecountUser(view, user);
    ASSERT_TRUE(state.ok()) << state.status().ToString();
    EXPECT_EQ(*state, *view.StateOf(user));
    const auto mailboxes = view.MailboxesOf(user);
    for (const MailboxId mailbox : *mailboxes) {
      const auto row = view.MailboxRowOf(mailbox);
      const auto counted = RecountMailbox(view, **row, mailbox);
      ASSERT_TRUE(counted.ok()) << counted.status().ToString();
      EXPECT_EQ(**counted, **row);
    }
  }
}

TEST(Concurrency, EightWritersOnOneMailboxLoseAndRepeatNothing) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const MailboxRef inbox = box.Inbox(user).ref;
  constexpr int kThreads = 8;
  constexpr int kEach = 60;
  std::mutex mutex;
  std::set<std::uint32_t> uids;
  const std::size_t groups = box.pair().groups();
  {
    const LateAcks late(box);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const auto result =
              box.Append(inbox, "thread " + std::to_string(t) + " mail " + std::to_string(i));
          ASSERT_TRUE(result.ok()) << result.status().ToString();
          const std::uint32_t uid = result->uids.Min();
          EXPECT_NE(box.FlagsOf(inbox, uid), 255) << "visible before its answer";
          ASSERT_TRUE(box.Flag(inbox, UidSet::Of(uid, uid), FlagChange::kAdd, {kSeen, {}}).ok());
          EXPECT_EQ(box.FlagsOf(inbox, uid), kSeen);
          const std::lock_guard<std::mutex> lock(mutex);
          EXPECT_TRUE(uids.insert(uid).second);
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  EXPECT_EQ(uids.size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(*uids.rbegin(), static_cast<std::uint32_t>(kThreads * kEach));
  EXPECT_EQ(box.State(inbox).unseen, 0u);
  EXPECT_LT(box.pair().groups() - groups, static_cast<std::size_t>(2 * kThreads * kEach))
      << "writers share groups";
  ExpectSound(box);
  box.Reopen();
  EXPECT_EQ(box.Index(inbox)->entries.size(), static_cast<std::size_t>(kThreads * kEach));
  ExpectSound(box);
}

TEST(Concurrency, ManyUsersWithSmallCachesStaySound) {
  BoxOptions options;
  options.store.head = {1, 1};
  StoreBox box(options);
  std::vector<UserRef> users;
  for (int i = 0; i < 12; ++i) {
    users.push_back(box.AddUser("user" + std::to_string(i)));
  }
  {
    const LateAcks late(box);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 25; ++i) {
          const UserRef& user = users[(t * 5 + i) % users.size()];
          const UserRef& other = users[(t * 3 + i * 7) % users.size()];
          const MailboxRef inbox = box.Inbox(user).ref;
          ASSERT_TRUE(box.Append(inbox, "mail " + std::to_string(i)).ok());
          ASSERT_TRUE(box.Copy(inbox, UidSet::Of(1, 3), box.Inbox(other).ref).ok());
          ASSERT_TRUE(box.Move(inbox, UidSet::Of(2, 2), box.Find(user, "Trash").ref).ok());
          ASSERT_TRUE(box.Flag(inbox, UidSet::Of(1, 9), FlagChange::kAdd, {kDeleted, {"k"}}).ok());
          if (i % 5 == 0) {
            ASSERT_TRUE(box.Expunge(inbox).ok());
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  ExpectSound(box);
  EXPECT_LT(box.path().head.CachedObjects(), 12u * 256u);
}

TEST(Concurrency, EveryFrameRepeatsTheHistoryOnASecondStore) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const MailboxRef inbox = box.Inbox(user).ref;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 15; ++i) {
        ASSERT_TRUE(box.Append(inbox, "m" + std::to_string(i % 5), {0, {"k"}}).ok());
        ASSERT_TRUE(
            box.Flag(inbox, UidSet::Of(1, 40), FlagChange::kAdd, {kFlagged, {std::to_string(t)}})
                .ok());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  BoxOptions second_options;
  StoreBox second(second_options);
  replica::ServingState standby;
  second.store().ports().visibility->SetServing(standby);
  std::vector<proto::Frame> frames;
  for (const auto& octets : box.pair().frames()) {
    ASSERT_TRUE(frames.emplace_back().ParseFromString(*octets));
  }
  for (std::size_t at = 0; at < frames.size(); at += 7) {
    const std::vector<proto::Frame> part(
        frames.begin() + static_cast<std::ptrdiff_t>(at),
        frames.begin() + static_cast<std::ptrdiff_t>(std::min(at + 7, frames.size())));
    const auto outcome = second.store().ports().sink->Apply(part);
    ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
    ASSERT_FALSE(outcome->mismatch) << outcome->mismatch->reason;
  }
  EXPECT_EQ(second.store().ports().log->last(), box.store().ports().log->last());
  const auto row_of = [&](StoreBox& one, CommitSeq seq) {
    return **one.path().engine.Get(Family::kOutbox, OutboxKey(seq));
  };
  for (std::uint64_t seq = 1; seq <= box.store().ports().log->last().seq.value(); ++seq) {
    EXPECT_EQ(row_of(box, CommitSeq(seq)), row_of(second, CommitSeq(seq)));
  }
  second.BePrimary(5);
  EXPECT_EQ(second.State(inbox).exists, box.State(inbox).exists);
  EXPECT_EQ(second.FlagsOf(inbox, 3), box.FlagsOf(inbox, 3));
  ASSERT_TRUE(second.Append(inbox, "after the promotion").ok());
  EXPECT_EQ(second.State(inbox).uid_next.value(), box.State(inbox).uid_next.value() + 1);
}

TEST(SerialRunner, KeepsOrderAndHoldsNoLock) {
  SerialRunner runner;
  std::string order;
  runner.Run({[&] {
                order += "a";
                runner.Run({[&] { order += "c"; }});
                order += "b";
              },
              [&] { order += "d"; }});
  EXPECT_EQ(order, "abdc");
}

TEST(ApplyRules, AreIdempotentAndGuardTheGuid) {
  StoreBox box;
  const UserRef user = box.AddUser("anna");
  const MailboxRef inbox = box.Inbox(user).ref;
  ASSERT_TRUE(box.Append(inbox, "one").ok());
  ASSERT_TRUE(box.Flag(inbox, UidSet::Of(1, 1), FlagChange::kAdd, {kSeen, {"k"}}).ok());
  box.path().pipeline.Drain();
  const StripeLock lock(box.path().head, user.id);
  HeadEdit edit(lock);
  const MailboxRow before = (*edit.Mailbox(user.id, inbox.id))->row;
  const UserState user_before = (*edit.User(user.id))->state;
  for (const auto& octets : box.pair().frames()) {
    proto::Frame frame;
    ASSERT_TRUE(frame.ParseFromString(*octets));
    for (const proto::UserChanges& changes : frame.changes()) {
      ApplyResult result;
      ASSERT_TRUE(Apply(changes, {}, edit, &result).ok());
    }
  }
  EXPECT_EQ((*edit.Mailbox(user.id, inbox.id))->row, before);
  EXPECT_EQ((*edit.User(user.id))->state, user_before);

  proto::Frame append;
  ASSERT_TRUE(append.ParseFromString(*box.pair().frames()[1]));
  for (proto::ChangeItem& item : *append.mutable_changes(0)->mutable_items()) {
    if (item.has_record()) {
      proto::RecordHeader record;
      ASSERT_TRUE(record.ParseFromString(item.record().record()));
      record.set_guid(std::string(32, 'x'));
      item.mutable_record()->set_record(record.SerializeAsString());
    }
  }
  ApplyResult result;
  const Status refused = Apply(append.changes(0), {}, edit, &result);
  EXPECT_TRUE(refused.Is(Code::kDataLoss));
  EXPECT_NE(refused.message().find("guid mismatch"), std::string_view::npos);
}

}  // namespace
}  // namespace twinspool::store
