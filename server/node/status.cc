#include "server/node/status.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/limits.h"

namespace twinspool::node {
namespace {

constexpr std::int64_t kCertificateWarningNs = 30ll * 24 * 3600 * 1'000'000'000;

void FillPeer(const replica::PeerFacts& peer, proto::NodeStatus* out) {
  out->set_peer_connected(peer.connected);
  out->set_peer_role(peer.role);
  out->set_peer_epoch(peer.epoch.value());
  out->set_peer_version(peer.version);
  out->set_peer_mode(peer.mode);
  out->set_peer_refused(peer.refused);
  out->set_peer_error(peer.error);
  out->set_peer_last_heard_seconds(peer.last_heard_seconds);
  out->set_peer_free_bytes(peer.free_bytes);
  out->set_peer_last_seq(peer.last_seq.value());
  out->set_peer_certificate_expires_ns(peer.certificate_expires_ns);
}

void FillRole(const replica::PairStatus& pair, proto::NodeStatus* out) {
  const replica::core::RoleState& state = pair.state;
  out->set_role(pair.role);
  out->set_role_detail(pair.role_detail);
  out->set_mode(replica::core::IsSingle(state) ? "single" : pair.mode);
  out->set_epoch(state.control.epoch.value());
  out->set_incarnation(state.control.incarnation.value());
  out->set_eligible(state.eligible);
  out->set_complete(state.complete);
  out->set_serves_reads(pair.serving.primary && pair.serving.reads);
  out->set_serves_writes(pair.serving.primary && pair.serving.writes_refused.empty());
  out->set_grant(pair.grant);
  out->set_grant_usable(state.grant_usable);
  out->set_resigned(state.control.resigned);
  out->set_holds_resignation(state.control.held_resignation);
  out->set_held_down(state.control.held_down);
  out->set_rewinding(state.control.rewinding);
  out->set_incomplete(state.control.incomplete);
}

void FillLog(const replica::PairStatus& pair, proto::NodeStatus* out) {
  out->set_last_seq(pair.state.log_end.value());
  out->set_acked_seq(pair.acked.value());
  out->set_lag_records(pair.lag_records);
  out->set_lag_bytes(pair.lag_bytes);
  out->set_lag_seconds(pair.lag_seconds);
  out->set_free_bytes(pair.free_bytes);
  out->set_outbox_entries(pair.outbox_entries);
  out->set_outbox_bytes(pair.outbox_bytes);
  out->set_salvage_records(pair.salvage_pending);
  out->set_salvage_conflicts(pair.salvage_conflicts);
  out->set_digest_mismatches(pair.digest_mismatches);
  out->set_catch_up_units(pair.catch_up_units);
  out->set_waits_over(pair.waits_over);
  out->set_last_ack_seconds(pair.last_ack_seconds);
}

void FillScrub(const replica::ScrubStatus& scrub, proto::NodeStatus* out) {
  out->set_scrub_running(scrub.running);
  out->set_scrub_ended_ns(scrub.ended_ns);
  out->set_scrub_seconds(scrub.seconds);
  out->set_scrub_mailboxes(scrub.mailboxes);
  out->set_scrub_bodies(scrub.bodies);
  out->set_damage_found(scrub.found);
  out->set_damage_healed(scrub.healed);
  out->set_damage_unrepaired(scrub.unrepaired);
  for (const proto::Damage& damage : scrub.unrepaired_first) {
    *out->add_unrepaired() = ToInfo(damage, false);
  }
}

}  // namespace

proto::DamageInfo ToInfo(const proto::Damage& damage, bool peer) {
  proto::DamageInfo info;
  info.set_peer(peer);
  info.set_kind(damage.kind());
  if (!damage.user_id().empty()) {
    info.set_user_id(UserId::FromBytes(damage.user_id()).ToHex());
  }
  if (!damage.mailbox_id().empty()) {
    info.set_mailbox_id(MailboxId::FromBytes(damage.mailbox_id()).ToHex());
  }
  info.set_uid(damage.uid());
  info.set_what(damage.what());
  info.set_healed(damage.healed());
  info.set_outcome(damage.outcome());
  return info;
}

void FillStatus(const replica::PairStatus& pair, const replica::NodeIdentity& identity,
                proto::NodeStatus* out) {
  out->set_schema(1);
  if (!identity.pair_id.nil()) {
    out->set_pair_id(identity.pair_id.ToHex());
  }
  out->set_node_id(identity.node_id.ToHex());
  out->set_node_index(identity.node_index);
  FillRole(pair, out);
  FillLog(pair, out);
  FillPeer(pair.peer, out);
  FillScrub(pair.scrub, out);
  out->set_loss_if_promoted(pair.loss_if_promoted);
  out->set_advice(pair.advice);
  for (const replica::core::EpochStart& period : pair.history.periods()) {
    proto::Period* shown = out->add_history();
    shown->set_epoch(period.epoch.value());
    shown->set_first_seq(period.first_seq.value());
  }
}

void FillTransitions(const std::vector<replica::ControlTransition>& oldest_first,
                     proto::NodeStatus* out) {
  for (auto t = oldest_first.rbegin(); t != oldest_first.rend(); ++t) {
    proto::Transition* shown = out->add_transitions();
    shown->set_wall_ns(t->wall_ns);
    shown->set_from(t->from);
    shown->set_to(t->to);
    shown->set_epoch(t->epoch.value());
    shown->set_failover(replica::core::FailoverName(t->failover));
    shown->set_reason(t->reason);
    shown->set_actor(t->actor);
  }
}

namespace {

bool ExpiresSoon(std::int64_t expires_ns, std::int64_t now_ns) {
  return expires_ns != 0 && expires_ns - now_ns < kCertificateWarningNs;
}

/// The first entry of this epoch, if it was opened by a forced promotion and the other node has not
/// come back since: while that is so, the log is kept for it from there on. 0: not so.
std::uint64_t ForcedAt(const proto::NodeStatus& s) {
  const int periods = s.history_size();
  if (s.role() != "primary" || s.mode() == "single" || periods == 0) {
    return 0;
  }
  const proto::Period& now = s.history(periods - 1);
  const std::uint32_t before = periods > 1 ? s.history(periods - 2).epoch() : 0;
  const std::uint64_t kept_after = s.last_seq() - std::min(s.outbox_entries(), s.last_seq());
  const bool forced = now.epoch() - before >= limits::kForcedEpochLeap;
  return forced && kept_after < now.first_seq() ? now.first_seq() : 0;
}

bool ModesDiffer(const proto::NodeStatus& s) {
  return s.peer_connected() && s.mode() != "single" && s.peer_mode() != s.mode();
}

}  // namespace

std::string WarningFor(const proto::NodeStatus& s, std::int64_t now_ns) {
  std::string text;
  const auto add = [&text](const std::string& sentence) {
    text += text.empty() ? sentence : " " + sentence;
  };
  if (const std::uint64_t forced = ForcedAt(s); forced > 0) {
    add("Epoch " + std::to_string(s.epoch()) + " began by force at entry " +
        std::to_string(forced) +
        ": what the other node acknowledged that was not here by then may be missing until that "
        "node is back, which gives it back by itself. Never let it serve without contact to this "
        "one (solo, promote).");
  }
  if (ModesDiffer(s)) {
    add("The peer runs in mode " + s.peer_mode() + ", this node in mode " + s.mode() + ".");
  }
  if (ExpiresSoon(s.certificate_expires_ns(), now_ns)) {
    add("This node's certificate for the pair expires within 30 days.");
  }
  if (s.peer_connected() && ExpiresSoon(s.peer_certificate_expires_ns(), now_ns)) {
    add("The peer's certificate for the pair expires within 30 days.");
  }
  if (s.digest_mismatches() > 0) {
    add("Copies differed and were repaired since the start: look for a bad disk.");
  }
  if (s.damage_unrepaired() > 0) {
    add("Damage in this node's store is not healed: twinspoolctl verify-pair --deep on the primary "
        "names it.");
  }
  if (s.disk_low()) {
    add("The disk of a node is nearly full.");
  }
  return text;
}

void SetGauges(const proto::NodeStatus& s, std::uint64_t outbox_limit, Metrics* metrics) {
  const auto set = [&](const char* name, const char* help, double value) {
    metrics->GetGauge(name, help).Set(value);
  };
  for (const char* role : {"fenced", "catching-up", "standby", "primary"}) {
    metrics->GetGauge("twinspool_role", "1 for the role this node has", {{"role", role}})
        .Set(s.role() == role ? 1 : 0);
  }
  const bool primary = s.role() == "primary";
  set("twinspool_epoch", "promotion generation", s.epoch());
  set("twinspool_eligible", "1 if this node may be promoted without loss", s.eligible());
  set("twinspool_solo", "1 while a primary of a pair serves alone", s.role_detail() == "solo");
  set("twinspool_writes_blocked", "1 while a primary cannot acknowledge",
      primary && !s.serves_writes());
  set("twinspool_replication_lag_records", "commit groups that the standby has not acknowledged",
      static_cast<double>(s.lag_records()));
  set("twinspool_replication_lag_bytes", "octets of those groups",
      static_cast<double>(s.lag_bytes()));
  set("twinspool_replication_lag_seconds", "age of the oldest of those groups; 0 when idle",
      s.lag_seconds());
  set("twinspool_replication_last_ack_seconds",
      "since the standby last acknowledged; negative: not in this time as primary",
      s.last_ack_seconds());
  set("twinspool_sync_wait_over", "async: answers given without the standby since the start",
      static_cast<double>(s.waits_over()));
  set("twinspool_certificate_expires_seconds", "end of this node's certificate, Unix time; 0: none",
      static_cast<double>(s.certificate_expires_ns()) / 1e9);
  set("twinspool_paired", "1 while this node is a member of a pair", s.mode() != "single");
  set("twinspool_peer_connected", "1 while the two nodes talk", s.peer_connected());
  set("twinspool_mode_mismatch", "1 while the peer runs in another mode than this node",
      ModesDiffer(s));
  set("twinspool_outbox_bytes", "change log kept", static_cast<double>(s.outbox_bytes()));
  set("twinspool_outbox_limit_bytes", "its bound", static_cast<double>(outbox_limit));
  set("twinspool_salvage_records", "records that wait to be given back",
      static_cast<double>(s.salvage_records()));
  set("twinspool_salvage_conflicts", "what could not be given back as it was, until discarded",
      static_cast<double>(s.salvage_conflicts()));
  set("twinspool_damage_unrepaired", "damage in this node's store that is not healed",
      static_cast<double>(s.damage_unrepaired()));
  set("twinspool_scrub_running", "1 while this node searches itself for damage", s.scrub_running());
  set("twinspool_scrub_last_pass_seconds", "end of the last whole search, Unix time; 0: none yet",
      static_cast<double>(s.scrub_ended_ns()) / 1e9);
  set("twinspool_free_bytes", "free disk of this node", static_cast<double>(s.free_bytes()));
  set("twinspool_disk_low", "1 while a disk of the pair has no room for new mail", s.disk_low());
}

}  // namespace twinspool::node
