// PinnedCache: a least-recently-used map whose entries may be pinned by a ticket. Part of
// HeadState.
//
// An entry stays at least until its ticket is durable; beyond that the oldest go first when there
// are more than `capacity`. Values are immutable and shared, so that whoever holds one may go on
// using it after eviction. Not thread-safe: the stripe's lock protects it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <utility>

#include "common/types.h"

namespace twinspool::store {

/// `MapTemplate` is std::map or std::unordered_map.
template <template <typename...> typename MapTemplate, typename Key, typename Value>
class PinnedCache {
 public:
  using Pointer = std::shared_ptr<const Value>;

  /// Null when unknown. Counts as a use.
  Pointer Find(const Key& key) {
    auto it = entries_.find(key);
    if (it == entries_.end()) {
      return nullptr;
    }
    order_.splice(order_.begin(), order_, it->second.place);
    return it->second.value;
  }

  /// Keeps `value`, pinned until `ticket` is durable (0: not pinned).
  void Store(const Key& key, Pointer value, std::uint64_t ticket) {
    auto [it, added] = entries_.try_emplace(key);
    if (added) {
      order_.push_front(key);
      it->second.place = order_.begin();
    } else {
      order_.splice(order_.begin(), order_, it->second.place);
    }
    it->second.value = std::move(value);
    it->second.ticket = ticket;
  }

  /// Drops the oldest entries above `capacity` that are not pinned any more.
  void Evict(std::size_t capacity, std::uint64_t durable) {
    std::size_t tries = entries_.size() > capacity ? 2 * (entries_.size() - capacity) : 0;
    while (entries_.size() > capacity && tries-- > 0) {
      auto oldest = std::prev(order_.end());
      auto it = entries_.find(*oldest);
      if (it->second.ticket > durable) {
        order_.splice(order_.begin(), order_, oldest);
        continue;
      }
      entries_.erase(it);
      order_.erase(oldest);
    }
  }

  void Clear() {
    entries_.clear();
    order_.clear();
  }
  /// Of an entry that is not pinned, or unknown: at or below what is durable.
  std::uint64_t TicketOf(const Key& key) const {
    const auto it = entries_.find(key);
    return it == entries_.end() ? 0 : it->second.ticket;
  }
  void Erase(const Key& key) {
    if (const auto it = entries_.find(key); it != entries_.end()) {
      order_.erase(it->second.place);
      entries_.erase(it);
    }
  }
  std::size_t size() const { return entries_.size(); }

  /// Ordered maps only: calls fn(key, value) from `first` on, until it answers false.
  template <typename Fn>
  void From(const Key& first, Fn&& fn) const {
    for (auto it = entries_.lower_bound(first); it != entries_.end(); ++it) {
      if (!fn(it->first, *it->second.value)) {
        return;
      }
    }
  }

 private:
  struct Entry {
    Pointer value;
    std::uint64_t ticket = 0;
    typename std::list<Key>::iterator place;
  };
  MapTemplate<Key, Entry> entries_;
  std::list<Key> order_;  // newest use first
};

}  // namespace twinspool::store
