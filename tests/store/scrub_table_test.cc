// Flipped bits in the files of the database: a whole block of rows cannot be read, by its checksum.
// The rows come from the other node, and are written so that walks pass by the block, too.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <rocksdb/db.h>

#include "common/digest.h"
#include "server/store/engine_setup.h"
#include "tests/store/scrub_fixture.h"

namespace twinspool::store {
namespace {

using ::testing::HasSubstr;

constexpr int kMessages = 700;

struct Case {
  bool standby;
  bool lowest;  // the damaged table lies at the bottom; else newer ones lie beside it
};

/// Each test on the primary and on the standby, with old tables and with young ones.
class ScrubTable : public ScrubPair, public ::testing::WithParamInterface<Case> {
 protected:
  ScrubTable() {
    for (const MailboxRef& mailbox : {inbox_, work_}) {
      std::vector<AppendMessage> messages(kMessages / 2);
      int number = 0;
      for (AppendMessage& message : messages) {
        message.body = primary_.Stage(user_.id, "text " + std::to_string(++number) + " of " +
                                                    mailbox.id.ToHex() + std::string(100, 'x'));
      }
      EXPECT_TRUE(Await<AppendResult>([&](Done<AppendResult> done) {
                    primary_.mail().Append(mailbox, std::move(messages), done);
                  }).ok());
    }
    Stream();
  }
  bool node() const { return GetParam().standby; }
  bool lowest() const { return GetParam().lowest; }

  Engine::Table LargestTable(Family family) {
    Engine::Table largest;
    for (const Engine::Table& table : engine(node()).Tables()) {
      if (table.family == family && table.bytes > largest.bytes) {
        largest = table;
      }
    }
    return largest;
  }

  /// The node stops, a bit in its largest table of the family is turned over, and it starts again.
  void FlipInTable(Family family) {
    before_ = RowsOf(node());
    ASSERT_TRUE(engine(node()).Flush().ok());
    StoreBox& damaged = box(node());
    if (lowest()) {
      damaged.Close();
      Compact(damaged.directory() + "/store");
      damaged.Open();
    }
    // A merge that is under way as the node stops may take the table away.
    std::string path;
    while (path.empty() || !std::filesystem::exists(path)) {
      if (!path.empty()) {
        damaged.Open();
      }
      const Engine::Table largest = LargestTable(family);
      ASSERT_GT(largest.bytes, 0U);
      damaged.Close();
      path = damaged.directory() + "/store/" + largest.file;
    }
    {
      const auto third = static_cast<std::streamoff>(std::filesystem::file_size(path) / 3);
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(third);
      const char octet = static_cast<char>(file.get() ^ 0x10);
      file.seekp(third);
      file.put(octet);
      ASSERT_TRUE(file.good());
    }
    Restart();
  }

  /// Written again as they are: what is flushed then covers all tables, and must be merged with
  /// them.
  RowBatch FirstAndLastRecord() {
    const std::string name = "records:";
    const auto first = before_.lower_bound(name);
    const auto last = std::prev(before_.lower_bound("records;"));
    RowBatch ends;
    ends.Put(Family::kRecords, first->first.substr(name.size()), first->second);
    ends.Put(Family::kRecords, last->first.substr(name.size()), last->second);
    return ends;
  }

  static void Compact(const std::string& directory) {
    const EngineOptions options;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(MakeDbOptions(options), directory, MakeFamilies(options),
                                  &handles, &opened)
                    .ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::CompactRangeOptions all;
    all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      EXPECT_TRUE(db->CompactRange(all, handle, nullptr, nullptr).ok());
      EXPECT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
  }

  void ExpectFoundAndHealed(const char* kind) {
    ASSERT_TRUE(Pass(node()).ok());
    const std::vector<proto::Damage> found = host(node()).found;
    EXPECT_TRUE(std::ranges::any_of(found, [kind](const auto& d) { return d.kind() == kind; }))
        << Tell(found);
    for (const proto::Damage& damage : found) {
      EXPECT_TRUE(damage.healed()) << Tell({damage});
    }
    EXPECT_TRUE(std::ranges::any_of(found, [](const auto& d) { return d.kind() == "table"; }))
        << "the file itself is told of: " << Tell(found);
    EXPECT_EQ(host(node()).replaced, 0);
    for (int round = 0; round < 2; ++round) {
      for (const Engine::Table& table : engine(node()).Tables()) {
        const Status whole = engine(node()).CheckTable(table);
        EXPECT_TRUE(whole.ok() || whole.Is(Code::kNotFound)) << whole.ToString();
      }
      EXPECT_EQ(Differing(before_, RowsOf(node())), "");
      ASSERT_TRUE(Pass(node()).ok());
      EXPECT_EQ(Tell(host(node()).found), "") << "a second pass";
      Restart();
    }
    ExpectTablesWhole();
  }

  /// Nothing of the damaged file is left, not even for those who do not know of it.
  void ExpectTablesWhole() {
    box(node()).Close();
    Compact(box(node()).directory() + "/store");
    Restart();
  }

  void Restart() {
    StoreBox& again = box(node());
    again.Close();
    again.Open();
    if (node()) {
      again.store().ports().visibility->SetServing({});
    }
    hosts_[node() ? 1 : 0] = std::make_unique<DirectHost>(again, box(!node()), node());
  }

  /// Every message of a mailbox, as clients read them; the node is made primary for it.
  void ExpectReadable(const MailboxRef& mailbox, std::size_t count) {
    StoreBox& reader = box(node());
    if (node()) {
      reader.BePrimary(3);
    }
    const auto batch = reader.Index(mailbox);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    EXPECT_EQ(batch->entries.size(), count);
    for (const IndexEntry& entry : batch->entries) {
      EXPECT_FALSE(reader.Octets(mailbox, entry.uid.value()).empty());
      ASSERT_FALSE(HasFailure());
    }
  }
  Rows before_;
  void ExpectEqualDigests() {
    EXPECT_EQ(RowView(engine(true)).DigestOfUser(user_.id).value(),
              RowView(engine(false)).DigestOfUser(user_.id).value());
  }
};

TEST_P(ScrubTable, ABlockOfTheIndexIsHealed) {
  FlipInTable(Family::kIndex);
  ExpectFoundAndHealed("mailbox");
  ExpectReadable(inbox_, kMessages / 2 + 7);
  ExpectReadable(work_, kMessages / 2 + 3);
  ExpectEqualDigests();
}

TEST_P(ScrubTable, ABlockOfRecordsIsHealed) {
  FlipInTable(Family::kRecords);
  ExpectFoundAndHealed("mailbox");
  ExpectReadable(inbox_, kMessages / 2 + 7);
  ExpectReadable(work_, kMessages / 2 + 3);
  ExpectEqualDigests();
}

TEST_P(ScrubTable, ABlockOfBodiesIsHealed) {
  FlipInTable(Family::kBodies);
  ExpectFoundAndHealed("body");
  ExpectReadable(inbox_, kMessages / 2 + 7);
  ExpectReadable(work_, kMessages / 2 + 3);
}

TEST_P(ScrubTable, ABlockOfThePoolIsHealed) {
  FlipInTable(Family::kGuids);
  ExpectFoundAndHealed("user");
  ExpectReadable(inbox_, kMessages / 2 + 7);
  ExpectEqualDigests();
  std::size_t bodies = 0;
  EXPECT_TRUE(RowView(engine(node()))
                  .Scan(Family::kGuids, user_.id.bytes(),
                        [&](std::string_view, std::string_view) -> Result<bool> {
                          ++bodies;
                          return true;
                        })
                  .ok());
  EXPECT_EQ(bodies, kMessages + 8U);
}

TEST_P(ScrubTable, ABlockOfReferencesIsHealed) {
  FlipInTable(Family::kRefs);
  ExpectFoundAndHealed("references");
  std::size_t refs = 0;
  EXPECT_TRUE(RowView(engine(node()))
                  .Scan(Family::kRefs, user_.id.bytes(),
                        [&](std::string_view, std::string_view) -> Result<bool> {
                          ++refs;
                          return true;
                        })
                  .ok());
  EXPECT_EQ(refs, kMessages + 11U);
}

TEST_P(ScrubTable, WithoutTheOtherNodeTheBlockIsTold) {
  FlipInTable(Family::kRecords);
  host(node()).no_peer = Unavailable("the peer is away");
  ASSERT_TRUE(Pass(node()).ok());
  EXPECT_THAT(Tell(host(node()).found), HasSubstr("mailbox, NOT healed"));
  EXPECT_THAT(Tell(host(node()).found), HasSubstr("table, NOT healed"));
  EXPECT_THAT(Tell(host(node()).found), HasSubstr("of family records"));
}

// A compaction that meets the block must not end the process: the rows can still be healed.
TEST_P(ScrubTable, ACompactionThatMeetsTheBlockLeavesTheStoreWritable) {
  FlipInTable(Family::kRecords);
  const std::uint64_t met = engine(node()).damage_met();
  const RowBatch ends = FirstAndLastRecord();
  for (int i = 0; i < 200 && engine(node()).damage_met() == met; ++i) {
    ASSERT_TRUE(engine(node()).Write(ends, WriteMode::kSync).ok());
    ASSERT_TRUE(engine(node()).Flush().ok());
  }
  EXPECT_GT(engine(node()).damage_met(), met) << "no compaction came";
  EXPECT_TRUE(box(node()).store().ports().scrub->Urgent());
  EXPECT_TRUE(engine(node()).Write(ends, WriteMode::kSync).ok());
  ASSERT_TRUE(Pass(node()).ok());
  EXPECT_FALSE(box(node()).store().ports().scrub->Urgent());
  ExpectReadable(inbox_, kMessages / 2 + 7);
}

INSTANTIATE_TEST_SUITE_P(Nodes, ScrubTable,
                         ::testing::Values(Case{false, false}, Case{true, false}, Case{false, true},
                                           Case{true, true}),
                         [](const auto& node) {
                           return std::string(node.param.standby ? "Standby" : "Primary") +
                                  (node.param.lowest ? "OldTable" : "YoungTable");
                         });

}  // namespace
}  // namespace twinspool::store
