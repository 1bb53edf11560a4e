// RowBatch: what one write does to the rows, in order, before RocksDB sees it.
//
// Transactions make small batches; the commit pipeline appends those of a group to one and
// coalesces it, so that each header, state and page row of the group is written once. Plain value,
// one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/store/schema.h"

namespace twinspool::store {

enum class RowOp : std::uint8_t {
  kPut,
  kMerge,        // family kIndex only: an operand of page.h
  kDelete,       // of a row that need not exist
  kDeleteRange,  // [key, value)
};

struct Row {
  Family family = Family::kMeta;
  RowOp op = RowOp::kPut;
  std::string key;
  std::string value;  // kDeleteRange: the end, excluded
  bool operator==(const Row&) const = default;
};

class RowBatch {
 public:
  void Put(Family family, std::string key, std::string value);
  /// An operand for the page under `key` of kIndex.
  void MergePage(std::string key, std::string operand);
  void Delete(Family family, std::string key);
  /// Rows with begin <= key < end. Reads that must pass over the hole later are slow: for families
  /// with a low-water key and for whole users only.
  void DeleteRange(Family family, std::string begin, std::string end);

  /// Everything of `other`, after everything of this one.
  void Append(RowBatch other);
  /// Makes the batch do the same with each row written at most once between two range deletions:
  /// the last put or delete wins, page operands are joined, an operand after a put is merged into
  /// it.
  void Coalesce();
  void Clear();

  const std::vector<Row>& rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }
  /// Octets of keys and values.
  std::size_t bytes() const { return bytes_; }

 private:
  void Add(Row row);

  std::vector<Row> rows_;
  std::size_t bytes_ = 0;
};

}  // namespace twinspool::store
