// CHECK: stop the process with the facts when an invariant of ours is broken.
//
// For programmer errors and impossible states only; it stays on in every build, because the peer
// takes over and a wrong store would not. Input of clients, the peer, the configuration or the disk
// is never CHECKed: it is a Status.
#pragma once

#include <string_view>

namespace twinspool {

/// Logs `what` with its place and aborts. Never returns.
[[noreturn]] void CheckFailed(const char* file, int line, std::string_view what);

}  // namespace twinspool

#define TWINSPOOL_CHECK(condition, what)                    \
  do {                                                      \
    if (!(condition)) {                                     \
      ::twinspool::CheckFailed(__FILE__, __LINE__, (what)); \
    }                                                       \
  } while (false)
