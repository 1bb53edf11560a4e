// What Engine::Open needs besides RocksDB itself: the tuning of the families, and the checks of a
// store directory before anything in it is opened. Included by engine*.cc alone.
#pragma once

#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>

#include "common/status.h"
#include "server/store/engine.h"

namespace twinspool::store {

/// Translates where RocksDB's answers enter. `doing` starts the text, e.g. "reading family index".
Status FromRocks(const rocksdb::Status& status, std::string_view doing);

/// Options of the database and, in the order of `kFamilies` after the unused default family, of
/// its families.
rocksdb::DBOptions MakeDbOptions(const EngineOptions& options);
std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(const EngineOptions& options);

/// A store directory before it is opened. All calls go through `env`.
class StoreDirectory {
 public:
  StoreDirectory(rocksdb::Env* env, std::string path) : env_(env), path_(std::move(path)) {}
  ~StoreDirectory();
  StoreDirectory(const StoreDirectory&) = delete;
  StoreDirectory& operator=(const StoreDirectory&) = delete;

  /// Makes the directory (0700) if it is missing and locks it for this process until destruction.
  Status Lock();
  /// True: there is a complete store of our format. False: there is none, and none was lost. An
  /// error otherwise.
  Result<bool> Examine();
  /// Opening turns the write-ahead log into tables, and RocksDB ends the process when the disk gets
  /// full meanwhile: kOverQuota unless there is room. The ballast is given up for it.
  Status CheckRoom();
  /// Marks the directory as being made and removes what an earlier creation left.
  Status BeginCreation();
  /// The store is complete from now on.
  Status FinishCreation();
  /// Numbers of tables that hold nothing any more and could not be taken out while the store was
  /// open.
  Result<std::vector<std::uint64_t>> Emptied();
  Status SetEmptied(const std::vector<std::uint64_t>& tables);

 private:
  Status WriteFile(const std::string& name, const std::string& text);
  Status SyncDirectory();

  rocksdb::Env* env_;
  std::string path_;
  rocksdb::FileLock* lock_ = nullptr;
};

/// Takes tables that Engine has emptied out of a store that is not open; those that are gone since,
/// or cannot be taken out, are left as they are.
void RemoveTables(const EngineOptions& options, const std::string& directory,
                  const std::vector<std::uint64_t>& tables);

/// Why RocksDB did not open the directory, for people: names the damaged file, where that can be
/// found out, and the remedy.
Status OpenError(const EngineOptions& options, const std::string& directory,
                 const rocksdb::Status& status);

/// "Remedy: …" for a store that can't be opened.
std::string RemedyText(const std::string& directory);

}  // namespace twinspool::store
