// SimArbiter: the third party of a simulated pair. One value, changed by compare-and-swap, and the
// leader's lease; in virtual time. Questions and answers are late, lost, and carried out in any
// order; each node may be cut off from it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/env.h"
#include "replica/shared.h"

namespace twinspool::test {

class SimArbiter {
 public:
  using Roll = std::function<std::uint64_t(std::uint64_t)>;
  using Count = std::function<void(const std::string&)>;
  SimArbiter(Clock& clock, Roll roll, Count count)
      : clock_(clock), roll_(std::move(roll)), count_(std::move(count)) {}

  /// The value at the beginning.
  void Begin(const replica::core::PairConfig& value) { value_ = value; }
  const replica::core::PairConfig& value() const { return value_; }

  /// Cuts a node off, or connects it again.
  void Cut(std::size_t node) { cut_[node] = !cut_[node]; }
  /// Questions are neither late nor lost any more.
  void NoMoreFaults();

  /// A question leaves a node.
  void Ask(std::size_t from, const replica::core::AskArbiter& question);
  /// The node lives, and says so (its lease is renewed if it leads).
  void Beat(std::size_t node, bool leads);
  /// A process of the node ended: it waits for nothing.
  void Forget(std::size_t node) { waits_[node].reset(); }

  /// What a node hears now: answers to its questions, that there is none, that the leader is gone.
  struct News {
    std::vector<replica::core::ArbiterAnswer> answers;
    bool silent = false;
    bool leader_gone = false;
  };
  News Hear(std::size_t node);
  /// Carries out the questions whose time has come.
  void Work();

 private:
  struct Question {
    std::size_t from = 0;
    Instant due;
    replica::core::AskArbiter what;
  };
  struct Answer {
    std::size_t to = 0;
    Instant due;
    replica::core::ArbiterAnswer what;
  };
  Instant Later();
  bool Lost(std::size_t node);

  Clock& clock_;
  const Roll roll_;
  const Count count_;
  replica::core::PairConfig value_;
  std::array<bool, 2> cut_{};
  bool faults_ = true;
  Instant lease_until_;
  std::vector<Question> questions_;
  std::vector<Answer> answers_;
  /// What each node waits for an answer to; `due`: when it asked.
  std::array<std::optional<Question>, 2> waits_;
};

/// One node's way to it.
class ArbiterWay final : public replica::Arbiter {
 public:
  ArbiterWay(SimArbiter& arbiter, std::size_t node) : arbiter_(arbiter), node_(node) {}
  void Ask(const replica::core::AskArbiter& question) override { arbiter_.Ask(node_, question); }

 private:
  SimArbiter& arbiter_;
  const std::size_t node_;
};

}  // namespace twinspool::test
