// What is acknowledged. See ack_tracker.h.
#include "replica/core/ack_tracker.h"

#include <algorithm>

namespace twinspool::replica::core {

CommitSeq AckedUpTo(AckPolicy policy, const AckPositions& positions) {
  switch (policy) {
    case AckPolicy::kPeer:
      return std::min(positions.committed, positions.peer);
    case AckPolicy::kOwn:
      return positions.committed;
    case AckPolicy::kOwnAfterWaiting:
      return std::min(positions.committed, std::max(positions.peer, positions.waited));
  }
  return {};
}

}  // namespace twinspool::replica::core
