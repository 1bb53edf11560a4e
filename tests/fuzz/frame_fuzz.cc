// Arbitrary octets as frames, catch-up units, outbox entries, index pages and their operands: read,
// refused or applied, never a crash. The store behind them lives in a directory of its own and is
// kept between inputs, so that later inputs meet what earlier ones left.
#include <cstdint>
#include <memory>
#include <string>

#include "proto/replication.pb.h"

#include "common/env.h"
#include "server/store/change_log.h"
#include "server/store/change_sink.h"
#include "server/store/engine.h"
#include "server/store/head.h"
#include "server/store/page.h"
#include "server/store/rows.h"
#include "tests/support/temp_dir.h"

namespace twinspool::store {
namespace {

/// A standby's store.
struct Standby {
  testing::TempDir dir;
  ManualClock clock;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<HeadState> head;
  std::unique_ptr<OutboxLog> log;
  std::unique_ptr<StoreSink> sink;

  Standby() {
    EngineOptions options;
    options.block_cache_bytes = 4u << 20;
    options.write_buffer_bytes = 8u << 20;
    engine = *Engine::Open(dir / "store", options);
    head = std::make_unique<HeadState>(*engine);
    log = *OutboxLog::Open(*engine);
    sink = std::make_unique<StoreSink>(*engine, *head, *log, clock);
  }
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;
  ~Standby() {
    sink.reset();
    log.reset();
    head.reset();
    engine.reset();
  }
};

Standby& TheStandby() {
  static Standby standby;
  return standby;
}

void TryFrame(const std::string& octets) {
  proto::Frame frame;
  if (!frame.ParseFromString(octets)) {
    return;
  }
  // Else nearly every input would fail on its number or digests.
  frame.set_seq(TheStandby().sink->last().seq.value() + 1);
  const auto outcome = TheStandby().sink->Apply({frame});
  if (outcome.ok() && !outcome.value().mismatch) {
    (void)TheStandby().sink->ReadForSalvage();
    (void)TheStandby().sink->UndoLast();
    (void)TheStandby().sink->FinishRewind();
  }
}

void TryUnit(const std::string& octets) {
  proto::CatchUpUnit unit;
  if (unit.ParseFromString(octets)) {
    (void)TheStandby().sink->ApplyUnit(unit);
    (void)TheStandby().sink->BodiesOf(UserId::FromBytes(unit.user_id()));
  }
}

void TryPage(const std::string& octets) {
  PageScanner scanner(octets);
  EntryView entry;
  while (scanner.Next(&entry)) {
  }
  const Result<Page> page = Page::Decode(octets);
  if (page.ok() &&
      Page::Decode(page.value().Encode()).value().entries() != page.value().entries()) {
    __builtin_trap();
  }
  (void)MergePage(octets, {octets});
  (void)MergeOperands(octets, octets);
}

void TryRows(const std::string& octets) {
  (void)DecodeUserState(octets);
  (void)DecodeMailboxRow(octets);
  (void)DecodeVersioned(octets);
  (void)DecodePoolEntry(octets);
  (void)DecodeLooseBody(octets);
  (void)DecodeTokenRow(octets);
  (void)DecodeMiscRow(octets);
  (void)UnpackEntryId(octets);
}

}  // namespace
}  // namespace twinspool::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      twinspool::store::TryFrame(octets);
      break;
    case 1:
      twinspool::store::TryUnit(octets);
      break;
    case 2:
      twinspool::store::TryPage(octets);
      break;
    default:
      twinspool::store::TryRows(octets);
  }
  return 0;
}
