#include "server/store/change_log.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/codec.h"
#include "server/store/engine.h"

namespace twinspool::store {
namespace {

// Field tags of proto::OutboxEntry, written by hand so that items are appended as they stand.
constexpr std::uint64_t kTagEpoch = 1 << 3 | 0;
constexpr std::uint64_t kTagIncarnation = 2 << 3 | 0;
constexpr std::uint64_t kTagWall = 3 << 3 | 0;
constexpr std::uint64_t kTagFrameBytes = 5 << 3 | 0;
constexpr char kTagCrc = 6 << 3 | 5;
constexpr std::size_t kCrcFieldBytes = 5;

void PutField(std::string* out, std::uint64_t tag, std::uint64_t value) {
  if (value != 0) {
    PutVarint(out, tag);
    PutVarint(out, value);
  }
}

Result<EntryId> ReadEnd(Engine& engine, std::string_view key) {
  ASSIGN_OR_RETURN(const std::optional<std::string> row, engine.Get(Family::kMeta, key));
  if (!row) {
    return EntryId{};
  }
  const std::optional<EntryId> id = UnpackEntryId(*row);
  if (!id) {
    return DataLoss("the store's log position \"" + std::string(key) +
                    "\" does not parse; restore this node from a backup or fill it from its peer");
  }
  return *id;
}

KeyRange Entries(CommitSeq above, CommitSeq upto) {
  return {OutboxKey(above.Next()), OutboxKey(upto.Next())};
}

}  // namespace

std::string EncodeOutboxEntry(const EntryFacts& facts, std::string_view items) {
  std::string entry(kCrcFieldBytes, kTagCrc);
  entry.reserve(items.size() + 40);
  PutField(&entry, kTagEpoch, facts.id.epoch.value());
  PutField(&entry, kTagIncarnation, facts.id.incarnation.value());
  PutField(&entry, kTagWall, static_cast<std::uint64_t>(facts.wall_ns));
  entry += items;
  PutField(&entry, kTagFrameBytes, facts.frame_bytes);
  std::uint32_t crc = Crc32c(std::string_view(entry).substr(kCrcFieldBytes));
  for (std::size_t octet = 1; octet < kCrcFieldBytes; ++octet, crc >>= 8) {
    entry[octet] = static_cast<char>(crc & 0xff);
  }
  return entry;
}

Result<proto::OutboxEntry> ParseOutboxEntry(CommitSeq seq, std::string_view row) {
  proto::OutboxEntry entry;
  const bool parsed = entry.ParseFromArray(row.data(), static_cast<int>(row.size()));
  const bool summed = parsed && row.starts_with(kTagCrc);
  const bool right = !summed || entry.crc() == Crc32c(row.substr(kCrcFieldBytes));
  return parsed && right
             ? Result<proto::OutboxEntry>(std::move(entry))
             : DataLoss("entry " + std::to_string(seq.value()) + " of the log is damaged");
}

Result<std::unique_ptr<OutboxLog>> OutboxLog::Open(Engine& engine) {
  std::unique_ptr<OutboxLog> log(new OutboxLog(engine));
  ASSIGN_OR_RETURN(log->last_, ReadEnd(engine, kMetaLast));
  ASSIGN_OR_RETURN(const EntryId low, ReadEnd(engine, kMetaLow));
  if (low.seq > log->last_.seq) {
    return DataLoss(
        "the store's log starts after its end; restore this node from a backup or fill "
        "it from its peer");
  }
  // Numbers without entries may have been given since "low" was written: entries start where the
  // first row is.
  RowIterator first = engine.Iterate(Family::kOutbox, Entries(low.seq, log->last_.seq));
  first.SeekToFirst();
  TRY(first.status());
  const std::optional<CommitSeq> seq =
      first.Valid() ? SeqOfOutboxKey(first.key()) : std::optional(log->last_.seq.Next());
  log->low_ = CommitSeq(seq ? seq->value() - 1 : low.seq.value());
  log->bytes_ = engine.ApproximateBytes(Family::kOutbox, Entries(log->low_, log->last_.seq));
  return log;
}

void OutboxLog::SetBarrier(Barrier barrier) {
  barrier_ = std::move(barrier);
}

void OutboxLog::AddEntry(const EntryFacts& facts, std::string_view items, RowBatch* batch) {
  batch->Put(Family::kOutbox, OutboxKey(facts.id.seq), EncodeOutboxEntry(facts, items));
  batch->Put(Family::kMeta, std::string(kMetaLast), PackEntryId(facts.id));
}

void OutboxLog::AddNumber(const EntryId& id, RowBatch* batch) {
  batch->Put(Family::kMeta, std::string(kMetaLast), PackEntryId(id));
  batch->Put(Family::kMeta, std::string(kMetaLow), PackEntryId(id));
}

void OutboxLog::SetDurable(const EntryId& last, std::uint64_t added_bytes,
                           std::optional<CommitSeq> low) {
  const std::lock_guard lock(mutex_);
  TWINSPOOL_CHECK(last.seq >= last_.seq, "the log went back");
  last_ = last;
  bytes_ += added_bytes;
  if (low && *low > low_) {
    low_ = *low;
  }
}

Result<std::optional<CommitSeq>> OutboxLog::AddTrim(CommitSeq upto, RowBatch* batch) {
  const CommitSeq low = low_water();
  const EntryId end = last();
  const CommitSeq target = std::min(upto, end.seq);
  if (target <= low) {
    return std::optional<CommitSeq>();
  }
  ASSIGN_OR_RETURN(const EntryId newest_dropped, Identify(target));
  batch->Put(Family::kMeta, std::string(kMetaLow), PackEntryId(newest_dropped));
  batch->DeleteRange(Family::kOutbox, OutboxKey(low.Next()), OutboxKey(target.Next()));
  return std::optional(target);
}

void OutboxLog::AddRestart(const EntryId& last, RowBatch* batch) {
  const CommitSeq low = low_water();
  const CommitSeq end = this->last().seq;
  if (end > low) {
    batch->DeleteRange(Family::kOutbox, OutboxKey(low.Next()), OutboxKey(end.Next()));
  }
  AddNumber(last, batch);
}

void OutboxLog::AddStepBack(const EntryId& before, RowBatch* batch) {
  batch->Delete(Family::kOutbox, OutboxKey(before.seq.Next()));
  batch->Put(Family::kMeta, std::string(kMetaLast), PackEntryId(before));
}

void OutboxLog::SetEnds(const EntryId& last, CommitSeq low) {
  const std::lock_guard lock(mutex_);
  last_ = last;
  low_ = low;
  if (last.seq == low) {
    bytes_ = 0;
  }
}

EntryId OutboxLog::last() {
  const std::lock_guard lock(mutex_);
  return last_;
}

CommitSeq OutboxLog::low_water() {
  const std::lock_guard lock(mutex_);
  return low_;
}

Result<EntryId> OutboxLog::Identify(CommitSeq seq) {
  const EntryId end = last();
  const CommitSeq low = low_water();
  if (seq == end.seq) {
    return end;
  }
  if (seq == low) {
    ASSIGN_OR_RETURN(const EntryId id, ReadEnd(engine_, kMetaLow));
    if (id.seq == seq) {
      return id;
    }
  }
  ASSIGN_OR_RETURN(const proto::OutboxEntry entry, Read(seq));
  return EntryId{Epoch(entry.epoch()), Incarnation(entry.incarnation()), seq};
}

Result<proto::OutboxEntry> OutboxLog::Read(CommitSeq seq) {
  if (seq <= low_water() || seq > last().seq) {
    return NotFound("the log holds no entry " + std::to_string(seq.value()));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> row,
                   engine_.Get(Family::kOutbox, OutboxKey(seq)));
  if (!row) {
    // A trim may have run between the check above and the read.
    return seq <= low_water()
               ? NotFound("the log no longer holds entry " + std::to_string(seq.value()))
               : DataLoss("entry " + std::to_string(seq.value()) + " of the log is missing");
  }
  return ParseOutboxEntry(seq, *row);
}

Status OutboxLog::ForgetDamaged(CommitSeq seq) {
  // What is forgotten last is to be remembered by its identity, so that must be readable; the end
  // is known anyway.
  const CommitSeq end = last().seq;
  CommitSeq upto = std::min(seq.Next(), end);
  while (upto < end && !Identify(upto).ok()) {
    upto = upto.Next();
  }
  Trim(upto);
  return low_water() >= seq ? OkStatus() : Unavailable("the log could not be shortened");
}

void OutboxLog::Trim(CommitSeq upto) {
  const std::lock_guard one_at_a_time(trim_mutex_);
  RowBatch batch;
  const std::uint64_t before = entries();
  const Result<std::optional<CommitSeq>> low = AddTrim(upto, &batch);
  if (!low.ok() || !*low) {
    return;  // Trimming is housekeeping: what can't be trimmed now is trimmed later.
  }
  // Not synced: a trim that a power cut takes back is done again.
  if (!engine_.Write(batch, WriteMode::kNoSync).ok()) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const std::uint64_t dropped = (*low)->value() - low_.value();
  bytes_ -= before == 0 ? 0 : std::min(bytes_, bytes_ / before * dropped);
  low_ = **low;
}

std::uint64_t OutboxLog::entries() {
  const std::lock_guard lock(mutex_);
  return last_.seq.value() - low_.value();
}

std::uint64_t OutboxLog::bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void OutboxLog::AtBarrier(std::function<void(EntryId)> fn) {
  if (barrier_) {
    barrier_(std::move(fn));
  } else {
    fn(last());
  }
}

}  // namespace twinspool::store
