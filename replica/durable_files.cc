// SystemFiles(): the machine's file system behind the control file.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <sys/stat.h>

#include "common/limits.h"
#include "replica/control_file.h"

namespace twinspool::replica {
namespace {

Status Failed(const char* what, const std::string& path, int error) {
  std::string text = std::string(what) + " " + path + ": " + std::generic_category().message(error);
  if (error == ENOENT) {
    return NotFound(std::move(text));
  }
  return error == EACCES ? PermissionDenied(std::move(text)) : IoError(std::move(text));
}

// Owns one descriptor. Closing cannot lose data: everything was synced before.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

Status WriteAll(int fd, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return Failed("cannot write", path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return OkStatus();
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
}

class PosixFiles : public DurableFiles {
 public:
  Status MakeDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return Failed("cannot make", path, errno);
    }
    return SyncDirectory(ParentOf(path));
  }

  Result<std::string> Read(const std::string& path) override {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.ok()) {
      return Failed("cannot open", path, errno);
    }
    std::string content(limits::kControlFileBytesMax + 1, '\0');
    std::size_t used = 0;
    while (used < content.size()) {
      const ssize_t n = ::read(file.get(), content.data() + used, content.size() - used);
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n < 0) {
        return Failed("cannot read", path, errno);
      }
      if (n == 0) {
        content.resize(used);
        return content;
      }
      used += static_cast<std::size_t>(n);
    }
    return LimitExceeded(path + " is larger than any control file");
  }

  Status WriteSynced(const std::string& path, std::string_view content) override {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.ok()) {
      return Failed("cannot create", path, errno);
    }
    TRY(WriteAll(file.get(), path, content));
    return ::fsync(file.get()) == 0 ? OkStatus() : Failed("cannot sync", path, errno);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? OkStatus()
                                                   : Failed("cannot rename", from, errno);
  }

  Status SyncDirectory(const std::string& path) override {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.ok()) {
      return Failed("cannot open", path, errno);
    }
    return ::fsync(directory.get()) == 0 ? OkStatus() : Failed("cannot sync", path, errno);
  }
};

}  // namespace

DurableFiles& SystemFiles() {
  static PosixFiles files;
  return files;
}

}  // namespace twinspool::replica
