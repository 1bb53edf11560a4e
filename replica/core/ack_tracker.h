// What is acknowledged: the one place that says how positions become "acked".
//
// Pure arithmetic on positions. Whether clients may see it (reads) is the role machine's business.
#pragma once

#include <cstdint>

#include "common/types.h"

namespace twinspool::replica::core {

/// Whose durable copy an acknowledgement needs.
enum class AckPolicy : std::uint8_t {
  kPeer,            // ours and the peer's
  kOwn,             // ours alone: under a grant that is in use, in `single`, in async
  kOwnAfterWaiting  // ours, and the peer's or a wait that is over: async with sync_wait_ms
};

/// Positions of one primary under its present epoch.
struct AckPositions {
  CommitSeq committed;  // durable here
  CommitSeq peer;       // durable there
  CommitSeq waited;     // has waited long enough
};

/// Everything up to the answer is acknowledged. Never above `committed`: an ack for more than we
/// have proves nothing.
CommitSeq AckedUpTo(AckPolicy policy, const AckPositions& positions);

}  // namespace twinspool::replica::core
