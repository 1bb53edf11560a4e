// UnsyncedFs: a file system for RocksDB on which the power can be cut.
//
// It writes through to real files but remembers what was synced: octets by file (Sync, Fsync), and
// names by directory (Fsync of the directory). PowerCut() makes every later call fail; Restore(),
// once the store is closed, makes the real files what a disk would hold then: unsynced octets cut
// off at a random place (of logs, the last kept block perhaps torn into garbage; RocksDB counts on
// journaling file systems not to do that to its other files), unsynced creations, renames and
// deletions undone, or, by a coin per cut, kept. Real syncs are skipped, so rounds are
// fast.
//
// Thread-safe. Files that were there before, or that RocksDB writes past this class (its LOG), are
// left alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace twinspool::testing {

class UnsyncedFs : public rocksdb::FileSystemWrapper {
 public:
  UnsyncedFs();
  UnsyncedFs(const UnsyncedFs&) = delete;
  UnsyncedFs& operator=(const UnsyncedFs&) = delete;
  ~UnsyncedFs() override;

  // NOLINTNEXTLINE(readability-identifier-naming): RocksDB asks for it by this name.
  static const char* kClassName() { return "UnsyncedFs"; }
  const char* Name() const override { return kClassName(); }

  /// From now on nothing reaches the disk.
  void PowerCut();
  /// Cuts by itself before the `count`-th write, sync or change of a name from now.
  void PowerCutAfter(std::uint64_t count);
  bool off() const;
  /// After `count` more that go well, one sync fails with EIO, or one write with ENOSPC.
  enum class Failing { kNothing, kSync, kSpace };
  void FailNext(Failing what, std::uint64_t count);
  /// The program was killed, not the machine: files are as they were written. No file may be open.
  void Resume();
  /// Power is back: files are as the disk would have them. No file may be open.
  void Restore(std::uint64_t seed);

  /// What a disk would hold if the power failed now, as files of `directory` copied to `target`;
  /// the store goes on. For programs that end themselves when a write fails.
  bool CopyImage(const std::string& directory, const std::string& target, std::uint64_t seed);

  /// How many syncs of files and directories were asked for.
  std::uint64_t syncs() const;

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(const std::string& name, std::size_t size,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  friend class TrackedFile;
  friend class TrackedDirectory;
  struct Inode;
  using InodePtr = std::shared_ptr<Inode>;

  /// Counts an operation; an error when the power is off (or goes off now).
  rocksdb::IOStatus Operate(Failing kind = Failing::kNothing);
  void SyncNames(const std::string& directory);
  /// Takes a name away from an inode whose name is still on the disk: keeps its octets aside.
  void Unlink(const std::string& name);
  /// Cuts a file to what was synced and a random part of the rest.
  static std::uint64_t Tear(const std::string& path, const Inode& inode, std::mt19937_64* random);
  void RestoreFile(const std::string& name, const InodePtr& inode, std::mt19937_64* random);

  mutable std::mutex mutex_;
  bool off_ = false;
  std::uint64_t countdown_ = 0;  // 0: none
  Failing failing_ = Failing::kNothing;
  std::uint64_t fails_after_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t graves_ = 0;
  std::map<std::string, InodePtr> live_;
  std::map<std::string, InodePtr> durable_;
};

/// An Env over it, for EngineOptions.
std::unique_ptr<rocksdb::Env> MakeUnsyncedEnv(const std::shared_ptr<UnsyncedFs>& fs);

}  // namespace twinspool::testing
