// Looks for damage inside RocksDB's write-ahead logs before they are replayed.
//
// A log may end anywhere: what the power cut off was never promised. RocksDB therefore takes the
// first record that fails its checksum for the end, and damage in the middle would silently shorten
// the history by everything behind it. Here it is told apart: behind a torn end there is nothing,
// behind damage there are whole records. (A damaged last record can't be told from a torn one.)
#pragma once

#include <string>

#include <rocksdb/env.h>

#include "common/status.h"

namespace twinspool::store {

/// kDataLoss names the file and the place; kIo: a log can't be read. Reads all logs once.
Status CheckLogs(rocksdb::Env* env, const std::string& directory);

}  // namespace twinspool::store
