// A node's status as people read it and as scripts parse it; used by twinspoolctl and /status.json.
#pragma once

#include <string>

#include "proto/admin.pb.h"

namespace twinspool::cli {

/// One JSON object; fields are only ever added (docs: schema 1).
std::string StatusJson(const proto::NodeStatus& status);
/// Some lines for a terminal, the command that helps last.
std::string StatusText(const proto::NodeStatus& status);

/// One line of damage as an object; fields as of StatusJson.
std::string DamageJson(const proto::DamageInfo& damage);
std::string DamageText(const proto::DamageInfo& damage);

/// Nanoseconds since 1970 as "2024-05-06 07:08:09Z".
std::string WallTime(std::int64_t ns);

/// 1536 -> "1.5 KiB".
std::string HumanBytes(std::uint64_t bytes);

}  // namespace twinspool::cli
