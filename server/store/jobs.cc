#include "server/store/jobs.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/codec.h"
#include "server/store/engine.h"
#include "server/store/message_ops.h"

namespace twinspool::store {
namespace {

/// Things that one transaction of a job takes away.
constexpr std::size_t kJobPart = 1000;

class UserJobs {
 public:
  UserJobs(const WritePath& path, const JobOptions& options, UserId user, JobReport* report)
      : path_(path), options_(options), user_(user), report_(report) {}

  Status Run() {
    TRY(PurgeMailboxes());
    TRY(Collect());
    return ForgetTokens();
  }

 private:
  Status PurgeMailboxes();
  /// One transaction; false: nothing (more) to purge there.
  Result<bool> PurgePart(MailboxId mailbox);
  Status Collect();
  Status ForgetTokens();

  const WritePath& path_;
  const JobOptions& options_;
  const UserId user_;
  JobReport* const report_;
};

Status UserJobs::PurgeMailboxes() {
  std::vector<MailboxId> mailboxes;
  const std::string prefix = MailboxPrefix(user_);
  RowIterator it = path_.engine.Iterate(Family::kMailboxes, KeyRange::Prefix(prefix));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    mailboxes.push_back(MailboxId::FromBytes(it.key().substr(prefix.size())));
  }
  TRY(it.status());
  for (const MailboxId mailbox : mailboxes) {
    bool more = true;
    while (more) {
      ASSIGN_OR_RETURN(more, PurgePart(mailbox));
    }
  }
  return OkStatus();
}

Result<bool> UserJobs::PurgePart(MailboxId id) {
  StoreTxn txn(path_, user_);
  TRY(txn.Admit(Admission::kFree));
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, id));
  if (mailbox->header == nullptr || mailbox->row.entries == 0) {
    return false;
  }
  const std::int64_t deadline = txn.now_s() - options_.purge_after_s;
  const bool whole =
      !mailbox->exists() && mailbox->header->decoded.deleted_ns() / 1'000'000'000 <= deadline;
  if (!whole && mailbox->row.entries == mailbox->row.exists) {
    return false;
  }
  UidSet uids;
  Modseq floor;
  ASSIGN_OR_RETURN(
      const auto next,
      ForEntries(txn.edit(), {user_, id}, nullptr, Uid(1), [&](Uid uid, const PageEntry& entry) {
        if (whole || (entry.expunged() && entry.updated_s <= deadline)) {
          if (uids.Count() >= kJobPart) {
            return false;
          }
          uids.Add(uid);
          floor = std::max(floor, entry.modseq);
        }
        return true;
      }));
  if (uids.empty()) {
    return false;
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
  proto::PurgeItem* item = txn.Add(user_)->mutable_purge();
  item->set_mailbox_id(std::string(id.bytes()));
  uids.Encode(item->mutable_uids());
  item->set_floor(floor.value());
  item->set_modseq(modseq.value());
  report_->purged += uids.Count();
  TRY(txn.Commit().status());
  return next.has_value();
}

Status UserJobs::Collect() {
  // The marks are read from the engine, without a lock; Apply() looks again before it frees.
  const std::string prefix = StagingKey(user_, BodyNo()).substr(0, 1 + UserId::kSize);
  const std::int64_t now = path_.clock.WallSeconds();
  std::vector<BodyNo> loose;
  RowIterator it = path_.engine.Iterate(Family::kMeta, KeyRange::Prefix(prefix));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ASSIGN_OR_RETURN(const LooseBody body, DecodeLooseBody(it.value()));
    const std::int64_t keep = body.guid.nil() ? options_.abandon_after_s : options_.collect_after_s;
    if (body.since_s + keep <= now) {
      Reader number(it.key().substr(prefix.size()));
      loose.emplace_back(number.Be64());
    }
  }
  TRY(it.status());
  for (std::size_t from = 0; from < loose.size(); from += kJobPart) {
    StoreTxn txn(path_, user_);
    TRY(txn.Admit(Admission::kFree));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    proto::CollectItem* item = txn.Add(user_)->mutable_collect();
    for (std::size_t i = from; i < std::min(from + kJobPart, loose.size()); ++i) {
      item->add_body_no(loose[i].value());
      ++report_->collected;
    }
    item->set_modseq(modseq.value());
    TRY(txn.Commit().status());
  }
  return OkStatus();
}

Status UserJobs::ForgetTokens() {
  const std::string prefix = TokenKey(user_, "");
  const std::int64_t now = path_.clock.WallSeconds();
  std::vector<std::string> expired;
  RowIterator it = path_.engine.Iterate(Family::kTokens, KeyRange::Prefix(prefix));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ASSIGN_OR_RETURN(const TokenRow row, DecodeTokenRow(it.value()));
    if (row.expires_s < now) {
      expired.emplace_back(it.key().substr(prefix.size()));
    }
  }
  TRY(it.status());
  for (std::size_t from = 0; from < expired.size(); from += kJobPart) {
    StoreTxn txn(path_, user_);
    TRY(txn.Admit(Admission::kFree));
    for (std::size_t i = from; i < std::min(from + kJobPart, expired.size()); ++i) {
      ASSIGN_OR_RETURN(const auto row,
                       txn.edit().Row(user_, Family::kTokens, TokenKey(user_, expired[i])));
      if (!row) {
        continue;
      }
      ASSIGN_OR_RETURN(const TokenRow token, DecodeTokenRow(*row));
      if (token.expires_s >= now) {
        continue;  // renewed meanwhile
      }
      ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
      proto::TokenItem* item = txn.Add(user_)->mutable_token();
      item->set_key(expired[i]);
      item->set_modseq(modseq.value());
      item->set_deleted(true);
      ++report_->forgotten;
    }
    TRY(txn.Commit().status());
  }
  return OkStatus();
}

}  // namespace

Result<JobReport> RunJobs(const WritePath& path, const JobOptions& options) {
  JobReport report;
  std::vector<UserId> users;
  const std::string prefix = UserKey(UserId()).substr(0, 1);
  RowIterator it = path.engine.Iterate(Family::kUsers, KeyRange::Prefix(prefix));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    users.push_back(UserId::FromBytes(it.key().substr(prefix.size())));
  }
  TRY(it.status());
  for (const UserId user : users) {
    TRY(UserJobs(path, options, user, &report).Run());
  }
  return report;
}

}  // namespace twinspool::store
