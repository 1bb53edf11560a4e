// How a process ends whose disk said no: at once, with nothing unwound. What the disk holds then is
// found out by the next start, which is fenced, and the peer may take over.
#pragma once

#include "common/status.h"

namespace twinspool {

/// Exit code of a process that ended so (deploy/man/twinspoold.8).
inline constexpr int kExitFailedWrite = 70;

/// Logs `failed`, the result of a write or sync that had to be durable, and ends the process.
[[noreturn]] void EndAfterFailedWrite(const Status& failed);

}  // namespace twinspool
