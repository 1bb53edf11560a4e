// One Step of the role machine at work: the rules as small functions on one state. Internal to
// replica/core; users know role.h alone.
//
// The rules' numbers in the comments are those of docs/rules.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replica/core/ack_tracker.h"
#include "replica/core/role.h"

namespace twinspool::replica::core {

/// Why writes are open or not; each but kOpen has its sentence.
enum class WriteGate : std::uint8_t {
  kOpen,
  kNotPrimary,
  kJumping,      // a forced promotion is not finished
  kHandover,     // handing over to the peer
  kNoPeer,       // needs the peer's copy, and the peer is away
  kPeerBehind,   // … and the peer is there, but does not follow yet
  kNotConfirmed  // … and reads are not open either (async after a start)
};

/// What Serving says, without its text: cheap to compare.
struct ServingView {
  bool primary = false;
  bool reads = false;
  WriteGate gate = WriteGate::kNotPrimary;
  Epoch epoch;
  bool single = false;
  bool operator==(const ServingView&) const = default;
};
ServingView ViewOf(const Settings& settings, const RoleState& state);
Serving ToServing(const ServingView& view);

/// Works on one state during one Step, then is thrown away.
class Machine {
 public:
  Machine(const Settings& settings, RoleState& state)
      : settings_(settings), s_(state), c_(state.control) {}

  /// Changes the state; what is to be said is kept for Finish().
  void Run(const Event& event);
  /// At a start, before any event.
  void RunStart();
  /// Actions that lead from `before` to the state as it is now.
  Actions Finish(const RoleState& before) &&;

 private:
  // Links and time (role_events.cc).
  void On(const LinkUp&);
  void On(const LinkDown&);
  void On(const Tick&);
  void On(const OrderTimedOut&);
  // The log (role_events.cc).
  void On(const Committed& event);
  void On(const Applied& event);
  void On(const WaitOver& event);
  void On(const PeerBehind&);
  void On(const RewindStarted&);
  void On(const RewindFinished& event);
  void On(const CatchUpStarted& event);
  void On(const CatchUpFinished& event);
  void On(const Drained&);
  void On(const UidsJumped&);

  // The peer's messages (role_peer.cc); Get: envelope checked.
  void On(const Message& message);
  void OnHello(const Message& message, const Hello& hello);
  void OnContact();
  void Get(const Hello&) {}
  void Get(const Ack& ack);
  void Get(const InSync& in_sync);
  void Get(const Revoke& revoke);
  void Get(const Revoked& revoked);
  void Get(const Resign& resign);
  void Get(const ResignHeld& held);
  void Get(const Reclaim& reclaim);
  void Get(const Reclaimed& reclaimed);
  void Get(const Expel& expel);
  void Get(const Expelled& expelled);
  void Follow();
  bool Believable(Epoch epoch);

  // The arbiter (role_arbiter.cc).
  void On(const ArbiterAnswer& answer);
  void On(const ArbiterSilent&);
  void On(const LeaderGone&);
  void TickArbiter();
  void AskFor(Ask what, Epoch epoch = {}, std::uint8_t in_sync = 0);
  void AskToLead();
  void AskToReadmit();
  void AskToGoOnAlone();
  void Swapped(Ask what);
  bool MayLead() const;
  bool ConfigNamesMe() const;
  bool ConfigHas(std::uint32_t node) const;
  std::uint8_t Only(std::uint32_t node) const { return static_cast<std::uint8_t>(1u << node); }
  bool PeerToldInSync() const;

  // Orders (role_orders.cc).
  void On(const Order& order);
  void Do(const Promote& order);
  void Do(const Solo& order);
  void Do(const Switchover&);
  void Do(const Demote&);
  void Do(const Fence&);
  void Do(const Undemote&);
  void Do(const StopGracefully&);
  void Do(const Join&);
  void Do(const Dissolve& order);
  void Do(const AcceptEpoch& order);
  bool RefusedBeforehand(const Order& order);
  bool RefusedWithArbiter(const Order& order);
  bool Promotable() const;
  void PromoteAgain(const Promote& order);
  bool PeerForbids(const Promote& order);
  void PromoteNow(const Promote& order);
  void PromoteTo(Failover kind, Epoch epoch, Grant how, bool use_now);
  void Force();
  void RefusePromotion();
  void SoloByFence();
  void AnswerPromoted();
  bool BeginHandover(Handover kind);
  bool EpochFits(Epoch epoch);

  // What several of them need (role.cc).
  Epoch NextEpoch(std::uint32_t leap = 0) const;
  Epoch NextEpochAbove(Epoch epoch) const;
  bool WholeStore() const { return !c_.rewinding && !c_.incomplete; }
  bool MayResume() const;
  bool Primary() const { return s_.role == Role::kPrimary; }
  bool HasPeer() const { return c_.grant != Grant::kStanding && !c_.expelled; }
  void Adopt(Epoch epoch);
  void BecomePrimary(Failover kind, Epoch epoch, Grant how);
  void BecomeSingle();
  void Resume(bool contact);
  void StopServing();
  void StepDown();
  void TakeGrant(Grant how);
  void UseGrant();
  void NotePeer(Incarnation incarnation);
  void Advance();
  void MaybeReadmit();
  void AbortReadmission();
  void MaybeRevoke();
  void MaybeResign();
  void ResignNow();
  void SendResign();
  void EndHandover(Outcome code, std::string text, std::string next = "");

  std::uint32_t NextCfgno();
  std::uint32_t AskingCfgno();
  void Send(MessageBody body);
  void SendHello(bool reply, Incarnation to);
  void Say(std::string_view reason) { reason_ = reason; }
  void Answer(Outcome code, std::string text, std::string next = "");
  void Reject(Outcome code, std::string text, std::string next = "");

  const Settings& settings_;
  RoleState& s_;
  Control& c_;

  std::vector<Message> sent_;
  std::optional<AskArbiter> ask_;
  std::optional<Action> answer_;
  std::string_view reason_;
  std::string actor_;
  Failover failover_ = Failover::kNone;
  bool start_rewind_ = false;
  bool jump_uids_ = false;
};

}  // namespace twinspool::replica::core
