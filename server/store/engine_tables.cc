// Files of the database that cannot be read everywhere: finding them, reading around them, living
// with them, taking them out.
#include <algorithm>
#include <utility>

#include <rocksdb/ldb_tool.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>
#include <rocksdb/utilities/ldb_cmd.h>

#include "server/store/engine_impl.h"

namespace twinspool::store {
namespace {

class DamageListener final : public rocksdb::EventListener {
 public:
  explicit DamageListener(DamageCount met) : met_(std::move(met)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && error->IsCorruption()) {
      ++*met_;
      *error = rocksdb::Status::OK();
    }
  }

 private:
  const DamageCount met_;
};

/// "/000012.sst" -> 12
std::uint64_t NumberOf(const std::string& file) {
  return std::strtoull(file.c_str() + (file.starts_with('/') ? 1 : 0), nullptr, 10);
}

/// What can be read of a table from its beginning, and then from its end.
std::vector<std::string> ReadableKeys(rocksdb::Iterator* it) {
  std::vector<std::string> keys;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    keys.push_back(it->key().ToString());
  }
  if (it->status().ok()) {
    return keys;
  }
  const auto before = static_cast<std::ptrdiff_t>(keys.size());
  for (it->SeekToLast(); it->Valid(); it->Prev()) {
    keys.push_back(it->key().ToString());
  }
  std::reverse(keys.begin() + before, keys.end());
  return keys;
}

/// A walk over the range may read blocks of the table: also when all its keys lie behind.
bool IsMet(const Engine::Table& table, const KeyRange& range) {
  return table.largest >= range.lower;
}

}  // namespace

std::shared_ptr<rocksdb::EventListener> MakeDamageListener(DamageCount met) {
  return std::make_shared<DamageListener>(std::move(met));
}

// --- finding

std::vector<Engine::Table> Engine::Tables() {
  std::vector<Table> tables;
  for (const FamilyInfo& info : kFamilies) {
    rocksdb::ColumnFamilyMetaData family;
    impl_->db->GetColumnFamilyMetaData(impl_->handle(info.family), &family);
    for (const rocksdb::LevelMetaData& level : family.levels) {
      for (const rocksdb::SstFileMetaData& file : level.files) {
        const std::uint64_t number = NumberOf(file.relative_filename);
        const std::lock_guard lock(impl_->tables.mutex);
        if (!impl_->tables.emptied.contains(number)) {
          tables.push_back(
              {info.family, file.relative_filename, file.size, file.smallestkey, file.largestkey});
        }
      }
    }
  }
  return tables;
}

Status Engine::CheckTable(const Table& table) {
  const std::string path = directory_ + "/" + table.file;
  rocksdb::Options options;
  options.env = impl_->db->GetEnv();
  rocksdb::SstFileReader reader(options);
  rocksdb::Status checked = reader.Open(path);
  if (checked.ok()) {
    checked = reader.VerifyChecksum();
  }
  if (!checked.ok() && options.env->FileExists(path).IsNotFound()) {
    return NotFound("the table " + table.file + " is gone");
  }
  const std::lock_guard lock(impl_->tables.mutex);
  if (checked.ok()) {
    impl_->tables.good.insert(table.file);
  } else {
    impl_->tables.bad.try_emplace(table.file);
  }
  return FromRocks(checked, "reading the table " + table.file);
}

void Engine::ForgetTables() {
  const std::lock_guard lock(impl_->tables.mutex);
  impl_->tables.good.clear();
  impl_->tables.bad.clear();
}

std::uint64_t Engine::damage_met() const {
  return *impl_->met;
}

// --- reading around

Result<std::vector<std::string>> Engine::KeysOf(const Table& table) {
  {
    const std::lock_guard lock(impl_->tables.mutex);
    const auto known = impl_->tables.bad.find(table.file);
    if (known != impl_->tables.bad.end() && known->second != nullptr) {
      return *known->second;
    }
  }
  rocksdb::SstFileReader reader(impl_->db->GetOptions(impl_->handle(table.family)));
  TRY(FromRocks(reader.Open(directory_ + "/" + table.file), "opening the table " + table.file));
  const std::unique_ptr<rocksdb::Iterator> it(reader.NewIterator(rocksdb::ReadOptions()));
  std::vector<std::string> keys = ReadableKeys(it.get());
  const std::lock_guard lock(impl_->tables.mutex);
  if (const auto known = impl_->tables.bad.find(table.file); known != impl_->tables.bad.end()) {
    known->second = std::make_shared<const std::vector<std::string>>(keys);
  }
  return keys;
}

void Engine::Impl::LeaveOut(const std::string& file, rocksdb::ReadOptions* options) {
  if (file.empty() && !tables.any_emptied.load(std::memory_order_relaxed)) {
    return;
  }
  std::set<std::uint64_t> out;
  {
    const std::lock_guard lock(tables.mutex);
    out = tables.emptied;
  }
  if (!file.empty()) {
    out.insert(NumberOf(file));
  }
  options->table_filter = [out](const rocksdb::TableProperties& properties) {
    return !out.contains(properties.orig_file_number);
  };
}

Status Engine::ScanEach(Family family, const KeyRange& range, const Snapshot* snapshot,
                        const EachRow& fn) {
  std::string next = range.lower;
  {
    RowIterator it = Iterate(family, range, snapshot);
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      next.assign(it.key()).push_back('\0');
      ASSIGN_OR_RETURN(const bool more, fn(it.key(), it.value(), OkStatus()));
      if (!more) {
        return OkStatus();
      }
    }
    if (const Status end = it.status(); !end.Is(Code::kDataLoss)) {
      return end;
    }
  }
  ASSIGN_OR_RETURN(const std::set<std::string> keys,
                   KeysAround(family, {next, range.upper}, snapshot));
  for (const std::string& key : keys) {
    const auto row = Get(family, key, snapshot);
    if (row.ok() && !row.value()) {
      continue;
    }
    ASSIGN_OR_RETURN(const bool more,
                     fn(key, row.ok() ? std::string_view(**row) : "", row.status()));
    if (!more) {
      break;
    }
  }
  return OkStatus();
}

/// All keys of the range that damaged tables let through, and that others have.
Result<std::set<std::string>> Engine::KeysAround(Family family, const KeyRange& range,
                                                 const Snapshot* snapshot) {
  std::set<std::string> keys;
  std::string without;
  for (const Table& table : Tables()) {
    if (table.family != family || !IsMet(table, range) || !IsBad(table)) {
      continue;
    }
    if (!without.empty()) {
      return DataLoss("several tables of one family cannot be read: " + without + ", " +
                      table.file);
    }
    without = table.file;
    ASSIGN_OR_RETURN(const std::vector<std::string> own, KeysOf(table));
    const auto first = std::ranges::lower_bound(own, range.lower);
    const auto last = range.upper.empty() ? own.end() : std::ranges::lower_bound(own, range.upper);
    if (first < last) {
      keys.insert(first, last);
    }
  }
  RowIterator it = IterateWithout(without, family, range, snapshot);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    keys.emplace(it.key());
  }
  TRY(it.status());
  return keys;
}

bool Engine::IsBad(const Table& table) {
  {
    const std::lock_guard lock(impl_->tables.mutex);
    if (impl_->tables.good.contains(table.file) || impl_->tables.bad.contains(table.file)) {
      return impl_->tables.bad.contains(table.file);
    }
  }
  const Status checked = CheckTable(table);
  return !checked.ok() && !checked.Is(Code::kNotFound);
}

// --- taking out

Status Engine::TakeOut(const Table& table) {
  if (impl_->db->DeleteFile(table.file).ok()) {
    return OkStatus();
  }
  std::vector<std::uint64_t> numbers;
  {
    const std::lock_guard lock(impl_->tables.mutex);
    impl_->tables.emptied.insert(NumberOf(table.file));
    impl_->tables.any_emptied = true;
    numbers.assign(impl_->tables.emptied.begin(), impl_->tables.emptied.end());
  }
  TRY(impl_->files->SetEmptied(numbers));
  // A compaction would only meet it again and again.
  const rocksdb::Status held = impl_->db->SetOptions(impl_->handle(table.family),
                                                     {{"disable_auto_compactions", "true"},
                                                      {"level0_slowdown_writes_trigger", "1000000"},
                                                      {"level0_stop_writes_trigger", "1000000"}});
  TRY(FromRocks(held, "holding compactions of the family of " + table.file));
  return Unavailable("it goes at the next start");
}

Status Engine::KeepEmptied(const std::vector<std::uint64_t>& numbers) {
  std::set<std::uint64_t> there;
  for (const Table& table : Tables()) {
    if (std::ranges::count(numbers, NumberOf(table.file)) > 0) {
      there.insert(NumberOf(table.file));
    }
  }
  {
    const std::lock_guard lock(impl_->tables.mutex);
    impl_->tables.emptied = there;
    impl_->tables.any_emptied = !there.empty();
  }
  return impl_->files->SetEmptied({there.begin(), there.end()});
}

void RemoveTables(const EngineOptions& options, const std::string& directory,
                  const std::vector<std::uint64_t>& tables) {
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = MakeFamilies(options);
  const rocksdb::Options opened(MakeDbOptions(options), rocksdb::ColumnFamilyOptions());
  const std::string where = "--db=" + directory;
  for (const std::uint64_t table : tables) {
    const std::string number = std::to_string(table);
    const char* const command[] = {"twinspool", where.c_str(), "unsafe_remove_sst_file",
                                   number.c_str()};
    rocksdb::LDBCommandRunner::RunCommand(4, command, opened, rocksdb::LDBOptions(), &families);
  }
}

}  // namespace twinspool::store
