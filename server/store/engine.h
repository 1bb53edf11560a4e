// Engine: the one place that touches RocksDB. Opens or makes a store directory, writes batches,
// reads rows, takes snapshots; everything above speaks of families, keys and Status.
//
// A directory belongs to one process (RocksDB's LOCK). It is complete once its file "format"
// exists: a directory without one and without any other file is made anew; a creation that was cut
// short (file "creating") is started over; anything else is refused and left untouched. Nothing is
// ever repaired or overwritten on opening.
//
// Threads: all methods may be called from any thread; iterators and batches belong to one thread
// each. Snapshots and iterators are destroyed before the Engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "server/store/row_batch.h"
#include "server/store/schema.h"

namespace rocksdb {
class Env;
class Iterator;
class Snapshot;
}  // namespace rocksdb

namespace twinspool::store {

struct EngineOptions {
  /// File system and threads; null: the machine's. Not owned; outlives the Engine.
  rocksdb::Env* env = nullptr;
  std::size_t block_cache_bytes = 256u << 20;
  /// Unflushed rows in memory, all families together.
  std::size_t write_buffer_bytes = 128u << 20;
  /// False: a store was here before, so that an empty directory is a loss and not a beginning.
  bool may_create = true;
  /// Off in simulations, which say themselves when tables are merged (Compact).
  bool compacts_by_itself = true;
  /// Told of a write that failed (but for those of caches) before Write() returns. A program ends
  /// there: what is on the disk is for the next start to say. Null: only the caller learns of it.
  std::function<void(const Status&)> on_failed_write;
};

enum class WriteMode {
  kSync,    // on disk when the call returns; a failure is final: end the process
  kNoSync,  // survives the process, not a power cut
  kNoLog,   // caches: survives neither
};

class Engine;

/// A moment of the store that stays readable. Shared by readers.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  const rocksdb::Snapshot* raw() const { return raw_; }

 private:
  friend class Engine;
  Snapshot(Engine* engine, const rocksdb::Snapshot* raw) : engine_(engine), raw_(raw) {}
  Engine* engine_;
  const rocksdb::Snapshot* raw_;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// Walks rows of one family in key order inside [lower, upper). Starts nowhere: Seek first.
class RowIterator {
 public:
  RowIterator(const RowIterator&) = delete;
  RowIterator& operator=(const RowIterator&) = delete;
  RowIterator(RowIterator&&) noexcept;
  RowIterator& operator=(RowIterator&&) noexcept;
  ~RowIterator();

  /// To the first row at or after `key` (or the lower bound, if that is later).
  void Seek(std::string_view key);
  void SeekToFirst();
  void SeekToLast();
  bool Valid() const;
  void Next();
  void Prev();
  /// Views, valid until the iterator moves.
  std::string_view key() const;
  std::string_view value() const;
  /// Look at it when Valid() has become false: kDataLoss or kIo when the walk was cut short.
  Status status() const;

 private:
  friend class Engine;
  struct Impl;
  explicit RowIterator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Bounds of a walk; empty: none.
struct KeyRange {
  std::string lower;
  std::string upper;
  /// All keys that start with `prefix`.
  static KeyRange Prefix(std::string_view prefix) {
    return {std::string(prefix), PrefixEnd(prefix)};
  }
};

class Engine {
 public:
  /// kUnavailable: another process has the directory. kDataLoss: a file is missing, cut short or
  /// rotten, or the format is another version's; the text names the file and what to do. kIo: the
  /// disk said no.
  static Result<std::unique_ptr<Engine>> Open(const std::string& directory,
                                              const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// All rows or none. What is derived from rows that go (derived.h) goes with them.
  Status Write(const RowBatch& batch, WriteMode mode);
  /// Rises with every write that took away what others may be derived from.
  std::uint64_t removals() const { return removals_.load(); }
  /// Writes rows that were derived from others, without the log; nothing at all if anything was
  /// taken away since removals() was `before`: they might be of what is gone.
  Status WriteDerived(const RowBatch& batch, std::uint64_t before);

  /// The row's value, or nothing. Without a snapshot: the newest.
  Result<std::optional<std::string>> Get(Family family, std::string_view key,
                                         const Snapshot* snapshot = nullptr);
  using Found = std::optional<std::string>;
  /// As Get for many keys of one family, in the keys' order, each with its own success.
  std::vector<Result<Found>> GetEach(Family family, const std::vector<std::string>& keys,
                                     const Snapshot* snapshot = nullptr);
  /// The same; the first failure fails all.
  Result<std::vector<std::optional<std::string>>> MultiGet(Family family,
                                                           const std::vector<std::string>& keys,
                                                           const Snapshot* snapshot = nullptr);
  /// Like Get, but only if no disk access is needed: nullopt outside means "would have to read",
  /// and is also the answer for a row without octets.
  Result<std::optional<std::optional<std::string>>> GetCached(Family family, std::string_view key,
                                                              const Snapshot* snapshot = nullptr);
  /// With `cached_only` a walk that would have to read the disk ends with kTimeout.
  RowIterator Iterate(Family family, KeyRange range, const Snapshot* snapshot = nullptr,
                      bool cached_only = false);

  SnapshotPtr TakeSnapshot();

  /// Writes all memory tables to files (before a clean stop, and in tests).
  Status Flush();
  /// Merges all tables into one per family. Takes long in a large store.
  Status Compact();

  // --- damage of the files themselves (engine_tables.cc)
  /// A file of rows as it lies on the disk.
  struct Table {
    Family family = Family::kMeta;
    std::string file;  // its name in the directory
    std::uint64_t bytes = 0;
    std::string smallest;  // of its keys
    std::string largest;
  };
  /// Those that there are now.
  std::vector<Table> Tables();
  /// Reads all of a table and checks its checksums: kDataLoss, kIo: it cannot be read everywhere;
  /// kNotFound: it is gone since. What came out is remembered until ForgetTables().
  Status CheckTable(const Table& table);
  /// Keys of a table in their order, as far as they can be read; those that are deleted are left
  /// out.
  Result<std::vector<std::string>> KeysOf(const Table& table);
  /// As Iterate, as if that file were not there.
  RowIterator IterateWithout(const std::string& file, Family family, KeyRange range,
                             const Snapshot* snapshot = nullptr, bool cached_only = false);
  /// Every row of the range that is known of, also where a walk ends at damage: with its value, or
  /// with why that cannot be read. Rows of which not even the key can be read are not known of.
  /// `fn` answers false to stop.
  using EachRow = std::function<Result<bool>(std::string_view key, std::string_view value,
                                             const Status& damage)>;
  Status ScanEach(Family family, const KeyRange& range, const Snapshot* snapshot,
                  const EachRow& fn);
  /// A table of whose rows and deletions nothing counts any more, all being written again since, is
  /// taken out. kUnavailable: that is only possible at the next start, and will be done then;
  /// until then walks leave it out.
  Status TakeOut(const Table& table);
  void ForgetTables();
  /// Rises whenever a row, or a compaction, was kept from being read by damage.
  std::uint64_t damage_met() const;

  /// Estimated octets on disk of a family's rows in a range.
  std::uint64_t ApproximateBytes(Family family, const KeyRange& range);

  const std::string& directory() const { return directory_; }

 private:
  friend class Snapshot;
  struct Impl;
  Status WriteRows(const RowBatch& batch, const RowBatch& more, WriteMode mode);
  Result<std::set<std::string>> KeysAround(Family family, const KeyRange& range,
                                           const Snapshot* snapshot);
  bool IsBad(const Table& table);
  /// Those of these that are still there are left out of walks.
  Status KeepEmptied(const std::vector<std::uint64_t>& numbers);
  Engine(std::string directory, std::unique_ptr<Impl> impl);

  std::string directory_;
  std::unique_ptr<Impl> impl_;
  std::atomic<int> snapshots_{0};
  std::mutex derived_mutex_;  // held while rows go, and while derived ones are written
  std::atomic<std::uint64_t> removals_{0};
};

}  // namespace twinspool::store
