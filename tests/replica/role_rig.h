// Two role machines on a wire that a test cuts and mends, with just enough of a log to be told of.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replica/core/role.h"

namespace twinspool::replica::core {

class Rig {
 public:
  /// A pair in sync at epoch 2, node 0 primary.
  explicit Rig(Mode mode = Mode::kAvailable) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      settings_[i].node_index = i;
      settings_[i].mode = mode;
      disk_[i].epoch = Epoch(2);
    }
    disk_[0].last_primary = true;
    Power(0);
    Power(1);
    Mend();
  }

  RoleState& at(std::size_t who) { return state_[who]; }
  const Control& control(std::size_t who) const { return state_[who].control; }
  Settings& settings(std::size_t who) { return settings_[who]; }
  Control& disk(std::size_t who) { return disk_[who]; }
  std::deque<std::pair<std::size_t, Message>>& wire() { return wire_; }
  bool linked() const { return linked_; }

  /// One event, then everything that follows from it over the wire.
  Actions Do(std::size_t who, const Event& event) {
    Actions actions = Feed(who, event);
    Settle();
    return actions;
  }
  Actions Give(std::size_t who, const decltype(Order::what)& what) {
    return Do(who, Order{what, Epoch(), "tester"});
  }

  /// (Re)starts a node from its disk; its link is down.
  Actions Power(std::size_t who) {
    Cut();
    Started started = Start(settings_[who], disk_[who], CommitSeq(log_[who]));
    state_[who] = started.state;
    Carry(who, started.actions);
    return started.actions;
  }
  void Cut() {
    wire_.clear();
    if (linked_) {
      linked_ = false;
      Feed(0, LinkDown{});
      Feed(1, LinkDown{});
    }
    wire_.clear();
  }
  void Mend() {
    linked_ = true;
    Feed(0, LinkUp{});
    Feed(1, LinkUp{});
    Settle();
    Do(0, Tick{});
    Do(1, Tick{});
  }

  /// A commit on a primary, shipped at once if the wire is whole.
  Actions Write(std::size_t who) {
    const CommitSeq seq(++log_[who]);
    Actions actions = Feed(who, Committed{seq});
    if (linked_ && state_[1 - who].role == Role::kStandby) {
      Apply(1 - who, seq.value());
    }
    Settle();
    return actions;
  }
  void Apply(std::size_t who, std::uint64_t upto) {
    log_[who] = upto;
    Do(who, Applied{CommitSeq(upto)});
  }
  /// The peer of a new primary undoes down to `upto` and follows.
  void Rewind(std::size_t who, std::uint64_t upto) {
    log_[who] = upto;
    Do(who, RewindFinished{control(who).epoch, CommitSeq(upto)});
  }
  void Settle() {
    while (!wire_.empty()) {
      const auto [to, message] = wire_.front();
      wire_.pop_front();
      Feed(to, message);
    }
  }
  Actions Feed(std::size_t who, const Event& event) {
    Actions actions = Step(settings_[who], state_[who], event);
    Carry(who, actions);
    return actions;
  }

  Serving ServingAt(std::size_t who) const { return ServingOf(settings_[who], state_[who]); }
  bool Writes(std::size_t who) const { return ServingAt(who).writes_refused.empty(); }
  bool Reads(std::size_t who) const { return ServingAt(who).reads; }
  std::string AdviceAt(std::size_t who) const { return Advice(settings_[who], state_[who]); }
  /// The answer to the last order of this node, wherever it came.
  std::optional<Refuse> refused;
  std::optional<Done> done;
  /// How the last epoch was opened, wherever.
  Failover failover = Failover::kNone;

 private:
  static bool IsOpening(const Transition& t) { return t.failover != Failover::kNone; }

  void Carry(std::size_t who, const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* persist = std::get_if<Persist>(&action)) {
        disk_[who] = persist->control;
      } else if (const auto* send = std::get_if<SendMessage>(&action)) {
        if (linked_) {
          wire_.emplace_back(1 - who, send->message);
        }
      } else if (const auto* r = std::get_if<Refuse>(&action)) {
        refused = *r;
        done.reset();
      } else if (const auto* d = std::get_if<Done>(&action)) {
        done = *d;
        refused.reset();
      } else if (const auto* t = std::get_if<Transition>(&action); t && IsOpening(*t)) {
        failover = t->failover;
      }
    }
  }

  std::array<Settings, 2> settings_;
  std::array<RoleState, 2> state_;
  std::array<Control, 2> disk_;
  std::array<std::uint64_t, 2> log_{};
  std::deque<std::pair<std::size_t, Message>> wire_;
  bool linked_ = false;
};

template <typename T>
const T* Find(const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* found = std::get_if<T>(&action)) {
      return found;
    }
  }
  return nullptr;
}

template <typename T>
std::ptrdiff_t IndexOf(const Actions& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (std::holds_alternative<T>(actions[i])) {
      return static_cast<std::ptrdiff_t>(i);
    }
  }
  return -1;
}

}  // namespace twinspool::replica::core
