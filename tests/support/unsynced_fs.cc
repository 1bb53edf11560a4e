#include "tests/support/unsynced_fs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <rocksdb/system_clock.h>

namespace twinspool::testing {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

namespace {

std::string Normal(const std::string& name) {
  std::string path = fs::path(name).lexically_normal().string();
  if (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  return path;
}

IOStatus PowerIsOff() {
  return IOStatus::IOError("the power is off");
}

}  // namespace

struct UnsyncedFs::Inode {
  std::string place;  // where the octets are now
  std::uint64_t size = 0;
  std::uint64_t synced = 0;
};

class TrackedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TrackedFile(std::unique_ptr<rocksdb::FSWritableFile> file, UnsyncedFs* owner,
              UnsyncedFs::InodePtr inode)
      : FSWritableFileOwnerWrapper(std::move(file)), owner_(owner), inode_(std::move(inode)) {}

  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override {
    IOStatus status = owner_->Operate(UnsyncedFs::Failing::kSpace);
    if (status.ok()) {
      status = FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    if (status.ok()) {
      Grow(data.size());
    }
    return status;
  }
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*info*/,
                  rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override {
    IOStatus status = owner_->Operate();
    if (status.ok()) {
      status = FSWritableFileOwnerWrapper::Truncate(size, options, debug);
    }
    if (status.ok()) {
      const std::lock_guard lock(owner_->mutex_);
      inode_->size = size;
      inode_->synced = std::min(inode_->synced, size);
    }
    return status;
  }
  IOStatus Sync(const rocksdb::IOOptions& /*options*/,
                rocksdb::IODebugContext* /*debug*/) override {
    IOStatus status = owner_->Operate(UnsyncedFs::Failing::kSync);
    if (status.ok()) {
      const std::lock_guard lock(owner_->mutex_);
      ++owner_->syncs_;
      inode_->synced = inode_->size;
    }
    return status;
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus RangeSync(std::uint64_t /*offset*/, std::uint64_t /*bytes*/,
                     const rocksdb::IOOptions& /*options*/,
                     rocksdb::IODebugContext* /*debug*/) override {
    return IOStatus::OK();  // A hint; promises nothing.
  }

 private:
  void Grow(std::size_t bytes) {
    const std::lock_guard lock(owner_->mutex_);
    inode_->size += bytes;
  }

  UnsyncedFs* owner_;
  UnsyncedFs::InodePtr inode_;
};

class TrackedDirectory : public rocksdb::FSDirectoryWrapper {
 public:
  TrackedDirectory(std::unique_ptr<rocksdb::FSDirectory> directory, UnsyncedFs* owner,
                   std::string name)
      : FSDirectoryWrapper(std::move(directory)), owner_(owner), name_(std::move(name)) {}

  IOStatus Fsync(const rocksdb::IOOptions& /*options*/,
                 rocksdb::IODebugContext* /*debug*/) override {
    IOStatus status = owner_->Operate();
    if (status.ok()) {
      owner_->SyncNames(name_);
    }
    return status;
  }
  IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& /*more*/) override {
    return Fsync(options, debug);
  }

 private:
  UnsyncedFs* owner_;
  std::string name_;
};

UnsyncedFs::UnsyncedFs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
UnsyncedFs::~UnsyncedFs() = default;

void UnsyncedFs::PowerCut() {
  const std::lock_guard lock(mutex_);
  off_ = true;
}

void UnsyncedFs::PowerCutAfter(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  countdown_ = count;
}

bool UnsyncedFs::off() const {
  const std::lock_guard lock(mutex_);
  return off_;
}

std::uint64_t UnsyncedFs::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

void UnsyncedFs::FailNext(Failing what, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  failing_ = what;
  fails_after_ = count;
}

void UnsyncedFs::Resume() {
  const std::lock_guard lock(mutex_);
  off_ = false;
  countdown_ = 0;
  failing_ = Failing::kNothing;
}

IOStatus UnsyncedFs::Operate(Failing kind) {
  const std::lock_guard lock(mutex_);
  if (countdown_ > 0 && --countdown_ == 0) {
    off_ = true;
  }
  if (off_) {
    return PowerIsOff();
  }
  if (kind == Failing::kNothing || kind != failing_ || fails_after_-- > 0) {
    return IOStatus::OK();
  }
  failing_ = Failing::kNothing;
  return kind == Failing::kSync ? IOStatus::IOError("input/output error")
                                : IOStatus::NoSpace("no space left on device");
}

void UnsyncedFs::SyncNames(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  ++syncs_;
  const auto inside = [&](const std::string& name) {
    return fs::path(name).parent_path().string() == directory;
  };
  std::erase_if(durable_, [&](const auto& item) {
    const auto found = live_.find(item.first);
    const bool gone = inside(item.first) && (found == live_.end() || found->second != item.second);
    if (gone && item.second->place != item.first) {
      std::error_code ignored;
      fs::remove(item.second->place, ignored);
    }
    return gone;
  });
  for (const auto& [name, inode] : live_) {
    if (inside(name)) {
      durable_[name] = inode;
    }
  }
}

void UnsyncedFs::Unlink(const std::string& name) {
  const auto found = live_.find(name);
  if (found == live_.end()) {
    return;
  }
  const InodePtr inode = found->second;
  live_.erase(found);
  const auto still = [&](const auto& names) {
    return std::ranges::any_of(names, [&](const auto& item) { return item.second == inode; });
  };
  if (inode->place == name && still(durable_)) {
    inode->place = name + ".grave" + std::to_string(++graves_);
    std::error_code ignored;
    fs::rename(name, inode->place, ignored);
  }
}

IOStatus UnsyncedFs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* result,
                                     rocksdb::IODebugContext* debug) {
  const std::string path = Normal(name);
  IOStatus status = Operate();
  if (!status.ok()) {
    return status;
  }
  {
    const std::lock_guard lock(mutex_);
    Unlink(path);
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  status = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
  if (status.ok()) {
    const std::lock_guard lock(mutex_);
    const auto inode = std::make_shared<Inode>();
    inode->place = path;
    live_[path] = inode;
    *result = std::make_unique<TrackedFile>(std::move(file), this, inode);
  }
  return status;
}

IOStatus UnsyncedFs::ReopenWritableFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* result,
                                        rocksdb::IODebugContext* debug) {
  const std::string path = Normal(name);
  IOStatus status = Operate();
  if (!status.ok()) {
    return status;
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  status = FileSystemWrapper::ReopenWritableFile(path, options, &file, debug);
  if (status.ok()) {
    const std::lock_guard lock(mutex_);
    InodePtr& inode = live_[path];
    if (!inode) {
      inode = std::make_shared<Inode>();
      inode->place = path;
      inode->size = inode->synced = fs::file_size(path);
    }
    *result = std::make_unique<TrackedFile>(std::move(file), this, inode);
  }
  return status;
}

IOStatus UnsyncedFs::NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                  std::unique_ptr<rocksdb::FSDirectory>* result,
                                  rocksdb::IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = FileSystemWrapper::NewDirectory(name, options, &directory, debug);
  if (status.ok()) {
    *result = std::make_unique<TrackedDirectory>(std::move(directory), this, Normal(name));
  }
  return status;
}

IOStatus UnsyncedFs::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                rocksdb::IODebugContext* debug) {
  const std::string path = Normal(name);
  IOStatus status = Operate();
  if (!status.ok()) {
    return status;
  }
  const std::lock_guard lock(mutex_);
  Unlink(path);
  if (fs::exists(path)) {
    return FileSystemWrapper::DeleteFile(path, options, debug);
  }
  return IOStatus::OK();
}

IOStatus UnsyncedFs::RenameFile(const std::string& from, const std::string& to,
                                const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
  const std::string source = Normal(from);
  const std::string target = Normal(to);
  IOStatus status = Operate();
  if (!status.ok()) {
    return status;
  }
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(source);
  if (found == live_.end()) {
    return FileSystemWrapper::RenameFile(source, target, options, debug);
  }
  Unlink(target);
  status = FileSystemWrapper::RenameFile(source, target, options, debug);
  if (status.ok()) {
    const InodePtr inode = found->second;
    live_.erase(found);
    inode->place = target;
    live_[target] = inode;
  }
  return status;
}

IOStatus UnsyncedFs::LinkFile(const std::string& from, const std::string& to,
                              const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
  IOStatus status = Operate();
  return status.ok() ? FileSystemWrapper::LinkFile(from, to, options, debug) : status;
}

IOStatus UnsyncedFs::Truncate(const std::string& name, std::size_t size,
                              const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
  IOStatus status = Operate();
  if (!status.ok()) {
    return status;
  }
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(Normal(name));
  if (found != live_.end()) {
    found->second->size = size;
    found->second->synced = std::min<std::uint64_t>(found->second->synced, size);
  }
  return FileSystemWrapper::Truncate(name, size, options, debug);
}

std::uint64_t UnsyncedFs::Tear(const std::string& path, const Inode& inode,
                               std::mt19937_64* random) {
  std::error_code ignored;
  const std::uint64_t unsynced = inode.size - inode.synced;
  const std::uint64_t kept = unsynced == 0 ? 0 : (*random)() % (unsynced + 1);
  const std::uint64_t size = inode.synced + kept;
  fs::resize_file(path, size, ignored);
  if (kept > 0 && path.ends_with(".log") && (*random)() % 2 == 0) {
    // A torn block: its end was never written, the disk shows what was there before.
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::uint64_t torn = 1 + (*random)() % std::min<std::uint64_t>(kept, 512);
    file.seekp(static_cast<std::streamoff>(size - torn));
    for (std::uint64_t i = 0; i < torn; ++i) {
      file.put(static_cast<char>((*random)()));
    }
  }
  return size;
}

void UnsyncedFs::RestoreFile(const std::string& name, const InodePtr& inode,
                             std::mt19937_64* random) {
  std::error_code ignored;
  if (inode->place != name) {
    fs::rename(inode->place, name, ignored);
    inode->place = name;
  }
  inode->size = inode->synced = Tear(name, *inode, random);
}

bool UnsyncedFs::CopyImage(const std::string& directory, const std::string& target,
                           std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  const std::map<std::string, InodePtr>& names = random() % 2 == 0 ? live_ : durable_;
  std::error_code error;
  fs::create_directories(target, error);
  for (const auto& [name, inode] : names) {
    if (fs::path(name).parent_path().string() != Normal(directory)) {
      continue;
    }
    const std::string copy = target + "/" + fs::path(name).filename().string();
    fs::copy_file(inode->place, copy, fs::copy_options::overwrite_existing, error);
    if (error) {
      return false;
    }
    Tear(copy, *inode, &random);
  }
  return true;
}

void UnsyncedFs::Restore(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  const bool names_kept = random() % 2 == 0;
  const std::map<std::string, InodePtr> wanted = names_kept ? live_ : durable_;
  std::error_code ignored;
  // Names that were never synced go first: a restored file may need the place.
  for (const auto& [name, inode] : live_) {
    const auto found = wanted.find(name);
    if (found != wanted.end() && found->second == inode) {
      continue;
    }
    const bool elsewhere =
        std::ranges::any_of(wanted, [&](const auto& item) { return item.second == inode; });
    if (elsewhere) {
      inode->place = name + ".grave" + std::to_string(++graves_);
      fs::rename(name, inode->place, ignored);
    } else {
      fs::remove(name, ignored);
    }
  }
  for (const auto& [name, inode] : wanted) {
    RestoreFile(name, inode, &random);
  }
  for (const auto& [name, inode] : durable_) {
    if (inode->place != name && !wanted.contains(name)) {
      fs::remove(inode->place, ignored);
    }
  }
  live_ = durable_ = wanted;
  off_ = false;
  countdown_ = 0;
  failing_ = Failing::kNothing;
}

namespace {

/// RocksDB sleeps a second after a failed flush, in the hope of better times; here they never come.
class ImpatientClock : public rocksdb::SystemClockWrapper {
 public:
  using SystemClockWrapper::SystemClockWrapper;
  static const char* kClassName() { return "ImpatientClock"; }
  const char* Name() const override { return kClassName(); }
  void SleepForMicroseconds(int micros) override {
    SystemClockWrapper::SleepForMicroseconds(std::min(micros, 500));
  }
};

class ImpatientEnv : public rocksdb::EnvWrapper {
 public:
  explicit ImpatientEnv(std::unique_ptr<rocksdb::Env> base) : EnvWrapper(std::move(base)) {
    system_clock_ = std::make_shared<ImpatientClock>(rocksdb::SystemClock::Default());
  }
  static const char* kClassName() { return "ImpatientEnv"; }
  const char* Name() const override { return kClassName(); }
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeUnsyncedEnv(const std::shared_ptr<UnsyncedFs>& fs) {
  return std::make_unique<ImpatientEnv>(rocksdb::NewCompositeEnv(fs));
}

}  // namespace twinspool::testing
