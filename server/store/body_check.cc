#include "server/store/body_check.h"

#include <algorithm>

#include "common/digest.h"
#include "server/store/damage.h"

namespace twinspool::store {

Result<BodyLook> LookAtBody(const RowView& view, UserId user, const PooledBody& body,
                            bool by_chunk) {
  BodyLook look;
  Sha256 hash;
  for (std::uint32_t chunk = 0; chunk < body.entry.chunks; ++chunk) {
    const auto octets =
        view.engine().Get(Family::kBodies, BodyKey(user, body.entry.body, chunk), view.snapshot());
    if (!octets.ok() && !IsDamage(octets.status())) {
      return octets.status();
    }
    const bool there = octets.ok() && octets.value().has_value();
    if (!there && look.why.empty()) {
      look.why = "chunk " + std::to_string(chunk) +
                 (octets.ok() ? " is missing" : ": " + std::string(octets.status().message()));
    }
    if (there) {
      hash.Update(**octets);
      look.bytes += (*octets)->size();
    }
    if (by_chunk) {
      look.chunks.push_back(there ? std::optional(GuidOf(**octets)) : std::nullopt);
    } else if (!there) {
      return look;
    }
  }
  if (look.why.empty() && (look.bytes != body.entry.size || hash.Finish() != body.guid)) {
    look.why = "the octets do not have the hash that names them";
  }
  look.sound = look.why.empty();
  return look;
}

Result<std::optional<PooledBody>> PooledAs(const RowView& view, UserId user, const Guid& guid,
                                           BodyNo body) {
  ASSIGN_OR_RETURN(const auto row,
                   view.engine().Get(Family::kGuids, GuidKey(user, guid), view.snapshot()));
  if (!row) {
    return std::optional<PooledBody>();
  }
  ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(*row));
  return entry.body == body ? std::optional(PooledBody{guid, entry}) : std::nullopt;
}

Result<std::vector<PooledBody>> ReadableBodies(const RowView& view, UserId user) {
  std::vector<PooledBody> bodies;
  TRY(view.ScanEach(
      Family::kGuids, user.bytes(),
      [&](std::string_view key, std::string_view value, const Status& damage) -> Result<bool> {
        const Result<PoolEntry> entry =
            damage.ok() ? DecodePoolEntry(value) : Result<PoolEntry>(damage);
        if (entry.ok()) {
          bodies.push_back({Guid::FromBytes(key.substr(UserId::kSize)), *entry});
        }
        return true;
      }));
  std::ranges::sort(bodies, {}, [](const PooledBody& body) { return body.entry.body; });
  return bodies;
}

}  // namespace twinspool::store
