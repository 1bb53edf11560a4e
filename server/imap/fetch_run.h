// FetchRun: the FETCH responses of many messages of the selected mailbox, batch by batch.
//
// Between any two batches, and within large messages, the client's pace is heeded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "server/imap/core.h"
#include "server/imap/fetch_message.h"
#include "server/imap/fetch_plan.h"

namespace twinspool::imap {

class FetchRun {
 public:
  /// All must outlive it. `task` is the one that it works for.
  FetchRun(Task& task, Core& core, const std::vector<FetchItem>& items, const FetchPlan& plan)
      : task_(task), core_(core), items_(items), plan_(plan) {}

  /// Once. Messages that the view does not know (any more) are left out. `done`: all is written, or
  /// why it could not be read.
  void Begin(UidSet uids, std::function<void(const Status&)> done);
  /// To be called from Task::OnDrained.
  void OnDrained();

  /// Messages met, damaged ones included.
  std::uint64_t answered() const { return answered_; }
  /// Of them, those without \Seen; when the plan sets it.
  const UidSet& unseen() const { return unseen_; }
  /// Not OK: a message that is damaged here was left out.
  const Status& failure() const { return failure_; }
  /// See FetchMessage.
  bool unknown_encoding() const { return message_ && message_->unknown_encoding(); }

 private:
  void Read();
  void OnBatch(Result<FetchBatch> batch);
  void NextMessage();
  void Provide(FetchMessage::Wanted wanted);
  void ReadOctets(FetchMessage::Wanted wanted);
  void GoOn();
  /// Goes on now, or when the client has taken what it was given.
  void WhenDrained(std::function<void()> next);

  Task& task_;
  Core& core_;
  const std::vector<FetchItem>& items_;
  const FetchPlan& plan_;
  std::function<void(const Status&)> done_;
  UidSet rest_;
  FetchBatch batch_;
  std::size_t at_ = 0;
  std::optional<FetchMessage> message_;
  LoadBudget::PlacePtr place_;
  std::uint64_t answered_ = 0;
  UidSet unseen_;
  Status failure_;
  std::function<void()> resume_;
};

}  // namespace twinspool::imap
