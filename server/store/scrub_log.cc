// The change log's part of a pass. An entry that is damaged is forgotten together with all before
// it: what both nodes have durably nobody asks the log for, and a node that is behind is compared.
#include "common/limits.h"
#include "common/uid_set.h"
#include "server/store/change_log.h"
#include "server/store/damage.h"
#include "server/store/scrub_steps.h"

namespace twinspool::store {
namespace {

Status CheckItem(const proto::OutboxItem& item) {
  const bool ids = item.user_id().size() == UserId::kSize &&
                   (item.mailbox_id().empty() || item.mailbox_id().size() == MailboxId::kSize);
  if (!ids) {
    return DataLoss("an item names something by a malformed id");
  }
  if (!item.uids().empty()) {
    TRY(UidSet::Decode(item.uids()).status());
  }
  for (const proto::PreviousEntry& line : item.previous_entries()) {
    TRY(UidSet::Decode(line.uids()).status());
  }
  return OkStatus();
}

class LogWalk {
 public:
  explicit LogWalk(const ScrubParts& parts) : parts_(parts), log_(parts.log) {}

  Status Run() {
    CommitSeq next = log_.low_water().Next();
    const CommitSeq end = log_.last().seq;
    for (std::uint64_t read = 0; next <= end; next = next.Next()) {
      const Status checked = Check(next);
      if (checked.Is(Code::kNotFound)) {
        next = std::max(next, log_.low_water());  // trimmed meanwhile
      } else if (IsDamage(checked)) {
        Forget(next, checked);
        next = std::max(next, log_.low_water());
      } else if (!checked.ok()) {
        return checked;
      }
      if (++read % limits::kScrubRowsPerRead == 0 || next >= end) {
        TRY(TellRead(parts_.host, std::exchange(bytes_, 0)));
      }
    }
    return OkStatus();
  }

 private:
  Status Check(CommitSeq seq) {
    ASSIGN_OR_RETURN(const proto::OutboxEntry entry, log_.Read(seq));
    bytes_ += entry.ByteSizeLong();
    const EntryId id{Epoch(entry.epoch()), Incarnation(entry.incarnation()), seq};
    const EntryId last = log_.last();
    if (id.epoch < before_.epoch || id.epoch > last.epoch || (seq == last.seq && id != last)) {
      return DataLoss("it does not follow the one before");
    }
    for (const proto::OutboxItem& item : entry.items()) {
      TRY(CheckItem(item));
    }
    before_ = id;
    return OkStatus();
  }

  void Forget(CommitSeq seq, const Status& why) {
    const Status forgotten =
        WriteAlone(parts_.path, parts_.host, [this, seq] { return log_.ForgetDamaged(seq); });
    const std::string upto = std::to_string(log_.low_water().value());
    TellFound(parts_, kDamagedLog, Object(), Uid(),
              "entry " + std::to_string(seq.value()) + ": " + std::string(why.message()),
              {forgotten.ok(), forgotten.ok()
                                   ? "the log was forgotten up to entry " + upto +
                                         "; a node that is further behind is compared user by user"
                                   : std::string(forgotten.message())});
  }

  const ScrubParts& parts_;
  OutboxLog& log_;
  EntryId before_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Status ScrubLog(const ScrubParts& parts) {
  return LogWalk(parts).Run();
}

}  // namespace twinspool::store
