#include "server/store/mend_plan.h"

#include <algorithm>
#include <bit>
#include <map>

#include "common/digest.h"

namespace twinspool::store {
namespace {

/// More parts that differ though both nodes can read them are only taken all, or none.
constexpr std::size_t kChoicesMax = 12;

/// One part as both nodes have it. `…_there` false: that node has no such part.
struct Pair {
  bool own_there = false;
  bool their_there = false;
  std::optional<DigestBytes> own;
  std::optional<DigestBytes> theirs;

  bool own_usable() const { return !own_there || own.has_value(); }
  bool their_usable() const { return !their_there || theirs.has_value(); }
  bool same() const {
    return own_usable() && their_usable() && own_there == their_there && own == theirs;
  }
};

Digest128 TermOf(const std::optional<DigestBytes>& digest) {
  return digest ? Digest128::FromBytes(*digest) : Digest128();
}

std::optional<DigestBytes> Sum(const ObjectView& view) {
  Digest128 sum;
  for (const PartView& part : view.parts) {
    if (!part.digest) {
      return std::nullopt;
    }
    sum.Add(Digest128::FromBytes(*part.digest));
  }
  return sum.bytes();
}

MendPlan GiveUp(const std::string& why) {
  MendPlan plan;
  plan.why = why;
  return plan;
}

MendPlan Plain(MendPlan::Step step, const DigestBytes& agreed) {
  MendPlan plan;
  plan.step = step;
  plan.agreed = agreed;
  return plan;
}

class Chooser {
 public:
  Chooser(const ObjectView& own, const ObjectView& theirs, const DigestBytes& agreed)
      : agreed_(agreed) {
    for (const PartView& part : own.parts) {
      pairs_[part.number].own_there = true;
      pairs_[part.number].own = part.digest;
    }
    for (const PartView& part : theirs.parts) {
      pairs_[part.number].their_there = true;
      pairs_[part.number].theirs = part.digest;
    }
  }

  MendPlan Run() {
    MendPlan plan = Plain(MendPlan::Step::kTake, agreed_);
    for (const auto& [number, pair] : pairs_) {
      if (pair.same() || (pair.own_usable() && !pair.their_usable())) {
        sum_.Add(TermOf(pair.own));
      } else if (pair.own_usable()) {
        choices_.push_back(number);
      } else if (pair.their_usable()) {
        sum_.Add(TermOf(pair.theirs));
        Take(number, &plan);
      } else {
        return GiveUp("a part of it is damaged on both nodes");
      }
    }
    const std::optional<std::uint64_t> mask = Choose();
    if (!mask) {
      return GiveUp("the rows of both nodes do not come to the digest that is stored");
    }
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      if (Taken(*mask, i)) {
        Take(choices_[i], &plan);
      }
    }
    return plan;
  }

 private:
  static bool Taken(std::uint64_t mask, std::size_t i) {
    return mask == UINT64_MAX || (mask >> i & 1) != 0;
  }

  void Take(std::uint32_t number, MendPlan* plan) const {
    (pairs_.at(number).their_there ? plan->take : plan->drop).push_back(number);
  }

  /// The smallest set of choices to take with which the sum is right.
  std::optional<std::uint64_t> Choose() const {
    if (choices_.size() > kChoicesMax) {
      return Right(0)            ? std::optional<std::uint64_t>(0)
             : Right(UINT64_MAX) ? std::optional(UINT64_MAX)
                                 : std::nullopt;
    }
    std::optional<std::uint64_t> best;
    for (std::uint64_t mask = 0; mask < std::uint64_t{1} << choices_.size(); ++mask) {
      if ((!best || std::popcount(mask) < std::popcount(*best)) && Right(mask)) {
        best = mask;
      }
    }
    return best;
  }

  bool Right(std::uint64_t mask) const {
    Digest128 sum = sum_;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      const Pair& pair = pairs_.at(choices_[i]);
      sum.Add(TermOf(Taken(mask, i) ? pair.theirs : pair.own));
    }
    return sum.bytes() == agreed_;
  }

  const DigestBytes agreed_;
  std::map<std::uint32_t, Pair> pairs_;
  Digest128 sum_;  // of what is settled
  std::vector<std::uint32_t> choices_;
};

}  // namespace

MendPlan PlanMend(const ObjectView& own, const ObjectView& theirs, bool follows) {
  if (!theirs.exists) {
    return Plain(MendPlan::Step::kWait, DigestBytes());
  }
  const std::optional<DigestBytes> sum = Sum(own);
  if (theirs.stored && sum == theirs.stored) {
    return Plain(MendPlan::Step::kRecount, *theirs.stored);
  }
  if (own.stored && theirs.stored && own.stored != theirs.stored) {
    return Plain(MendPlan::Step::kWait, *own.stored);
  }
  if (own.stored) {
    return Chooser(own, theirs, *own.stored).Run();
  }
  if (!theirs.stored) {
    return GiveUp("what both nodes had agreed upon is lost on both");
  }
  return follows ? Chooser(own, theirs, *theirs.stored).Run()
                 : GiveUp("what both nodes had agreed upon is lost here");
}

}  // namespace twinspool::store
