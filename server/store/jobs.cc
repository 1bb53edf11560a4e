#include "server/store/jobs.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/codec.h"
#include "common/limits.h"
#include "common/log.h"
#include "server/store/annotations.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/page.h"
#include "server/store/row_view.h"
#include "server/store/tombstones.h"

namespace twinspool::store {
namespace {

/// The role or the queue says no: nothing else of this round would be let through, either.
bool EndsTheRound(const Status& status) {
  return status.Is(Code::kFenced) || status.Is(Code::kUnavailable);
}

class UserJobs {
 public:
  UserJobs(const WritePath& path, const JobOptions& options, UserId user, JobReport* report)
      : path_(path),
        options_(options),
        user_(user),
        deadline_s_(path.clock.WallSeconds() - options.purge_after_s),
        report_(report) {}

  Status Run() {
    Tombstones tombstones(path_, user_, deadline_s_);
    ASSIGN_OR_RETURN(whole_user_, tombstones.UserIsDue());
    Status status = Take(tombstones);
    report_->tombstones += tombstones.forgotten();
    return status;
  }

 private:
  Status Take(Tombstones& tombstones) {
    TRY(FinishDeletion());
    TRY(PurgeMailboxes());
    TRY(tombstones.ForgetSmallRows(whole_user_));
    TRY(tombstones.ForgetMailboxes(whole_user_));
    TRY(Collect());
    TRY(ForgetTokens());
    return whole_user_ ? tombstones.ForgetUser() : OkStatus();
  }
  /// Mailboxes that a deleted user still has: the process died while he was being deleted.
  Status FinishDeletion();
  Status PurgeMailboxes();
  /// Without a lock: what may be purged is found page by page, then purged part by part.
  Status PurgeMailbox(MailboxId mailbox);
  /// A mailbox that was deleted long enough ago goes whole.
  bool GoesWhole(const proto::MailboxHeader& header) const {
    return header.deleted_modseq() > 0 && header.deleted_ns() / 1'000'000'000 <= deadline_s_;
  }
  bool MayGo(bool whole, bool expunged, std::int64_t updated_s) const {
    return whole || (expunged && updated_s <= deadline_s_);
  }
  /// One transaction: those of `candidates` that may still go.
  Status PurgePart(MailboxId mailbox, const UidSet& candidates);
  Status Collect();
  Status ForgetTokens();

  const WritePath& path_;
  const JobOptions& options_;
  const UserId user_;
  const std::int64_t deadline_s_;
  JobReport* const report_;
  bool whole_user_ = false;  // deleted long enough ago: nothing of him is kept for its own time
};

Status UserJobs::FinishDeletion() {
  ASSIGN_OR_RETURN(const auto header, RowView(path_.engine).UserHeader(user_));
  proto::UserHeader decoded;
  if (!header || !decoded.ParseFromString(header->bytes) || decoded.deleted_ns() == 0) {
    return OkStatus();
  }
  const std::string names = MailboxNamePrefix(user_);
  RowIterator left = path_.engine.Iterate(Family::kMailboxes, KeyRange::Prefix(names));
  left.SeekToFirst();
  bool more = left.Valid();
  TRY(left.status());
  while (more) {
    StoreTxn txn(path_, user_);
    TRY(txn.Admit(Admission::kFree));
    ASSIGN_OR_RETURN(more, MailboxWriter(txn, path_.random, user_).DeleteSome());
    TRY(txn.Commit().status());
  }
  return OkStatus();
}

Status UserJobs::PurgeMailboxes() {
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes,
                   RowView(path_.engine).MailboxesOf(user_));
  for (const MailboxId mailbox : mailboxes) {
    TRY(PurgeMailbox(mailbox));
  }
  return OkStatus();
}

Status UserJobs::PurgeMailbox(MailboxId id) {
  const RowView view(path_.engine);
  ASSIGN_OR_RETURN(const auto row, view.MailboxRowOf(id));
  ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(user_, id));
  if (!row || !header || row->entries == 0) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const auto part, ParseMailboxHeader(header->bytes));
  const bool whole = GoesWhole(part->decoded);
  if (!whole && row->entries == row->exists) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const bool kept, NeverExpires(path_.engine, user_, id));
  if (kept && !whole_user_) {
    return OkStatus();
  }
  UidSet candidates;
  RowIterator it = path_.engine.Iterate(Family::kIndex, KeyRange::Prefix(id.bytes()));
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const std::optional<std::uint32_t> page = PageOfPageKey(it.key());
    PageScanner scanner(it.value());
    TRY(scanner.status());
    if (!page || (!whole && scanner.header().highest_expunge == Modseq())) {
      continue;
    }
    EntryView entry;
    while (scanner.Next(&entry)) {
      if (MayGo(whole, entry.expunged(), entry.updated_s)) {
        candidates.Add(*page << kPageBits | entry.uid_low);
      }
    }
    TRY(scanner.status());
    if (candidates.Count() >= limits::kThingsPerJobWrite) {
      TRY(PurgePart(id, std::exchange(candidates, {})));
    }
  }
  TRY(it.status());
  return candidates.empty() ? OkStatus() : PurgePart(id, candidates);
}

Status UserJobs::PurgePart(MailboxId id, const UidSet& candidates) {
  StoreTxn txn(path_, user_);
  TRY(txn.Admit(Admission::kFree));
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, id));
  if (mailbox->header == nullptr) {
    return OkStatus();
  }
  const bool whole = GoesWhole(mailbox->header->decoded);
  UidSet uids;
  Modseq floor;
  TRY(ForEntries(txn.edit(), {user_, id}, &candidates, Uid(1),
                 [&](Uid uid, const PageEntry& entry) {
                   if (MayGo(whole, entry.expunged(), entry.updated_s)) {
                     uids.Add(uid);
                     floor = std::max(floor, entry.modseq);
                   }
                   return true;
                 })
          .status());
  if (uids.empty()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
  proto::PurgeItem* item = txn.Add(user_)->mutable_purge();
  item->set_mailbox_id(std::string(id.bytes()));
  uids.Encode(item->mutable_uids());
  item->set_floor(floor.value());
  item->set_modseq(modseq.value());
  report_->purged += uids.Count();
  return txn.Commit().status();
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
    if (whole_user_ || body.since_s + keep <= now) {
      Reader number(it.key().substr(prefix.size()));
      loose.emplace_back(number.Be64());
    }
  }
  TRY(it.status());
  for (std::size_t from = 0; from < loose.size(); from += limits::kThingsPerJobWrite) {
    StoreTxn txn(path_, user_);
    TRY(txn.Admit(Admission::kFree));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    proto::CollectItem* item = txn.Add(user_)->mutable_collect();
    for (std::size_t i = from; i < std::min(from + limits::kThingsPerJobWrite, loose.size()); ++i) {
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
    if (whole_user_ || row.expires_s < now) {
      expired.emplace_back(it.key().substr(prefix.size()));
    }
  }
  TRY(it.status());
  for (std::size_t from = 0; from < expired.size(); from += limits::kThingsPerJobWrite) {
    StoreTxn txn(path_, user_);
    TRY(txn.Admit(Admission::kFree));
    for (std::size_t i = from; i < std::min(from + limits::kThingsPerJobWrite, expired.size());
         ++i) {
      ASSIGN_OR_RETURN(const auto row,
                       txn.edit().Row(user_, Family::kTokens, TokenKey(user_, expired[i])));
      if (!row) {
        continue;
      }
      ASSIGN_OR_RETURN(const TokenRow token, DecodeTokenRow(*row));
      if (!whole_user_ && token.expires_s >= now) {
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
    const Status done = UserJobs(path, options, user, &report).Run();
    if (EndsTheRound(done)) {
      return done;
    }
    if (!done.ok()) {
      ++report.failed_users;
      LogError("background_jobs_failed", {{"user", user.ToHex()}, {"status", done.ToString()}});
    }
  }
  path.pipeline.Drain();
  return report;
}

}  // namespace twinspool::store
