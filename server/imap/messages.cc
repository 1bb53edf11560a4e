// Sets of a client become sets of UIDs, and back.
#include "server/imap/messages.h"

#include <algorithm>

#include "server/imap/sequence.h"

namespace twinspool::imap {

Result<UidSet> MessagesOf(const SelectedView& view, const SequenceSet& set, bool uid) {
  if (set.saved) {
    return view.saved().Intersect(view.ToldUids());
  }
  if (uid) {
    return ResolveUids(set, view.last_uid()).Intersect(view.ToldUids());
  }
  const bool all_star = std::all_of(set.ranges.begin(), set.ranges.end(), [](auto range) {
    return range.first == kStar || range.last == kStar;
  });
  if (view.exists() == 0 && all_star) {
    return UidSet();
  }
  ASSIGN_OR_RETURN(const UidSet numbers, ResolveSequence(set, view.exists()));
  return view.UidsAt(numbers);
}

Places PlacesOf(const PartialRange& range, std::uint64_t count) {
  const Places places{range.first, std::min<std::uint64_t>(range.last, count)};
  if (places.first > places.last) {
    return {};
  }
  return range.from_end ? Places{count + 1 - places.last, count + 1 - places.first} : places;
}

UidSet PartOf(const UidSet& numbers, const PartialRange& range) {
  const Places places = PlacesOf(range, numbers.Count());
  UidSet part;
  std::uint64_t before = 0;
  for (const UidRange& run : numbers.ranges()) {
    const std::uint64_t size = std::uint64_t{run.last} - run.first + 1;
    const std::uint64_t from = std::max(places.first, before + 1);
    const std::uint64_t to = std::min(places.last, before + size);
    if (from <= to) {
      part.Add(static_cast<std::uint32_t>(run.first + (from - before - 1)),
               static_cast<std::uint32_t>(run.first + (to - before - 1)));
    }
    before += size;
  }
  return part;
}

UidSet NumbersOf(const SelectedView& view, const UidSet& uids, bool uid) {
  if (uid) {
    return uids;
  }
  UidSet numbers;
  uids.ForEach([&](std::uint32_t one) {
    if (const std::uint32_t number = view.NumberOf(Uid(one)); number != 0) {
      numbers.Add(number);
    }
  });
  return numbers;
}

}  // namespace twinspool::imap
