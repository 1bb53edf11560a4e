#include "server/cli/status_text.h"

#include <cstdio>
#include <ctime>

#include "common/json.h"

namespace twinspool::cli {

std::string WallTime(std::int64_t ns) {
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}
namespace {

void Line(std::string* text, const char* label, const std::string& value) {
  char padded[24];
  std::snprintf(padded, sizeof padded, "%-12s", label);
  *text += padded + value + "\n";
}

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, seconds < 1 ? "%.3f s" : "%.1f s", seconds);
  return text;
}

std::string RoleLine(const proto::NodeStatus& s) {
  std::string line = s.role();
  if (!s.role_detail().empty()) {
    line += " (" + s.role_detail() + ")";
  }
  line += ", epoch " + std::to_string(s.epoch());
  line += s.eligible() ? ", eligible for promotion" : "";
  line += s.held_down() ? ", held down by an operator" : "";
  line += s.resigned() ? ", resigned" : "";
  line += s.rewinding() ? ", rewinding" : "";
  line += s.incomplete() ? ", incomplete copy" : "";
  return line;
}

std::string PeerLine(const proto::NodeStatus& s) {
  if (s.pair_id().empty() || s.mode() == "single") {
    return "none: this node is alone";
  }
  if (!s.peer_refused().empty()) {
    return "refused: " + s.peer_refused();
  }
  if (!s.peer_connected()) {
    const std::string away =
        s.peer_last_heard_seconds() < 0
            ? "away, not heard since this node started"
            : "away, last heard " + Seconds(s.peer_last_heard_seconds()) + " ago";
    return s.peer_error().empty() ? away : away + ": " + s.peer_error();
  }
  return s.peer_role() + ", epoch " + std::to_string(s.peer_epoch()) + ", connected";
}

std::string ServesLine(const proto::NodeStatus& s) {
  return std::string("reads ") + (s.serves_reads() ? "yes" : "no") + ", writes " +
         (s.serves_writes() ? "yes" : "no");
}

std::string TransitionsJson(const proto::NodeStatus& status) {
  JsonWriter list = JsonWriter::Array();
  for (const proto::Transition& t : status.transitions()) {
    list.AddRaw(JsonWriter::Object()
                    .Add("time_ns", std::int64_t{t.wall_ns()})
                    .Add("from", t.from())
                    .Add("to", t.to())
                    .Add("epoch", t.epoch())
                    .Add("failover", t.failover())
                    .Add("reason", t.reason())
                    .Add("actor", t.actor())
                    .Finish());
  }
  return list.Finish();
}

std::string HistoryJson(const proto::NodeStatus& status) {
  JsonWriter list = JsonWriter::Array();
  for (const proto::Period& p : status.history()) {
    list.AddRaw(JsonWriter::Object()
                    .Add("epoch", p.epoch())
                    .Add("first_seq", std::uint64_t{p.first_seq()})
                    .Finish());
  }
  return list.Finish();
}

void AddScrub(const proto::NodeStatus& s, JsonWriter* json) {
  JsonWriter unrepaired = JsonWriter::Array();
  for (const proto::DamageInfo& damage : s.unrepaired()) {
    unrepaired.AddRaw(DamageJson(damage));
  }
  json->Add("scrub_running", s.scrub_running())
      .Add("scrub_ended_ns", std::int64_t{s.scrub_ended_ns()})
      .Add("scrub_seconds", s.scrub_seconds())
      .Add("scrub_mailboxes", std::uint64_t{s.scrub_mailboxes()})
      .Add("scrub_bodies", std::uint64_t{s.scrub_bodies()})
      .Add("damage_found", std::uint64_t{s.damage_found()})
      .Add("damage_healed", std::uint64_t{s.damage_healed()})
      .Add("damage_unrepaired", std::uint64_t{s.damage_unrepaired()})
      .AddRaw("unrepaired", unrepaired.Finish());
}

std::string ScrubLine(const proto::NodeStatus& s) {
  std::string line = s.scrub_ended_ns() == 0 ? "no whole search for damage yet"
                                             : "last ended " + WallTime(s.scrub_ended_ns()) +
                                                   " after " + Seconds(s.scrub_seconds());
  if (s.scrub_running()) {
    line += ", one is under way: " + std::to_string(s.scrub_mailboxes()) + " mailboxes, " +
            std::to_string(s.scrub_bodies()) + " bodies read";
  }
  if (s.damage_found() > 0) {
    line += "; " + std::to_string(s.damage_found()) + " damaged since the start, " +
            std::to_string(s.damage_healed()) + " healed";
  }
  return line;
}

void AddReplication(const proto::NodeStatus& s, JsonWriter* json) {
  json->Add("last_seq", std::uint64_t{s.last_seq()})
      .Add("acked_seq", std::uint64_t{s.acked_seq()})
      .Add("lag_records", std::uint64_t{s.lag_records()})
      .Add("lag_bytes", std::uint64_t{s.lag_bytes()})
      .Add("lag_seconds", s.lag_seconds())
      .Add("free_bytes", std::uint64_t{s.free_bytes()})
      .Add("peer_free_bytes", std::uint64_t{s.peer_free_bytes()})
      .Add("disk_low", s.disk_low())
      .Add("peer_connected", s.peer_connected())
      .Add("peer_role", s.peer_role())
      .Add("peer_epoch", s.peer_epoch())
      .Add("peer_version", s.peer_version())
      .Add("peer_mode", s.peer_mode())
      .Add("peer_refused", s.peer_refused())
      .Add("peer_error", s.peer_error())
      .Add("peer_last_heard_seconds", s.peer_last_heard_seconds())
      .Add("outbox_entries", std::uint64_t{s.outbox_entries()})
      .Add("outbox_bytes", std::uint64_t{s.outbox_bytes()})
      .Add("salvage_records", std::uint64_t{s.salvage_records()})
      .Add("salvage_conflicts", std::uint64_t{s.salvage_conflicts()})
      .Add("digest_mismatches", std::uint64_t{s.digest_mismatches()})
      .Add("catch_up_units", std::uint64_t{s.catch_up_units()})
      .Add("peer_last_seq", std::uint64_t{s.peer_last_seq()})
      .Add("last_ack_seconds", s.last_ack_seconds())
      .Add("waits_over", std::uint64_t{s.waits_over()})
      .Add("certificate_expires_ns", std::int64_t{s.certificate_expires_ns()})
      .Add("peer_certificate_expires_ns", std::int64_t{s.peer_certificate_expires_ns()});
}

}  // namespace

std::string HumanBytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 6) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string DamageJson(const proto::DamageInfo& d) {
  return JsonWriter::Object()
      .Add("node", d.peer() ? "peer" : "here")
      .Add("kind", d.kind())
      .Add("user", d.user())
      .Add("user_id", d.user_id())
      .Add("mailbox", d.mailbox())
      .Add("mailbox_id", d.mailbox_id())
      .Add("uid", d.uid())
      .Add("what", d.what())
      .Add("healed", d.healed())
      .Add("outcome", d.outcome())
      .Finish();
}

std::string DamageText(const proto::DamageInfo& d) {
  std::string text = d.peer() ? "on the peer: " : "here: ";
  text += d.kind();
  if (!d.user_id().empty()) {
    text += ", user " + (d.user().empty() ? d.user_id() : d.user());
  }
  if (!d.mailbox_id().empty()) {
    text += ", mailbox " + (d.mailbox().empty() ? d.mailbox_id() : d.mailbox());
  }
  if (d.uid() > 0) {
    text += ", message " + std::to_string(d.uid());
  }
  return text + ": " + d.what() + " -- " + (d.healed() ? "healed: " : "NOT HEALED: ") + d.outcome();
}

std::string StatusJson(const proto::NodeStatus& s) {
  JsonWriter json = JsonWriter::Object();
  json.Add("schema", 1)
      .Add("node_name", s.node_name())
      .Add("version", s.version())
      .Add("pair_id", s.pair_id())
      .Add("node_id", s.node_id())
      .Add("node_index", s.node_index())
      .Add("role", s.role())
      .Add("role_detail", s.role_detail())
      .Add("mode", s.mode())
      .Add("epoch", s.epoch())
      .Add("incarnation", std::uint64_t{s.incarnation()})
      .Add("eligible", s.eligible())
      .Add("complete", s.complete())
      .Add("serves_reads", s.serves_reads())
      .Add("serves_writes", s.serves_writes())
      .Add("grant", s.grant())
      .Add("grant_usable", s.grant_usable())
      .Add("resigned", s.resigned())
      .Add("holds_resignation", s.holds_resignation())
      .Add("held_down", s.held_down())
      .Add("rewinding", s.rewinding())
      .Add("incomplete", s.incomplete());
  AddReplication(s, &json);
  AddScrub(s, &json);
  json.Add("loss_if_promoted", s.loss_if_promoted())
      .Add("advice", s.advice())
      .Add("warning", s.warning())
      .AddRaw("history", HistoryJson(s))
      .AddRaw("transitions", TransitionsJson(s));
  return json.Finish();
}

std::string StatusText(const proto::NodeStatus& s) {
  std::string text;
  Line(&text, "node",
       s.node_name() + " (index " + std::to_string(s.node_index()) + ", version " + s.version() +
           ")");
  Line(&text, "role", RoleLine(s));
  Line(&text, "serves", ServesLine(s));
  Line(&text, "mode",
       s.mode() + (s.grant().empty()
                       ? ""
                       : ", grant: " + s.grant() + (s.grant_usable() ? "" : " (dormant)")));
  Line(&text, "peer", PeerLine(s));
  const bool leads = s.role() == "primary" && s.mode() != "single";
  Line(&text, "log",
       "at " + std::to_string(s.last_seq()) +
           (leads ? ", acked " + std::to_string(s.acked_seq()) : ""));
  if (leads || (s.role() != "primary" && s.peer_last_seq() > 0)) {
    Line(&text, "lag",
         std::to_string(s.lag_records()) + " records, " + HumanBytes(s.lag_bytes()) + ", " +
             Seconds(s.lag_seconds()) +
             (leads ? ""
                    : " (as the peer last told, at " + std::to_string(s.peer_last_seq()) + ")"));
  }
  if (s.catch_up_units() > 0) {
    Line(&text, "catch-up", std::to_string(s.catch_up_units()) + " units sent");
  }
  Line(&text, "disk",
       HumanBytes(s.free_bytes()) + " free" +
           (s.peer_free_bytes() > 0 ? ", peer " + HumanBytes(s.peer_free_bytes()) : "") +
           (s.disk_low() ? " — LOW: new mail is refused" : ""));
  if (s.salvage_records() + s.salvage_conflicts() > 0) {
    Line(&text, "salvage",
         std::to_string(s.salvage_records()) + " records wait to be given back, " +
             std::to_string(s.salvage_conflicts()) +
             " could not be as they were: twinspoolctl salvage list");
  }
  Line(&text, "scrub", ScrubLine(s));
  for (const proto::DamageInfo& damage : s.unrepaired()) {
    Line(&text, "DAMAGED", DamageText(damage));
  }
  if (!s.transitions().empty()) {
    const proto::Transition& t = s.transitions(0);
    Line(&text, "last change",
         WallTime(t.wall_ns()) + " " + t.from() + " -> " + t.to() + ": " + t.reason() + " (" +
             t.actor() + ")");
  }
  if (!s.warning().empty()) {
    Line(&text, "WARNING", s.warning());
  }
  Line(&text, "if promoted", s.loss_if_promoted());
  if (!s.advice().empty()) {
    Line(&text, "do", s.advice());
  }
  return text;
}

}  // namespace twinspool::cli
