// The conversation: time, orders of operators, and what status shows.
#include <algorithm>
#include <utility>

#include "replica/conversation.h"

namespace twinspool::replica {

// --- time ----------------------------------------------------------------------------------

proto::PeerMessage Conversation::MakeHeartbeat() {
  const core::RoleState& state = role_.state();
  proto::PeerMessage message;
  message.set_epoch(state.control.epoch.value());
  message.set_from_incarnation(state.control.incarnation.value());
  message.set_to_incarnation(state.peer_incarnation.value());
  proto::Heartbeat* beat = message.mutable_heartbeat();
  beat->set_free_bytes(shared_.ports.visibility->FreeBytes());
  beat->set_durable_upto(state.log_end.value());
  beat->set_role(core::RoleName(state.role));
  beat->set_lag_bytes(primary_.shipper().lag_bytes());
  beat->set_certificate_expires_ns(shared_.options.certificate_expires_ns);
  if (const auto oldest = primary_.shipper().oldest_unacked()) {
    beat->set_oldest_unacked_age_ms(clock_.Now().MsSince(*oldest));
  }
  return message;
}

void Conversation::Beat(Instant now) {
  if (now.MsSince(beat_at_) < limits::kHeartbeatMs) {
    return;
  }
  beat_at_ = now;
  role_.Step(core::Tick{});
  ShowPeerDisk();
  primary_.OnTick(now);
  verifier_.OnTick(now);
  EraseForgotten();
  if (!link_up_) {
    give_back_.OnTick(now);  // a primary takes its own salvage back without a peer
    return;
  }
  if (now.MsSince(heard_at_) > limits::kPeerTimeoutMs) {
    shared_.out.Clear();
    shared_.Drop(Timeout("nothing was heard of the peer for " +
                         std::to_string(limits::kPeerTimeoutMs) + " ms"));
    return;
  }
  shared_.out.Push(MakeHeartbeat());
  give_back_.OnTick(now);
}

/// In other roles the log, and so the forgetting, may still be taken back, or is being saved from.
void Conversation::EraseForgotten() {
  const core::Role role = role_.role();
  if (role != core::Role::kPrimary && role != core::Role::kStandby) {
    return;
  }
  if (shared_.ports.visibility->FreeBytes() < limits::kDiskLastBytes) {
    return;  // that it is settled is to be written
  }
  const Result<std::vector<UserId>> users = shared_.ports.forgotten->Forgotten();
  Status status = users.status();
  for (std::size_t i = 0; status.ok() && i < users->size(); ++i) {
    status = EraseUser((*users)[i]);
  }
  if (!status.ok()) {
    shared_.Log(Severity::kError,
                "the salvage of a deleted user cannot be erased: " + status.ToString());
  }
}

Status Conversation::EraseUser(UserId user) {
  ASSIGN_OR_RETURN(const std::size_t records, salvage_.Erase(user));
  if (records > 0) {
    give_back_.ForgetUser(user);
    shared_.Log(Severity::kInfo, "user " + user.ToHex() +
                                     " was deleted: " + std::to_string(records) +
                                     " records of his salvage are erased");
  }
  return shared_.ports.forgotten->Settle(user);
}

void Conversation::OnTick() {
  const Instant now = clock_.Now();
  role_.Drain();
  Beat(now);
  WatchWaits(now);
  WatchOrder(now);
}

/// async with a wait: what has waited long enough is answered without the standby.
void Conversation::WatchWaits(Instant now) {
  CommitSeq over;
  const CommitSeq acked = role_.state().peer_pos;
  while (!waits_.empty()) {
    const auto& [seq, at] = waits_.front();
    const bool done = seq <= acked;
    if (!done && now.MsSince(at) < shared_.options.sync_wait_ms) {
      break;
    }
    over = done ? over : seq;
    waits_.pop_front();
  }
  if (over.value() > 0) {
    ++waits_over_;
    role_.Step(core::WaitOver{over});
  }
}

Instant Conversation::NextDeadline() const {
  Instant next = beat_at_.PlusMs(limits::kHeartbeatMs);
  if (!waits_.empty()) {
    next = std::min(next, waits_.front().second.PlusMs(shared_.options.sync_wait_ms));
  }
  if (order_running_ && !orders_.empty()) {
    next = std::min(next, orders_.front().deadline);
  }
  if (const auto unit_at = primary_.next_unit_at(); unit_at && *unit_at > clock_.Now()) {
    next = std::min(next, *unit_at);
  }
  return next;
}

// --- orders --------------------------------------------------------------------------------

void Conversation::Submit(core::Order order, std::int64_t timeout_ms, OrderDone done) {
  const bool fence = std::holds_alternative<core::Fence>(order.what);
  if (orders_.size() >= limits::kOrdersWaitingMax && !fence) {
    done({.code = core::Outcome::kTimeoutUnchanged,
          .text = "too many orders are waiting; nothing was changed",
          .next = "twinspoolctl status",
          .epoch = role_.control().epoch,
          .role = role_.role()});
    return;
  }
  Waiting waiting{std::move(order), clock_.Now().PlusMs(timeout_ms), std::move(done)};
  if (fence) {
    CallOffOrder();
    orders_.push_front(std::move(waiting));
  } else {
    orders_.push_back(std::move(waiting));
  }
  StartNextOrder();
}

/// The order under way is answered now, whatever came of it.
void Conversation::CallOffOrder() {
  if (!order_running_) {
    return;
  }
  role_.Step(core::OrderTimedOut{});
  if (order_running_) {
    OnAnswer(core::Outcome::kTimeoutUnknown,
             "the order was not answered in time; its outcome is unknown", "twinspoolctl status");
  }
}

void Conversation::StartNextOrder() {
  if (order_running_ || orders_.empty()) {
    return;
  }
  order_running_ = true;
  const core::Order order = orders_.front().order;
  role_.Step(order);
}

void Conversation::WatchOrder(Instant now) {
  if (!order_running_ || orders_.empty() || now < orders_.front().deadline) {
    return;
  }
  CallOffOrder();
}

void Conversation::AbandonOrders() {
  for (const Waiting& waiting : std::exchange(orders_, {})) {
    waiting.done({.code = core::Outcome::kTimeoutUnknown,
                  .text = "this node stopped before the order was answered",
                  .next = "twinspoolctl status",
                  .epoch = role_.control().epoch,
                  .role = role_.role()});
  }
  order_running_ = false;
  verifier_.Cancel(Unavailable("this node is stopping"));
  give_back_.Stop();
}

void Conversation::Reinject(const std::string& token, const std::string& into,
                            GiveBackSender::Ordered done) {
  for (const proto::SalvageItem& item : salvage_.List()) {
    if (item.token() != token) {
      continue;
    }
    if (item.kind() != "append" || !item.has_body()) {
      return done(InvalidArgument("it is not a message with its octets"));
    }
    return give_back_.Order(PlanOrdered(item, into), clock_.Now(), std::move(done));
  }
  done(NotFound("no such item in the salvage folder"));
}

Result<std::size_t> Conversation::DiscardSalvage(const std::vector<std::string>& tokens,
                                                 bool settled_only) {
  if (role_.control().rewinding) {
    return Conflict("this node is rewinding and writes to the salvage folder; try again later");
  }
  give_back_.Reset();
  if (tokens.empty()) {
    return salvage_.DiscardRewinds(settled_only);
  }
  for (const std::string& token : tokens) {
    TRY(salvage_.Discard(token));
  }
  return tokens.size();
}

void Conversation::Verify(VerifyDone done) {
  shared_.ports.log->AtBarrier([this, done = std::move(done)](EntryId at) {
    // On the commit thread: the picture is of this moment, and what follows waits behind the mark.
    auto picture =
        std::make_shared<Result<std::unique_ptr<Picture>>>(shared_.ports.pictures->TakePicture());
    gate_.Mark([this, picture, at, done] { verifier_.Begin(std::move(*picture), at.seq, done); });
  });
}

void Conversation::FillLag(Instant now, PairStatus* out) const {
  const core::RoleState& state = role_.state();
  const auto seconds_since = [now](Instant at) {
    return static_cast<double>(now.MsSince(at)) / 1000.0;
  };
  if (state.role != core::Role::kPrimary) {
    // What the primary told last, as far as it is not here meanwhile.
    if (peer_.last_seq > state.log_end) {
      out->lag_records = peer_.last_seq.value() - state.log_end.value();
      out->lag_bytes = peer_.lag_bytes;
      out->lag_seconds = peer_.lag_seconds;
    }
    return;
  }
  if (core::IsSingle(state)) {
    return;
  }
  const core::ShipperCore& shipper = primary_.shipper();
  out->acked = shipper.acked();
  // Not heard of the standby in this time as primary: the log keeps what it is known to lack.
  const CommitSeq known =
      shipper.acked() == CommitSeq() ? shared_.ports.log->low_water() : shipper.acked();
  out->lag_records = shipper.last().value() - std::min(known, shipper.last()).value();
  out->lag_bytes = shipper.lag_bytes();
  if (const auto oldest = shipper.oldest_unacked(); oldest && out->lag_records > 0) {
    out->lag_seconds = seconds_since(*oldest);
  }
  out->catch_up_units = primary_.catch_up_units();
  if (const auto acked_at = primary_.acked_at()) {
    out->last_ack_seconds = seconds_since(*acked_at);
  }
}

// --- status --------------------------------------------------------------------------------

PairStatus Conversation::Snapshot() const {
  const core::RoleState& state = role_.state();
  const Instant now = clock_.Now();
  PairStatus out;
  out.state = state;
  out.serving = role_.serving();
  out.role = core::RoleName(state.role);
  out.role_detail = core::RoleDetail(role_.settings(), state);
  out.mode = core::IsSingle(state) ? "single" : core::ModeName(role_.settings().mode);
  out.grant = core::GrantName(state.control.grant);
  out.advice = core::Advice(role_.settings(), state);
  out.loss_if_promoted = core::LossIfPromoted(role_.settings(), state);
  out.peer = peer_;
  out.peer.connected = link_up_ && verified_;
  out.peer.last_heard_seconds =
      heard_ever_ ? static_cast<double>(now.MsSince(heard_at_)) / 1000.0 : -1;
  FillLag(now, &out);
  out.outbox_entries = shared_.ports.log->entries();
  out.outbox_bytes = shared_.ports.log->bytes();
  out.free_bytes = shared_.ports.visibility->FreeBytes();
  out.salvage_pending = salvage_.pending();
  out.salvage_conflicts = salvage_.conflicts();
  out.digest_mismatches = standby_.digest_mismatches();
  out.waits_over = waits_over_;
  out.history = role_.history();
  out.settled = Settled();
  return out;
}

}  // namespace twinspool::replica
