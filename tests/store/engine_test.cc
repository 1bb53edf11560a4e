// The engine: rows there and back, and every way in which a directory may not be opened.
#include "server/store/engine.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "server/store/disk_space.h"
#include "server/store/page.h"
#include "tests/support/temp_dir.h"

namespace twinspool::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

EngineOptions SmallOptions() {
  EngineOptions options;
  options.block_cache_bytes = 4u << 20;
  options.write_buffer_bytes = 8u << 20;
  return options;
}

Result<std::unique_ptr<Engine>> OpenSmall(const std::string& directory) {
  return Engine::Open(directory, SmallOptions());
}

void PutRow(Engine& engine, Family family, const std::string& key, const std::string& value) {
  RowBatch batch;
  batch.Put(family, key, value);
  const Status status = engine.Write(batch, WriteMode::kSync);
  ASSERT_TRUE(status.ok()) << status.ToString();
}

std::string Operand(std::uint8_t low, std::uint64_t modseq) {
  PageEntry entry;
  entry.uid_low = low;
  entry.modseq = Modseq(modseq);
  std::string operand;
  AppendEntry(entry.view(), &operand);
  return operand;
}

/// Size and content of every file that holds data.
std::map<std::string, std::string> Content(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("LOG") || name == "LOCK" || name == "owner.lock") {
      continue;
    }
    std::ifstream in(entry.path(), std::ios::binary);
    files[name] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

std::string FindFile(const std::string& directory, const std::string& part) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().find(part) != std::string::npos) {
      return entry.path().string();
    }
  }
  return "";
}

TEST(Engine, KeepsRowsOverReopening) {
  testing::TempDir dir;
  {
    auto engine = OpenSmall(dir / "store");
    ASSERT_TRUE(engine.ok()) << engine.status().ToString();
    for (const FamilyInfo& info : kFamilies) {
      if (info.family != Family::kIndex) {
        PutRow(**engine, info.family, "key", info.name);
      }
    }
    RowBatch batch;
    batch.MergePage("page", Operand(3, 30));
    batch.MergePage("page", Operand(1, 10));
    ASSERT_TRUE((*engine)->Write(batch, WriteMode::kSync).ok());
  }
  auto engine = OpenSmall(dir / "store");
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  for (const FamilyInfo& info : kFamilies) {
    if (info.family != Family::kIndex) {
      EXPECT_EQ((*engine)->Get(info.family, "key").value(), info.name);
    }
  }
  const Page page = *Page::Decode(*(*engine)->Get(Family::kIndex, "page").value());
  EXPECT_EQ(page.entries().size(), 2u);
  EXPECT_EQ((*engine)->Get(Family::kUsers, "nothing").value(), std::nullopt);
}

TEST(Engine, SnapshotsAndIteratorsSeeOneMoment) {
  testing::TempDir dir;
  auto engine = *OpenSmall(dir / "store");
  for (const char* key : {"a1", "a2", "b1"}) {
    PutRow(*engine, Family::kMisc, key, "old");
  }
  SnapshotPtr snapshot = engine->TakeSnapshot();
  PutRow(*engine, Family::kMisc, "a2", "new");
  PutRow(*engine, Family::kMisc, "a3", "new");
  EXPECT_EQ(engine->Get(Family::kMisc, "a2", snapshot.get()).value(), "old");
  EXPECT_EQ(engine->Get(Family::kMisc, "a2").value(), "new");
  std::vector<std::string> keys;
  RowIterator it = engine->Iterate(Family::kMisc, KeyRange::Prefix("a"), snapshot.get());
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    keys.emplace_back(it.key());
  }
  EXPECT_TRUE(it.status().ok());
  EXPECT_THAT(keys, ::testing::ElementsAre("a1", "a2"));
  const auto rows = engine->MultiGet(Family::kMisc, {"a3", "a1", "zz"}).value();
  EXPECT_EQ(rows[0], "new");
  EXPECT_EQ(rows[1], "old");
  EXPECT_EQ(rows[2], std::nullopt);
}

TEST(Engine, RangeDeletionAndBlobsRoundTrip) {
  testing::TempDir dir;
  auto engine = *OpenSmall(dir / "store");
  const std::string big(300'000, 'b');
  for (const char* key : {"a", "b", "c"}) {
    PutRow(*engine, Family::kBodies, key, big);
  }
  ASSERT_TRUE(engine->Flush().ok());
  EXPECT_NE(FindFile(dir / "store", ".blob"), "");
  RowBatch batch;
  batch.DeleteRange(Family::kBodies, "a", "c");
  ASSERT_TRUE(engine->Write(batch, WriteMode::kSync).ok());
  EXPECT_EQ(engine->Get(Family::kBodies, "b").value(), std::nullopt);
  EXPECT_EQ(engine->Get(Family::kBodies, "c").value(), big);
}

TEST(Engine, MalformedPageIsDataLossForItsReaderAlone) {
  testing::TempDir dir;
  auto engine = *OpenSmall(dir / "store");
  PutRow(*engine, Family::kIndex, "bad", "no page");
  RowBatch batch;
  batch.MergePage("bad", Operand(1, 1));
  batch.MergePage("good", Operand(1, 1));
  ASSERT_TRUE(engine->Write(batch, WriteMode::kSync).ok());
  EXPECT_EQ(engine->Get(Family::kIndex, "bad").code(), Code::kDataLoss);
  EXPECT_TRUE(engine->Get(Family::kIndex, "good").ok());
}

TEST(Engine, ARowInATableThatIsNotOpenIsNotTakenForAnEmptyOne) {
  testing::TempDir dir;
  auto engine = *OpenSmall(dir / "store");
  // RocksDB opens a few tables ahead; these are more.
  constexpr int kTables = 40;
  for (int i = 0; i < kTables; ++i) {
    PutRow(*engine, Family::kUsers, std::to_string(1000 + i), "value");
    ASSERT_TRUE(engine->Flush().ok());
  }
  engine.reset();
  engine = *OpenSmall(dir / "store");
  for (int i = 0; i < kTables; ++i) {
    const auto cached = engine->GetCached(Family::kUsers, std::to_string(1000 + i));
    ASSERT_TRUE(cached.ok());
    if (cached->has_value()) {
      EXPECT_EQ(**cached, "value") << i;
    }
  }
}

TEST(Engine, CachedReadsNeverTouchTheDisk) {
  testing::TempDir dir;
  auto engine = *OpenSmall(dir / "store");
  PutRow(*engine, Family::kUsers, "a", "1");
  const auto cached = engine->GetCached(Family::kUsers, "a");
  ASSERT_TRUE(cached.ok() && cached.value());
  EXPECT_EQ(**cached, "1");
  ASSERT_TRUE(engine->Flush().ok());
  engine.reset();
  engine = *OpenSmall(dir / "store");
  const auto walk = [&](bool cached_only) {
    RowIterator it = engine->Iterate(Family::kUsers, {}, nullptr, cached_only);
    it.SeekToFirst();
    return it.Valid() ? OkStatus() : it.status();
  };
  EXPECT_EQ(walk(true).code(), Code::kTimeout) << "the row is in a file nobody has read yet";
  EXPECT_TRUE(walk(false).ok());
  EXPECT_TRUE(walk(true).ok());
}

// --- what may not be opened

void Overwrite(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

class EngineRefuses : public ::testing::Test {
 protected:
  void SetUp() override {
    {
      auto engine = *OpenSmall(path_);
      for (int i = 0; i < 200; ++i) {
        PutRow(*engine, Family::kRecords, "key" + std::to_string(i), std::string(100, 'r'));
      }
      ASSERT_TRUE(engine->Flush().ok());
      PutRow(*engine, Family::kRecords, "in the log", "x");
    }
    ASSERT_TRUE(OpenSmall(path_).ok());
  }
  /// Opening must fail, name `file`, say what to do and leave every file as it was.
  void ExpectRefused(const std::string& file, Code code = Code::kDataLoss) {
    const auto before = Content(path_);
    const auto engine = OpenSmall(path_);
    ASSERT_FALSE(engine.ok());
    EXPECT_EQ(engine.code(), code) << engine.status().ToString();
    EXPECT_THAT(std::string(engine.status().message()), HasSubstr(file));
    EXPECT_THAT(std::string(engine.status().message()), HasSubstr("emedy"));
    EXPECT_EQ(Content(path_), before);
  }

  testing::TempDir dir_;
  const std::string path_ = dir_ / "store";
};

/// A store whose last writes lie in its log alone.
class DamagedLog : public EngineRefuses {
 protected:
  static constexpr int kRows = 300;
  void SetUp() override {
    auto engine = *OpenSmall(path_);
    for (int i = 0; i < kRows; ++i) {
      PutRow(*engine, Family::kRecords, "key" + std::to_string(i), std::string(400, 'r'));
    }
    engine.reset();
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() == ".log" && entry.file_size() > 0) {
        log_ = entry.path().string();
      }
    }
    std::ifstream in(log_, std::ios::binary);
    octets_.assign(std::istreambuf_iterator<char>(in), {});
    ASSERT_GT(octets_.size(), kRows * 400u);
    std::filesystem::copy(path_, kept_, std::filesystem::copy_options::recursive);
  }
  /// The store as it was, with another log.
  void PutBack(const std::string& log) {
    std::filesystem::remove_all(path_);
    std::filesystem::copy(kept_, path_, std::filesystem::copy_options::recursive);
    Overwrite(log_, log);
  }
  int RowsLeft() {
    const auto engine = OpenSmall(path_);
    EXPECT_TRUE(engine.ok()) << engine.status().ToString();
    int rows = 0;
    while (engine.ok() &&
           (*engine)->Get(Family::kRecords, "key" + std::to_string(rows))->has_value()) {
      ++rows;
    }
    return rows;
  }

  const std::string kept_ = dir_ / "kept";
  std::string log_;
  std::string octets_;
};

TEST_F(DamagedLog, AFlippedBitInTheMiddleIsNamed) {
  for (const std::size_t at : {20u, 5'000u, 32'768u + 3, 70'000u, 100'001u}) {
    SCOPED_TRACE(at);
    std::string wrong = octets_;
    wrong[at] = static_cast<char>(wrong[at] ^ 4);
    PutBack(wrong);
    ExpectRefused(std::filesystem::path(log_).filename().string());
  }
}

TEST_F(DamagedLog, ATornEndIsFineAtEveryLength) {
  for (std::size_t cut = 1; cut < 1'500; cut += 97) {
    SCOPED_TRACE(cut);
    PutBack(octets_.substr(0, octets_.size() - cut));
    EXPECT_GE(RowsLeft(), kRows - 4);
    PutBack(octets_.substr(0, octets_.size() - cut) + std::string(9'000, '\0'));
    EXPECT_GE(RowsLeft(), kRows - 4) << "room that was laid out";
    PutBack(octets_.substr(0, octets_.size() - cut) + std::string(cut, '#'));
    EXPECT_GE(RowsLeft(), kRows - 4) << "garbage";
  }
}

TEST_F(DamagedLog, APageThatTheDiskNeverGotIsATornEnd) {
  std::string torn = octets_;
  std::fill(torn.begin() + 81'920, torn.begin() + 86'016, '\0');
  PutBack(torn);
  EXPECT_GT(RowsLeft(), 100);
}

TEST_F(EngineRefuses, AnotherFormat) {
  Overwrite(path_ + "/format", "twinspool store 2\n");
  ExpectRefused("format");
}

TEST_F(EngineRefuses, LostFormatFile) {
  fs::remove(path_ + "/format");
  ExpectRefused("format");
}

TEST_F(EngineRefuses, LostStoreOfANodeThatHadOne) {
  fs::remove_all(path_);
  EngineOptions options = SmallOptions();
  options.may_create = false;
  const auto refused = Engine::Open(path_, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kDataLoss);
  EXPECT_THAT(refused.status().ToString(), HasSubstr("Remedy"));
  EXPECT_FALSE(fs::exists(path_ + "/format")) << "made all the same";
}

TEST_F(EngineRefuses, DamagedCurrent) {
  Overwrite(path_ + "/CURRENT", "MANIFEST-nonsense");
  ExpectRefused("CURRENT");
}

TEST_F(EngineRefuses, LostCurrent) {
  fs::remove(path_ + "/CURRENT");
  ExpectRefused("CURRENT");
}

TEST_F(EngineRefuses, LostManifest) {
  fs::remove(FindFile(path_, "MANIFEST-"));
  ExpectRefused("MANIFEST-");
}

TEST_F(EngineRefuses, DamagedManifest) {
  const std::string manifest = FindFile(path_, "MANIFEST-");
  std::fstream file(manifest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20);
  file.put('\xee').put('\xee');
  file.close();
  ExpectRefused("MANIFEST");
}

TEST_F(EngineRefuses, ShortenedTable) {
  const std::string table = FindFile(path_, ".sst");
  fs::resize_file(table, fs::file_size(table) / 2);
  ExpectRefused(fs::path(table).filename().string());
}

TEST_F(EngineRefuses, LostTable) {
  const std::string table = FindFile(path_, ".sst");
  fs::remove(table);
  ExpectRefused(fs::path(table).filename().string());
}

TEST_F(EngineRefuses, DamagedTableTail) {
  const std::string table = FindFile(path_, ".sst");
  std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-10, std::ios::end);
  file.write("nonsense!!", 10);
  file.close();
  ExpectRefused(".sst");
}

TEST_F(EngineRefuses, CutOrLostBlobFile) {
  {
    auto engine = *OpenSmall(path_);
    PutRow(*engine, Family::kBodies, "body", std::string(100'000, 'b'));
    ASSERT_TRUE(engine->Flush().ok());
  }
  const std::string blob = FindFile(path_, ".blob");
  fs::resize_file(blob, fs::file_size(blob) - 1);
  EXPECT_THAT(OpenSmall(path_).status().ToString(), HasSubstr(blob));
  fs::remove(blob);
  const auto refused = OpenSmall(path_);
  EXPECT_EQ(refused.code(), Code::kDataLoss);
  EXPECT_THAT(refused.status().ToString(), HasSubstr(blob));
}

TEST_F(EngineRefuses, DamagedRowsAreFoundWhenRead) {
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.path().extension() == ".sst") {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(30);
      file.write("rot", 3);
    }
  }
  const auto engine = OpenSmall(path_);
  const Status status =
      engine.ok() ? engine.value()->Get(Family::kRecords, "key7").status() : engine.status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(".sst"));
}

TEST_F(EngineRefuses, SecondOpeningInOneProcess) {
  auto first = *OpenSmall(path_);
  const auto second = OpenSmall(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(path_));
}

TEST_F(EngineRefuses, SecondProcess) {
  auto first = *OpenSmall(path_);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto second = OpenSmall(path_);
    ::_exit(!second.ok() && second.code() == Code::kUnavailable ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Engine, CreationCutShortStartsOver) {
  testing::TempDir dir;
  fs::create_directory(dir / "store");
  Overwrite(dir / "store/creating", "");
  Overwrite(dir / "store/MANIFEST-000001", "half");
  Overwrite(dir / "store/000004.sst", "half");
  const auto engine = OpenSmall(dir / "store");
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  EXPECT_FALSE(fs::exists(dir / "store/creating"));
  EXPECT_TRUE(fs::exists(dir / "store/format"));
}

TEST(Engine, PathIsAFile) {
  testing::TempDir dir;
  Overwrite(dir / "store", "a file");
  const auto engine = OpenSmall(dir / "store");
  ASSERT_FALSE(engine.ok());
  EXPECT_THAT(std::string(engine.status().message()), HasSubstr(dir / "store"));
}

TEST(DiskSpace, BallastIsMadeAndDropped) {
  testing::TempDir dir;
  EXPECT_GT(FreeDiskBytes(dir.path()), 0u);
  EXPECT_EQ(FreeDiskBytes(dir / "missing"), 0u);
  EXPECT_EQ(BallastBytes(dir.path()), 0u);
  ASSERT_TRUE(MakeBallast(dir.path(), 1u << 20).ok());
  EXPECT_EQ(BallastBytes(dir.path()), 1u << 20);
  ASSERT_TRUE(MakeBallast(dir.path(), 1u << 16).ok());
  EXPECT_EQ(BallastBytes(dir.path()), 1u << 16);
  EXPECT_EQ(MakeBallast(dir.path(), 1ull << 60).code(), Code::kOverQuota);
  EXPECT_EQ(BallastBytes(dir.path()), 0u);
  EXPECT_TRUE(DropBallast(dir.path()).ok());
}

}  // namespace
}  // namespace twinspool::store
