// Durable files of length-prefixed, checksummed records, for replica/salvage.cc alone.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace twinspool::replica {

/// Whole records of `file`; a torn tail is cut off the file. A missing file has none.
Result<std::vector<std::string>> ReadRecordFile(const std::filesystem::path& file);
/// Appends one record, durably if `sync`.
Status AppendRecord(const std::filesystem::path& file, std::string_view record, bool sync);
/// Appends raw octets; answers the offset at which they begin. Durable only after SyncFile.
Result<std::uint64_t> AppendOctets(const std::filesystem::path& file, std::string_view octets);
Result<std::string> ReadOctets(const std::filesystem::path& file, std::uint64_t offset,
                               std::size_t length);
/// Overwrites octets with zeros, of which the file system keeps none if it can. Durable only after
/// SyncFile.
Status WipeOctets(const std::filesystem::path& file, std::uint64_t offset, std::uint64_t length);
/// The file has these records instead of those it had, or, after a crash, still those.
Status ReplaceRecordFile(const std::filesystem::path& file, const std::vector<std::string>& records,
                         bool sync);
/// With all files in it.
Status RemoveDirectory(const std::filesystem::path& dir, bool sync);
Status SyncFile(const std::filesystem::path& file);
/// Creates a directory of mode 0700, itself durable in its parent if `sync`.
Status MakeDirectory(const std::filesystem::path& dir, bool sync);

}  // namespace twinspool::replica
