// RowBatch: coalescing does the same with fewer rows, shown against a map with random batches.
#include "server/store/row_batch.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

#include "server/store/page.h"

namespace twinspool::store {
namespace {

using Rows = std::map<std::pair<Family, std::string>, std::string>;

void ApplyTo(const RowBatch& batch, Rows* rows) {
  for (const Row& row : batch.rows()) {
    const auto name = std::make_pair(row.family, row.key);
    if (row.op == RowOp::kPut) {
      (*rows)[name] = row.value;
    } else if (row.op == RowOp::kDelete) {
      rows->erase(name);
    } else if (row.op == RowOp::kMerge) {
      const auto old = rows->find(name);
      std::optional<std::string_view> page;
      if (old != rows->end()) {
        page = old->second;
      }
      std::string merged = *MergePage(page, {row.value});
      (*rows)[name] = std::move(merged);
    } else {
      rows->erase(rows->lower_bound(name), rows->lower_bound({row.family, row.value}));
    }
  }
}

std::string Entries(std::mt19937_64& random) {
  std::string operand;
  for (std::uint64_t i = random() % 4; i > 0; --i) {
    PageEntry entry;
    entry.uid_low = static_cast<std::uint8_t>(random() % 6);
    entry.modseq = Modseq(random() % 1000);
    AppendEntry(entry.view(), &operand);
  }
  return operand;
}

void RandomRow(std::mt19937_64& random, RowBatch* batch) {
  const std::string key(1, static_cast<char>('a' + random() % 5));
  switch (random() % 8) {
    case 0:
      batch->Delete(Family::kIndex, key);
      break;
    case 1:
      batch->Put(Family::kIndex, key, *MergePage(std::nullopt, {Entries(random)}));
      break;
    case 2:
      batch->Put(Family::kUsers, key, std::to_string(random()));
      break;
    case 3:
      if (random() % 4 == 0) {
        batch->DeleteRange(Family::kIndex, "b", "d");
      }
      break;
    default:
      batch->MergePage(key, Entries(random));
  }
}

TEST(RowBatch, CoalescedDoesTheSame) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    RowBatch plain;
    RowBatch joined;
    for (int part = 0; part < 3; ++part) {
      RowBatch piece;
      for (int i = 0; i < 12; ++i) {
        RandomRow(random, &piece);
      }
      joined.Append(piece);
      plain.Append(piece);
    }
    joined.Coalesce();
    Rows a;
    Rows b;
    ApplyTo(plain, &a);
    ApplyTo(joined, &b);
    ASSERT_EQ(a, b) << "round " << round;
    std::size_t bytes = 0;
    for (const Row& row : joined.rows()) {
      bytes += row.key.size() + row.value.size();
    }
    EXPECT_EQ(joined.bytes(), bytes);
  }
}

TEST(RowBatch, WritesEachRowOnce) {
  RowBatch batch;
  std::string operand;
  AppendEntry(EntryView{}, &operand);
  batch.Put(Family::kMailboxes, "s", "1");
  batch.MergePage("p", operand);
  batch.Put(Family::kMailboxes, "s", "2");
  batch.MergePage("p", operand);
  batch.Delete(Family::kRefs, "r");
  batch.Put(Family::kRefs, "r", "");
  batch.Coalesce();
  ASSERT_EQ(batch.rows().size(), 3u);
  EXPECT_EQ(batch.rows()[0], (Row{Family::kMailboxes, RowOp::kPut, "s", "2"}));
  EXPECT_EQ(batch.rows()[1], (Row{Family::kIndex, RowOp::kMerge, "p", operand + operand}));
  EXPECT_EQ(batch.rows()[2].op, RowOp::kPut);
}

}  // namespace
}  // namespace twinspool::store
