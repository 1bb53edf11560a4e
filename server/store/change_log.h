// The change log on disk: how entries and the log's two ends are written, and replica::ChangeLog
// over it.
//
// The log is the outbox family (one row per commit group) and two rows of meta: "last", the newest
// number given, and "low", the newest entry that is no longer (or was never) kept. They change in
// the same batch as the data, so log and data are never torn. Numbers are contiguous; entries are
// kept for exactly (low, last].
//
// Writers: the commit thread of a primary, the sink of a standby; never both at a time. They call
// AddEntry or AddNumber into the batch they are about to write, and SetDurable once it is on disk.
// Everything else may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/row_batch.h"

namespace twinspool::store {

class Engine;

/// What an OutboxEntry holds beside its items.
struct EntryFacts {
  EntryId id;
  std::int64_t wall_ns = 0;       // Frame.wall_ns
  std::uint64_t frame_bytes = 0;  // size of the encoded Frame
};

/// The canonical octets of an entry; `items` as ApplyResult::outbox_items, one after the other.
/// Both nodes make entries here, so that their rows are equal.
std::string EncodeOutboxEntry(const EntryFacts& facts, std::string_view items);

/// kDataLoss: it does not parse, or not to its checksum. Entries of earlier builds have none.
Result<proto::OutboxEntry> ParseOutboxEntry(CommitSeq seq, std::string_view row);

class OutboxLog final : public replica::ChangeLog {
 public:
  /// Runs a function on the commit thread between two groups.
  using Barrier = std::function<void(std::function<void(EntryId)>)>;

  /// kDataLoss when the log's ends in the store make no sense.
  static Result<std::unique_ptr<OutboxLog>> Open(Engine& engine);

  /// Set before AtBarrier is first called; the default runs the function at once, in place.
  void SetBarrier(Barrier barrier);

  // --- writers
  /// The entry at facts.id, which follows the one before; `items` as ApplyResult::outbox_items.
  void AddEntry(const EntryFacts& facts, std::string_view items, RowBatch* batch);
  /// A number without an entry (`single`): nothing up to it can be read any more.
  void AddNumber(const EntryId& id, RowBatch* batch);
  /// The batch with everything up to `last` is on disk. `low` when it moved that, too.
  void SetDurable(const EntryId& last, std::uint64_t added_bytes,
                  std::optional<CommitSeq> low = std::nullopt);
  /// Rows that forget everything up to `upto`, at most up to last(). Answers the low-water key as
  /// it is once the batch is on disk, or nothing when there is nothing to forget.
  Result<std::optional<CommitSeq>> AddTrim(CommitSeq upto, RowBatch* batch);
  /// Rows that make `last` the end of a log with nothing below it.
  void AddRestart(const EntryId& last, RowBatch* batch);
  /// Rows that take the newest entry back; `before` becomes the end.
  void AddStepBack(const EntryId& before, RowBatch* batch);
  /// After AddRestart or AddStepBack became durable.
  void SetEnds(const EntryId& last, CommitSeq low);

  // --- replica::ChangeLog
  EntryId last() override;
  CommitSeq low_water() override;
  Result<EntryId> Identify(CommitSeq seq) override;
  void Trim(CommitSeq upto) override;
  std::uint64_t entries() override;
  std::uint64_t bytes() override;
  void AtBarrier(std::function<void(EntryId)> fn) override;

  /// Forgets the log up to a damaged entry, and a little more if need be. Nothing is lost by it: a
  /// peer that is further behind is compared user by user. While nothing else writes.
  Status ForgetDamaged(CommitSeq seq);

  /// The entry at `seq`; kNotFound outside (low, last], kDataLoss when it does not parse.
  Result<proto::OutboxEntry> Read(CommitSeq seq);

 private:
  explicit OutboxLog(Engine& engine) : engine_(engine) {}

  Engine& engine_;
  Barrier barrier_;
  std::mutex trim_mutex_;  // one trim at a time; before mutex_
  std::mutex mutex_;
  EntryId last_;
  CommitSeq low_;
  std::uint64_t bytes_ = 0;  // estimate
};

}  // namespace twinspool::store
