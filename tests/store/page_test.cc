// Index pages: golden octets, and codec and merge rules against a map with random operations.
#include "server/store/page.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace twinspool::store {
namespace {

PageEntry Entry(std::uint8_t low, std::uint64_t modseq, std::uint8_t state = 0) {
  PageEntry entry;
  entry.uid_low = low;
  entry.state = state;
  entry.flags = 5;
  entry.modseq = Modseq(modseq);
  entry.updated_s = 300;
  return entry;
}

std::string Operand(const std::vector<PageEntry>& entries) {
  std::string operand;
  for (const PageEntry& entry : entries) {
    AppendEntry(entry.view(), &operand);
  }
  return operand;
}

TEST(Page, GoldenOctets) {
  Page page;
  PageEntry first = Entry(2, 200);
  first.keywords = "\x03";
  PageEntry second = Entry(9, 7, kStateExpunged);
  second.tail = "zz";
  page.Upsert(second);
  page.Upsert(first);
  page.AddChanged(4);
  const std::string golden(
      "\x00\x04\x01\x02\xc8\x01\x07"
      "\x09\x02\x00\x05\xc8\x01\xac\x02\x01\x03"
      "\x09\x09\x01\x05\x07\xac\x02\x00zz",
      27);
  EXPECT_EQ(page.Encode(), golden);
}

TEST(Page, HeaderTellsWhatReadersSkipBy) {
  Page page;
  page.Upsert(Entry(1, 10));
  page.Upsert(Entry(2, 30, kStateExpunged));
  page.Upsert(Entry(3, 20, kStateExpunged));
  const Result<PageHeader> header = ReadPageHeader(page.Encode());
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header.value().live, 1u);
  EXPECT_EQ(header.value().entries, 3u);
  EXPECT_EQ(header.value().highest_modseq, Modseq(30));
  EXPECT_EQ(header.value().highest_expunge, Modseq(30));
}

TEST(Page, LastOperandWinsWhateverTheModseq) {
  const std::string merged =
      *MergePage(std::nullopt, {Operand({Entry(1, 50), Entry(3, 51)}), Operand({Entry(1, 40)})});
  const Page page = *Page::Decode(merged);
  ASSERT_EQ(page.entries().size(), 2u);
  EXPECT_EQ(page.Find(1)->modseq, Modseq(40));
  EXPECT_EQ(page.changed(), 3u);
  EXPECT_EQ(page.Find(2), nullptr);
}

TEST(Page, WholePageOperandReplacesAll) {
  Page whole;
  whole.Upsert(Entry(9, 9));
  const std::string merged =
      *MergePage(std::nullopt, {Operand({Entry(1, 1)}), whole.Encode(), Operand({Entry(8, 2)})});
  const Page page = *Page::Decode(merged);
  ASSERT_EQ(page.entries().size(), 2u);
  EXPECT_EQ(page.entries()[0].uid_low, 8);
  EXPECT_EQ(page.changed(), 1u);
}

PageEntry RandomEntry(std::mt19937_64& random) {
  PageEntry entry = Entry(static_cast<std::uint8_t>(random()), random() >> 11,
                          static_cast<std::uint8_t>(random() % 2));
  entry.updated_s = static_cast<std::int64_t>(random() >> 30);
  entry.keywords.assign(random() % 4, '\x7f');
  entry.tail.assign(random() % 3, 't');
  return entry;
}

// The merge operator's rules against std::map: however operands are grouped and joined, the page
// is the map.
TEST(Page, RandomOperandsMatchAMap) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::map<std::uint8_t, PageEntry> model;
    std::optional<std::string> stored;
    std::vector<std::string> pending;
    for (int step = 0; step < 60; ++step) {
      std::vector<PageEntry> entries(random() % 5);
      for (PageEntry& entry : entries) {
        entry = RandomEntry(random);
        model[entry.uid_low] = entry;
      }
      if (random() % 15 == 0) {
        Page whole;
        for (const auto& [low, entry] : model) {
          whole.Upsert(entry);
        }
        pending.push_back(whole.Encode());
      } else if (!pending.empty() && random() % 3 == 0) {
        pending.back() = *MergeOperands(pending.back(), Operand(entries));
      } else {
        pending.push_back(Operand(entries));
      }
      if (random() % 6 == 0) {
        const std::vector<std::string_view> views(pending.begin(), pending.end());
        stored = *MergePage(stored, views);
        pending.clear();
      }
    }
    const std::vector<std::string_view> views(pending.begin(), pending.end());
    const std::string merged = *MergePage(stored, views);
    const Page page = *Page::Decode(merged);
    ASSERT_EQ(page.Encode(), merged) << "copied entries are encoded as one would encode them";
    ASSERT_EQ(page.entries().size(), model.size());
    std::size_t i = 0;
    for (const auto& [low, entry] : model) {
      ASSERT_EQ(page.entries()[i++], entry);
    }
  }
}

TEST(Page, EraseAndUpsertMatchAMap) {
  std::mt19937_64 random(8);
  std::map<std::uint8_t, PageEntry> model;
  Page page;
  for (int step = 0; step < 5000; ++step) {
    const PageEntry entry = RandomEntry(random);
    if (random() % 3 == 0) {
      EXPECT_EQ(page.Erase(entry.uid_low), model.erase(entry.uid_low) == 1);
    } else {
      page.Upsert(entry);
      model[entry.uid_low] = entry;
    }
  }
  ASSERT_EQ(page.entries().size(), model.size());
  EXPECT_EQ(*Page::Decode(page.Encode()), page);
}

TEST(Page, LiveEntriesAreThoseThatTheScannerFinds) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    Page page;
    const int count = round % 5 == 0 ? 256 : static_cast<int>(random() % 200);
    for (int i = 0; i < count; ++i) {
      PageEntry entry = RandomEntry(random);
      if (count == 256) {
        entry.uid_low = static_cast<std::uint8_t>(i);
        entry.state = round % 2 == 0 ? 0 : entry.state;
      }
      page.Upsert(entry);
    }
    const std::string octets = page.Encode();
    std::bitset<256> live;
    int first_unseen = -1;
    for (const PageEntry& entry : page.entries()) {
      if (!entry.expunged()) {
        live.set(entry.uid_low);
        first_unseen = first_unseen < 0 && (entry.flags & 1) == 0 ? entry.uid_low : first_unseen;
      }
    }
    const auto with = ReadLiveEntries(octets, true);
    ASSERT_TRUE(with.ok());
    EXPECT_EQ(with->live, live);
    EXPECT_EQ(with->first_unseen, first_unseen);
    const auto without = ReadLiveEntries(octets, false);
    ASSERT_TRUE(without.ok());
    EXPECT_EQ(without->live, live);
    EXPECT_EQ(without->first_unseen, -1);
    if (count != 256 && count != 0) {
      EXPECT_FALSE(ReadLiveEntries(octets.substr(0, octets.size() - 1), false).ok());
    }
  }
}

// Every shortening and every flipped octet is refused or read as another page, never a crash.
TEST(Page, DamagedOctetsNeverCrash) {
  std::mt19937_64 random(9);
  Page page;
  for (int i = 0; i < 40; ++i) {
    page.Upsert(RandomEntry(random));
  }
  const std::string good = page.Encode();
  int refused = 0;
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    refused += Page::Decode(good.substr(0, cut)).ok() ? 0 : 1;
  }
  EXPECT_EQ(refused, static_cast<int>(good.size()));
  for (int round = 0; round < 5000; ++round) {
    std::string bad = good;
    bad[random() % bad.size()] = static_cast<char>(random());
    const Result<Page> read = Page::Decode(bad);
    if (read.ok()) {
      EXPECT_LE(read.value().entries().size(), 256u);
    } else {
      EXPECT_EQ(read.code(), Code::kDataLoss);
    }
    (void)MergePage(good, {bad});
  }
}

TEST(Page, OctetsAfterTheLastEntryAreRefused) {
  Page page;
  page.Upsert(Entry(1, 1));
  EXPECT_EQ(Page::Decode(page.Encode() + "x").code(), Code::kDataLoss);
  EXPECT_FALSE(CheckOperand("\x02x").ok());
  EXPECT_TRUE(CheckOperand("").ok());
}

}  // namespace
}  // namespace twinspool::store
