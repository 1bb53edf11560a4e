// Sequence sets, resolved.
#include "server/imap/sequence.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace twinspool::imap {
namespace {

// '*' replaced, ends in order, ranges by first: UidSet::Add is cheap in that order only.
std::vector<UidRange> Ordered(const SequenceSet& set, std::uint32_t star) {
  std::vector<UidRange> ranges;
  ranges.reserve(set.ranges.size());
  for (const SequenceRange& written : set.ranges) {
    const std::uint32_t first = written.first == kStar ? star : written.first;
    const std::uint32_t last = written.last == kStar ? star : written.last;
    ranges.push_back({std::min(first, last), std::max(first, last)});
  }
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

UidSet FromOrdered(const std::vector<UidRange>& ranges) {
  UidSet set;
  for (const UidRange& range : ranges) {
    // A '*' of an empty mailbox is 0, no number.
    if (range.last > 0) {
      set.Add(std::max(range.first, 1u), range.last);
    }
  }
  return set;
}

// Calls fn(index) for each place of the view whose UID is in `uids`.
template <typename Fn>
void ForEachPlace(const UidSet& uids, std::span<const Uid> view, Fn&& fn) {
  auto from = view.begin();
  for (const UidRange& range : uids.ranges()) {
    from = std::lower_bound(from, view.end(), Uid(range.first));
    for (; from != view.end() && from->value() <= range.last; ++from) {
      fn(static_cast<std::uint32_t>(from - view.begin()));
    }
  }
}

}  // namespace

UidSet ResolveUids(const SequenceSet& set, Uid max_uid) {
  return FromOrdered(Ordered(set, max_uid.value()));
}

Result<UidSet> ResolveSequence(const SequenceSet& set, std::uint32_t exists) {
  const std::vector<UidRange> ranges = Ordered(set, exists);
  for (const UidRange& range : ranges) {
    if (range.first == 0 || range.last > exists) {
      return InvalidArgument("no such message: the mailbox has " + std::to_string(exists));
    }
  }
  return FromOrdered(ranges);
}

UidSet SequenceToUids(const UidSet& sequence, std::span<const Uid> view) {
  UidSet uids;
  for (const UidRange& range : sequence.ranges()) {
    const std::size_t end = std::min<std::size_t>(range.last, view.size());
    for (std::size_t number = range.first; number <= end; ++number) {
      uids.Add(view[number - 1]);
    }
  }
  return uids;
}

UidSet UidsToSequence(const UidSet& uids, std::span<const Uid> view) {
  UidSet sequence;
  ForEachPlace(uids, view, [&](std::uint32_t index) { sequence.Add(index + 1); });
  return sequence;
}

UidSet ExistingUids(const UidSet& uids, std::span<const Uid> view) {
  UidSet existing;
  ForEachPlace(uids, view, [&](std::uint32_t index) { existing.Add(view[index]); });
  return existing;
}

std::uint32_t SequenceOf(Uid uid, std::span<const Uid> view) {
  const auto found = std::lower_bound(view.begin(), view.end(), uid);
  if (found == view.end() || *found != uid) {
    return 0;
  }
  return static_cast<std::uint32_t>(found - view.begin()) + 1;
}

}  // namespace twinspool::imap
