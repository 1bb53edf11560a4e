// Texts of many messages packed, so that a search looks through few long stretches of memory
// instead of many short rows: a page in columns, of which a search reads those that its keys ask
// for.
//
// A column is
//
//   varint version · varint messages · for each: varint distance from the number before, varint
//   length · the texts, one behind the other
//
// and its texts are pieces of text.h's folded text: the header fields of one name (or of no
// column's name) as they stand there, or what is behind the header. No piece ends inside a record,
// so what stands in a page is found by the same scan as in a single text. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"
#include "common/uid_set.h"

namespace twinspool::mime {

enum class TextColumn : std::uint8_t {
  kSubject,
  kFrom,
  kTo,
  kCc,
  kOtherFields,
  kBody,
};
inline constexpr std::size_t kTextColumns = 6;

/// Changes whenever texts are made or folded in another way, also by another ICU: what was kept is
/// made anew then.
std::uint64_t TextVersion();

/// Where fields of this name are kept.
TextColumn ColumnOfField(std::string_view name);

/// What FoldedText made, to be kept by itself: with the version before it.
std::string KeepText(std::string_view folded);
/// The text of such a row; false for another version or none.
bool KeptText(std::string_view row, std::string_view* folded);

/// Makes a page of texts that come in rising order of their numbers.
class TextPageWriter {
 public:
  void Add(std::uint32_t number, std::string_view folded);
  bool empty() const { return numbers_.empty(); }
  /// The columns, in the order of TextColumn.
  std::array<std::string, kTextColumns> Take();

 private:
  struct Column {
    std::vector<std::size_t> lengths;
    std::string texts;
  };
  std::vector<std::uint32_t> numbers_;
  std::array<Column, kTextColumns> columns_;
};

/// One column, read. Views into its octets.
class TextColumnReader {
 public:
  /// kDataLoss for octets that are no column of the present version: make the page anew.
  static Result<TextColumnReader> Open(std::string_view column);

  /// The messages that the page holds.
  const UidSet& numbers() const { return numbers_; }
  /// Adds those of `among` whose text holds the folded key; with `field`, in the value of a field
  /// of that name. An empty key: that have such a field, or any text.
  void Find(std::string_view field, std::string_view folded_key, const UidSet& among,
            UidSet* found) const;

 private:
  struct Entry {
    std::uint32_t number = 0;
    std::size_t end = 0;  // of its text in texts_
  };

  std::size_t At(std::size_t offset) const;
  std::string_view TextOf(std::size_t index) const;

  std::vector<Entry> entries_;
  UidSet numbers_;
  std::string_view texts_;
};

}  // namespace twinspool::mime
