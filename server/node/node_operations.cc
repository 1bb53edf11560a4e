// What operators ask of a node: orders to the pair, pairing, users, looking.
#include <future>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "common/log.h"
#include "server/node/await.h"
#include "server/node/join_string.h"
#include "server/node/node.h"
#include "server/node/outcome.h"
#include "server/node/status.h"
#include "server/node/version.h"

namespace twinspool::node {

namespace core = replica::core;

namespace {

using proto::PairReply;
using proto::UserReply;

// One change of the pair at a time. A call may come over the very server that another one is
// closing, so nobody waits for the other.
constexpr char kBusy[] = "another change of this node's pair is under way; try again";

/// The id just below, so that "after" it comes `id` itself.
MailboxId Before(MailboxId id) {
  for (std::size_t i = MailboxId::kSize; i-- > 0;) {
    if (id.data()[i]-- != 0) {
      break;
    }
  }
  return id;
}

std::string DigestOf(const replica::StorePorts& ports, MailboxId id) {
  const auto picture = ports.pictures->TakePicture();
  if (!picture.ok()) {
    return "";
  }
  const auto digests = (*picture)->MailboxDigests(Before(id), 1);
  return digests.ok() && !digests->empty() && (*digests)[0].mailbox_id() == id.bytes()
             ? DigestBytes::FromBytes((*digests)[0].digest()).ToHex()
             : "";
}

}  // namespace

// --- looking ------------------------------------------------------------------------------------

proto::NodeStatus Node::Status() {
  const replica::PairStatus now = pair()->Snapshot();
  proto::NodeStatus status = StatusFrom(now);
  for (int i = 0; i < status.unrepaired_size(); ++i) {
    proto::DamageInfo* info = status.mutable_unrepaired(i);
    *info = Named(*info, now.scrub.unrepaired_first[static_cast<std::size_t>(i)]);
  }
  return status;
}

proto::NodeStatus Node::LastStatus() {
  return StatusFrom(pair()->LastSnapshot());
}

proto::NodeStatus Node::StatusFrom(const replica::PairStatus& pair) {
  proto::NodeStatus status;
  status.set_node_name(config_.node_name);
  status.set_version(kVersion);
  FillStatus(pair, control_->identity(), &status);
  FillTransitions(control_->transitions(), &status);
  status.set_disk_low(status.free_bytes() < config_.disk_soft_reserve ||
                      (status.peer_connected() && status.peer_free_bytes() > 0 &&
                       status.peer_free_bytes() < config_.disk_soft_reserve));
  status.set_certificate_expires_ns(certificate_expires_ns_);
  status.set_warning(WarningFor(status, SystemClock().WallNs()));
  return status;
}

std::string Node::Metrics() {
  SetGauges(LastStatus(), config_.outbox_bytes_max, &metrics_);
  metrics_.GetGauge("twinspool_sessions", "connections of mail clients")
      .Set(static_cast<double>(listeners_ == nullptr ? 0 : listeners_->sessions()));
  metrics_
      .GetGauge("twinspool_build_info", "always 1; the label tells the version",
                {{"version", kVersion}})
      .Set(1);
  return metrics_.Expose();
}

void Node::FillVerified(const replica::VerifyResult& result, proto::VerifyProgress* last) {
  last->set_finished(true);
  last->set_mailboxes_compared(result.compared);
  last->set_seq(result.seq.value());
  for (const replica::VerifyDifference& difference : result.differences) {
    proto::Difference* shown = last->add_differences();
    shown->set_user(store_->users().NameOf(difference.user));
    shown->set_mailbox(difference.name);
    shown->set_mailbox_id(difference.mailbox.ToHex());
    shown->set_here(difference.here);
    shown->set_there(difference.there);
  }
  if (!result.status.ok()) {
    last->set_outcome(proto::NOT_REACHABLE);
    last->set_message(std::string(result.status.message()));
  } else if (result.different > 0) {
    last->set_outcome(proto::DIFFERENT);
    last->set_message(std::to_string(result.different) + " differences in " +
                      std::to_string(result.compared) + " mailboxes and their users at " +
                      std::to_string(result.seq.value()));
  } else {
    last->set_message("both copies are equal at " + std::to_string(result.seq.value()) + ": " +
                      std::to_string(result.compared) + " mailboxes compared");
  }
}

void Node::FillDeep(const replica::DeepResult& result, proto::VerifyProgress* last) {
  if (result.compared) {
    FillVerified(result.verified, last);
  }
  last->set_finished(true);
  last->set_mailboxes_read(result.mailboxes);
  last->set_bodies_read(result.bodies);
  last->set_damage_found(result.found);
  last->set_damage_healed(result.healed);
  for (const replica::DeepResult::Line& line : result.damage) {
    *last->add_damage() = Named(ToInfo(line.damage, line.peer), line.damage);
  }
  if (!result.status.ok()) {
    last->set_outcome(proto::NOT_REACHABLE);
    last->set_message(std::string(result.status.message()));
    return;
  }
  const std::uint64_t left = result.found - result.healed;
  if (last->outcome() == proto::DONE && left > 0) {
    last->set_outcome(proto::DIFFERENT);
  }
  last->set_message(
      std::to_string(result.mailboxes) + " mailboxes and " + std::to_string(result.bodies) +
      " bodies read, " + std::to_string(result.found) + " damaged, " + std::to_string(left) +
      " of them not healed" + (last->message().empty() ? "" : "; ") + last->message());
}

proto::DamageInfo Node::Named(proto::DamageInfo info, const proto::Damage& damage) {
  const UserId user = UserId::FromBytes(damage.user_id());
  const MailboxId mailbox = MailboxId::FromBytes(damage.mailbox_id());
  if (!user.nil()) {
    info.set_user(store_->users().NameOf(user));
  }
  if (!mailbox.nil()) {
    const auto state = Await<MailboxState>([&](Done<MailboxState> done) {
      store_->mail_store().GetState({user, mailbox}, std::move(done));
    });
    info.set_mailbox(state.ok() ? state->name : "");
  }
  return info;
}

template <typename Result>
std::optional<Result> Node::AwaitWith(const std::function<void(std::function<void(Result)>)>& begin,
                                      const VerifyProgress& progress) {
  const auto promise = std::make_shared<std::promise<Result>>();
  std::future<Result> answer = promise->get_future();
  begin([promise](Result result) { promise->set_value(std::move(result)); });
  // As long as somebody listens: a caller has a deadline, and a node that stops cancels its calls.
  while (answer.wait_for(std::chrono::seconds(1)) != std::future_status::ready) {
    const replica::ScrubStatus scrub = pair()->LastSnapshot().scrub;
    proto::VerifyProgress now;
    now.set_mailboxes_read(scrub.mailboxes);
    now.set_bodies_read(scrub.bodies);
    if (!progress(now)) {
      return std::nullopt;
    }
  }
  return answer.get();
}

void Node::VerifyPair(const proto::VerifyRequest& request, const VerifyProgress& progress) {
  proto::VerifyProgress last;
  if (request.deep()) {
    const auto result = AwaitWith<replica::DeepResult>(
        [this](auto done) { pair()->VerifyDeep(std::move(done)); }, progress);
    if (!result) {
      return;
    }
    FillDeep(*result, &last);
  } else {
    const auto result = AwaitWith<replica::VerifyResult>(
        [this](auto done) { pair()->Verify(std::move(done)); }, progress);
    if (!result) {
      return;
    }
    FillVerified(*result, &last);
  }
  progress(last);
}

// --- roles --------------------------------------------------------------------------------------

proto::RoleReply Node::Order(core::Order order, std::uint32_t timeout_ms) {
  const std::int64_t wait_ms = timeout_ms == 0 ? limits::kAdminCallMs : timeout_ms;
  const replica::OrderResult result = pair()->Run(std::move(order), wait_ms);
  proto::RoleReply reply;
  reply.set_outcome(static_cast<proto::Outcome>(result.code));
  reply.set_message(result.text);
  reply.set_next(result.next);
  reply.set_epoch(result.epoch.value());
  reply.set_role(core::RoleName(result.role));
  return reply;
}

proto::RoleReply Node::PlainOrder(core::Order order, const proto::RoleRequest& request) {
  order.expect_epoch = Epoch(request.expect_epoch());
  order.actor = request.actor();
  return Order(std::move(order), request.timeout_ms());
}

proto::RoleReply Node::Promote(const proto::PromoteRequest& request) {
  core::Promote promote;
  promote.peer_fenced = request.peer_fenced();
  promote.peer_not_promoted = request.peer_not_promoted();
  promote.allow_data_loss = request.allow_data_loss();
  return Order({promote, Epoch(request.expect_epoch()), request.actor()}, request.timeout_ms());
}

proto::RoleReply Node::Demote(const proto::RoleRequest& request) {
  return PlainOrder({core::Demote{}, Epoch(), ""}, request);
}
proto::RoleReply Node::Undemote(const proto::RoleRequest& request) {
  return PlainOrder({core::Undemote{}, Epoch(), ""}, request);
}
proto::RoleReply Node::Switchover(const proto::RoleRequest& request) {
  return PlainOrder({core::Switchover{}, Epoch(), ""}, request);
}
proto::RoleReply Node::Fence(const proto::RoleRequest& request) {
  return PlainOrder({core::Fence{}, Epoch(), ""}, request);
}

proto::RoleReply Node::Solo(const proto::SoloRequest& request) {
  core::Solo solo;
  solo.peer_fenced = request.peer_fenced();
  return Order({solo, Epoch(request.expect_epoch()), request.actor()}, request.timeout_ms());
}

proto::RoleReply Node::AcceptEpoch(const proto::AcceptEpochRequest& request) {
  return Order(
      {core::AcceptEpoch{Epoch(request.epoch())}, Epoch(request.expect_epoch()), request.actor()},
      0);
}

// --- pairing ------------------------------------------------------------------------------------

proto::PairReply Node::PairInit(const proto::PairInitRequest&) {
  const std::unique_lock lock(pairing_mutex_, std::try_to_lock);
  if (!lock) {
    return ReplyFor<PairReply>(Unavailable(kBusy), "");
  }
  twinspool::Status made = pairing_->Init();
  if (made.ok()) {
    made = OpenPeer();
  }
  proto::PairReply reply =
      ReplyFor<PairReply>(made, "this node is node 0 of a new pair, still alone");
  if (made.ok()) {
    reply.set_pair_id(control_->identity().pair_id.ToHex());
    reply.set_next("twinspoolctl pair invite HOST:PORT   (where the other node reaches " +
                   config_.peer_listen.ToString() + ")");
  }
  return reply;
}

proto::PairReply Node::PairInvite(const proto::PairInviteRequest& request) {
  const std::unique_lock lock(pairing_mutex_, std::try_to_lock);
  if (!lock) {
    return ReplyFor<PairReply>(Unavailable(kBusy), "");
  }
  const std::int64_t valid_s =
      request.valid_s() == 0 ? limits::kInvitationSeconds : std::int64_t{request.valid_s()};
  const auto invitation = pairing_->Invite(request.address(), valid_s);
  proto::PairReply reply =
      ReplyFor<PairReply>(invitation.status(), "on the other node: twinspoolctl pair join STRING");
  if (invitation.ok()) {
    reply.set_join_string(*invitation);
    reply.set_pair_id(control_->identity().pair_id.ToHex());
  }
  return reply;
}

proto::JoinReply Node::AcceptJoin(const proto::JoinRequest& request) {
  const auto refused = [](const std::string& why) {
    proto::JoinReply reply;
    reply.set_refused(why);
    return reply;
  };
  const std::unique_lock lock(pairing_mutex_, std::try_to_lock);
  if (!lock) {
    return refused(kBusy);
  }
  const bool again = control_->role().grant != core::Grant::kStanding;
  if (again && pair()->Snapshot().peer.last_heard_seconds >= 0) {
    return refused("the invitation was used; to replace a node: twinspoolctl pair dissolve");
  }
  proto::JoinReply reply = pairing_->Accept(request);
  if (!reply.refused().empty() || again) {
    return reply;  // again: the same node, which lost the first answer
  }
  // The standing grant becomes an ordinary one before the peer's first Hello can be answered.
  pair()->Connect(Place(), *peer_service_);
  const replica::OrderResult joined =
      pair()->Run({core::Join{}, Epoch(), "pair join"}, limits::kAdminCallMs);
  if (joined.code != core::Outcome::kDone) {
    const twinspool::Status forgotten = pairing_->Reopen();
    LogWarn("join_undone", {{"why", joined.text}, {"result", forgotten.ToString()}});
    return refused(joined.text);
  }
  return reply;
}

proto::PairReply Node::PairJoin(const proto::PairJoinRequest& request) {
  const std::unique_lock lock(pairing_mutex_, std::try_to_lock);
  if (!lock) {
    return ReplyFor<PairReply>(Unavailable(kBusy), "");
  }
  const auto ticket = DecodeJoinString(request.join_string());
  if (!ticket.ok()) {
    return ReplyFor<PairReply>(ticket.status(), "");
  }
  if (const Epoch epoch = control_->role().epoch;
      request.expect_epoch() > 0 && Epoch(request.expect_epoch()) != epoch) {
    return ReplyFor<PairReply>(Conflict("this node is at epoch " + std::to_string(epoch.value()) +
                                        ", not at the expected one: somebody else has acted"),
                               "");
  }
  const auto users = store_->users().List();
  if (!users.ok() || !users->empty() || store_->ports().log->last().seq != CommitSeq()) {
    return ReplyFor<PairReply>(
        Conflict("this node holds data of its own: only a node with an empty data "
                 "directory can join"),
        "");
  }
  const auto identity = pairing_->Join(*ticket);
  if (!identity.ok()) {
    proto::PairReply reply = ReplyFor<PairReply>(identity.status(), "");
    if (identity.status().Is(Code::kUnavailable)) {
      reply.set_outcome(proto::NOT_REACHABLE);  // the inviting node, that is
    }
    return reply;
  }
  StopPair();
  twinspool::Status done = control_->BecomeMember(*identity);
  if (done.ok()) {
    done = LoadLoginSecret();
  }
  if (done.ok()) {
    done = StartPair();
  }
  CloseSessions();
  if (done.ok()) {
    done = OpenPeer();
  }
  proto::PairReply reply = ReplyFor<PairReply>(done, "joined; the copy is being filled");
  reply.set_pair_id(identity->pair_id.ToHex());
  reply.set_node_index(1);
  reply.set_next(std::string("twinspoolctl wait --role ") +
                 (config_.mode == "async" ? "standby" : "eligible") + " --timeout 3600");
  return reply;
}

proto::RoleReply Node::PairDissolve(const proto::PairDissolveRequest& request) {
  const std::unique_lock lock(pairing_mutex_, std::try_to_lock);
  if (!lock) {
    return ReplyFor<proto::RoleReply>(Unavailable(kBusy), "");
  }
  core::Dissolve dissolve;
  dissolve.peer_never_returns = request.peer_never_returns();
  proto::RoleReply reply = Order({dissolve, Epoch(request.expect_epoch()), request.actor()}, 0);
  if (reply.outcome() == proto::DONE) {
    const twinspool::Status forgotten = pairing_->ForgetPeer();
    ClosePeer();
    LogInfo("dissolved", {{"result", forgotten.ToString()}});
    reply.set_next(control_->identity().pair_id.nil()
                       ? "twinspoolctl pair init   (before another node can be invited)"
                       : "twinspoolctl pair invite HOST:PORT   (to take in another node)");
  }
  return reply;
}

// --- users --------------------------------------------------------------------------------------

proto::UserReply Node::UserAdd(const proto::UserRequest& request) {
  const auto added = Await<UserRef>([&](Done<UserRef> done) {
    if (request.shared()) {
      store_->users().AddShared(request.name(), std::move(done));
    } else {
      store_->users().Add(request.name(), request.password(), std::move(done));
    }
  });
  if (added.code() == Code::kAlreadyExists && request.if_missing()) {
    return ReplyFor<UserReply>(OkStatus(), "user " + request.name() + " is there already");
  }
  proto::UserReply reply = ReplyFor<UserReply>(added.status(), "user " + request.name() + " added");
  if (added.ok()) {
    reply.set_user_id(added->id.ToHex());
  }
  return reply;
}

proto::UserReply Node::UserPassword(const proto::UserRequest& request) {
  const auto set = Await<Unit>([&](const Done<Unit>& done) {
    store_->users().SetPassword(request.name(), request.password(), done);
  });
  return ReplyFor<UserReply>(set.status(), "password of " + request.name() + " set");
}

proto::UserReply Node::UserDelete(const proto::UserRequest& request) {
  const auto deleted =
      Await<Unit>([&](const Done<Unit>& done) { store_->users().Delete(request.name(), done); });
  return ReplyFor<UserReply>(deleted.status(), "user " + request.name() + " deleted");
}

proto::UserReply Node::UserList(const proto::UserListRequest& request,
                                const std::function<bool(const proto::UserInfo&)>& sink) {
  const auto users = store_->users().List();
  if (!users.ok()) {
    return ReplyFor<UserReply>(users.status(), "");
  }
  for (const store::UserListing& user : *users) {
    if (!user.user.name.starts_with(request.prefix())) {
      continue;
    }
    proto::UserInfo shown;
    shown.set_name(user.user.name);
    shown.set_user_id(user.user.id.ToHex());
    shown.set_mailboxes(user.mailboxes);
    shown.set_messages(user.messages);
    shown.set_bytes(user.bytes);
    shown.set_shared(user.shared);
    shown.set_bytes_max(user.quota.bytes.value_or(0));
    shown.set_messages_max(user.quota.messages.value_or(0));
    shown.set_has_password(user.has_password);
    shown.set_last_imap_login_s(user.last_imap_login_s);
    shown.set_last_pop3_login_s(user.last_pop3_login_s);
    shown.set_app_passwords(user.app_passwords);
    if (!sink(shown)) {
      break;
    }
  }
  return ReplyFor<UserReply>(OkStatus(), "");
}

proto::UserReply Node::MailboxList(const proto::MailboxListRequest& request,
                                   const std::function<bool(const proto::MailboxInfo&)>& sink) {
  const auto user = store_->users().Find(request.user());
  if (!user.ok()) {
    return ReplyFor<UserReply>(user.status(), "");
  }
  MailStore& mail = store_->mail_store();
  const auto list = Await<std::vector<MailboxListing>>(
      [&](auto done) { mail.ListMailboxes(user->id, std::move(done)); });
  if (!list.ok()) {
    return ReplyFor<UserReply>(list.status(), "");
  }
  for (const MailboxListing& listing : *list) {
    if (listing.owner != user->id) {
      continue;  // shared with him by another one
    }
    const auto state = Await<MailboxState>([&](Done<MailboxState> done) {
      mail.GetState({user->id, listing.id}, std::move(done));
    });
    if (!state.ok()) {
      continue;  // just deleted
    }
    proto::MailboxInfo shown;
    shown.set_user(user->name);
    shown.set_name(listing.name);
    shown.set_mailbox_id(listing.id.ToHex());
    shown.set_uid_validity(state->uid_validity.value());
    shown.set_uid_next(state->uid_next.value());
    shown.set_highest_modseq(state->highest_modseq.value());
    shown.set_exists(state->exists);
    shown.set_unseen(state->unseen);
    shown.set_bytes(state->bytes);
    shown.set_digest(DigestOf(store_->ports(), listing.id));
    if (!sink(shown)) {
      break;
    }
  }
  return ReplyFor<UserReply>(OkStatus(), "");
}

}  // namespace twinspool::node
