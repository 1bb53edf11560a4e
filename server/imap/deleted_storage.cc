#include "server/imap/deleted_storage.h"

#include <memory>
#include <utility>

#include "common/limits.h"

namespace twinspool::imap {
namespace {

class Counter : public std::enable_shared_from_this<Counter> {
 public:
  Counter(Task& task, Core& core, MailboxRef mailbox,
          std::function<void(Result<std::uint64_t>)> done)
      : task_(task), core_(core), mailbox_(mailbox), done_(std::move(done)) {}

  void ReadIndex(Uid from) {
    IndexQuery query;
    query.from = from;
    query.limit = limits::kIndexSliceEntries;
    core_.store().ReadIndex(
        mailbox_, std::move(query),
        task_.Then<IndexBatch>([self = shared_from_this()](const Result<IndexBatch>& batch) {
          self->OnIndex(batch);
        }));
  }

 private:
  void OnIndex(const Result<IndexBatch>& batch) {
    if (!batch.ok()) {
      return done_(batch.status());
    }
    for (const IndexEntry& entry : batch->entries) {
      if ((entry.flags & kDeleted) != 0) {
        deleted_.Add(entry.uid);
      }
    }
    if (batch->next) {
      return ReadIndex(*batch->next);
    }
    ReadRecords(std::move(deleted_));
  }

  void ReadRecords(UidSet uids) {
    if (uids.empty()) {
      return done_(bytes_);
    }
    FetchRequest request;
    request.uids = std::move(uids);
    request.parts = kFetchRecord;
    core_.store().Fetch(
        mailbox_, std::move(request),
        task_.Then<FetchBatch>([self = shared_from_this()](Result<FetchBatch> batch) {
          if (!batch.ok()) {
            return self->done_(batch.status());
          }
          for (const FetchedMessage& message : batch->messages) {
            self->bytes_ += message.record.size;
          }
          self->ReadRecords(std::move(batch->rest));
        }));
  }

  Task& task_;
  Core& core_;
  const MailboxRef mailbox_;
  const std::function<void(Result<std::uint64_t>)> done_;
  UidSet deleted_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

void CountDeletedBytes(Task& task, Core& core, const MailboxState& state,
                       std::function<void(Result<std::uint64_t>)> done) {
  if (state.deleted == 0) {
    return done(std::uint64_t{0});
  }
  std::make_shared<Counter>(task, core, state.ref, std::move(done))->ReadIndex(Uid(1));
}

}  // namespace twinspool::imap
