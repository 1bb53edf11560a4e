#include "server/store/engine.h"

#include <algorithm>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "common/check.h"
#include "common/codec.h"
#include "server/store/derived.h"
#include "server/store/engine_impl.h"
#include "server/store/engine_setup.h"
#include "server/store/wal_check.h"

namespace twinspool::store {
namespace {

rocksdb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

std::string_view View(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

std::string Reading(Family family) {
  return std::string("reading family ") + kFamilies[static_cast<std::size_t>(family)].name;
}

rocksdb::ReadOptions ReadAt(const Snapshot* snapshot) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot != nullptr ? snapshot->raw() : nullptr;
  return options;
}

}  // namespace

Status Engine::Impl::OpenDatabase(const std::string& directory, const EngineOptions& options,
                                  bool create) {
  rocksdb::DBOptions db_options = MakeDbOptions(options);
  db_options.listeners.push_back(MakeDamageListener(met));
  db_options.create_if_missing = create;
  db_options.create_missing_column_families = create;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = MakeFamilies(options);
  if (!create) {
    std::vector<std::string> names;
    const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(db_options, directory, &names);
    if (!listed.ok()) {
      return OpenError(options, directory, listed);
    }
    const auto known = [&](const std::string& name) {
      return std::ranges::find(families, name, &rocksdb::ColumnFamilyDescriptor::name) !=
             families.end();
    };
    if (names.size() != families.size() || !std::ranges::all_of(names, known)) {
      return DataLoss("the store in " + directory +
                      " has other column families than this version knows. " +
                      RemedyText(directory));
    }
  }
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(db_options, directory, families, &handles, &opened);
  if (!status.ok()) {
    handles.clear();
    return OpenError(options, directory, status);
  }
  db.reset(opened);
  return CheckBlobFiles(directory);
}

/// RocksDB looks at the length of every table, but at a blob file only when a row is read from it.
Status Engine::Impl::CheckBlobFiles(const std::string& directory) const {
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    rocksdb::ColumnFamilyMetaData family;
    db->GetColumnFamilyMetaData(handle, &family);
    for (const rocksdb::BlobMetaData& blob : family.blob_files) {
      const std::string path = directory + blob.blob_file_name;
      std::uint64_t size = 0;
      const rocksdb::Status found = db->GetEnv()->GetFileSize(path, &size);
      if (!found.ok() || size != blob.blob_file_size) {
        return DataLoss(
            "the file " + path + " holds bodies and is missing or cut: " + std::to_string(size) +
            " octets of " + std::to_string(blob.blob_file_size) + ". " + RemedyText(directory));
      }
    }
  }
  return OkStatus();
}

Result<std::unique_ptr<Engine>> Engine::Open(const std::string& directory,
                                             const EngineOptions& options) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  auto impl = std::make_unique<Impl>();
  impl->files = std::make_unique<StoreDirectory>(env, directory);
  StoreDirectory* const files = impl->files.get();
  TRY(files->Lock());
  ASSIGN_OR_RETURN(const bool complete, files->Examine());
  if (!complete && !options.may_create) {
    return DataLoss("the store directory " + directory +
                    " holds no store, but this node had one. " + RemedyText(directory));
  }
  if (!complete) {
    TRY(files->BeginCreation());
  }
  TRY(files->CheckRoom());
  TRY(CheckLogs(env, directory));
  ASSIGN_OR_RETURN(const std::vector<std::uint64_t> emptied, files->Emptied());
  RemoveTables(options, directory, emptied);
  TRY(impl->OpenDatabase(directory, options, !complete));
  impl->on_failed_write = options.on_failed_write;
  std::unique_ptr<Engine> engine(new Engine(directory, std::move(impl)));
  if (!emptied.empty()) {
    TRY(engine->KeepEmptied(emptied));
  }

  std::string version;
  PutBe32(&version, kFormatVersion);
  if (!complete) {
    RowBatch first;
    first.Put(Family::kMeta, std::string(kMetaVersion), version);
    TRY(engine->Write(first, WriteMode::kSync));
    TRY(files->FinishCreation());
    return engine;
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   engine->Get(Family::kMeta, kMetaVersion));
  if (stored != version) {
    return DataLoss("the store in " + directory + " does not hold format version " +
                    std::to_string(kFormatVersion) + ". " + RemedyText(directory));
  }
  return engine;
}

Engine::Engine(std::string directory, std::unique_ptr<Impl> impl)
    : directory_(std::move(directory)), impl_(std::move(impl)) {}

Engine::~Engine() {
  TWINSPOOL_CHECK(snapshots_ == 0, "a snapshot outlives its store");
}

namespace {

Status AddRows(const RowBatch& batch,
               const std::function<rocksdb::ColumnFamilyHandle*(Family)>& handle_of,
               rocksdb::WriteBatch* rows) {
  for (const Row& row : batch.rows()) {
    rocksdb::ColumnFamilyHandle* const handle = handle_of(row.family);
    rocksdb::Status added;
    switch (row.op) {
      case RowOp::kPut:
        added = rows->Put(handle, row.key, row.value);
        break;
      case RowOp::kMerge:
        added = rows->Merge(handle, row.key, row.value);
        break;
      case RowOp::kDelete:
        added = rows->Delete(handle, row.key);
        break;
      case RowOp::kDeleteRange:
        added = rows->DeleteRange(handle, row.key, row.value);
        break;
    }
    TRY(FromRocks(added, "building a write"));
  }
  return OkStatus();
}

}  // namespace

Status Engine::Write(const RowBatch& batch, WriteMode mode) {
  const Removals removals = RemovalsOf(batch);
  if (!removals.any || mode == WriteMode::kNoLog) {
    return WriteRows(batch, {}, mode);
  }
  const std::lock_guard lock(derived_mutex_);
  Status status = WriteRows(batch, removals.derived, mode);
  ++removals_;
  return status;
}

Status Engine::WriteDerived(const RowBatch& batch, std::uint64_t before) {
  const std::lock_guard lock(derived_mutex_);
  return removals_ == before ? WriteRows(batch, {}, WriteMode::kNoLog) : OkStatus();
}

Status Engine::WriteRows(const RowBatch& batch, const RowBatch& more, WriteMode mode) {
  rocksdb::WriteBatch rows(batch.bytes() + 16 * batch.rows().size());
  const auto handle_of = [this](Family family) { return impl_->handle(family); };
  TRY(AddRows(batch, handle_of, &rows));
  TRY(AddRows(more, handle_of, &rows));
  rocksdb::WriteOptions options;
  options.sync = mode == WriteMode::kSync;
  options.disableWAL = mode == WriteMode::kNoLog;
  Status status =
      FromRocks(impl_->db->Write(options, &rows), "writing to the store in " + directory_);
  if (!status.ok() && mode != WriteMode::kNoLog && impl_->on_failed_write) {
    impl_->on_failed_write(status);
  }
  return status;
}

Result<std::optional<std::string>> Engine::Get(Family family, std::string_view key,
                                               const Snapshot* snapshot) {
  std::string value;
  const rocksdb::Status status =
      impl_->db->Get(ReadAt(snapshot), impl_->handle(family), ToSlice(key), &value);
  if (status.IsNotFound()) {
    return std::optional<std::string>();
  }
  impl_->Meet(status);
  TRY(FromRocks(status, Reading(family)));
  return std::optional<std::string>(std::move(value));
}

Result<std::optional<std::optional<std::string>>> Engine::GetCached(Family family,
                                                                    std::string_view key,
                                                                    const Snapshot* snapshot) {
  using Answer = std::optional<std::optional<std::string>>;
  rocksdb::ReadOptions options = ReadAt(snapshot);
  options.read_tier = rocksdb::kBlockCacheTier;
  std::string value;
  const rocksdb::Status status =
      impl_->db->Get(options, impl_->handle(family), ToSlice(key), &value);
  if (status.IsIncomplete()) {
    return Answer();
  }
  if (status.IsNotFound()) {
    return Answer(std::optional<std::string>());
  }
  TRY(FromRocks(status, Reading(family)));
  if (value.empty()) {
    return Answer();  // also RocksDB's answer when it would have to open a table's file
  }
  return Answer(std::optional<std::string>(std::move(value)));
}

std::vector<Result<Engine::Found>> Engine::GetEach(Family family,
                                                   const std::vector<std::string>& keys,
                                                   const Snapshot* snapshot) {
  std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  impl_->db->MultiGet(ReadAt(snapshot), impl_->handle(family), keys.size(), slices.data(),
                      values.data(), statuses.data());
  std::vector<Result<Found>> rows;
  rows.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) {
      rows.emplace_back(Found(View(values[i])));
    } else if (statuses[i].IsNotFound()) {
      rows.emplace_back(Found());
    } else {
      impl_->Meet(statuses[i]);
      rows.emplace_back(FromRocks(statuses[i], Reading(family)));
    }
  }
  return rows;
}

Result<std::vector<std::optional<std::string>>> Engine::MultiGet(
    Family family, const std::vector<std::string>& keys, const Snapshot* snapshot) {
  std::vector<Found> rows;
  rows.reserve(keys.size());
  for (Result<Found>& row : GetEach(family, keys, snapshot)) {
    ASSIGN_OR_RETURN(rows.emplace_back(), std::move(row));
  }
  return rows;
}

SnapshotPtr Engine::TakeSnapshot() {
  const rocksdb::Snapshot* raw = impl_->db->GetSnapshot();
  TWINSPOOL_CHECK(raw != nullptr, "the store has no snapshots");
  ++snapshots_;
  return SnapshotPtr(new Snapshot(this, raw));
}

Snapshot::~Snapshot() {
  engine_->impl_->db->ReleaseSnapshot(raw_);
  --engine_->snapshots_;
}

Status Engine::Flush() {
  return FromRocks(impl_->db->Flush(rocksdb::FlushOptions(), impl_->handles),
                   "flushing the store in " + directory_);
}

Status Engine::Compact() {
  for (rocksdb::ColumnFamilyHandle* handle : impl_->handles) {
    TRY(FromRocks(impl_->db->CompactRange(rocksdb::CompactRangeOptions(), handle, nullptr, nullptr),
                  "compacting the store in " + directory_));
  }
  return OkStatus();
}

std::uint64_t Engine::ApproximateBytes(Family family, const KeyRange& range) {
  const std::string end = range.upper.empty() ? std::string(64, '\xff') : range.upper;
  const rocksdb::Range asked(range.lower, end);
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  std::uint64_t bytes = 0;
  impl_->db->GetApproximateSizes(options, impl_->handle(family), &asked, 1, &bytes)
      .PermitUncheckedError();
  return bytes;
}

struct RowIterator::Impl {
  KeyRange range;
  rocksdb::Slice lower;
  rocksdb::Slice upper;
  Family family = Family::kMeta;
  std::shared_ptr<std::atomic<std::uint64_t>> met;
  std::unique_ptr<rocksdb::Iterator> it;
};

RowIterator Engine::Iterate(Family family, KeyRange range, const Snapshot* snapshot,
                            bool cached_only) {
  return IterateWithout("", family, std::move(range), snapshot, cached_only);
}

RowIterator Engine::IterateWithout(const std::string& without, Family family, KeyRange range,
                                   const Snapshot* snapshot, bool cached_only) {
  auto impl = std::make_unique<RowIterator::Impl>();
  impl->range = std::move(range);
  impl->family = family;
  impl->met = impl_->met;
  rocksdb::ReadOptions options = ReadAt(snapshot);
  if (cached_only) {
    options.read_tier = rocksdb::kBlockCacheTier;
  }
  // RocksDB keeps pointers to the bounds: they live beside the iterator.
  if (!impl->range.lower.empty()) {
    impl->lower = impl->range.lower;
    options.iterate_lower_bound = &impl->lower;
  }
  if (!impl->range.upper.empty()) {
    impl->upper = impl->range.upper;
    options.iterate_upper_bound = &impl->upper;
  }
  impl_->LeaveOut(without, &options);
  impl->it.reset(impl_->db->NewIterator(options, impl_->handle(family)));
  return RowIterator(std::move(impl));
}

RowIterator::RowIterator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RowIterator::RowIterator(RowIterator&&) noexcept = default;
RowIterator& RowIterator::operator=(RowIterator&&) noexcept = default;
RowIterator::~RowIterator() = default;

void RowIterator::Seek(std::string_view key) {
  impl_->it->Seek(ToSlice(key));
}

void RowIterator::SeekToFirst() {
  impl_->it->SeekToFirst();
}

void RowIterator::SeekToLast() {
  impl_->it->SeekToLast();
}

bool RowIterator::Valid() const {
  return impl_->it->Valid();
}

void RowIterator::Next() {
  impl_->it->Next();
}

void RowIterator::Prev() {
  impl_->it->Prev();
}

std::string_view RowIterator::key() const {
  return View(impl_->it->key());
}

std::string_view RowIterator::value() const {
  return View(impl_->it->value());
}

Status RowIterator::status() const {
  const rocksdb::Status status = impl_->it->status();
  if (status.IsCorruption()) {
    ++*impl_->met;
  }
  return FromRocks(status, Reading(impl_->family));
}

}  // namespace twinspool::store
