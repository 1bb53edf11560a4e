// Pair: one node's half of a pair as a running thing. Gives the conversation its threads.
//
//   role       messages that came while another was being handled, ticks, orders, completions
//   ship-send  takes groups from the commit gate and everything outgoing to the link
//   ship-read  reads and encodes what a standby that is behind lacks, see unit_maker.h
//   scrub      the search for damage, see scrubber.h
//   the link's reading thread handles what it reads itself when nobody else is at work, and hands
//   it over otherwise; frames that come together are handed over, too, so that one sync serves them
//   the store's commit thread sends what it has committed when that can lead to nothing else
//
// So in a quiet pair a write changes threads as little as possible: every change costs more than
// the work itself. One mutex serialises the conversation; the commit thread only tries it. While
// one step takes long (undoing, recounting), ship-send goes on with heartbeats.
//
// Lock order: sending, conversation, queue, gate; the store's locks come after all of them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/executor.h"
#include "common/limits.h"
#include "replica/conversation.h"
#include "replica/scrubber.h"
#include "replica/turn.h"

namespace twinspool::replica {

/// What a pair is made of. References outlive it.
struct PairParts {
  ConversationOptions options;
  SalvageOptions salvage;
  StorePorts ports;
  ControlStore& control;
  Clock& clock;
  PairObserver& observer;
  core::ScrubSettings scrub = {};
};

/// Which node of which pair this one is.
struct PairPlace {
  PairId pair_id;
  std::uint32_t node_index = 0;
  std::int64_t certificate_expires_ns = 0;  // of this node; 0: unknown
};

/// See the head of this file. Thread-safe after Start; Stop before destruction.
class Pair : private LinkListener {
 public:
  explicit Pair(PairParts parts);
  ~Pair() override;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  /// To be told of every durable group by the store's commit thread.
  CommitListener& commit_listener() { return gate_; }

  /// Opens the salvage folder and starts the threads with what the control file holds.
  Status Start(const core::Control& stored, core::EpochHistory history);
  /// Begins to talk to the peer; `link` outlives this object. A single node does so when it is
  /// about to take in a second one, before the order Join.
  void Connect(const PairPlace& place, PeerLink& link);
  /// Ends link and threads at once, without a handover; orders that wait are answered.
  void Stop();

  /// `done` runs exactly once, on the role thread or here.
  void Submit(core::Order order, std::int64_t timeout_ms, OrderDone done);
  /// Waits for the answer. Not from a thread of the pair or of the store.
  OrderResult Run(core::Order order, std::int64_t timeout_ms);
  /// Compares the digests of both nodes; `done` runs on the role thread or the link's.
  void Verify(VerifyDone done);
  /// Searches both nodes for damage, heals it and compares them; `done` runs on the scrub's thread.
  void VerifyDeep(DeepDone done) { scrubber_->RunDeep(std::move(done)); }

  /// The present state; a little old while one step takes long.
  PairStatus Snapshot();
  /// As of the last change of state, or the last tick; does not wait for a step.
  PairStatus LastSnapshot();
  /// Waits until `wanted` holds. kTimeout, or kUnavailable when the pair stops.
  Status WaitFor(const std::function<bool(const PairStatus&)>& wanted, std::int64_t timeout_ms);

  // The salvage folder (salvage.h, conversation.h). Not from a thread of the pair or of the store.
  std::vector<Salvage::Listed> ListSalvage();
  Result<std::string> ReadSalvage(const std::string& token, std::uint64_t offset,
                                  std::size_t length);
  Result<std::size_t> DiscardSalvage(const std::vector<std::string>& tokens, bool settled_only);
  /// Waits for the outcome.
  Result<proto::GivenBack> Reinject(const std::string& token, const std::string& into);

 private:
  struct Incoming {
    enum class Kind { kMessage, kUp, kDown } kind = Kind::kMessage;
    proto::PeerMessage message;
    Status why;
  };

  void OnLinkUp() override;
  void OnMessage(proto::PeerMessage message) override;
  void OnLinkDown(const Status& why) override;

  void PostWork(std::function<void()> work);
  void Queue(Incoming incoming, std::size_t bytes);
  bool HandleAtOnce(const proto::PeerMessage& message);
  void OnGroup();
  bool SendGroupAtOnce();
  void SendSoon();
  void RoleLoop();
  void WorkOnce();
  void Handle(const Incoming& incoming);
  void RunPosts();
  void AfterWork();
  void SendLoop();
  bool StoppedGracefully();
  void SendAll();
  void SendBusyHeartbeat();
  void Kick();
  std::int64_t IdleMs();
  PairStatus TakeStatus();
  ScrubParts PartsOfScrub();

  PairParts parts_;
  CommitGate gate_;
  std::unique_ptr<Scrubber> scrubber_;
  std::unique_ptr<Salvage> salvage_;
  std::atomic<PeerLink*> link_{nullptr};

  std::mutex send_mutex_;  // who sends
  Turn mutex_;             // guards talk_ and salvage_
  std::unique_ptr<Conversation> talk_;
  std::atomic<bool> is_primary_{false};

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<Incoming> inbox_;               // guarded by queue_mutex_
  std::size_t inbox_bytes_ = 0;              // guarded by queue_mutex_
  std::deque<std::function<void()>> posts_;  // guarded by queue_mutex_
  bool stopping_ = false;                    // guarded by queue_mutex_

  std::mutex kick_mutex_;
  std::condition_variable kicked_;
  bool kick_ = false;      // guarded by kick_mutex_
  bool end_send_ = false;  // guarded by kick_mutex_
  std::condition_variable send_ended_;
  bool sent_last_ = false;  // guarded by kick_mutex_

  std::mutex copy_mutex_;
  std::condition_variable copy_changed_;
  PairStatus copy_;               // guarded by copy_mutex_
  proto::PeerMessage heartbeat_;  // guarded by copy_mutex_
  Instant copied_at_;             // guarded by copy_mutex_
  bool ended_ = false;            // guarded by copy_mutex_

  std::thread role_thread_;
  std::thread send_thread_;
  Executor ship_read_{"ship-read", 1, limits::kShipReadQueueMax};
};

}  // namespace twinspool::replica
