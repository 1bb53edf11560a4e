#include "server/store/disk_space.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <sys/statvfs.h>

namespace twinspool::store {
namespace {

std::string BallastPath(const std::string& directory) {
  return directory + "/ballast";
}

}  // namespace

std::uint64_t FreeDiskBytes(const std::string& directory) {
  struct statvfs stat {};
  if (::statvfs(directory.c_str(), &stat) != 0) {
    return 0;
  }
  return static_cast<std::uint64_t>(stat.f_bavail) * stat.f_frsize;
}

Status MakeBallast(const std::string& directory, std::uint64_t bytes) {
  if (BallastBytes(directory) == bytes) {
    return OkStatus();
  }
  TRY(DropBallast(directory));
  if (bytes == 0) {
    return OkStatus();
  }
  const std::string path = BallastPath(directory);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return IoError("cannot make " + path + ": " + std::generic_category().message(errno));
  }
  const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  ::close(fd);
  if (error == 0) {
    return OkStatus();
  }
  ::unlink(path.c_str());
  const std::string text = "cannot allocate " + std::to_string(bytes) + " bytes for " + path +
                           ": " + std::generic_category().message(error);
  return error == ENOSPC || error == EFBIG ? OverQuota(text) : IoError(text);
}

Status DropBallast(const std::string& directory) {
  const std::string path = BallastPath(directory);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return IoError("cannot remove " + path + ": " + std::generic_category().message(errno));
  }
  return OkStatus();
}

std::uint64_t BallastBytes(const std::string& directory) {
  std::error_code error;
  const auto size = std::filesystem::file_size(BallastPath(directory), error);
  return error ? 0 : size;
}

}  // namespace twinspool::store
