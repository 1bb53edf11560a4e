// What of a salvage folder is to be given back, in which order, and as what. Pure.
//
// Within one undone history: users that were made and passwords; mailboxes that were made, renamed
// or deleted; messages and what became of older ones; small rows; users that were deleted. Several
// changes of one thing are one step from what it was before all of them to what it was at the end.
// Not given back: what came and went within the undone history, what lay in a mailbox or belonged
// to a user that was deleted at its end (both stay in the folder), half bodies, purges.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/replication.pb.h"
#include "proto/salvage.pb.h"

namespace twinspool::replica {

/// One thing to be given back.
struct GiveBackStep {
  proto::GiveBack message;  // without octets; its token names the step
  std::uint64_t body_bytes = 0;
  /// Tokens of all items that it settles; the first is the message's.
  std::vector<std::string> covers;
};

/// Steps for the items of one rewind, which are given in the order in which they were saved: newest
/// entry first.
std::vector<GiveBackStep> PlanGiveBack(const std::vector<const proto::SalvageItem*>& items);

/// The same message, as an operator orders it: whatever became of it, into the mailbox of this name
/// (empty: its own). `item` is an append.
GiveBackStep PlanOrdered(const proto::SalvageItem& item, const std::string& into);

}  // namespace twinspool::replica
