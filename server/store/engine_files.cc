// The checks of a store directory: lock, format file, marks of an unfinished creation.
#include <algorithm>
#include <sstream>
#include <utility>

#include <rocksdb/sst_file_reader.h>

#include "server/store/disk_space.h"
#include "server/store/engine_setup.h"

namespace twinspool::store {
namespace {

constexpr char kFormatFile[] = "format";
constexpr char kCreatingFile[] = "creating";
constexpr char kLockFile[] = "owner.lock";
constexpr char kEmptiedFile[] = "emptied";
/// What opening writes besides the tables: journal, options, a first piece of the new log.
constexpr std::uint64_t kOpenRoomBytes = 8u << 20;

std::string FormatText() {
  return "twinspool store " + std::to_string(kFormatVersion) + "\n";
}

bool EndsWith(const std::string& name, std::string_view end) {
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

/// Files that RocksDB makes and that hold or find data.
bool IsDatabaseFile(const std::string& name) {
  return name == "CURRENT" || name == "IDENTITY" || name.starts_with("MANIFEST-") ||
         name.starts_with("OPTIONS-") || EndsWith(name, ".sst") || EndsWith(name, ".blob") ||
         EndsWith(name, ".log") || EndsWith(name, ".dbtmp");
}

/// RocksDB blames its MANIFEST for tables that it can't read: look which one it is. Empty: none.
std::string DamagedTable(const EngineOptions& options, const std::string& directory) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  std::vector<std::string> names;
  env->GetChildren(directory, &names).PermitUncheckedError();
  rocksdb::Options reading;
  reading.env = env;
  for (const std::string& name : names) {
    if (EndsWith(name, ".sst") &&
        !rocksdb::SstFileReader(reading).Open(directory + "/" + name).ok()) {
      return directory + "/" + name;
    }
  }
  return "";
}

}  // namespace

Status FromRocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) {
    return OkStatus();
  }
  std::string text = std::string(doing) + ": " + status.ToString();
  if (status.IsIncomplete()) {  // a read that was told to stay in memory
    return Timeout(std::move(text));
  }
  if (status.IsCorruption()) {
    return DataLoss(std::move(text));
  }
  if (status.IsInvalidArgument() || status.IsNotSupported()) {
    return Internal(std::move(text));
  }
  return IoError(std::move(text));
}

Status OpenError(const EngineOptions& options, const std::string& directory,
                 const rocksdb::Status& status) {
  std::string cause = status.ToString();
  // RocksDB tries the name of old versions last and reports that one.
  if (const std::size_t old = cause.find(".ldb"); old != std::string::npos) {
    cause.replace(old, 4, ".sst");
  }
  std::string text = "the store in " + directory + " cannot be opened: " + cause + ". ";
  if (status.IsNoSpace()) {  // filled up after CheckRoom
    return OverQuota(text +
                     "The disk is full and nothing is lost. Remedy: make room, then start again.");
  }
  if (const std::string table = DamagedTable(options, directory); !table.empty()) {
    text += "The file " + table + " is damaged. ";
  }
  text += RemedyText(directory);
  const bool missing = status.IsPathNotFound() || status.IsNotFound() ||
                       (status.IsIOError() && cause.find("No such file") != std::string::npos);
  // RocksDB says InvalidArgument for a CURRENT, MANIFEST or option that makes no sense to it.
  return status.IsCorruption() || status.IsInvalidArgument() || missing ? DataLoss(text)
                                                                        : IoError(text);
}

std::string RemedyText(const std::string& directory) {
  return "Nothing in it was changed. Remedy: check the disk. A node of a pair is then made anew "
         "from the other one (docs/failover.md, \"When a node's data is lost\"); a single node "
         "gets " +
         directory + " back from a backup.";
}

StoreDirectory::~StoreDirectory() {
  if (lock_ != nullptr) {
    env_->UnlockFile(lock_).PermitUncheckedError();
  }
}

Status StoreDirectory::Lock() {
  const rocksdb::Status made = env_->CreateDirIfMissing(path_);
  if (!made.ok()) {
    return IoError("cannot make the store directory " + path_ + ": " + made.ToString());
  }
  const rocksdb::Status locked = env_->LockFile(path_ + "/" + kLockFile, &lock_);
  if (!locked.ok()) {
    lock_ = nullptr;
    return Unavailable("the store directory " + path_ + " is in use by another process (its file " +
                       kLockFile +
                       " is locked). Stop that process, or give this one its own directory. (" +
                       locked.ToString() + ")");
  }
  return OkStatus();
}

Result<bool> StoreDirectory::Examine() {
  std::vector<std::string> names;
  TRY(FromRocks(env_->GetChildren(path_, &names), "listing " + path_));
  const auto has = [&](std::string_view name) { return std::ranges::count(names, name) > 0; };
  if (!has(kFormatFile)) {
    if (has(kCreatingFile) || std::ranges::none_of(names, IsDatabaseFile)) {
      return false;
    }
    return DataLoss("the store directory " + path_ + " holds a database but its file " + path_ +
                    "/" + kFormatFile + " is missing. " + RemedyText(path_));
  }
  std::string text;
  TRY(FromRocks(rocksdb::ReadFileToString(env_, path_ + "/" + kFormatFile, &text),
                "reading " + path_ + "/" + kFormatFile));
  if (text != FormatText()) {
    return DataLoss("the file " + path_ + "/" + kFormatFile + " does not say \"" +
                    FormatText().substr(0, FormatText().size() - 1) +
                    "\": this store was made by another version, or the file is damaged. Nothing "
                    "was changed. Remedy: run the version that made it, or restore " +
                    path_ + " from a backup.");
  }
  return true;
}

Status StoreDirectory::CheckRoom() {
  std::vector<std::string> names;
  TRY(FromRocks(env_->GetChildren(path_, &names), "listing " + path_));
  std::uint64_t needed = kOpenRoomBytes;
  for (const std::string& name : names) {
    std::uint64_t size = 0;
    if (EndsWith(name, ".log") && env_->GetFileSize(path_ + "/" + name, &size).ok()) {
      needed += size;
    }
  }
  std::uint64_t room = 0;
  const auto enough = [&] { return !env_->GetFreeSpace(path_, &room).ok() || room >= needed; };
  if (enough() || (DropBallast(path_).ok() && enough())) {
    return OkStatus();
  }
  return OverQuota("the disk of " + path_ + " is full: " + std::to_string(room) +
                   " bytes are free, opening the store may need " + std::to_string(needed) +
                   ". Nothing is lost. Remedy: make room, then start again.");
}

Status StoreDirectory::BeginCreation() {
  TRY(WriteFile(kCreatingFile, "This store is being made. Safe to delete as a whole.\n"));
  std::vector<std::string> names;
  TRY(FromRocks(env_->GetChildren(path_, &names), "listing " + path_));
  for (const std::string& name : names) {
    if (IsDatabaseFile(name)) {
      TRY(FromRocks(env_->DeleteFile(path_ + "/" + name), "removing " + path_ + "/" + name));
    }
  }
  return SyncDirectory();
}

Status StoreDirectory::FinishCreation() {
  TRY(WriteFile(kFormatFile, FormatText()));
  TRY(FromRocks(env_->DeleteFile(path_ + "/" + kCreatingFile), "finishing " + path_));
  return SyncDirectory();
}

Result<std::vector<std::uint64_t>> StoreDirectory::Emptied() {
  std::vector<std::uint64_t> tables;
  const std::string path = path_ + "/" + kEmptiedFile;
  if (env_->FileExists(path).IsNotFound()) {
    return tables;
  }
  std::string text;
  TRY(FromRocks(rocksdb::ReadFileToString(env_, path, &text), "reading " + path));
  std::istringstream lines(text);
  for (std::uint64_t table = 0; lines >> table;) {
    tables.push_back(table);
  }
  return tables;
}

Status StoreDirectory::SetEmptied(const std::vector<std::uint64_t>& tables) {
  if (tables.empty()) {
    const std::string path = path_ + "/" + kEmptiedFile;
    const rocksdb::Status gone = env_->DeleteFile(path);
    TRY(FromRocks(gone.IsNotFound() ? rocksdb::Status::OK() : gone, "removing " + path));
    return SyncDirectory();
  }
  std::string text;
  for (const std::uint64_t table : tables) {
    text += std::to_string(table) + "\n";
  }
  return WriteFile(kEmptiedFile, text);
}

Status StoreDirectory::WriteFile(const std::string& name, const std::string& text) {
  const std::string path = path_ + "/" + name;
  const std::string fresh = path + ".new";
  TRY(FromRocks(rocksdb::WriteStringToFile(env_, text, fresh, /*should_sync=*/true),
                "writing " + fresh));
  TRY(FromRocks(env_->RenameFile(fresh, path), "renaming " + fresh));
  return SyncDirectory();
}

Status StoreDirectory::SyncDirectory() {
  std::unique_ptr<rocksdb::Directory> directory;
  TRY(FromRocks(env_->NewDirectory(path_, &directory), "opening " + path_));
  return FromRocks(directory->Fsync(), "syncing " + path_);
}

}  // namespace twinspool::store
