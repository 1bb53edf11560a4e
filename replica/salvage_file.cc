#include "replica/salvage_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "common/codec.h"

namespace twinspool::replica {
namespace {

constexpr std::size_t kHeaderBytes = 8;

Status FileError(const char* what, const std::filesystem::path& file) {
  return IoError(std::string("cannot ") + what + " " + file.string() + ": " +
                 std::error_code(errno, std::generic_category()).message());
}

/// A descriptor that closes itself.
class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR)) {}
  ~File() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool WriteAll(int fd, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(fd, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool ReadAt(int fd, std::uint64_t offset, std::string* out) {
  std::size_t done = 0;
  while (done < out->size()) {
    const ssize_t got =
        ::pread(fd, out->data() + done, out->size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::string Framed(std::string_view record) {
  std::string framed;
  PutBe32(&framed, static_cast<std::uint32_t>(record.size()));
  PutBe32(&framed, Crc32c(record));
  framed += record;
  return framed;
}

bool WriteZeros(int fd, std::uint64_t offset, std::uint64_t length) {
  const std::string zeros(static_cast<std::size_t>(std::min<std::uint64_t>(length, 1u << 20)),
                          '\0');
  while (length > 0) {
    const std::uint64_t step = std::min<std::uint64_t>(length, zeros.size());
    const ssize_t written =
        ::pwrite(fd, zeros.data(), static_cast<std::size_t>(step), static_cast<off_t>(offset));
    if (written <= 0) {
      return false;
    }
    offset += static_cast<std::uint64_t>(written);
    length -= static_cast<std::uint64_t>(written);
  }
  return true;
}

}  // namespace

Result<std::vector<std::string>> ReadRecordFile(const std::filesystem::path& file) {
  std::vector<std::string> records;
  const File in(file, O_RDWR);
  if (!in.ok()) {
    return errno == ENOENT ? Result<std::vector<std::string>>(records) : FileError("open", file);
  }
  const off_t end = ::lseek(in.fd(), 0, SEEK_END);
  std::uint64_t at = 0;
  std::string header(kHeaderBytes, '\0');
  while (at + kHeaderBytes <= static_cast<std::uint64_t>(end) && ReadAt(in.fd(), at, &header)) {
    Reader reader(header);
    const std::uint32_t length = reader.Be32();
    const std::uint32_t crc = reader.Be32();
    if (at + kHeaderBytes + length > static_cast<std::uint64_t>(end)) {
      break;
    }
    std::string record(length, '\0');
    if (!ReadAt(in.fd(), at + kHeaderBytes, &record) || Crc32c(record) != crc) {
      break;
    }
    at += kHeaderBytes + length;
    records.push_back(std::move(record));
  }
  if (at != static_cast<std::uint64_t>(end) &&
      (::ftruncate(in.fd(), static_cast<off_t>(at)) != 0 || ::fsync(in.fd()) != 0)) {
    return FileError("cut the torn end of", file);
  }
  return records;
}

Status AppendRecord(const std::filesystem::path& file, std::string_view record, bool sync) {
  const std::string framed = Framed(record);
  const File out(file, O_WRONLY | O_CREAT | O_APPEND);
  if (!out.ok() || !WriteAll(out.fd(), framed) || (sync && ::fsync(out.fd()) != 0)) {
    return FileError("append to", file);
  }
  return sync ? SyncFile(file.parent_path()) : OkStatus();
}

Result<std::uint64_t> AppendOctets(const std::filesystem::path& file, std::string_view octets) {
  const File out(file, O_WRONLY | O_CREAT | O_APPEND);
  if (!out.ok()) {
    return FileError("open", file);
  }
  const off_t at = ::lseek(out.fd(), 0, SEEK_END);
  if (at < 0 || !WriteAll(out.fd(), octets)) {
    return FileError("append to", file);
  }
  return static_cast<std::uint64_t>(at);
}

Result<std::string> ReadOctets(const std::filesystem::path& file, std::uint64_t offset,
                               std::size_t length) {
  const File in(file, O_RDONLY);
  std::string out(length, '\0');
  if (!in.ok() || !ReadAt(in.fd(), offset, &out)) {
    return FileError("read", file);
  }
  return out;
}

Status WipeOctets(const std::filesystem::path& file, std::uint64_t offset, std::uint64_t length) {
  if (length == 0) {
    return OkStatus();
  }
  const File out(file, O_WRONLY);
  const bool wiped =
      out.ok() && (::fallocate(out.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               static_cast<off_t>(offset), static_cast<off_t>(length)) == 0 ||
                   WriteZeros(out.fd(), offset, length));
  return wiped ? OkStatus() : FileError("wipe", file);
}

Status ReplaceRecordFile(const std::filesystem::path& file, const std::vector<std::string>& records,
                         bool sync) {
  std::filesystem::path fresh = file;
  fresh += ".new";
  {
    const File out(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    bool written = out.ok();
    for (const std::string& record : records) {
      written = written && WriteAll(out.fd(), Framed(record));
    }
    if (!written || (sync && ::fsync(out.fd()) != 0)) {
      return FileError("write", fresh);
    }
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) {
    return FileError("replace", file);
  }
  return sync ? SyncFile(file.parent_path()) : OkStatus();
}

Status RemoveDirectory(const std::filesystem::path& dir, bool sync) {
  std::error_code error;
  std::filesystem::remove_all(dir, error);
  if (error) {
    return IoError("cannot remove " + dir.string() + ": " + error.message());
  }
  return sync ? SyncFile(dir.parent_path()) : OkStatus();
}

Status SyncFile(const std::filesystem::path& file) {
  const File in(file, O_RDONLY);
  return in.ok() && ::fsync(in.fd()) == 0 ? OkStatus() : FileError("sync", file);
}

Status MakeDirectory(const std::filesystem::path& dir, bool sync) {
  if (::mkdir(dir.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return FileError("create", dir);
  }
  return sync ? SyncFile(dir.parent_path()) : OkStatus();
}

}  // namespace twinspool::replica
