// Sets of a client become sets of UIDs, and back.
#include "server/imap/messages.h"

#include <algorithm>

#include "server/imap/sequence.h"

namespace twinspool::imap {

Result<UidSet> MessagesOf(const SelectedView& view, const SequenceSet& set, bool uid) {
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
