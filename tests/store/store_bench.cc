// Figures of the store alone, without network and peer: prints them, and fails only where a promise
// is broken by far (a slower machine must not fail). Run in a release build.
#include <algorithm>
#include <cstdio>
#include <thread>

#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string Mail(int number, std::size_t size) {
  std::string mail = "Subject: " + std::to_string(number) + "\r\n\r\n";
  std::uint64_t x = static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15u + 1;
  while (mail.size() < size) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    mail += static_cast<char>('a' + (x >> 33) % 26);
  }
  return mail;
}

class StoreBench : public ::testing::Test {
 protected:
  StoreBench() : user_(box_.AddUser("anna")), inbox_(box_.Inbox(user_).ref) {}

  void AppendMany(int from, int count, std::size_t size) {
    for (int at = 0; at < count;) {
      std::vector<AppendMessage> messages;
      for (; at < count && messages.size() < 500; ++at) {
        messages.emplace_back().body = box_.Stage(user_.id, Mail(from + at, size));
      }
      ASSERT_TRUE(Await<AppendResult>([&](Done<AppendResult> done) {
                    box_.mail().Append(inbox_, std::move(messages), done);
                  }).ok());
    }
  }
  /// One message grown to `count` by copies of itself.
  void Fill(std::uint32_t count) {
    ASSERT_TRUE(box_.Append(inbox_, "seed").ok());
    for (std::uint32_t have = 1; have < count;) {
      const std::uint32_t more = std::min(have, count - have);
      ASSERT_TRUE(box_.Copy(inbox_, UidSet::Of(1, more), inbox_).ok());
      have += more;
    }
  }

  StoreBox box_;
  UserRef user_;
  MailboxRef inbox_;
};

TEST_F(StoreBench, Append4KiB) {
  for (const int writers : {1, 8}) {
    constexpr int kTotal = 4000;
    const std::size_t groups = box_.pair().groups();
    const double seconds = SecondsOf([&] {
      std::vector<std::thread> threads;
      for (int t = 0; t < writers; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < kTotal / writers; ++i) {
            ASSERT_TRUE(box_.Append(inbox_, Mail(1'000'000 * writers + t * 10'000 + i, 4096)).ok());
          }
        });
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
    });
    std::printf("APPEND 4 KiB, %d writers: %.0f per second, %.2f syncs each\n", writers,
                kTotal / seconds, static_cast<double>(box_.pair().groups() - groups) / kTotal);
  }
}

TEST_F(StoreBench, ReadIndexOf100k) {
  const double fill = SecondsOf([&] { Fill(100'000); });
  std::printf("filling 100 k by COPY: %.2f s\n", fill);
  double best = 1e9;
  for (int i = 0; i < 7; ++i) {
    best =
        std::min(best, SecondsOf([&] { ASSERT_EQ(box_.Index(inbox_)->entries.size(), 100'000u); }));
  }
  std::printf("ReadIndex of 100 k: %.2f ms\n", best * 1000);
  double uids = 1e9;
  for (int i = 0; i < 7; ++i) {
    uids = std::min(uids, SecondsOf([&] {
                      const auto batch = Await<UidBatch>(
                          [&](Done<UidBatch> done) { box_.mail().ReadUids(inbox_, Uid(1), done); });
                      ASSERT_EQ(batch->uids.Count(), 100'000u);
                    }));
  }
  std::printf("ReadUids of 100 k: %.3f ms\n", uids * 1000);
  const double flags = SecondsOf([&] {
    ASSERT_TRUE(box_.Flag(inbox_, UidSet::Of(1, 100'000), FlagChange::kAdd, {kSeen, {}}).ok());
  });
  std::printf("STORE 1:100000 +FLAGS: %.2f s\n", flags);
  const std::size_t groups = box_.pair().groups();
  const double rename = SecondsOf([&] { ASSERT_TRUE(box_.Rename(user_, "INBOX", "x").ok()); });
  EXPECT_EQ(box_.pair().groups(), groups + 1);
  std::printf("RENAME of 100 k: %.2f ms\n", rename * 1000);
}

TEST_F(StoreBench, Fetch2000Bodies) {
  AppendMany(0, 2000, 4096);
  double best = 1e9;
  for (int i = 0; i < 7; ++i) {
    best = std::min(best, SecondsOf([&] {
                      FetchRequest request;
                      request.uids = UidSet::Of(1, 2000);
                      request.parts = kFetchIndex | kFetchRecord;
                      request.body_bytes = 1u << 20;
                      std::size_t count = 0;
                      while (!request.uids.empty()) {
                        const auto batch = Await<FetchBatch>([&](Done<FetchBatch> done) {
                          box_.mail().Fetch(inbox_, request, done);
                        });
                        ASSERT_TRUE(batch.ok());
                        count += batch->messages.size();
                        request.uids = batch->rest;
                      }
                      ASSERT_EQ(count, 2000u);
                    }));
  }
  std::printf("FETCH of 2,000 bodies of 4 KiB: %.0f per second\n", 2000 / best);
}

TEST_F(StoreBench, FlagChangesOnOneHotPage) {
  Fill(200);
  constexpr int kChanges = 200'000;
  constexpr int kSlice = 20'000;
  double first = 0;
  double last = 0;
  for (int at = 0; at < kChanges; at += kSlice) {
    const double seconds = SecondsOf([&] {
      std::vector<std::future<Result<StoreResult>>> open;
      for (int i = at; i < at + kSlice; ++i) {
        const auto uid = static_cast<std::uint32_t>(1 + i % 200);
        open.push_back(Begin<StoreResult>([&](Done<StoreResult> done) {
          box_.mail().StoreFlags(inbox_,
                                 {UidSet::Of(uid, uid),
                                  i / 200 % 2 == 0 ? FlagChange::kAdd : FlagChange::kRemove,
                                  {kSeen, {}},
                                  {}},
                                 done);
        }));
        if (open.size() == 1000) {
          for (auto& one : open) {
            ASSERT_TRUE(one.get().ok());
          }
          open.clear();
        }
      }
    });
    first = at == 0 ? seconds : first;
    last = seconds;
  }
  const double read = SecondsOf([&] { ASSERT_EQ(box_.Index(inbox_)->entries.size(), 200u); });
  std::printf(
      "200 k flag changes on one page: first %.1f us each, last %.1f us each, read %.2f ms\n",
      first / kSlice * 1e6, last / kSlice * 1e6, read * 1000);
  EXPECT_LT(last, 3 * first);
}

}  // namespace
}  // namespace twinspool::store
