// Stops a process at a named point: just before or just after it makes a file durable. Loaded into
// a real node with LD_PRELOAD (halt_rounds.py); the node itself knows nothing of it.
//
// The variable TWINSPOOL_HALT names a file. While that file exists, its text is the point: "before
// PATTERN" or "after PATTERN" (fnmatch of the path that is synced, or renamed to). The first call
// of fsync, fdatasync or rename that matches takes the file away and stops the process with
// SIGSTOP. What it had sent, it has sent; what it would do next, it does not do. A test then kills
// it, or lets it go on.
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::string FileOf(int fd) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  return length < 0 ? "" : std::string(path, static_cast<std::size_t>(length));
}

/// The text of the file that names the point; empty without one.
std::string Point(const char* file) {
  char text[PATH_MAX];
  const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return "";
  }
  const ssize_t length = ::read(fd, text, sizeof text);
  ::close(fd);
  return length < 0 ? "" : std::string(text, static_cast<std::size_t>(length));
}

void HaltIf(const std::string& when, const std::string& path) {
  static const char* const kFile = std::getenv("TWINSPOOL_HALT");
  if (kFile == nullptr) {
    return;
  }
  const std::string point = Point(kFile);
  if (point.compare(0, when.size(), when) != 0 ||
      ::fnmatch(point.c_str() + when.size(), path.c_str(), 0) != 0) {
    return;
  }
  if (::unlink(kFile) == 0) {  // one thread is the first
    ::kill(::getpid(), SIGSTOP);
  }
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

template <typename Call>
int Halting(const std::string& path, const Call& call) {
  HaltIf("before ", path);
  const int result = call();
  HaltIf("after ", path);
  return result;
}

}  // namespace

extern "C" {

int fsync(int fd) {
  static auto* const kNext = Next<int(int)>("fsync");
  return Halting(FileOf(fd), [fd] { return kNext(fd); });
}

int fdatasync(int fd) {
  static auto* const kNext = Next<int(int)>("fdatasync");
  return Halting(FileOf(fd), [fd] { return kNext(fd); });
}

int rename(const char* from, const char* to) noexcept {
  static auto* const kNext = Next<int(const char*, const char*)>("rename");
  return Halting(to, [from, to] { return kNext(from, to); });
}

}  // extern "C"
