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

}  // namespace twinspool::imap
