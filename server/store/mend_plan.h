// MendPlan: which parts of a damaged object to take from the other node. Pure.
//
// The proof is the digest that is stored beside an object and was compared with every change: rows
// of both nodes are put together so that they sum up to it. What does not sum up is left alone.
// Nothing is guessed, nothing is counted by majority.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/types.h"

namespace twinspool::store {

struct PartView {
  std::uint32_t number = 0;
  std::optional<DigestBytes> digest;  // nothing: damaged
};

/// An object as one node has it.
struct ObjectView {
  bool exists = false;
  std::optional<DigestBytes> stored;  // nothing: damaged or missing
  std::vector<PartView> parts;        // ascending
};

struct MendPlan {
  enum class Step {
    kRecount,  // the rows are right: only what is derived from them is written anew
    kTake,     // `take` and `drop`
    kWait,     // the two are not in the same state, perhaps because one has moved on: ask again
    kGiveUp,   // `why`
  };
  Step step = Step::kGiveUp;
  DigestBytes agreed;               // what everything together comes to
  std::vector<std::uint32_t> take;  // parts to be had from the other node
  std::vector<std::uint32_t> drop;  // parts that should not be there
  std::string why;
};

/// `follows`: this node is a standby; where its own stored digest is lost, its primary's counts.
MendPlan PlanMend(const ObjectView& own, const ObjectView& theirs, bool follows);

}  // namespace twinspool::store
