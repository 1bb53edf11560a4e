// UidSet: a set of 32-bit numbers kept as sorted, disjoint, non-adjacent ranges.
//
// The vocabulary for "these messages": IMAP sequence sets once resolved, STORE and COPY arguments,
// change items, VANISHED lists. Numbers are UIDs or sequence numbers as the caller says; 0 is no
// member. Thread-compatible value type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"

namespace twinspool {

/// first..last, both included; first <= last.
struct UidRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  auto operator<=>(const UidRange&) const = default;
};

class UidSet {
 public:
  UidSet() = default;
  static UidSet Of(std::uint32_t first, std::uint32_t last);
  static UidSet Of(Uid uid) { return Of(uid.value(), uid.value()); }

  /// Adds first..last. Appending in rising order is O(1); elsewhere O(ranges).
  void Add(std::uint32_t first, std::uint32_t last);
  void Add(std::uint32_t number) { Add(number, number); }
  void Add(Uid uid) { Add(uid.value(), uid.value()); }
  void Add(const UidSet& other);
  void Remove(std::uint32_t number);

  bool Contains(std::uint32_t number) const;
  bool Contains(Uid uid) const { return Contains(uid.value()); }
  bool empty() const { return ranges_.empty(); }
  /// How many numbers; may exceed 2^32 - 1 never, since numbers are 32-bit and 0 is none.
  std::uint64_t Count() const;
  /// Smallest and largest member; 0 when empty.
  std::uint32_t Min() const { return ranges_.empty() ? 0 : ranges_.front().first; }
  std::uint32_t Max() const { return ranges_.empty() ? 0 : ranges_.back().last; }
  const std::vector<UidRange>& ranges() const { return ranges_; }
  UidSet Intersect(const UidSet& other) const;
  /// Members of this set that are not in `other`.
  UidSet Minus(const UidSet& other) const;

  template <typename Fn>
  void ForEach(Fn&& fn) const {
    for (const UidRange& range : ranges_) {
      for (std::uint64_t n = range.first; n <= range.last; ++n) {
        fn(static_cast<std::uint32_t>(n));
      }
    }
  }

  /// IMAP's form, e.g. "1:3,7"; empty for the empty set.
  std::string ToString() const;

  /// Compact form for rows and frames: varint count of ranges, then (gap, length) varints.
  void Encode(std::string* out) const;
  /// Reads what Encode wrote; kDataLoss when malformed or longer than `ranges_max` ranges.
  static Result<UidSet> Decode(std::string_view bytes, std::size_t ranges_max = 1u << 20);

  bool operator==(const UidSet&) const = default;

 private:
  std::vector<UidRange> ranges_;
};

}  // namespace twinspool
