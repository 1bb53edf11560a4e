// The mutable part of a message as it travels (proto::EntryState) and as a page holds it.
#pragma once

#include <cstdint>

#include "proto/types.pb.h"

#include "common/types.h"
#include "server/store/page.h"

namespace twinspool::store {

proto::EntryState ToState(const PageEntry& entry);
PageEntry ToPageEntry(Uid uid, const proto::EntryState& state, std::uint64_t modseq);

}  // namespace twinspool::store
