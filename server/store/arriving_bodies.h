// ArrivingBodies: the hashes of bodies whose chunks are still coming in.
//
// A large body is checked against its GUID when its last chunk arrives. Reading it again for that
// would hold up every other write of the pair for as long as it takes; so each chunk is hashed when
// it has become durable, and the check goes on from there. A body that is not known here any more
// (a restart, too many at once) is read again: nothing depends on this memory but time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "proto/types.pb.h"

#include "common/digest.h"
#include "common/types.h"

namespace twinspool::store {

/// Not thread-safe: belongs to the sink, whose calls come one at a time.
class ArrivingBodies {
 public:
  /// The first `chunks` chunks, `size` octets altogether.
  struct Prefix {
    std::unique_ptr<Sha256> hash;
    std::uint32_t chunks = 0;
    std::uint64_t size = 0;
  };

  /// A chunk that is durable now. Out of order: the body is forgotten.
  void Add(UserId user, const proto::BodyItem& item);
  /// What is known of a body, which is forgotten; no hash: nothing.
  Prefix Take(UserId user, BodyNo body);
  /// Rows were changed by other means than Add's chunks.
  void Clear() { bodies_.clear(); }

 private:
  std::map<std::pair<UserId, BodyNo>, Prefix> bodies_;
};

}  // namespace twinspool::store
