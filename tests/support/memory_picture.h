// What a primary sends from while a standby catches up: a copy of a MemoryStore at one position.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "replica/ports.h"
#include "tests/support/memory_rows.h"

namespace twinspool::test {

/// `touched`: per entry above `low`, the rows it changed (keys alone count).
std::unique_ptr<replica::Picture> MakePicture(MemoryUsers users, EntryId position,
                                              std::map<std::uint64_t, MemoryUsers> touched,
                                              CommitSeq low);

}  // namespace twinspool::test
