// Status of a node as the wire and Prometheus show it, made from the pair's own picture. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/admin.pb.h"

#include "common/metrics.h"
#include "replica/control_file.h"
#include "replica/pair_status.h"

namespace twinspool::node {

/// Fills everything the pair knows; names and users are the caller's.
void FillStatus(const replica::PairStatus& pair, const replica::NodeIdentity& identity,
                proto::NodeStatus* out);

/// With ids in place of names; `peer`: found on the other node.
proto::DamageInfo ToInfo(const proto::Damage& damage, bool peer);

/// What the control file remembers, oldest first; shown newest first.
void FillTransitions(const std::vector<replica::ControlTransition>& oldest_first,
                     proto::NodeStatus* out);

/// What is wrong though the pair works, in sentences; empty: nothing.
std::string WarningFor(const proto::NodeStatus& status, std::int64_t now_ns);

/// Sets the gauges that operators' rules watch (deploy/prometheus).
void SetGauges(const proto::NodeStatus& status, std::uint64_t outbox_limit, Metrics* metrics);

}  // namespace twinspool::node
