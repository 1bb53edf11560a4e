#include "server/store/row_batch.h"

#include <unordered_map>
#include <utility>

#include "common/check.h"
#include "server/store/page.h"

namespace twinspool::store {
namespace {

/// Folds `next` into `row`, which has the same family and key. False: can't be one row.
bool Fold(Row* row, Row* next) {
  if (next->op != RowOp::kMerge) {
    *row = std::move(*next);
    return true;
  }
  if (row->op == RowOp::kDelete) {
    return false;
  }
  const bool put = row->op == RowOp::kPut;
  Result<std::string> merged =
      put ? MergePage(row->value, {next->value}) : MergeOperands(row->value, next->value);
  if (!merged.ok()) {
    return false;  // Malformed octets are reported by who reads them.
  }
  row->value = std::move(*merged);
  return true;
}

}  // namespace

void RowBatch::Add(Row row) {
  bytes_ += row.key.size() + row.value.size();
  rows_.push_back(std::move(row));
}

void RowBatch::Put(Family family, std::string key, std::string value) {
  Add({family, RowOp::kPut, std::move(key), std::move(value)});
}

void RowBatch::MergePage(std::string key, std::string operand) {
  Add({Family::kIndex, RowOp::kMerge, std::move(key), std::move(operand)});
}

void RowBatch::Delete(Family family, std::string key) {
  Add({family, RowOp::kDelete, std::move(key), {}});
}

void RowBatch::DeleteRange(Family family, std::string begin, std::string end) {
  TWINSPOOL_CHECK(begin < end, "a range deletion needs begin < end");
  Add({family, RowOp::kDeleteRange, std::move(begin), std::move(end)});
}

void RowBatch::Append(RowBatch other) {
  if (rows_.empty()) {
    *this = std::move(other);
    return;
  }
  bytes_ += other.bytes_;
  rows_.insert(rows_.end(), std::make_move_iterator(other.rows_.begin()),
               std::make_move_iterator(other.rows_.end()));
}

void RowBatch::Coalesce() {
  std::vector<Row> old = std::exchange(rows_, {});
  bytes_ = 0;
  std::unordered_map<std::string, std::size_t> places;  // family octet + key -> index in rows_
  for (Row& row : old) {
    if (row.op == RowOp::kDeleteRange) {
      places.clear();
      rows_.push_back(std::move(row));
      continue;
    }
    std::string name(1, static_cast<char>(row.family));
    name += row.key;
    const auto [place, fresh] = places.try_emplace(std::move(name), rows_.size());
    if (fresh || !Fold(&rows_[place->second], &row)) {
      place->second = rows_.size();
      rows_.push_back(std::move(row));
    }
  }
  for (const Row& row : rows_) {
    bytes_ += row.key.size() + row.value.size();
  }
}

void RowBatch::Clear() {
  rows_.clear();
  bytes_ = 0;
}

}  // namespace twinspool::store
