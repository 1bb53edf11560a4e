// What is missing or full stops itself alone: one damaged message, one keyword too many.
#include "server/store/engine.h"
#include "server/store/row_batch.h"
#include "server/store/schema.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

class Damage : public ::testing::Test {
 protected:
  Damage() {
    for (const char* octets : {"one", "two", "three"}) {
      EXPECT_TRUE(box_.Append(inbox_, octets).ok());
    }
  }

  FetchBatch Fetch(FetchParts parts, std::uint64_t body_bytes) {
    FetchRequest request;
    request.uids = UidSet::Of(1, 3);
    request.parts = parts;
    request.body_bytes = body_bytes;
    auto batch =
        Await<FetchBatch>([&](Done<FetchBatch> done) { box_.mail().Fetch(inbox_, request, done); });
    EXPECT_TRUE(batch.ok()) << batch.status().ToString();
    EXPECT_EQ(batch->messages.size(), 3u);
    return std::move(*batch);
  }

  void Lose(Family family, const std::string& key) {
    RowBatch batch;
    batch.Delete(family, key);
    ASSERT_TRUE(box_.path().engine.Write(batch, WriteMode::kNoLog).ok());
    // The next commit takes the snapshot that shows the loss.
    ASSERT_TRUE(box_.Append(inbox_, "more").ok());
  }

  static BoxOptions Options() {
    BoxOptions options;
    options.summarizer.make = [](std::string_view octets) {
      return "<" + std::string(octets) + ">";
    };
    options.store.mail.summarize_on_arrival = false;
    return options;
  }

  StoreBox box_{Options()};
  UserRef user_ = box_.AddUser("anna");
  MailboxRef inbox_ = box_.Inbox(user_).ref;
};

TEST_F(Damage, AMissingBodyFailsItsMessageAlone) {
  const BodyNo body = Fetch(kFetchRecord, 0).messages.at(1).record.body;
  Lose(Family::kBodies, BodyKey(user_.id, body, 0));
  const FetchBatch octets = Fetch(kFetchIndex | kFetchRecord, 100);
  EXPECT_EQ(octets.messages[0].octets, "one");
  EXPECT_TRUE(octets.messages[1].failure.Is(Code::kDataLoss));
  EXPECT_EQ(octets.messages[2].octets, "three");
  const FetchBatch summaries = Fetch(kFetchSummary, 0);
  EXPECT_EQ(summaries.messages[0].summary, "<one>");
  EXPECT_TRUE(summaries.messages[1].failure.Is(Code::kDataLoss));
  EXPECT_EQ(summaries.messages[2].summary, "<three>");
  EXPECT_TRUE(Fetch(kFetchIndex, 0).messages[1].failure.ok()) << "nothing of it was asked for";
}

TEST_F(Damage, AMissingRecordFailsItsMessageAlone) {
  Lose(Family::kRecords, RecordKey(inbox_.id, Uid(3)));
  const FetchBatch batch = Fetch(kFetchIndex | kFetchRecord | kFetchSummary, 100);
  EXPECT_EQ(batch.messages[1].octets, "two");
  EXPECT_TRUE(batch.messages[2].failure.Is(Code::kDataLoss));
  EXPECT_EQ(batch.messages[2].uid, Uid(3));
}

TEST_F(Damage, ACopyLeavesOutTheKeywordsThatTheTargetHasNoRoomFor) {
  const MailboxRef target = box_.Find(user_, "Archive").ref;
  FlagList many;
  for (std::size_t i = 1; i < limits::kKeywordsPerMailboxMax; ++i) {
    many.keywords.push_back("k" + std::to_string(i));
  }
  ASSERT_TRUE(box_.Append(target, "full", many).ok());
  const FlagList two{kSeen, {"k1", "fits", "surplus"}};
  ASSERT_TRUE(box_.Flag(inbox_, UidSet::Of(1, 2), FlagChange::kReplace, two).ok());
  ASSERT_TRUE(box_.Copy(inbox_, UidSet::Of(1, 1), target).ok());
  ASSERT_TRUE(box_.Move(inbox_, UidSet::Of(2, 2), target).ok());
  const MailboxState state = box_.Find(user_, "Archive");
  EXPECT_EQ(state.keywords->size(), limits::kKeywordsPerMailboxMax);
  EXPECT_EQ(state.keywords->back(), "fits");
  FetchRequest request;
  request.uids = UidSet::Of(2, 3);
  request.parts = kFetchIndex;
  const auto batch =
      Await<FetchBatch>([&](Done<FetchBatch> done) { box_.mail().Fetch(target, request, done); });
  ASSERT_EQ(batch->messages.size(), 2u);
  for (const FetchedMessage& message : batch->messages) {
    EXPECT_EQ(message.entry.flags, kSeen);
    EXPECT_TRUE(message.entry.keywords.Test(0));
    EXPECT_TRUE(message.entry.keywords.Test(limits::kKeywordsPerMailboxMax - 1));
  }
  // A client's own STORE says so.
  EXPECT_TRUE(box_.Flag(target, UidSet::Of(1, 1), FlagChange::kAdd, {0, {"surplus"}})
                  .status()
                  .Is(Code::kLimit));
}

}  // namespace
}  // namespace twinspool::store
