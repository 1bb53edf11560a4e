// The control file: its format, damaged copies, and power lost between any two calls.
#include "replica/control_file.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/codec.h"
#include "common/limits.h"

namespace twinspool::replica {
namespace {

using testing::HasSubstr;

ControlRecord Sample(std::uint32_t epoch) {
  ControlRecord record;
  record.role.incarnation = Incarnation(7);
  record.role.epoch = Epoch(epoch);
  record.role.last_primary = true;
  record.role.grant = core::Grant::kFence;
  record.role.incomplete_target = CommitSeq(99);
  record.role.uid_jump = core::UidJump::kJumpAndRenumber;
  record.identity.pair_id = PairId::FromBytes("0123456789abcdef");
  record.identity.node_id = NodeId::FromBytes("fedcba9876543210");
  record.identity.node_index = 1;
  record.identity.mode = core::Mode::kStrict;
  record.identity.peer_address = "peer.example:7143";
  record.identity.join_secret_hash = std::string("\0\1\2", 3);
  record.history = {{Epoch(2), CommitSeq(1)}, {Epoch(epoch), CommitSeq(40)}};
  record.Remember(
      {5, "fenced", "primary", Epoch(epoch), core::Failover::kForced, "forced promotion", "root"});
  return record;
}

// A file system in memory that forgets what was not synced when the power goes.
class PowerFiles : public DurableFiles {
 public:
  Status MakeDirectory(const std::string& path) override {
    (void)path;
    return Call("mkdir");
  }
  Result<std::string> Read(const std::string& path) override {
    const auto it = now_.find(path);
    return it == now_.end() ? Result<std::string>(NotFound("no " + path)) : it->second;
  }
  Status WriteSynced(const std::string& path, std::string_view content) override {
    if (Status alive = Call("write"); !alive.ok()) {
      now_[path] = std::string(content.substr(0, content.size() / 2));  // torn
      return alive;
    }
    now_[path] = std::string(content);
    return OkStatus();
  }
  Status Rename(const std::string& from, const std::string& to) override {
    TRY(Call("rename"));
    now_[to] = now_[from];
    now_.erase(from);
    return OkStatus();
  }
  Status SyncDirectory(const std::string& path) override {
    (void)path;
    TRY(Call("sync directory"));
    if (directory_syncs_work) {
      durable_ = now_;
    }
    return OkStatus();
  }

  /// The power goes; names changed since the last sync of the directory survive or not.
  void LosePower(bool names_survive) {
    if (!names_survive) {
      now_ = durable_;
    }
    durable_ = now_;
    calls_left = std::nullopt;
  }

  std::map<std::string, std::string>& now() { return now_; }

  std::optional<int> calls_left;  // then every call fails
  bool directory_syncs_work = true;
  std::vector<std::string> calls;

 private:
  Status Call(const char* what) {
    if (calls_left && (*calls_left)-- <= 0) {
      return IoError("power lost");
    }
    calls.emplace_back(what);
    return OkStatus();
  }

  std::map<std::string, std::string> now_;
  std::map<std::string, std::string> durable_;
};

Result<ControlRecord> Reload(PowerFiles& files) {
  ControlFile file("/data", files);
  Result<ControlFile::Loaded> loaded = file.Load();
  if (!loaded.ok()) {
    return loaded.status();
  }
  return loaded->record;
}

void CreateSample(PowerFiles& files) {
  ControlFile file("/data", files);
  ASSERT_TRUE(file.Create(Sample(3)).ok());
}

// --- the format ------------------------------------------------------------------------------

TEST(ControlFormat, KeepsEverything) {
  const std::string octets = EncodeControl(Sample(5), 12);
  EXPECT_EQ(octets.substr(0, 8), "TwinCtrl");
  EXPECT_EQ(octets.substr(8, 12), std::string("\0\0\0\1\0\0\0\0\0\0\0\x0c", 12));
  const Result<DecodedControl> back = DecodeControl(octets);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->generation, 12u);
  EXPECT_EQ(back->record, Sample(5));
}

TEST(ControlFormat, EveryFlippedBitIsNoticed) {
  const std::string octets = EncodeControl(Sample(5), 1);
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    std::string bad = octets;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(DecodeControl(bad).ok()) << "bit " << bit;
  }
}

TEST(ControlFormat, EveryTruncationAndTailIsNoticed) {
  const std::string octets = EncodeControl(Sample(5), 1);
  for (std::size_t length = 0; length < octets.size(); ++length) {
    EXPECT_EQ(DecodeControl(std::string_view(octets).substr(0, length)).code(), Code::kDataLoss);
  }
  EXPECT_EQ(DecodeControl(octets + "x").code(), Code::kDataLoss);
}

TEST(ControlFormat, ValuesThatWeNeverWriteAreRefused) {
  ControlRecord record = Sample(5);
  record.role.grant = static_cast<core::Grant>(9);
  EXPECT_EQ(DecodeControl(EncodeControl(record, 1)).code(), Code::kDataLoss);
  record = Sample(5);
  record.identity.node_index = 2;
  EXPECT_EQ(DecodeControl(EncodeControl(record, 1)).code(), Code::kDataLoss);
  record = Sample(8192);
  EXPECT_EQ(DecodeControl(EncodeControl(record, 1)).code(), Code::kDataLoss);
}

TEST(ControlFormat, AFileThatTellsNoKindOfFailoverIsRead) {
  ControlRecord record = Sample(5);
  record.transitions[0].failover = core::Failover::kNone;
  const std::string older = EncodeControl(record, 1);  // as before the kind was written
  EXPECT_EQ(EncodeControl(Sample(5), 1).size(), older.size() + 2);
  ASSERT_TRUE(DecodeControl(older).ok());
  EXPECT_EQ(DecodeControl(older)->record, record);
  ControlRecord newer = record;
  newer.transitions[0].failover = static_cast<core::Failover>(99);
  ASSERT_TRUE(DecodeControl(EncodeControl(newer, 1)).ok());
  EXPECT_EQ(DecodeControl(EncodeControl(newer, 1))->record, record);
}

TEST(ControlFormat, RemembersTheNewestTransitions) {
  ControlRecord record;
  for (int i = 0; i < 25; ++i) {
    record.Remember({i, "fenced", "standby", Epoch(2), core::Failover::kNone, "", ""});
  }
  ASSERT_EQ(record.transitions.size(), limits::kTransitionsKept);
  EXPECT_EQ(record.transitions.front().wall_ns, 5);
  EXPECT_EQ(record.transitions.back().wall_ns, 24);
}

// --- two copies ------------------------------------------------------------------------------

TEST(ControlFile, ANewNodeIsAbsentThenCreatedOnce) {
  PowerFiles files;
  ControlFile file("/data", files);
  EXPECT_TRUE(*file.Absent());
  const Result<ControlFile::Loaded> none = file.Load();
  EXPECT_EQ(none.code(), Code::kNotFound);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("stays fenced"));
  CreateSample(files);
  EXPECT_FALSE(*file.Absent());
  EXPECT_EQ(file.Create(Sample(5)).code(), Code::kAlreadyExists);
  EXPECT_EQ(*Reload(files), Sample(3));
}

TEST(ControlFile, EachCopyIsWrittenRenamedAndItsDirectorySynced) {
  PowerFiles files;
  CreateSample(files);
  EXPECT_THAT(files.calls, testing::ElementsAre("mkdir", "write", "rename", "sync directory",
                                                "write", "rename", "sync directory"));
}

TEST(ControlFile, OneDamagedOrMissingCopyIsRepaired) {
  for (const char* name : {"/data/control/a", "/data/control/b"}) {
    for (const bool missing : {false, true}) {
      PowerFiles files;
      CreateSample(files);
      if (missing) {
        files.now().erase(name);
      } else {
        files.now()[name].back() ^= 1;
      }
      ControlFile file("/data", files);
      const Result<ControlFile::Loaded> loaded = file.Load();
      ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
      EXPECT_EQ(loaded->record, Sample(3));
      EXPECT_THAT(loaded->repaired, HasSubstr(name));
      EXPECT_EQ(files.now()["/data/control/a"], files.now()["/data/control/b"]);
    }
  }
}

TEST(ControlFile, TheNewestWholeCopyWins) {
  PowerFiles files;
  CreateSample(files);
  files.now()["/data/control/b"] = EncodeControl(Sample(5), 9);
  EXPECT_EQ(*Reload(files), Sample(5));
  ControlFile file("/data", files);
  ASSERT_TRUE(file.Load().ok());
  EXPECT_EQ(file.generation(), 9u);
  ASSERT_TRUE(file.Save(Sample(7)).ok());
  EXPECT_EQ(DecodeControl(files.now()["/data/control/a"])->generation, 10u);
}

TEST(ControlFile, WithoutAWholeCopyItAsksAndChangesNothing) {
  PowerFiles files;
  CreateSample(files);
  files.now()["/data/control/a"].pop_back();
  files.now()["/data/control/b"].clear();
  const auto before = files.now();
  const Result<ControlRecord> loaded = Reload(files);
  EXPECT_EQ(loaded.code(), Code::kDataLoss);
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("pair join"));
  EXPECT_EQ(files.now(), before);
}

TEST(ControlFile, ANewerProgramsCopyIsNeverOverruled) {
  PowerFiles files;
  CreateSample(files);
  files.now()["/data/control/b"][11] = 2;  // format version
  EXPECT_EQ(Reload(files).code(), Code::kConflict);
}

TEST(ControlFile, PowerLostBetweenAnyTwoCallsLeavesOldOrNew) {
  int rounds = 0;
  for (const bool names_survive : {false, true}) {
    for (int calls = 0; calls <= 6; ++calls) {
      PowerFiles files;
      CreateSample(files);
      ControlFile file("/data", files);
      ASSERT_TRUE(file.Load().ok());
      files.calls_left = calls;
      const Status saved = file.Save(Sample(5));
      files.LosePower(names_survive);
      const Result<ControlRecord> loaded = Reload(files);
      ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
      EXPECT_EQ(saved.ok(), calls == 6);
      EXPECT_TRUE(*loaded == Sample(5) || (!saved.ok() && *loaded == Sample(3)));
      ++rounds;
    }
  }
  EXPECT_EQ(rounds, 14);
}

TEST(ControlFile, WithoutDirectorySyncsTheTestAboveWouldFail) {
  PowerFiles files;
  CreateSample(files);
  files.directory_syncs_work = false;
  ControlFile file("/data", files);
  ASSERT_TRUE(file.Load().ok());
  ASSERT_TRUE(file.Save(Sample(5)).ok());
  files.LosePower(false);
  EXPECT_EQ(*Reload(files), Sample(3));
}

TEST(ControlFile, WorksOnTheMachinesFileSystem) {
  std::string dir = (std::filesystem::temp_directory_path() / "control_XXXXXX").string();
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  {
    ControlFile file(dir);
    EXPECT_TRUE(*file.Absent());
    ASSERT_TRUE(file.Create(Sample(3)).ok());
    ASSERT_TRUE(file.Save(Sample(5)).ok());
  }
  struct stat info {};
  ASSERT_EQ(::stat((dir + "/control/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  ControlFile file(dir);
  const Result<ControlFile::Loaded> loaded = file.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(loaded->record, Sample(5));
  EXPECT_EQ(loaded->repaired, "");
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace twinspool::replica
