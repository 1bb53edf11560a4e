// Bodies on their way in. Up to 64 KiB stay in memory and ride in the transaction that stores the
// message; a longer one goes to the store in chunks, each a commit group of its own, invisible
// and marked loose until a message refers to it. An abandoned stage leaves a loose body that the
// collection job frees.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/executor.h"
#include "common/status.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// A body that arrived whole.
struct StagedBody {
  Guid guid;
  std::uint64_t size = 0;
  /// The number that chunks are stored under; 0: none were.
  BodyNo body;
  std::uint32_t chunks = 0;
  /// The octets after these chunks: the whole of a small body, the end of a large one. Kept until a
  /// record refers to the body, whether they were staged or not.
  std::string rest;
};

class LocalStage final : public BodyStage {
 public:
  /// Chunks are written on `pool`. `bytes_max`: kLimit beyond. Neither is owned.
  LocalStage(const WritePath& path, Executor& pool, UserId owner, std::uint64_t bytes_max);
  LocalStage(const LocalStage&) = delete;
  LocalStage& operator=(const LocalStage&) = delete;
  ~LocalStage() override;

  void Write(std::string octets, Done<Unit> done) override;
  std::uint64_t size() const override;

  /// The body, once the last Write has completed. Fails when a Write failed. Call once.
  Result<StagedBody> Finish();
  UserId owner() const;

 private:
  struct State;  // outlives the stage while a chunk is under way
  static void Flush(const std::shared_ptr<State>& state, const Done<Unit>& done);
  static void WriteChunk(const std::shared_ptr<State>& state, const Done<Unit>& done);
  static Status StartChunk(const std::shared_ptr<State>& state, const Done<Unit>& done);

  std::shared_ptr<State> state_;
};

/// Stores the whole of `body` as a commit group of its own, unless the pool has it, so that a
/// transaction with many bodies only refers to it. Nothing holds it there: until a record refers to
/// it, it may be collected like any loose body, and whoever refers to it must look again.
Status StageWhole(const WritePath& path, UserId owner, StagedBody* body);

/// kUnavailable when chunks that the body begins with are not stored any more (abandoned for too
/// long and collected, or undone): a body must never be finished on top of a hole.
Status CheckStaged(StoreTxn& txn, UserId owner, const StagedBody& body);

}  // namespace twinspool::store
