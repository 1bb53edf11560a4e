// What a node of a pair can tell about itself, as plain values: for status, metrics and scripts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/replication.pb.h"

#include "common/types.h"
#include "replica/core/history.h"
#include "replica/core/role.h"

namespace twinspool::replica {

/// What is known of the peer.
struct PeerFacts {
  bool connected = false;
  std::string role;  // as it last said; "" when unknown
  Epoch epoch;
  std::string version;
  std::string mode;  // as it last said; "" when unknown
  /// Why the two do not talk, said by either; empty: they do.
  std::string refused;
  /// Why there is no connection; empty while there is one.
  std::string error;
  /// Seconds since anything was heard; negative: never.
  double last_heard_seconds = -1;
  std::uint64_t free_bytes = 0;
  CommitSeq last_seq;           // end of its log, as it last said
  std::uint64_t lag_bytes = 0;  // a primary's view of us
  double lag_seconds = 0;
  std::int64_t certificate_expires_ns = 0;  // 0: unknown
};

/// The search for damage, as far as it is known here.
struct ScrubStatus {
  bool running = false;
  bool asked = false;           // an operator asked for it, on both nodes
  std::int64_t ended_ns = 0;    // wall clock, of the last whole pass; 0: none yet
  double seconds = 0;           // that it took
  std::uint64_t mailboxes = 0;  // read by it, or so far by the one under way
  std::uint64_t bodies = 0;
  std::uint64_t found = 0;  // since the start of the process
  std::uint64_t healed = 0;
  std::uint64_t unrepaired = 0;                 // now
  std::vector<proto::Damage> unrepaired_first;  // some of them, as of the last pass
};

/// A consistent picture of the pair as this node sees it.
struct PairStatus {
  core::RoleState state;
  core::Serving serving;
  std::string role;         // "fenced", "catching-up", "standby", "primary"
  std::string role_detail;  // of a primary: "replicated", "blocked", "solo", "single", "async"
  std::string mode;
  std::string grant;
  std::string advice;
  std::string loss_if_promoted;
  CommitSeq acked;  // on a primary: what the peer has durably
  /// Of the standby: on a primary as it sees it, on the standby as the primary last told.
  std::uint64_t lag_records = 0;
  std::uint64_t lag_bytes = 0;
  double lag_seconds = 0;
  PeerFacts peer;
  std::uint64_t outbox_entries = 0;
  std::uint64_t outbox_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t salvage_pending = 0;    // steps that wait to be given back
  std::uint64_t salvage_conflicts = 0;  // things that could not be given back as they were
  std::uint64_t digest_mismatches = 0;
  std::uint64_t catch_up_units = 0;  // sent in the catch-up under way
  std::uint64_t waits_over = 0;      // async: answers after sync_wait_ms without the standby
  bool settled = false;              // see Conversation::Settled
  ScrubStatus scrub;
  double last_ack_seconds = -1;  // since the standby last acknowledged; negative: never
  core::EpochHistory history;
};

/// How an order ended.
struct OrderResult {
  core::Outcome code = core::Outcome::kInternal;
  std::string text;
  std::string next;  // the command to type next, or empty
  Epoch epoch;
  core::Role role = core::Role::kFenced;
};

}  // namespace twinspool::replica
