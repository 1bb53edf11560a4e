// Giving back: what only a former primary had accepted goes to the new one, messages under new
// UIDs.
//
// The sender works through the salvage folder, step by step (give_back_plan.h), while its node is
// an eligible standby; small steps of a kind go together. What is not taken makes room for the
// next, is offered again later (much later, if it was refused for what it is), and stays in the
// folder until then; only behind a user or mailbox that cannot be made just now everything waits.
// The receiver gathers the parts and hands them to the store. A token names each step for ever, so
// repeating is harmless, and the sender repeats until it is answered. A node that is primary itself
// takes its own salvage back. No thread, lock or clock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replica/give_back_plan.h"
#include "replica/salvage.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// See the head of this file. Calls the store with a completion that comes back through Post.
class GiveBackSender {
 public:
  using Ordered = std::function<void(Result<proto::GivenBack>)>;

  GiveBackSender(Shared& shared, Salvage& salvage) : shared_(shared), salvage_(salvage) {}

  /// The link or the role has changed: the steps under way are offered again later.
  void Reset();
  /// Begins with the next step when it is time; takes own salvage back on a primary.
  void OnTick(Instant now);
  /// Queues one part of the step under way; true: there are more.
  bool Pump();
  bool WantsToSend() const { return !under_way_.empty() && !sent_ && !own_; }
  void OnGivenBack(const proto::GivenBack& given, Instant now);
  /// What the folder had of this user was erased: nothing of his is offered on.
  void ForgetUser(UserId user);
  /// An operator wants this step before all others. `done` runs once: with the outcome, or with
  /// kUnavailable when there was none in limits::kGiveBackOrderMs.
  void Order(GiveBackStep step, Instant now, Ordered done);
  /// Answers orders that nobody will answer any more.
  void Stop();

 private:
  struct PutOff {
    Instant until;
    bool refused = false;
  };
  struct Waiting {
    GiveBackStep step;
    Ordered done;
    Instant until;
  };

  /// Whether this node may give back now; sets own_.
  bool MayOffer();
  /// The steps to be offered together now; none: there is nothing to do.
  std::vector<GiveBackStep> Choose(Instant now);
  bool IsPutOff(const GiveBackStep& step, Instant now) const;
  proto::GiveBack Describe() const;
  void TakeOwn();
  void Settle(const GiveBackStep& step, const proto::GivenBack& given);
  /// The steps under way were not taken: others go first now.
  void PutOffAll(bool refused, const std::string& why, Instant now);
  void ExpireOrders(Instant now);

  Shared& shared_;
  Salvage& salvage_;
  std::vector<GiveBackStep> under_way_;  // offered and not answered
  bool own_ = false;                     // … to this node's own store
  std::uint64_t offset_ = 0;
  bool sent_ = false;
  Instant offered_at_;
  std::map<std::string, PutOff> put_off_;  // steps that were not taken, by token
  std::set<std::string> alone_;            // tokens that spoiled a batch, or may have
  std::deque<Waiting> orders_;             // the first is under way if under_way_ has its token
};

/// See the head of this file.
class GiveBackReceiver {
 public:
  explicit GiveBackReceiver(Shared& shared) : shared_(shared) {}

  void Reset();
  void OnGiveBack(const proto::GiveBack& part);

 private:
  void Answer(proto::GivenBack given);

  Shared& shared_;
  std::optional<proto::GiveBack> head_;
  std::string octets_;
};

}  // namespace twinspool::replica
