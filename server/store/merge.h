// Three-way merges of what two nodes did to one message after they had been the same (semantics
// R12). `base` is what both had, `other` what the one that gives way made of it, `now` what stands.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/mail_store.h"

namespace twinspool::store {

/// A flag that only the other side changed changes; one that this side changed stays, for that was
/// acknowledged. But the other side, whose changes nobody was told of, neither clears \Seen nor
/// sets \Deleted: what was read does not look new again, and nothing is lost by the next EXPUNGE.
SystemFlags MergedFlags(SystemFlags base, SystemFlags other, SystemFlags now);

/// Keywords alike, without regard to ASCII case. In the order of `now`, new ones at the end.
std::vector<std::string> MergedKeywords(const std::vector<std::string>& base,
                                        const std::vector<std::string>& other,
                                        const std::vector<std::string>& now);

}  // namespace twinspool::store
