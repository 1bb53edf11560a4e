#include "server/store/wal_check.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "common/codec.h"
#include "server/store/engine_setup.h"

namespace twinspool::store {
namespace {

// The log's format (RocksDB's db/log_format.h): blocks of 32 KiB, records of checksum, length and
// type in front of their octets; no record crosses a block; a rest too short for a header is
// padding.
constexpr std::size_t kBlock = 32u << 10;
constexpr std::size_t kHeader = 7;
constexpr std::uint8_t kLastType = 4;         // full, first, middle, last
constexpr std::uint8_t kCompressionType = 9;  // says how the records behind it are compressed
constexpr std::uint32_t kCrcMask = 0xa282ead8U;
constexpr std::size_t kPage = 4096;

std::uint32_t Le32(std::string_view octets) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(octets[static_cast<std::size_t>(i)]);
  }
  return value;
}

/// Whether the record at `at`, which says that it has `length` octets, is there as it was written.
bool IsWhole(std::string_view block, std::size_t at, std::size_t length) {
  const auto type = static_cast<std::uint8_t>(block[at + 6]);
  if (type == 0 || (type > kLastType && type != kCompressionType) ||
      at + kHeader + length > block.size()) {
    return false;
  }
  const std::uint32_t rotated = Le32(block.substr(at, 4)) - kCrcMask;
  const std::uint32_t stored = rotated >> 17 | rotated << 15;
  return Crc32c(block.substr(at + 6, 1 + length)) == stored;
}

/// A page that was never written: the power failed before it was, whatever lies behind it.
bool HasEmptyPage(std::string_view block, std::size_t from) {
  for (std::size_t page = from - from % kPage; page + kPage <= block.size(); page += kPage) {
    const std::string_view octets = block.substr(page, kPage);
    if (octets.find_first_not_of('\0') == std::string_view::npos) {
      return true;
    }
  }
  return false;
}

class LogChecker {
 public:
  explicit LogChecker(std::string directory) : directory_(std::move(directory)) {}
  Status Take(const std::string& file, std::uint64_t offset, std::string_view block) {
    std::size_t at = 0;
    while (!ended_ && at + kHeader <= block.size()) {
      const std::size_t length = Le32(block.substr(at + 3, 4)) >> 8 & 0xffff;
      if (IsWhole(block, at, length)) {
        if (broken_) {
          return Damaged();
        }
      } else if (block.find_first_not_of('\0', at) == std::string_view::npos) {
        break;  // padding, or room that was laid out for more
      } else if (!broken_) {
        broken_ = file + " at offset " + std::to_string(offset + at);
        ended_ = HasEmptyPage(block, at);
      }
      at += kHeader + length;
    }
    return OkStatus();
  }

 private:
  Status Damaged() const {
    return DataLoss("the log " + *broken_ +
                    " is damaged: whole records lie behind a broken one, so that opening the store "
                    "would forget writes that were promised. " +
                    RemedyText(directory_));
  }

  const std::string directory_;
  std::optional<std::string> broken_;  // the first broken place
  bool ended_ = false;                 // nothing behind it was ever promised
};

}  // namespace

Status CheckLogs(rocksdb::Env* env, const std::string& directory) {
  std::vector<std::string> names;
  TRY(FromRocks(env->GetChildren(directory, &names), "listing " + directory));
  std::map<std::uint64_t, std::string> logs;
  for (const std::string& name : names) {
    if (name.size() > 4 && name.ends_with(".log") &&
        name.find_first_not_of("0123456789") == name.size() - 4) {
      logs.emplace(std::stoull(name), directory + "/" + name);
    }
  }
  std::string room(kBlock, '\0');
  for (const auto& [number, file] : logs) {
    std::unique_ptr<rocksdb::SequentialFile> in;
    TRY(FromRocks(env->NewSequentialFile(file, &in, rocksdb::EnvOptions()), "opening " + file));
    // Each log by itself: one that was left with a torn end may still lie before the next.
    LogChecker checker(directory);
    rocksdb::Slice block;
    for (std::uint64_t offset = 0;; offset += kBlock) {
      TRY(FromRocks(in->Read(kBlock, &block, room.data()), "reading " + file));
      if (block.empty()) {
        break;
      }
      TRY(checker.Take(file, offset, {block.data(), block.size()}));
    }
  }
  return OkStatus();
}

}  // namespace twinspool::store
