// The inside of Engine, shared by engine.cc and engine_tables.cc; nobody else includes this.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include "server/store/engine.h"
#include "server/store/engine_setup.h"

namespace twinspool::store {

/// Counts how often damage was met by anyone.
using DamageCount = std::shared_ptr<std::atomic<std::uint64_t>>;

/// Keeps the database going when a compaction meets a table that cannot be read: nothing is lost by
/// that, and the rows can be had from the other node.
std::shared_ptr<rocksdb::EventListener> MakeDamageListener(DamageCount met);

/// What was found out about tables; see engine_tables.cc.
struct KnownTables {
  using Keys = std::shared_ptr<const std::vector<std::string>>;
  std::mutex mutex;
  std::set<std::string> good;       // files that were read as a whole; guarded by mutex
  std::map<std::string, Keys> bad;  // … and others, with the keys that can be read
  std::set<std::uint64_t> emptied;  // numbers of files that iterators leave out
  std::atomic<bool> any_emptied{false};
};

struct Engine::Impl {
  std::unique_ptr<StoreDirectory> files;  // keeps the lock; goes last
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;  // [0] is the unused default family
  std::function<void(const Status&)> on_failed_write;
  DamageCount met = std::make_shared<std::atomic<std::uint64_t>>(0);
  KnownTables tables;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    if (db) {
      db->Close().PermitUncheckedError();
    }
  }

  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles[static_cast<std::size_t>(family) + 1];
  }
  void Meet(const rocksdb::Status& status) const {
    if (status.IsCorruption()) {
      ++*met;
    }
  }
  /// So that an iterator leaves out emptied tables and, if given, one more.
  void LeaveOut(const std::string& file, rocksdb::ReadOptions* options);
  Status OpenDatabase(const std::string& directory, const EngineOptions& options, bool create);
  Status CheckBlobFiles(const std::string& directory) const;
};

}  // namespace twinspool::store
