// SummaryReader: record, index line and sort fields of many messages, batch by batch.
//
// Where a message's summary cannot be used, its header is read. Used by SORT and THREAD.
#pragma once

#include <functional>

#include "server/imap/core.h"
#include "server/mime/summary.h"

namespace twinspool::imap {

class SummaryReader {
 public:
  /// The summary is valid inside the call.
  using Each = std::function<void(const FetchedMessage&, const mime::SortSummaryView&)>;

  /// Both must outlive it. `task` is the one that it works for.
  SummaryReader(Task& task, Core& core, MailboxRef mailbox)
      : task_(task), core_(core), mailbox_(mailbox) {}

  /// Once. `each` gets the messages of `uids` in any order, without those that have gone meanwhile.
  /// Without `summaries` only index line and record are good. `done` follows: not OK when they
  /// could not be read, or one of them is damaged here.
  void Begin(UidSet uids, bool summaries, Each each, std::function<void(const Status&)> done);

 private:
  void Read();
  void OnBatch(const Result<FetchBatch>& batch);
  void Take(const FetchedMessage& message);

  Task& task_;
  Core& core_;
  MailboxRef mailbox_;
  Each each_;
  std::function<void(const Status&)> done_;
  UidSet rest_;
  UidSet by_header_;  // without a usable summary
  bool summaries_ = true;
  bool headers_ = false;
  Status failure_;
  std::uint64_t total_ = 0;
  std::uint64_t read_ = 0;
};

}  // namespace twinspool::imap
