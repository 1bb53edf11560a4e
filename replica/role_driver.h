// Carries out what the role machine (core/role.h) decides: control file, store, messages, in the
// order of its actions.
//
// The driver keeps the machine's promises: one step at a time, control durable before anything that
// depends on it, and the commit gate closed during every step, so that the machine sees all groups
// that were acknowledged without the peer. It holds no thread and no lock; its owner serialises.
#pragma once

#include <deque>
#include <memory>

#include "replica/commit_gate.h"
#include "replica/core/history.h"
#include "replica/core/role.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// Where the control state lives. Save is atomic and durable when it returns; after an error the
/// process ends, because nobody knows what is on disk.
class ControlStore {
 public:
  virtual ~ControlStore() = default;
  virtual Status Save(const core::Control& control, const core::EpochHistory& history) = 0;
};

/// What steps lead to outside role, store and wire. Called during a step.
class RoleListener {
 public:
  virtual ~RoleListener() = default;
  /// Adds this node's facts to a Hello that is about to leave.
  virtual void FillHello(proto::Hello* hello) = 0;
  /// A time as primary begins; the log ends here.
  virtual void OnPrimaryBegins(CommitSeq log_end) = 0;
  virtual void OnGroup(const CommittedGroup& group, Instant at) = 0;
  virtual void OnPeerDurable(CommitSeq seq) = 0;
  virtual void OnStartRewind() = 0;
  virtual void OnTransition(const core::Transition& transition) = 0;
  /// Writes were closed for a handover: Drained is expected once accepted writes are in the log.
  virtual void OnWritesClosing() = 0;
  virtual void OnAnswer(core::Outcome code, const std::string& text, const std::string& next) = 0;
};

/// See the head of this file.
class RoleDriver {
 public:
  RoleDriver(Shared& shared, ControlStore& control, CommitGate& gate, RoleListener& listener)
      : shared_(shared), control_(control), gate_(gate), listener_(listener) {}

  /// The first actions of this process; the log ends at `log_end`.
  void Start(const core::Control& stored, core::EpochHistory history, CommitSeq log_end);

  /// One step, after everything that waits at the gate. Called from within a step, the event is
  /// handled right after it.
  void Step(core::Event event);
  /// Takes in what waits at the gate, if anything.
  void Drain();

  const core::RoleState& state() const { return state_; }
  const core::Settings& settings() const { return shared_.options.settings; }
  core::Role role() const { return state_.role; }
  const core::Control& control() const { return state_.control; }
  const core::EpochHistory& history() const { return history_; }
  /// The history that is durable with the next persisted control state, or by SaveHistory.
  void SetHistory(core::EpochHistory history) { history_ = std::move(history); }
  void SaveHistory();
  const core::Serving& serving() const { return serving_; }

 private:
  void Save(const core::Control& control);
  void Work();
  void Run(const core::Event& event);
  void TakeFromGate();
  void CarryOut(const core::Actions& actions);
  void Do(const core::Persist& action);
  void Do(const core::Serving& action);
  void Do(const core::SendMessage& action);
  void Do(const core::AdvanceVisible& action);
  void Do(const core::PeerDurable& action);
  void Do(const core::StartRewind& action);
  void Do(const core::JumpUids& action);
  void Do(const core::AskArbiter& action);
  void Do(const core::Done& action);
  void Do(const core::Refuse& action);
  void Do(const core::Transition& action);
  void BeginPrimaryTime();
  bool AcknowledgesAlone() const;

  Shared& shared_;
  ControlStore& control_;
  CommitGate& gate_;
  RoleListener& listener_;
  core::RoleState state_;
  core::EpochHistory history_;
  core::Serving serving_;
  std::deque<core::Event> waiting_;
  bool running_ = false;
  bool drain_asked_ = false;
  Epoch primary_time_;  // the epoch whose time as primary has begun; 0: not primary
};

}  // namespace twinspool::replica
