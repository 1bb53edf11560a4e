// Octets of the messages with \Deleted in a mailbox: STATUS DELETED-STORAGE (RFC 9208 §5.1.1). The
// store does not count them; they are read from the index and the records when asked for.
#pragma once

#include <cstdint>
#include <functional>

#include "server/imap/core.h"

namespace twinspool::imap {

/// `task` is the one that it works for. `done` runs on the session's thread.
void CountDeletedBytes(Task& task, Core& core, const MailboxState& state,
                       std::function<void(Result<std::uint64_t>)> done);

}  // namespace twinspool::imap
