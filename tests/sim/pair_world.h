// Two nodes of a pair in virtual time: real conversations over stores in memory and a simulated
// link, driven event by event from one seed.
//
// The world makes faults, tells true lies to nobody (an operator's claims hold when they are made),
// and keeps a ledger of what clients were told. It is not a test: pair_sim_test.cc is.
#pragma once

#include <array>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/env.h"
#include "replica/conversation.h"
#include "tests/sim/sim_arbiter.h"
#include "tests/sim/sim_store.h"
#include "tests/support/memory_ports.h"

namespace twinspool::test {

/// How often each kind of event or fault really happened, over all seeds.
using Counts = std::map<std::string, std::uint64_t>;

/// The control file of one node, in memory; may die at either side of a write.
class MemoryControl : public replica::ControlStore {
 public:
  Status Save(const replica::core::Control& control,
              const replica::core::EpochHistory& history) override;
  replica::core::Control control;
  replica::core::EpochHistory history;
  int crash_in = -1;  // the n-th Save from now on dies, before (odd) or after (even) it is durable
};

/// What survives a crash of a node, and the process that may run on it.
struct SimNode : replica::PairObserver {
  SimNode(int number, std::unique_ptr<SimStore> own) : index(number), store(std::move(own)) {}
  void OnLog(replica::Severity severity, const std::string& text) override;
  void OnTransition(const replica::core::Transition& transition) override;
  void OnDigestMismatch(UserId user, const std::string& reason) override;
  void OnCatchUp(const std::string& kind) override;

  int index;
  class PairWorld* world = nullptr;
  std::unique_ptr<SimStore> store;
  MemoryControl control;
  std::filesystem::path dir;

  // The process; null while the node is off.
  std::unique_ptr<replica::Salvage> salvage;
  std::unique_ptr<replica::CommitGate> gate;
  std::mutex posts_mutex;  // a store's own thread may post
  std::deque<std::function<void()>> posts;
  std::unique_ptr<replica::Conversation> talk;
  bool rotten = false;           // a row was damaged and may not have been found yet
  Instant frozen_until;          // the process is stopped, and knows nothing of it
  std::uint64_t last_acked = 0;  // number of the newest change that this process acknowledged
};

/// One direction of the link.
struct SimWire {
  struct InFlight {
    Instant due;
    proto::PeerMessage message;
  };
  std::deque<InFlight> queue;
  bool black_hole = false;
};

/// See the head of this file.
class PairWorld {
 public:
  /// The store of a node, by its index; gets the world's clock and a directory of its own.
  using MakeStore =
      std::function<std::unique_ptr<SimStore>(Clock& clock, const std::filesystem::path& dir)>;
  PairWorld(std::uint64_t seed, const std::filesystem::path& dir, Counts* counts,
            const MakeStore& make_store);
  PairWorld(const PairWorld&) = delete;
  PairWorld& operator=(const PairWorld&) = delete;
  ~PairWorld();

  /// One random event, then the invariants. False: something is wrong; why() tells.
  bool Step();
  /// No more faults: both nodes run until the pair is whole. False: it does not become so.
  bool Heal();

  const std::string& why() const { return why_; }
  /// The last events, oldest first.
  std::string Trace() const;
  std::uint64_t steps() const { return steps_; }
  std::uint64_t acked() const { return acked_.size(); }
  void Note(const std::string& text);
  void Count(const std::string& what) { ++(*counts_)[what]; }

 private:
  friend struct SimNode;
  struct Change {
    UserId user;
    std::string key;  // of a misc change, or the octets of a message
    bool message = false;
    bool forgotten = false;  // the small change of this key was taken away
  };

  std::uint64_t Roll(std::uint64_t bound) { return random_() % bound; }
  SimNode& node(std::size_t i) { return *nodes_[i]; }
  bool Fail(const std::string& why);
  bool Frozen(const SimNode& node);
  /// Runs, and is not stopped.
  bool Awake(const SimNode& node) { return node.talk != nullptr && !Frozen(node); }

  // Running the nodes.
  void Boot(SimNode& node);
  void Kill(SimNode& node);
  void Guarded(SimNode& node, const std::function<void()>& work);
  void RunPosts(SimNode& node);
  void Pump(SimNode& node);
  void Deliver(SimNode& to);
  void Tick();
  void HearArbiter();
  void ConnectIfPossible();
  void Disconnect();

  // Random events.
  void Write();
  void Forget();
  void Fault();
  void FaultOfNode(SimNode& victim);
  void Restart();
  void Operate();
  void OrderOn(SimNode& node, decltype(replica::core::Order::what) what, const std::string& name);
  void Force(SimNode& node);

  // Invariants.
  void OnAcked(SimNode& node, std::uint64_t number, const std::string& id);
  bool CheckShown(SimNode& node);
  bool Check();
  bool CheckServing(SimNode& node);
  bool CheckPrefix();
  bool Holds(SimNode& node, const Change& change) const;
  bool Whole();
  bool CheckEnd();

  std::mt19937_64 random_;
  Counts* counts_;
  ManualClock clock_;
  std::array<std::unique_ptr<SimNode>, 2> nodes_;
  replica::core::Mode mode_;
  bool arbitrated_ = false;
  SimArbiter arbiter_;
  std::array<ArbiterWay, 2> ways_;
  PairId pair_;
  std::array<SimWire, 2> wires_;  // [i]: towards node i
  bool connected_ = false;
  Instant reconnect_at_;
  bool healing_ = false;

  std::map<std::string, Change> changes_;  // by unique id
  std::set<std::string> acked_;
  std::set<std::string> told_;              // every change whose client was answered
  std::set<std::string> owed_;              // messages declared lost that lie on the other node
  std::set<std::string> rotten_;            // ids of changes that were damaged on some node
  std::map<std::uint32_t, int> ack_owner_;  // epoch -> node
  std::uint32_t top_epoch_ = 0;             // highest epoch with a primary
  int top_node_ = 0;
  std::uint64_t next_id_ = 0;
  std::array<bool, 2> was_serving_{};

  std::deque<std::string> trace_;
  std::uint64_t steps_ = 0;
  std::string why_;
};

}  // namespace twinspool::test
