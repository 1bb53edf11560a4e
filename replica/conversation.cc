#include "replica/conversation.h"

#include <utility>

#include "replica/wire.h"

namespace twinspool::replica {
namespace {

bool IsScrub(const proto::PeerMessage& message) {
  switch (message.body_case()) {
    case proto::PeerMessage::kObjectRequest:
    case proto::PeerMessage::kObjectReply:
    case proto::PeerMessage::kBodyRequest:
    case proto::PeerMessage::kBodyReply:
    case proto::PeerMessage::kScrubRequest:
    case proto::PeerMessage::kScrubReport:
      return true;
    default:
      return false;
  }
}

bool RunHere(const std::function<void()>& work) {
  work();
  return true;
}

}  // namespace

Conversation::Conversation(ConversationParts parts)
    : clock_(parts.clock),
      shared_{.options = std::move(parts.options),
              .ports = parts.ports,
              .clock = parts.clock,
              .observer = parts.observer,
              .post = std::move(parts.post),
              .background = parts.background ? std::move(parts.background) : RunHere,
              .arbiter = parts.arbiter},
      role_(shared_, parts.control, parts.gate, *this),
      salvage_(parts.salvage),
      gate_(parts.gate),
      scrub_(parts.scrub),
      primary_(shared_),
      standby_(shared_, parts.salvage),
      verifier_(shared_, primary_),
      give_back_(shared_, parts.salvage),
      take_back_(shared_) {
  shared_.role = &role_;
}

void Conversation::Start(const core::Control& stored, core::EpochHistory history) {
  role_.Start(stored, std::move(history), shared_.ports.log->last().seq);
}

// --- the link ------------------------------------------------------------------------------

void Conversation::OnLinkUp() {
  shared_.out.Clear();
  shared_.drop = OkStatus();
  link_up_ = true;
  dropping_ = verified_ = epoch_refused_ = false;
  heard_at_ = beat_at_ = clock_.Now();
  role_.Step(core::LinkUp{});
}

void Conversation::OnLinkDown(const Status& why) {
  if (!link_up_) {
    return;
  }
  link_up_ = verified_ = false;
  peer_disk_.reset();
  ShowPeerDisk();
  shared_.Log(Severity::kWarning, "the peer is gone: " + why.ToString());
  primary_.Reset();
  standby_.Reset();
  verifier_.Cancel(Unavailable("the peer went away during the verification"));
  give_back_.Reset();
  take_back_.Reset();
  if (scrub_ != nullptr) {
    scrub_->OnPeerGone();
  }
  role_.Step(core::LinkDown{});
  shared_.out.Clear();
  shared_.drop = OkStatus();
}

std::optional<Status> Conversation::TakeDrop() {
  if (shared_.drop.ok() || !link_up_ || !shared_.out.empty()) {
    return std::nullopt;  // what is queued may say why
  }
  dropping_ = true;
  return std::exchange(shared_.drop, OkStatus());
}

void Conversation::OnMessage(const proto::PeerMessage& message) {
  if (!link_up_ || dropping_ || !shared_.drop.ok()) {
    return;
  }
  heard_ever_ = true;
  Heard();
  if (!message.has_frame_part()) {
    standby_.Flush();
  }
  if (message.has_hello()) {
    OnHello(message);
  } else if (verified_) {
    Dispatch(message);
  }
}

void Conversation::EndBatch() {
  standby_.Flush();
}

std::string Conversation::WhyRefused(const proto::PeerMessage& message) const {
  const proto::Hello& hello = message.hello();
  const ConversationOptions& mine = shared_.options;
  const std::uint32_t oldest =
      hello.oldest_version() > 0 ? hello.oldest_version() : hello.protocol_version();
  if (oldest > kProtocolVersion || hello.protocol_version() < kOldestProtocolVersion) {
    return "the peer speaks protocol versions " + std::to_string(oldest) + " to " +
           std::to_string(hello.protocol_version()) + ", this node " +
           std::to_string(kOldestProtocolVersion) + " to " + std::to_string(kProtocolVersion) +
           ": update the older node, one version at a time";
  }
  if (!core::ParseMode(hello.mode())) {
    return "the peer runs in the unknown mode '" + hello.mode() + "': update the older node";
  }
  if (hello.pair_id() != mine.pair_id.bytes()) {
    return "the peer belongs to pair " + PairId::FromBytes(hello.pair_id()).ToHex() +
           ", this node to pair " + mine.pair_id.ToHex() + ": check the peer address";
  }
  if (hello.node_index() == mine.settings.node_index || hello.node_index() > 1) {
    return "both nodes claim to be node " + std::to_string(hello.node_index()) +
           " of the pair: one data directory is a copy of the other's, or one is misconfigured";
  }
  if (hello.node_id() == mine.node_id.bytes()) {
    return "the peer has the id of this node: its data directory is a copy of this one";
  }
  return "";
}

void Conversation::Refuse(const std::string& why) {
  peer_.refused = why;
  shared_.Log(Severity::kError, "the peer is refused: " + why);
  proto::PeerMessage message;
  FillHello(message.mutable_hello());
  message.mutable_hello()->set_refused(why);
  shared_.Send(std::move(message));
}

void Conversation::OnHello(const proto::PeerMessage& message) {
  const proto::Hello& hello = message.hello();
  peer_.version = hello.version();
  if (!hello.refused().empty()) {
    peer_.refused = "refused by the peer: " + hello.refused();
    shared_.Drop(PermissionDenied(peer_.refused));
    return;
  }
  if (const std::string why = WhyRefused(message); !why.empty()) {
    Refuse(why);
    shared_.Drop(PermissionDenied(why));
    return;
  }
  verified_ = true;
  peer_.epoch = Epoch(message.epoch());
  peer_.role = hello.role();
  peer_.last_seq = CommitSeq(hello.last().seq());
  peer_.lag_bytes = 0;
  peer_.lag_seconds = 0;
  role_.Step(*FromWire(message));
  const core::RoleState& state = role_.state();
  if (std::exchange(peer_.mode, hello.mode()) != hello.mode() && state.mode_differs) {
    shared_.Log(Severity::kError, "the peer runs in mode " + hello.mode() + ", this node in mode " +
                                      core::ModeName(role_.settings().mode) +
                                      ": no standby becomes eligible until both are the same");
  }
  if (state.refused_epoch == Epoch(message.epoch()) && message.epoch() > 0) {
    if (!std::exchange(epoch_refused_, true)) {
      Refuse("the peer's epoch " + std::to_string(message.epoch()) + " is too far above epoch " +
             std::to_string(state.control.epoch.value()) +
             " of this node; if that is right: twinspoolctl accept-epoch " +
             std::to_string(message.epoch()));
    }
    return;
  }
  peer_.refused.clear();
  if (Epoch(message.epoch()) != state.control.epoch) {
    return;
  }
  if (hello.is_primary()) {
    standby_.OnPrimaryHistory(hello);
  } else if (hello.reply() && core::MayShip(state)) {
    primary_.OnPeerFacts(hello, clock_.Now());
  }
}

void Conversation::OnPeerFreeBytes(std::uint64_t bytes) {
  peer_.free_bytes = bytes;
  peer_disk_ = bytes;
  ShowPeerDisk();
}

/// The peer's disk bounds what is accepted only while this node waits for its acks: what it last
/// said must not refuse mail that this node acknowledges alone.
void Conversation::ShowPeerDisk() {
  const core::RoleState& state = role_.state();
  const bool counts = peer_disk_ && !core::IsSingle(state) && !core::GrantInUse(state);
  shared_.ports.visibility->SetPeerFreeBytes(counts ? *peer_disk_ : UINT64_MAX);
}

void Conversation::OnHeartbeat(const proto::Heartbeat& heartbeat) {
  OnPeerFreeBytes(heartbeat.free_bytes());
  peer_.role = heartbeat.role();
  peer_.last_seq = CommitSeq(heartbeat.durable_upto());
  peer_.lag_bytes = heartbeat.lag_bytes();
  peer_.lag_seconds = static_cast<double>(heartbeat.oldest_unacked_age_ms()) / 1000.0;
  peer_.certificate_expires_ns = heartbeat.certificate_expires_ns();
}

bool Conversation::Counts(const proto::PeerMessage& message) const {
  return core::CountsNow(role_.state(), Epoch(message.epoch()),
                         Incarnation(message.from_incarnation()),
                         Incarnation(message.to_incarnation()));
}

void Conversation::Dispatch(const proto::PeerMessage& message) {
  if (message.has_heartbeat()) {
    OnHeartbeat(message.heartbeat());
    return;
  }
  if (std::optional<core::Message> role_message = FromWire(message)) {
    if (message.has_ack() && primary_.phase() == PrimarySide::Phase::kCatchUp) {
      return;  // sent before the standby heard of the catch-up: it proves nothing any more
    }
    role_.Step(*role_message);
    if (message.has_ack() && Counts(message)) {
      primary_.OnAck(CommitSeq(message.ack().durable_upto()));
    }
    return;
  }
  if (!Counts(message)) {
    return;
  }
  if (IsScrub(message)) {
    if (scrub_ != nullptr) {
      scrub_->OnScrubMessage(message);
    }
    return;
  }
  if (role_.role() == core::Role::kPrimary) {
    DispatchToPrimary(message);
  } else {
    DispatchToStandby(message);
  }
}

void Conversation::DispatchToPrimary(const proto::PeerMessage& message) {
  const Instant now = clock_.Now();
  switch (message.body_case()) {
    case proto::PeerMessage::kRewindDone:
      return primary_.OnRewindDone(message.rewind_done(), now);
    case proto::PeerMessage::kCatchUpReady:
      return primary_.OnCatchUpReady(now);
    case proto::PeerMessage::kUserWanted:
      return primary_.OnUserWanted(message.user_wanted(), now);
    case proto::PeerMessage::kUnitDone:
      return primary_.OnUnitDone(message.unit_done(), now);
    case proto::PeerMessage::kRepairWanted:
      return primary_.OnRepairWanted(message.repair_wanted(), now);
    case proto::PeerMessage::kDigestReply:
      return verifier_.OnReply(message.digest_reply());
    case proto::PeerMessage::kGiveBack:
      return take_back_.OnGiveBack(message.give_back());
    default:
      return;  // meant for a role that this node has left
  }
}

void Conversation::DispatchToStandby(const proto::PeerMessage& message) {
  switch (message.body_case()) {
    case proto::PeerMessage::kFramePart:
      return standby_.OnPart(message);
    case proto::PeerMessage::kRewindTo:
      return standby_.OnRewindTo(message.rewind_to());
    case proto::PeerMessage::kCatchUpBegin:
      return standby_.OnCatchUpBegin(message.catch_up_begin());
    case proto::PeerMessage::kUserList:
      return standby_.OnUserList(message.user_list());
    case proto::PeerMessage::kCatchUpEnd:
      return standby_.OnCatchUpEnd(message.catch_up_end());
    case proto::PeerMessage::kDigestRequest:
      return standby_.OnDigestRequest(message.digest_request());
    case proto::PeerMessage::kGivenBack:
      return give_back_.OnGivenBack(message.given_back(), clock_.Now());
    default:
      return;
  }
}

std::optional<proto::PeerMessage> Conversation::NextOutgoing() {
  role_.Drain();
  while (link_up_ && !dropping_ && shared_.out.empty() && shared_.drop.ok()) {
    const bool more =
        role_.role() == core::Role::kPrimary ? primary_.Pump(clock_.Now()) : give_back_.Pump();
    if (!more) {
      break;
    }
  }
  if (!link_up_ || shared_.out.empty()) {
    return std::nullopt;
  }
  return shared_.out.Pop();
}

bool Conversation::WantsToSend() const {
  if (!gate_.empty() || !link_up_) {
    return !gate_.empty();
  }
  const bool more =
      role_.role() == core::Role::kPrimary ? primary_.WantsToSend() : give_back_.WantsToSend();
  return more || !shared_.out.empty() || !shared_.drop.ok();
}

bool Conversation::FollowedClosely() const {
  const core::RoleState& state = role_.state();
  return link_up_ && verified_ && shared_.drop.ok() && shared_.out.empty() && !order_running_ &&
         state.role == core::Role::kPrimary && state.handover == core::Handover::kNone &&
         primary_.phase() == PrimarySide::Phase::kTail && primary_.shipper().nothing_in_flight();
}

// --- what steps lead to ------------------------------------------------------------------------

void Conversation::FillHello(proto::Hello* hello) {
  const ConversationOptions& options = shared_.options;
  const core::Control& control = role_.control();
  hello->set_protocol_version(kProtocolVersion);
  hello->set_oldest_version(kOldestProtocolVersion);
  hello->set_pair_id(std::string(options.pair_id.bytes()));
  hello->set_node_id(std::string(options.node_id.bytes()));
  hello->set_node_index(options.settings.node_index);
  hello->set_version(options.version);
  hello->set_role(core::RoleName(role_.role()));
  *hello->mutable_last() = core::ToProto(shared_.ports.log->last());
  core::ToProto(role_.history(), hello->mutable_history());
  hello->set_rewinding(control.rewinding);
  hello->set_incomplete_target(control.incomplete ? control.incomplete_target.value() : 0);
}

void Conversation::OnPrimaryBegins(CommitSeq log_end) {
  waits_.clear();
  standby_.Reset();
  primary_.OnPrimaryBegins(log_end);
}

void Conversation::OnGroup(const CommittedGroup& group, Instant at) {
  primary_.OnGroup(group, at);
  if (role_.settings().async_waits) {
    waits_.emplace_back(group.id.seq, at);
  }
}

void Conversation::OnPeerDurable(CommitSeq seq) {
  primary_.OnPeerDurable(seq, clock_.Now());
}

void Conversation::OnStartRewind() {
  primary_.Reset();
  standby_.Reset();
  verifier_.Cancel(Unavailable("this node is not primary any more"));
  take_back_.Reset();
  give_back_.Reset();
}

void Conversation::OnTransition(const core::Transition& transition) {
  if (transition.to != core::Role::kPrimary) {
    primary_.Reset();
    verifier_.Cancel(Unavailable("this node is not primary any more"));
  }
  shared_.observer.OnTransition(transition);
}

void Conversation::OnWritesClosing() {
  AskDrained(std::nullopt);
}

/// Nothing is accepted any more, but what was may still wait in the store's queue: it is empty when
/// two barriers, one after the other, find the log at the same entry.
void Conversation::AskDrained(std::optional<CommitSeq> before) {
  shared_.ports.log->AtBarrier([this, before](EntryId at) {
    gate_.Mark([this, before, at] {
      if (before == at.seq) {
        role_.Step(core::Drained{});
      } else if (role_.state().handover != core::Handover::kNone) {
        AskDrained(at.seq);
      }
    });
  });
}

void Conversation::OnAnswer(core::Outcome code, const std::string& text, const std::string& next) {
  if (!order_running_ || orders_.empty()) {
    return;
  }
  const OrderDone done = std::move(orders_.front().done);
  orders_.pop_front();
  order_running_ = false;
  // Later: the step that answers is not over yet.
  shared_.post([this, done, code, text, next] {
    done({.code = code,
          .text = text,
          .next = next,
          .epoch = role_.control().epoch,
          .role = role_.role()});
    StartNextOrder();
  });
}

}  // namespace twinspool::replica
