// The conversation of two nodes as one object: messages, ticks, commits and orders in; messages,
// store calls and answers out.
//
// It joins the role machine with the primary's and the standby's half. It has no thread and no lock
// and reads no clock but the one it is given: replica/pair.h drives it with threads, tests drive it
// in virtual time. Calls are made one at a time, but for those of CommitGate and Post, which may
// come from any thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "replica/commit_gate.h"
#include "replica/give_back.h"
#include "replica/pair_status.h"
#include "replica/primary_side.h"
#include "replica/role_driver.h"
#include "replica/salvage.h"
#include "replica/shared.h"
#include "replica/standby_side.h"
#include "replica/verifier.h"

namespace twinspool::replica {

using OrderDone = std::function<void(OrderResult)>;

/// What a conversation is made of; all outlive it.
struct ConversationParts {
  ConversationOptions options;
  StorePorts ports;
  ControlStore& control;
  Salvage& salvage;
  Clock& clock;
  CommitGate& gate;
  PairObserver& observer;
  Post post;
  /// Where pictures are read for a standby that is behind; null: in the conversation itself.
  Background background = nullptr;
  ScrubInbox* scrub = nullptr;  // null: nobody searches
  Arbiter* arbiter = nullptr;   // asked if options.settings.arbiter
};

/// See the head of this file.
class Conversation : private RoleListener {
 public:
  explicit Conversation(ConversationParts parts);

  /// The pair this node belongs to, when that became known after construction.
  void SetPair(PairId pair_id, std::uint32_t node_index, std::int64_t certificate_expires_ns) {
    shared_.options.pair_id = pair_id;
    shared_.options.settings.node_index = node_index;
    shared_.options.certificate_expires_ns = certificate_expires_ns;
  }
  /// First actions of this process: fenced, in a new incarnation; a single node serves at once.
  void Start(const core::Control& stored, core::EpochHistory history);

  // --- the link
  void OnLinkUp();
  void OnLinkDown(const Status& why);
  /// Frames are only queued; call EndBatch after the last message that is at hand.
  void OnMessage(const proto::PeerMessage& message);
  void EndBatch();
  /// The peer is not silent: something of it is being worked on.
  void Heard() { heard_at_ = clock_.Now(); }
  /// The next message to send, if any; pulls from the ring or a catch-up when the queue is empty.
  std::optional<proto::PeerMessage> NextOutgoing();
  /// Whether NextOutgoing would have something to do.
  bool WantsToSend() const;
  /// A primary whose standby follows live and has acknowledged everything sent, with no order and
  /// no change of role under way: a small group may be sent by the thread that committed it,
  /// because taking it in leads to nothing else and sending it cannot block.
  bool FollowedClosely() const;
  /// Set once when the link has to be dropped; the caller drops it.
  std::optional<Status> TakeDrop();
  /// A heartbeat as of now, for a driver whose conversation is busy with a long step.
  proto::PeerMessage MakeHeartbeat();

  // --- time and commits
  void OnTick();
  /// When OnTick is wanted next at the latest.
  Instant NextDeadline() const;
  /// Takes in what waits at the commit gate.
  void Drain() { role_.Drain(); }

  // --- the arbiter: see core::ArbiterAnswer, ArbiterSilent and LeaderGone
  void OnArbiter(const core::ArbiterAnswer& answer) { role_.Step(answer); }
  void OnArbiterSilent() { role_.Step(core::ArbiterSilent{}); }
  void OnLeaderGone() { role_.Step(core::LeaderGone{}); }

  // --- operators
  /// `done` runs exactly once, perhaps before this returns. Orders wait for one another; only
  /// `fence` goes before all, and calls off what is under way.
  void Submit(core::Order order, std::int64_t timeout_ms, OrderDone done);
  /// The process ends: every order that waits is answered, its outcome unknown.
  void AbandonOrders();
  /// `done` runs once, from a later call.
  void Verify(VerifyDone done);
  /// Gives a salvaged message back once more, into the mailbox of this name (empty: its own).
  /// `done` runs once. kNotFound; kInvalidArgument: not a message; see GiveBackSender::Order.
  void Reinject(const std::string& token, const std::string& into, GiveBackSender::Ordered done);
  /// See Salvage; kConflict while the folder is being written. No tokens: whole rewinds.
  Result<std::size_t> DiscardSalvage(const std::vector<std::string>& tokens, bool settled_only);

  // --- the search for damage (scrubber.h, conversation_scrub.cc)
  /// A standby, or a primary that is not helping its standby to catch up.
  bool Settled() const;
  enum class ScrubSent {
    kSent,
    kFull,    // others wait to be sent: try again
    kNobody,  // no peer is there to hear it
  };
  ScrubSent SendScrub(proto::PeerMessage message);
  /// Runs `write` while nothing else changes the store. kUnavailable: neither primary nor standby.
  Status RunAlone(const std::function<Status()>& write);
  /// A standby: its primary replaces these; it is Settled when that is over.
  Status AskReplacement(const std::vector<MailboxId>& mailboxes, const std::vector<UserId>& users);
  /// A primary: these, and if wanted every user whose digest differs, are sent to the standby anew.
  Status ReplaceOnStandby(const std::vector<MailboxId>& mailboxes, bool compare);

  PairStatus Snapshot() const;
  const core::RoleState& state() const { return role_.state(); }

 private:
  // RoleListener.
  void FillHello(proto::Hello* hello) override;
  void OnPrimaryBegins(CommitSeq log_end) override;
  void OnGroup(const CommittedGroup& group, Instant at) override;
  void OnPeerDurable(CommitSeq seq) override;
  void OnStartRewind() override;
  void OnTransition(const core::Transition& transition) override;
  void OnWritesClosing() override;
  void OnAnswer(core::Outcome code, const std::string& text, const std::string& next) override;

  // conversation.cc: what comes over the link.
  void OnHello(const proto::PeerMessage& message);
  std::string WhyRefused(const proto::PeerMessage& message) const;
  void Refuse(const std::string& why);
  bool Counts(const proto::PeerMessage& message) const;
  void Dispatch(const proto::PeerMessage& message);
  void DispatchToPrimary(const proto::PeerMessage& message);
  void DispatchToStandby(const proto::PeerMessage& message);
  void OnHeartbeat(const proto::Heartbeat& heartbeat);
  void OnPeerFreeBytes(std::uint64_t bytes);
  void ShowPeerDisk();
  void AskDrained(std::optional<CommitSeq> before);

  // conversation_time.cc: time and orders.
  void Beat(Instant now);
  void EraseForgotten();
  Status EraseUser(UserId user);
  void WatchWaits(Instant now);
  void WatchOrder(Instant now);
  void FillLag(Instant now, PairStatus* out) const;
  void CallOffOrder();
  void StartNextOrder();

  struct Waiting {
    core::Order order;
    Instant deadline;
    OrderDone done;
  };

  Clock& clock_;
  Shared shared_;
  RoleDriver role_;
  Salvage& salvage_;
  CommitGate& gate_;
  ScrubInbox* const scrub_;
  PrimarySide primary_;
  StandbySide standby_;
  Verifier verifier_;
  GiveBackSender give_back_;
  GiveBackReceiver take_back_;

  bool link_up_ = false;
  bool dropping_ = false;       // the link was asked to go: nothing of it counts any more
  bool verified_ = false;       // the peer's Hello on this link was a good one
  bool epoch_refused_ = false;  // … but its epoch is not believed, and it was told so
  PeerFacts peer_;
  std::optional<std::uint64_t> peer_disk_;  // free bytes, as told on this link
  bool heard_ever_ = false;
  Instant heard_at_;
  Instant beat_at_;
  /// async: groups that wait for the peer, oldest first.
  std::deque<std::pair<CommitSeq, Instant>> waits_;
  std::uint64_t waits_over_ = 0;
  std::deque<Waiting> orders_;
  bool order_running_ = false;
};

}  // namespace twinspool::replica
