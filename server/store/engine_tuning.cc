// How each family is kept: compression, filters, blob files, and the merge operator of index pages.
#include <deque>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>

#include "common/limits.h"
#include "server/store/engine_setup.h"
#include "server/store/page.h"

namespace twinspool::store {
namespace {

constexpr int kOpenFiles = 4096;
constexpr std::size_t kMebibyte = 1u << 20;

std::string_view View(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

/// Malformed octets make reads of the row fail with kDataLoss; other rows are not concerned.
class PageMergeOperator : public rocksdb::MergeOperator {
 public:
  const char* Name() const override { return "twinspool.page"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    std::vector<std::string_view> operands;
    operands.reserve(in.operand_list.size());
    for (const rocksdb::Slice& operand : in.operand_list) {
      operands.push_back(View(operand));
    }
    std::optional<std::string_view> page;
    if (in.existing_value != nullptr) {
      page = View(*in.existing_value);
    }
    Result<std::string> merged = MergePage(page, operands);
    if (!merged.ok()) {
      return false;
    }
    out->new_value = *std::move(merged);
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice& /*key*/, const std::deque<rocksdb::Slice>& operands,
                         std::string* new_value, rocksdb::Logger* /*logger*/) const override {
    std::string joined(View(operands.front()));
    for (std::size_t i = 1; i < operands.size(); ++i) {
      Result<std::string> both = MergeOperands(joined, View(operands[i]));
      if (!both.ok()) {
        return false;
      }
      joined = *std::move(both);
    }
    *new_value = std::move(joined);
    return true;
  }
};

rocksdb::ColumnFamilyOptions CommonOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = 16u << 10;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.level_compaction_dynamic_level_bytes = true;
  options.write_buffer_size = 16 * kMebibyte;
  return options;
}

void TuneFamily(Family family, rocksdb::ColumnFamilyOptions* options) {
  switch (family) {
    case Family::kIndex:
      options->merge_operator = std::make_shared<PageMergeOperator>();
      options->write_buffer_size = 32 * kMebibyte;
      break;
    case Family::kBodies:
      // Bodies are written once and never change: keep big ones out of compactions.
      options->compression = rocksdb::kZSTD;
      options->enable_blob_files = true;
      options->min_blob_size = 32u << 10;
      options->blob_compression_type = rocksdb::kZSTD;
      options->enable_blob_garbage_collection = true;
      options->write_buffer_size = 64 * kMebibyte;
      break;
    case Family::kSummaries:
    case Family::kTexts:
    case Family::kRecords:
    case Family::kOutbox:
      options->write_buffer_size = 32 * kMebibyte;
      break;
    default:
      break;
  }
}

}  // namespace

rocksdb::DBOptions MakeDbOptions(const EngineOptions& options) {
  rocksdb::DBOptions db;
  if (options.env != nullptr) {
    db.env = options.env;
  }
  db.max_open_files = kOpenFiles;
  db.db_write_buffer_size = options.write_buffer_bytes;
  // A family that is seldom written must not keep old logs alive for ever.
  db.max_total_wal_size = 2 * options.write_buffer_bytes;
  db.max_background_jobs = 2;
  // A missing or shortened log is an error, not a shorter history.
  db.track_and_verify_wals_in_manifest = true;
  db.max_write_batch_group_size_bytes = 2 * limits::kCommitGroupBytesMax;
  db.info_log_level = rocksdb::WARN_LEVEL;
  db.keep_log_file_num = 3;
  db.max_log_file_size = 16 * kMebibyte;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.skip_stats_update_on_db_open = true;
  db.avoid_unnecessary_blocking_io = true;
  return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(const EngineOptions& options) {
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, CommonOptions(cache));
  for (const FamilyInfo& info : kFamilies) {
    rocksdb::ColumnFamilyOptions tuned = CommonOptions(cache);
    TuneFamily(info.family, &tuned);
    tuned.disable_auto_compactions = !options.compacts_by_itself;
    families.emplace_back(info.name, tuned);
  }
  return families;
}

}  // namespace twinspool::store
