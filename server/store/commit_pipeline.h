// CommitPipeline: one thread that makes queued transactions durable. It groups what waits (up to
// 4 MiB or 1,024 items; a bigger transaction goes alone), gives the group its commit seq, writes
// rows, bodies, outbox entry and the end of the log as one synced batch, takes a snapshot, and
// hands the frame on. Nothing unsynced ever leaves.
//
// A write that fails ends the process (common/failed_write.h) with nothing unwound.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/env.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/apply.h"
#include "server/store/changed_pages.h"
#include "server/store/commit_news.h"
#include "server/store/row_batch.h"
#include "server/store/visibility.h"

namespace twinspool::store {

class Engine;
class OutboxLog;

/// A transaction on its way to the disk: everything encoded already.
struct QueuedTxn {
  std::vector<std::string> changes;  // encoded proto::UserChanges
  std::string outbox_items;          // see ApplyResult
  RowBatch rows;
  /// Digests after, in the order of Frame.digests.
  std::vector<std::pair<TouchedDigest, DigestBytes>> digests;
  std::vector<PageChange> pages;
  CommitNews news;
  std::uint32_t items = 0;
  UserId user;

  std::size_t bytes() const;
};

class CommitPipeline {
 public:
  /// None is owned; all outlive the pipeline.
  CommitPipeline(Engine& engine, OutboxLog& log, HeadState& head, VisibilityControl& visibility,
                 Clock& clock);
  ~CommitPipeline();
  CommitPipeline(const CommitPipeline&) = delete;
  CommitPipeline& operator=(const CommitPipeline&) = delete;

  /// Tests that cut the power: called instead of ending the process; afterwards nothing more is
  /// written, and nothing queued is ever durable. Before Start.
  void SetFailureHandler(std::function<void(const Status&)> handler);
  void Start();
  /// Writes what is queued, then ends the thread.
  void Stop();
  /// Null: nobody. Only while nothing is queued.
  void SetListener(replica::CommitListener* listener);

  /// A new time: entries go on after the end of the log, under the epoch and incarnation of
  /// `state`; with keep_outbox false they are only numbered. Only while nothing is queued. Answers
  /// that end.
  CommitSeq Restart(const replica::ServingState& state);

  /// Any thread, with the transaction's stripe locked: the order of calls is the order of tickets.
  Ticket Enqueue(QueuedTxn txn);
  Ticket last_ticket();
  /// Returns once everything queued has been written. Not on the commit thread.
  void Drain();
  /// Nothing is queued or being written.
  bool idle();
  /// Runs `fn` on the commit thread between two groups, with the end of the log.
  void AtBarrier(std::function<void(EntryId)> fn);

 private:
  struct Waiting {
    Ticket ticket;
    QueuedTxn txn;
  };

  void Loop();
  std::vector<Waiting> TakeGroupLocked();
  void Commit(std::vector<Waiting> group);
  /// Adds the group's entry (or number) to its rows; answers the frame, if one is wanted.
  std::shared_ptr<const std::string> AddToLog(const std::vector<Waiting>& group, RowBatch* rows);

  Engine& engine_;
  OutboxLog& log_;
  HeadState& head_;
  VisibilityControl& visibility_;
  Clock& clock_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Waiting> queue_;
  std::vector<std::function<void(EntryId)>> barriers_;
  std::uint64_t next_ticket_ = 1;
  bool busy_ = false;
  bool stop_ = false;
  std::function<void(const Status&)> on_failure_;
  EntryId last_;  // identity of the newest group; epoch and incarnation are those of the next, too
  bool keep_outbox_ = false;
  replica::CommitListener* listener_ = nullptr;
  bool failed_ = false;  // commit thread only; see SetFailureHandler
  std::thread thread_;
};

}  // namespace twinspool::store
