#include "common/uid_set.h"

#include <algorithm>

#include "common/codec.h"

namespace twinspool {

UidSet UidSet::Of(std::uint32_t first, std::uint32_t last) {
  UidSet set;
  set.Add(first, last);
  return set;
}

void UidSet::Add(std::uint32_t first, std::uint32_t last) {
  if (first > last || first == 0) {
    return;
  }
  // The first range that touches or follows [first, last].
  const auto touches = [](const UidRange& range, std::uint32_t number) {
    return static_cast<std::uint64_t>(range.last) + 1 < number;
  };
  auto it = ranges_.empty() || touches(ranges_.back(), first)
                ? ranges_.end()
                : std::lower_bound(ranges_.begin(), ranges_.end(), first, touches);
  if (it == ranges_.end() || static_cast<std::uint64_t>(last) + 1 < it->first) {
    ranges_.insert(it, UidRange{first, last});
    return;
  }
  it->first = std::min(it->first, first);
  it->last = std::max(it->last, last);
  auto next = it + 1;
  while (next != ranges_.end() && next->first <= static_cast<std::uint64_t>(it->last) + 1) {
    it->last = std::max(it->last, next->last);
    ++next;
  }
  ranges_.erase(it + 1, next);
}

void UidSet::Add(const UidSet& other) {
  for (const UidRange& range : other.ranges_) {
    Add(range.first, range.last);
  }
}

void UidSet::Remove(std::uint32_t number) {
  *this = Minus(Of(number, number));
}

bool UidSet::Contains(std::uint32_t number) const {
  const auto it = std::lower_bound(
      ranges_.begin(), ranges_.end(), number,
      [](const UidRange& range, std::uint32_t value) { return range.last < value; });
  return it != ranges_.end() && it->first <= number;
}

std::uint64_t UidSet::Count() const {
  std::uint64_t count = 0;
  for (const UidRange& range : ranges_) {
    count += static_cast<std::uint64_t>(range.last) - range.first + 1;
  }
  return count;
}

UidSet UidSet::Intersect(const UidSet& other) const {
  UidSet both;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    both.Add(std::max(a->first, b->first), std::min(a->last, b->last));
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  return both;
}

UidSet UidSet::Minus(const UidSet& other) const {
  UidSet left;
  auto b = other.ranges_.begin();
  for (const UidRange& range : ranges_) {
    std::uint64_t first = range.first;
    while (b != other.ranges_.end() && b->last < first) {
      ++b;
    }
    for (auto cut = b; cut != other.ranges_.end() && cut->first <= range.last; ++cut) {
      if (cut->first > first) {
        left.Add(static_cast<std::uint32_t>(first), cut->first - 1);
      }
      first = std::max<std::uint64_t>(first, static_cast<std::uint64_t>(cut->last) + 1);
    }
    if (first <= range.last) {
      left.Add(static_cast<std::uint32_t>(first), range.last);
    }
  }
  return left;
}

std::string UidSet::ToString() const {
  std::string text;
  for (const UidRange& range : ranges_) {
    if (!text.empty()) {
      text.push_back(',');
    }
    text += std::to_string(range.first);
    if (range.last != range.first) {
      text.push_back(':');
      text += std::to_string(range.last);
    }
  }
  return text;
}

void UidSet::Encode(std::string* out) const {
  PutVarint(out, ranges_.size());
  std::uint32_t previous = 0;
  for (const UidRange& range : ranges_) {
    PutVarint(out, range.first - previous);
    PutVarint(out, range.last - range.first);
    previous = range.last;
  }
}

Result<UidSet> UidSet::Decode(std::string_view bytes, std::size_t ranges_max) {
  Reader reader(bytes);
  const std::uint64_t count = reader.Varint();
  if (count > ranges_max) {
    return DataLoss("uid set with " + std::to_string(count) + " ranges");
  }
  UidSet set;
  std::uint64_t previous = 0;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    const std::uint64_t first = previous + reader.Varint();
    const std::uint64_t last = first + reader.Varint();
    if (first == 0 || first <= previous || last < first || last > UINT32_MAX) {
      reader.Fail();
      break;
    }
    set.Add(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last));
    previous = last;
  }
  if (!reader.ok() || !reader.AtEnd()) {
    return DataLoss("malformed uid set");
  }
  return set;
}

}  // namespace twinspool
