#include "server/mime/text_page.h"

#include <string.h>

#include <algorithm>

#include <unicode/uchar.h>
#include <unicode/uvernum.h>
#include <unicode/uversion.h>

#include "common/codec.h"
#include "server/mime/text.h"

namespace twinspool::mime {
namespace {

/// Raise it when FoldedText or the layout of a page changes.
constexpr std::uint64_t kTextFormat = 1;
/// As text.h has them.
constexpr char kRecordEnd = '\x1e';
constexpr char kHeaderEnd = '\x1d';

constexpr std::array<std::string_view, 4> kColumnFields = {"SUBJECT: ", "FROM: ", "TO: ", "CC: "};

TextColumn ColumnOfRecord(std::string_view record) {
  for (std::size_t i = 0; i < kColumnFields.size(); ++i) {
    if (record.starts_with(kColumnFields[i])) {
      return static_cast<TextColumn>(i);
    }
  }
  return TextColumn::kOtherFields;
}

}  // namespace

std::uint64_t TextVersion() {
  static const std::uint64_t kVersion = [] {
    UVersionInfo icu{};
    UVersionInfo unicode{};
    u_getVersion(icu);
    u_getUnicodeVersion(unicode);
    std::uint64_t version = kTextFormat;
    for (const std::uint8_t part : {icu[0], icu[1], unicode[0], unicode[1]}) {
      version = version << 8 | part;
    }
    return version;
  }();
  return kVersion;
}

TextColumn ColumnOfField(std::string_view name) {
  return ColumnOfRecord(Fold(name) + ": ");
}

std::string KeepText(std::string_view folded) {
  std::string row;
  PutVarint(&row, TextVersion());
  row += folded;
  return row;
}

bool KeptText(std::string_view row, std::string_view* folded) {
  Reader reader(row);
  const bool present = reader.Varint() == TextVersion() && reader.ok();
  *folded = reader.rest();
  return present;
}

// --- writing

void TextPageWriter::Add(std::uint32_t number, std::string_view folded) {
  numbers_.push_back(number);
  std::array<std::size_t, kTextColumns> before{};
  for (std::size_t i = 0; i < kTextColumns; ++i) {
    before[i] = columns_[i].texts.size();
  }
  const std::size_t header_end = std::min(folded.find(kHeaderEnd), folded.size());
  std::string_view header = folded.substr(0, header_end);
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(kRecordEnd), header.size() - 1) + 1;
    const std::string_view record = header.substr(0, end);
    columns_[static_cast<std::size_t>(ColumnOfRecord(record))].texts += record;
    header.remove_prefix(end);
  }
  if (header_end < folded.size()) {
    columns_[static_cast<std::size_t>(TextColumn::kBody)].texts += folded.substr(header_end + 1);
  }
  for (std::size_t i = 0; i < kTextColumns; ++i) {
    columns_[i].lengths.push_back(columns_[i].texts.size() - before[i]);
  }
}

std::array<std::string, kTextColumns> TextPageWriter::Take() {
  std::array<std::string, kTextColumns> page;
  for (std::size_t i = 0; i < kTextColumns; ++i) {
    std::string& out = page[i];
    PutVarint(&out, TextVersion());
    PutVarint(&out, numbers_.size());
    std::uint32_t previous = 0;
    for (std::size_t k = 0; k < numbers_.size(); ++k) {
      PutVarint(&out, numbers_[k] - std::exchange(previous, numbers_[k]));
      PutVarint(&out, columns_[i].lengths[k]);
    }
    out += columns_[i].texts;
  }
  numbers_.clear();
  columns_ = {};
  return page;
}

// --- reading

Result<TextColumnReader> TextColumnReader::Open(std::string_view column) {
  Reader reader(column);
  const bool present = reader.Varint() == TextVersion();
  const std::uint64_t count = reader.Varint();
  if (!present || !reader.ok() || count > column.size()) {
    return DataLoss("a page of texts of another version; it is made anew");
  }
  TextColumnReader out;
  out.entries_.reserve(static_cast<std::size_t>(count));
  std::uint64_t number = 0;
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    const std::uint64_t gap = reader.Varint();
    const std::uint64_t length = reader.Varint();
    if (gap == 0 || gap > UINT32_MAX - number || length > column.size()) {
      reader.Fail();
      break;
    }
    number += gap;
    end += length;
    out.entries_.push_back({static_cast<std::uint32_t>(number), static_cast<std::size_t>(end)});
    out.numbers_.Add(static_cast<std::uint32_t>(number));
  }
  out.texts_ = reader.rest();
  if (!reader.ok() || end != out.texts_.size()) {
    return DataLoss("a page of texts is damaged; it is made anew");
  }
  return out;
}

/// The entry whose text holds the octet at `offset`.
std::size_t TextColumnReader::At(std::size_t offset) const {
  const auto it = std::ranges::upper_bound(entries_, offset, {}, &Entry::end);
  return static_cast<std::size_t>(it - entries_.begin());
}

std::string_view TextColumnReader::TextOf(std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : entries_[index - 1].end;
  return texts_.substr(begin, entries_[index].end - begin);
}

void TextColumnReader::Find(std::string_view field, std::string_view folded_key,
                            const UidSet& among, UidSet* found) const {
  const auto try_one = [&](std::size_t index) {
    if (among.Contains(entries_[index].number) &&
        (field.empty() || FoldedHeaderContains(TextOf(index), field, folded_key))) {
      found->Add(entries_[index].number);
    }
  };
  if (folded_key.empty()) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      try_one(i);
    }
    return;
  }
  // A key holds none of the octets that end a record, so no hit reaches into the next text.
  for (std::size_t from = 0; from < texts_.size();) {
    const void* const hit =
        ::memmem(texts_.data() + from, texts_.size() - from, folded_key.data(), folded_key.size());
    if (hit == nullptr) {
      return;
    }
    const std::size_t index =
        At(static_cast<std::size_t>(static_cast<const char*>(hit) - texts_.data()));
    try_one(index);
    from = entries_[index].end;
  }
}

}  // namespace twinspool::mime
