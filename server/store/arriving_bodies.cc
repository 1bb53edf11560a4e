#include "server/store/arriving_bodies.h"

#include <utility>

namespace twinspool::store {
namespace {

/// Bodies that may come in at once before the lowest is forgotten.
constexpr std::size_t kBodiesMax = 256;

}  // namespace

void ArrivingBodies::Add(UserId user, const proto::BodyItem& item) {
  const std::pair<UserId, BodyNo> key(user, BodyNo(item.body_no()));
  if (!item.guid().empty()) {
    bodies_.erase(key);  // whole
    return;
  }
  if (item.chunk() == 0) {
    if (bodies_.size() >= kBodiesMax) {
      bodies_.erase(bodies_.begin());
    }
    bodies_[key] = {std::make_unique<Sha256>(), 0, 0};
  }
  const auto found = bodies_.find(key);
  if (found == bodies_.end()) {
    return;
  }
  Prefix& prefix = found->second;
  if (item.chunk() != prefix.chunks) {
    bodies_.erase(found);
    return;
  }
  prefix.hash->Update(item.octets());
  prefix.size += item.octets().size();
  ++prefix.chunks;
}

ArrivingBodies::Prefix ArrivingBodies::Take(UserId user, BodyNo body) {
  const auto found = bodies_.find({user, body});
  if (found == bodies_.end()) {
    return {};
  }
  Prefix prefix = std::move(found->second);
  bodies_.erase(found);
  return prefix;
}

}  // namespace twinspool::store
