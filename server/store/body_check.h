// Whether the octets of a body are those that its GUID names (semantics: the GUID is the SHA-256 of
// the octets). Pure reading.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "server/store/row_view.h"

namespace twinspool::store {

struct BodyLook {
  bool sound = false;
  std::string why;  // of one that is not
  /// SHA-256 of each chunk, if asked for; nothing: it is missing or cannot be read.
  std::vector<std::optional<Guid>> chunks;
  std::uint64_t bytes = 0;
};

/// `by_chunk`: the hashes of chunks, too, which costs the reading nothing and the hashing double.
/// Errors are those of the disk as a whole.
Result<BodyLook> LookAtBody(const RowView& view, UserId user, const PooledBody& body,
                            bool by_chunk);

/// The entries of a pool that can be read, in the order of arrival, as their octets lie on the
/// disk. The others are damage of the user's own rows.
Result<std::vector<PooledBody>> ReadableBodies(const RowView& view, UserId user);

/// The pool's entry under that GUID, if it is the body of that number.
Result<std::optional<PooledBody>> PooledAs(const RowView& view, UserId user, const Guid& guid,
                                           BodyNo body);

}  // namespace twinspool::store
