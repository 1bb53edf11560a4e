// SelectedView: numbers stay frozen until told, and no modseq is announced above an untold change.
#include "server/imap/selected.h"

#include <vector>

#include <gtest/gtest.h>

namespace twinspool::imap {
namespace {

IndexEntry Entry(std::uint32_t uid, std::uint64_t modseq) {
  IndexEntry entry;
  entry.uid = Uid(uid);
  entry.modseq = Modseq(modseq);
  return entry;
}

IndexBatch Batch(std::uint64_t highest, const std::vector<IndexEntry>& entries,
                 const UidSet& vanished = {}) {
  IndexBatch batch;
  batch.state.highest_modseq = Modseq(highest);
  batch.state.keywords = std::make_shared<const std::vector<std::string>>();
  batch.entries = entries;
  batch.vanished = vanished;
  return batch;
}

UidBatch Uids(std::uint64_t highest, const std::vector<std::uint32_t>& uids) {
  UidBatch batch;
  batch.state = Batch(highest, {}).state;
  for (const std::uint32_t uid : uids) {
    batch.uids.Add(uid);
  }
  return batch;
}

SelectedView Loaded() {
  SelectedView view({}, false);
  view.Load(Uids(10, {2, 3, 5, 9}));
  return view;
}

std::vector<std::uint32_t> Take(SelectedView& view, const IndexBatch& batch, bool* more = nullptr) {
  std::vector<std::uint32_t> numbers;
  const bool again =
      view.Take(batch, [&](std::uint32_t number, const IndexEntry&) { numbers.push_back(number); });
  if (more != nullptr) {
    *more = again;
  }
  return numbers;
}

TEST(SelectedViewTest, KeywordsAddedWhileAMailboxIsOpenedAreLearntLater) {
  const auto few = std::make_shared<const std::vector<std::string>>(1, "old");
  const auto more = std::make_shared<const std::vector<std::string>>(2, "new");
  SelectedView view({}, false);
  UidBatch first = Uids(10, {1, 2});
  first.state.keywords = few;
  view.Load(first);
  UidBatch second = Uids(11, {3});
  second.state.keywords = more;
  view.Load(second);
  EXPECT_EQ(view.keywords(), few) << "what SELECT told";
  EXPECT_FALSE(view.LearnKeywords(few));
  EXPECT_TRUE(view.LearnKeywords(more)) << "to be told before an entry shows it";
  EXPECT_FALSE(view.LearnKeywords(more));
}

TEST(SelectedViewTest, NumbersAndUids) {
  const SelectedView view = Loaded();
  EXPECT_EQ(view.exists(), 4u);
  EXPECT_EQ(view.UidAt(1), Uid(2));
  EXPECT_EQ(view.UidAt(3), Uid(5));
  EXPECT_EQ(view.UidAt(4), Uid(9));
  EXPECT_EQ(view.NumberOf(Uid(9)), 4u);
  EXPECT_EQ(view.NumberOf(Uid(4)), 0u);
  EXPECT_EQ(view.last_uid(), Uid(9));
  EXPECT_EQ(view.UidsAt(UidSet::Of(2, 4)).ToString(), "3,5,9");
  EXPECT_EQ(view.UidsAt(UidSet::Of(4, 9)).ToString(), "9");
}

TEST(SelectedViewTest, NewMailHasNoNumberBeforeExists) {
  SelectedView view = Loaded();
  EXPECT_TRUE(Take(view, Batch(12, {Entry(10, 11), Entry(12, 12)})).empty());
  EXPECT_EQ(view.exists(), 4u);
  EXPECT_EQ(view.NumberOf(Uid(10)), 0u);
  EXPECT_EQ(view.ToldUids().ToString(), "2:3,5,9");
  EXPECT_EQ(view.TakeExists(), 6u);
  EXPECT_EQ(view.NumberOf(Uid(12)), 6u);
  EXPECT_EQ(view.TakeExists(), std::nullopt);
}

TEST(SelectedViewTest, ExpungeWaitsAndHoldsTheModseqBack) {
  SelectedView view = Loaded();
  EXPECT_TRUE(Take(view, Batch(20, {}, UidSet::Of(3, 3))).empty());
  EXPECT_EQ(view.view_modseq(), Modseq(20));
  EXPECT_EQ(view.told_modseq(), Modseq(10));
  EXPECT_EQ(view.NumberOf(Uid(5)), 3u);
  EXPECT_TRUE(view.Gone(Uid(3)));
  // A later change is seen, and still nothing above 10 may be announced.
  EXPECT_EQ(Take(view, Batch(30, {Entry(5, 30)})), std::vector<std::uint32_t>{3});
  EXPECT_EQ(view.told_modseq(), Modseq(10));
  const ExpungeNews news = view.TakeExpunges();
  EXPECT_EQ(news.numbers, std::vector<std::uint32_t>{2});
  EXPECT_EQ(view.told_modseq(), Modseq(30));
  EXPECT_EQ(view.NumberOf(Uid(5)), 2u);
  EXPECT_EQ(view.exists(), 3u);
}

TEST(SelectedViewTest, ExpungeNumbersFall) {
  SelectedView view = Loaded();
  UidSet gone = UidSet::Of(2, 3);
  gone.Add(9);
  Take(view, Batch(20, {}, gone));
  const ExpungeNews news = view.TakeExpunges();
  EXPECT_EQ(news.numbers, (std::vector<std::uint32_t>{4, 2, 1}));
  EXPECT_EQ(news.uids.ToString(), "2:3,9");
  EXPECT_EQ(view.UidAt(1), Uid(5));
}

TEST(SelectedViewTest, MailThatCameAndWentUntoldLeavesNoTrace) {
  SelectedView view = Loaded();
  Take(view, Batch(12, {Entry(10, 11), Entry(11, 12)}));
  Take(view, Batch(13, {}, UidSet::Of(10, 10)));
  EXPECT_TRUE(view.TakeExpunges().numbers.empty());
  EXPECT_EQ(view.TakeExists(), 5u);
  EXPECT_EQ(view.UidAt(5), Uid(11));
}

TEST(SelectedViewTest, TheSameInAnEmptyMailbox) {
  SelectedView view({}, false);
  view.Load(Uids(1, {}));
  EXPECT_EQ(view.last_uid(), Uid(0));
  Take(view, Batch(3, {Entry(1, 3)}));
  Take(view, Batch(4, {}, UidSet::Of(1, 1)));
  EXPECT_TRUE(view.TakeExpunges().numbers.empty());
  EXPECT_EQ(view.TakeExists(), std::nullopt);
  EXPECT_EQ(view.told_modseq(), Modseq(4));
}

TEST(SelectedViewTest, AVanishedUidOfOthersIsIgnored) {
  SelectedView view = Loaded();
  Take(view, Batch(20, {}, UidSet::Of(6, 8)));
  EXPECT_TRUE(view.TakeExpunges().numbers.empty());
  EXPECT_EQ(view.told_modseq(), Modseq(20));
}

TEST(SelectedViewTest, SyncInSlicesCountsFromTheFirst) {
  SelectedView view = Loaded();
  IndexBatch first = Batch(20, {Entry(3, 15)});
  first.next = Uid(4);
  bool more = false;
  Take(view, first, &more);
  EXPECT_TRUE(more);
  EXPECT_EQ(view.NextQuery().from, Uid(4));
  EXPECT_EQ(view.NextQuery().since, Modseq(10));
  // What happened since the first slice is read again by the next sync.
  Take(view, Batch(25, {Entry(9, 25)}), &more);
  EXPECT_FALSE(more);
  EXPECT_EQ(view.view_modseq(), Modseq(20));
  EXPECT_EQ(view.NextQuery().from, Uid(1));
}

}  // namespace
}  // namespace twinspool::imap
