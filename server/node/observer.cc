#include "server/node/observer.h"

#include <string>
#include <utility>

#include "common/log.h"
#include "server/node/systemd.h"

namespace twinspool::node {

using replica::core::Failover;
using replica::core::FailoverName;
using replica::core::Role;
using replica::core::RoleName;

NodeObserver::NodeObserver(Metrics& metrics, NodeControl& control, Clock& clock,
                           std::function<void()> on_primary_lost)
    : metrics_(metrics),
      control_(control),
      clock_(clock),
      on_primary_lost_(std::move(on_primary_lost)),
      mismatches_(metrics.GetCounter("twinspool_digest_mismatches_total",
                                     "changes that led to another digest than the primary's")),
      mailboxes_read_(metrics.GetCounter("twinspool_scrub_mailboxes_total",
                                         "mailboxes that the search for damage has read")),
      bodies_read_(metrics.GetCounter("twinspool_scrub_bodies_total",
                                      "bodies that the search for damage has read")),
      passes_(metrics.GetCounter("twinspool_scrub_passes_total",
                                 "whole passes of the search for damage")),
      healed_(metrics.GetCounter("twinspool_damage_healed_total",
                                 "damage in this node's store that was found and healed")),
      lag_(metrics.GetSeconds("twinspool_replication_ack_seconds",
                              "from an entry's commit here to the standby's word that it is "
                              "durable there")) {}

void NodeObserver::OnLog(replica::Severity severity, const std::string& text) {
  const LogLevel level = severity == replica::Severity::kError     ? LogLevel::kError
                         : severity == replica::Severity::kWarning ? LogLevel::kWarn
                                                                   : LogLevel::kInfo;
  Log(level, "pair", {{"what", text}});
}

void NodeObserver::OnTransition(const replica::core::Transition& transition) {
  LogInfo("role_change", {{"from", RoleName(transition.from)},
                          {"to", RoleName(transition.to)},
                          {"epoch", transition.epoch.value()},
                          {"reason", transition.reason},
                          {"actor", transition.actor}});
  control_.Remember({clock_.WallNs(), RoleName(transition.from), RoleName(transition.to),
                     transition.epoch, transition.failover, transition.reason, transition.actor});
  metrics_
      .GetCounter("twinspool_role_changes_total", "changes of this node's role",
                  {{"to", RoleName(transition.to)}})
      .Increment();
  if (transition.failover != Failover::kNone) {
    metrics_
        .GetCounter("twinspool_failovers_total", "epochs that this node opened, by what led to it",
                    {{"kind", FailoverName(transition.failover)}})
        .Increment();
  }
  NotifyServiceManager("STATUS=" + RoleName(transition.to) + ", epoch " +
                       std::to_string(transition.epoch.value()));
  if (transition.from == Role::kPrimary && transition.to != Role::kPrimary) {
    on_primary_lost_();
  }
}

void NodeObserver::OnDigestMismatch(UserId user, const std::string& reason) {
  LogError("digest_mismatch", {{"user", user.ToHex()}, {"reason", reason}});
  mismatches_.Increment();
}

void NodeObserver::OnCatchUp(const std::string& kind) {
  LogInfo("catch_up", {{"kind", kind}});
  metrics_
      .GetCounter("twinspool_catch_ups_total", "catch-ups, rewinds and repairs", {{"kind", kind}})
      .Increment();
}

void NodeObserver::OnAcknowledged(std::int64_t ns) {
  lag_.Observe(static_cast<double>(ns) / 1e9);
}

void NodeObserver::OnScrubbed(std::uint64_t mailboxes, std::uint64_t bodies) {
  mailboxes_read_.Add(static_cast<double>(mailboxes));
  bodies_read_.Add(static_cast<double>(bodies));
}

void NodeObserver::OnDamage(const proto::Damage& damage) {
  Log(damage.healed() ? LogLevel::kWarn : LogLevel::kError,
      damage.healed() ? "damage_healed" : "damage_unrepaired",
      {{"kind", damage.kind()},
       {"user", UserId::FromBytes(damage.user_id()).ToHex()},
       {"mailbox", MailboxId::FromBytes(damage.mailbox_id()).ToHex()},
       {"uid", damage.uid()},
       {"what", damage.what()},
       {"outcome", damage.outcome()}});
  metrics_
      .GetCounter("twinspool_damage_found_total", "damage that was found in this node's store",
                  {{"kind", damage.kind()}})
      .Increment();
  if (damage.healed()) {
    healed_.Increment();
  }
}

void NodeObserver::OnScrubPass(const twinspool::Status& ended, const replica::ScrubStatus& status) {
  LogInfo(ended.ok() ? "scrub_pass" : "scrub_pass_cut_short", {{"mailboxes", status.mailboxes},
                                                               {"bodies", status.bodies},
                                                               {"seconds", status.seconds},
                                                               {"unrepaired", status.unrepaired},
                                                               {"result", ended.ToString()}});
  if (ended.ok()) {
    passes_.Increment();
  }
}

}  // namespace twinspool::node
