// Scrubber: a store's search for damage as a running thing. Gives it its thread, its pace, and the
// other node.
//
//   scrub   runs passes when they are due or asked for; asks the other node through the
//           conversation, and answers its questions, also while it waits for an answer or pauses
//
// A pass that is due reads no more than mib_per_second and waits while the node has better to do.
// An operator's (verify-pair --deep) runs at full speed, on both nodes at once, and ends with the
// comparison of both copies; one that is due ends with it, too, on a primary. Copies that differ
// although both are sound in themselves are made equal by sending the primary's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "common/status.h"
#include "replica/core/scrub_pace.h"
#include "replica/pair_status.h"
#include "replica/ports.h"
#include "replica/shared.h"
#include "replica/verifier.h"

namespace twinspool::replica {

class Conversation;

struct ScrubParts {
  core::ScrubSettings settings;
  ScrubStore* store = nullptr;  // null: nothing is ever searched
  Clock& clock;
  PairObserver& observer;
  /// As of the last change or tick.
  std::function<PairStatus()> status;
  /// Runs a closure in the conversation, soon; none is forgotten.
  std::function<void(std::function<void(Conversation&)>)> in_talk;
};

/// What came of a pass on both nodes.
struct DeepResult {
  /// kUnavailable: this node is not primary, or stops; or why the other node's pass did not end.
  Status status = {};
  std::uint64_t mailboxes = 0;  // of both nodes
  std::uint64_t bodies = 0;
  std::uint64_t found = 0;
  std::uint64_t healed = 0;
  struct Line {
    bool peer = false;
    proto::Damage damage;
  };
  std::vector<Line> damage = {};  // at most limits::kDamageNamedMax of each node
  bool compared = false;          // false: a single node has nothing to compare with
  VerifyResult verified = {};
};
using DeepDone = std::function<void(DeepResult)>;

/// See the head of this file. Thread-safe.
class Scrubber final : public ScrubInbox, private ScrubHost {
 public:
  explicit Scrubber(ScrubParts parts);
  ~Scrubber() override;
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  void Start();
  /// Ends the pass and the thread. What in_talk runs must still be run until this returns.
  void Stop();

  /// A pass over both nodes, now. `done` runs once, on the scrub's thread or here.
  void RunDeep(DeepDone done);
  ScrubStatus Snapshot();

  // ScrubInbox.
  void OnScrubMessage(const proto::PeerMessage& message) override;
  void OnPeerGone() override;

 private:
  enum class Why { kNothing, kDue, kUrgent, kOperator, kPeer };
  struct Tally {
    std::uint64_t mailboxes = 0;
    std::uint64_t bodies = 0;
    std::uint64_t found = 0;
    std::uint64_t healed = 0;
    std::vector<proto::Damage> damage;
  };
  struct Answer {
    std::vector<proto::PeerMessage> messages;
    std::size_t bytes = 0;
    bool whole = false;
  };

  // ScrubHost.
  bool Read(std::uint64_t bytes) override;
  bool Wait(std::int64_t ms) override;
  void Checked(std::uint64_t mailboxes, std::uint64_t bodies) override;
  void Found(const proto::Damage& damage) override;
  bool follows() override;
  Result<std::vector<proto::ObjectReply>> Ask(const proto::ObjectRequest& request) override;
  Result<proto::BodyReply> Ask(const proto::BodyRequest& request) override;
  Status Alone(const std::function<Status()>& write) override;
  Status Replace(const std::vector<MailboxId>& mailboxes,
                 const std::vector<UserId>& users) override;

  // scrubber.cc: the thread and its passes.
  void Loop();
  Why NextPass();
  void RunDue(Why why);
  void RunForOperator();
  void RunForPeer();
  Status RunPass(Why why);
  void EndPass(const Status& ended);
  bool MayGoOn();
  /// Something came in, or changed. Under mutex_.
  void Notify();
  /// Waits until `over`, or so long; what comes of the other node is answered. False: not over.
  bool WaitFor(const std::function<bool()>& over, std::int64_t ms);

  // scrubber_peer.cc: the conversation and the other node.
  template <typename T>
  T InTalk(std::function<T(Conversation&)> work);
  bool Send(const proto::PeerMessage& message);
  Result<Answer> AskPeer(proto::PeerMessage question, std::uint64_t number);
  /// Answers one question of the other node. False: there is none.
  bool ServeOne();
  void TellProgress(bool last, const std::string& refused);
  bool AskPeerToSearch();
  Status AwaitPeerReport(DeepResult* result);
  VerifyResult Compare();
  /// Has the primary's copy sent where the two differ and this node is sound, and compares again.
  VerifyResult Settle(VerifyResult verified);

  const ScrubParts parts_;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::uint64_t news_ = 0;  // counts what came in
  bool stopping_ = false;
  bool peer_gone_ = false;  // since the question that waits
  std::deque<proto::PeerMessage> questions_;
  std::map<std::uint64_t, Answer> answers_;  // by number, of questions that wait
  DeepDone order_;
  std::optional<std::uint64_t> peer_order_;
  std::optional<proto::ScrubReport> report_;  // what the peer has told so far
  ScrubStatus shown_;

  // The scrub's thread alone.
  core::ScrubPace pace_;
  std::optional<Instant> urgent_at_;  // when the last urgent pass began
  Instant looked_at_;                 // whether this node has better to do
  ScrubMemory memory_;
  Why running_ = Why::kNothing;
  Tally tally_;
  std::map<std::string, proto::Damage> unrepaired_;
  std::set<std::string> seen_;  // of the pass under way
  std::uint64_t number_ = 0;
  std::optional<std::uint64_t> serving_peer_order_;
  std::size_t told_damage_ = 0;
  Instant told_at_;
};

}  // namespace twinspool::replica
