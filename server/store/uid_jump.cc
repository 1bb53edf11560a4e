#include "server/store/uid_jump.h"

#include <algorithm>
#include <vector>

#include "common/limits.h"
#include "common/log.h"
#include "server/store/commit_pipeline.h"
#include "server/store/gaps.h"
#include "server/store/message_ops.h"
#include "server/store/row_view.h"

namespace twinspool::store {
namespace {

/// The jump of one user, under the epoch that is served now.
class UserJump {
 public:
  UserJump(const WritePath& path, UserId user, Epoch epoch)
      : path_(path), user_(user), epoch_(epoch) {}

  Status Run(bool renumber) {
    ASSIGN_OR_RETURN(const bool due, Due());
    if (!due) {
      return OkStatus();
    }
    ASSIGN_OR_RETURN(mailboxes_, RowView(path_.engine).MailboxesOf(user_));
    for (std::size_t at = 0; at < mailboxes_.size(); at += limits::kUidJumpMailboxesPerWrite) {
      TRY(SkipPart(at, std::min(at + limits::kUidJumpMailboxesPerWrite, mailboxes_.size())));
    }
    if (renumber) {
      for (const MailboxId mailbox : mailboxes_) {
        TRY(Renumber(mailbox));
      }
    }
    return Finish();
  }

 private:
  Result<bool> Due() {
    StoreTxn txn(path_, user_);
    ASSIGN_OR_RETURN(const HeadUser* user, txn.edit().User(user_));
    if (!user->exists()) {
      return false;
    }
    const proto::UserHeader& header = user->header->decoded;
    begin_ = (std::uint64_t{epoch_.value()} + header.modseq_bias()) << kModseqEpochShift;
    return header.uid_jump_modseq() < begin_;
  }

  const proto::UidGap* GapOf(const HeadMailbox& mailbox) const {
    const auto& gaps = mailbox.header->decoded.uid_gaps();
    const bool done = !gaps.empty() && gaps.rbegin()->modseq() >= begin_;
    return done ? &*gaps.rbegin() : nullptr;
  }

  Status SkipPart(std::size_t from, std::size_t to) {
    StoreTxn txn(path_, user_);
    TRY(txn.AdmitBeforeServing());
    for (std::size_t i = from; i < to; ++i) {
      const MailboxId id = mailboxes_[i];
      ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, id));
      if (!mailbox->exists() || GapOf(*mailbox) != nullptr) {
        continue;
      }
      ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
      proto::MailboxHeader header = mailbox->header->decoded;
      SkipUids(&header, mailbox->row.uid_next, mailbox->row.highest_modseq, modseq);
      proto::MailboxItem* item = txn.Add(user_)->mutable_mailbox();
      item->set_mailbox_id(std::string(id.bytes()));
      item->set_modseq(modseq.value());
      item->set_header(header.SerializeAsString());
    }
    return txn.Commit().status();
  }

  Status Renumber(MailboxId id) {
    for (std::optional<Uid> from = Uid(1); from;) {
      StoreTxn txn(path_, user_);
      TRY(txn.AdmitBeforeServing());
      ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(user_, id));
      if (!mailbox->exists()) {
        return OkStatus();
      }
      const proto::UidGap* gap = GapOf(*mailbox);
      if (gap == nullptr || mailbox->row.uid_peer >= gap->first()) {
        return OkStatus();
      }
      const UidSet own = UidSet::Of(mailbox->row.uid_peer, gap->first() - 1);
      Result<std::optional<Uid>> next = RenumberPart(txn, {user_, id}, own, *from);
      if (next.status().Is(Code::kLimit)) {
        LogWarn("messages_keep_their_uids",
                {{"mailbox", id.ToHex()}, {"status", next.status().ToString()}});
        return OkStatus();
      }
      TRY(next.status());
      TRY(txn.Commit().status());
      from = *next;
    }
    return OkStatus();
  }

  Status Finish() {
    StoreTxn txn(path_, user_);
    TRY(txn.AdmitBeforeServing());
    // The distance that appends may run ahead is counted anew: the peer serves nobody before it has
    // met this epoch, and then it has all of this.
    for (const MailboxId id : mailboxes_) {
      ASSIGN_OR_RETURN(HeadMailbox * mailbox, txn.edit().EditMailbox(user_, id));
      mailbox->row.uid_peer = mailbox->row.uid_next;
    }
    ASSIGN_OR_RETURN(const HeadUser* user, txn.edit().User(user_));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user_));
    proto::UserHeader header = user->header->decoded;
    header.set_uid_validity_floor(user->state.uid_validity + limits::kUidValidityJump);
    header.set_uid_jump_modseq(modseq.value());
    proto::UserItem* item = txn.Add(user_)->mutable_user();
    item->set_modseq(modseq.value());
    item->set_header(header.SerializeAsString());
    return txn.Commit().status();
  }

  const WritePath& path_;
  const UserId user_;
  const Epoch epoch_;
  std::uint64_t begin_ = 0;  // below every modseq of the epoch
  std::vector<MailboxId> mailboxes_;
};

}  // namespace

Status StoreUidJump::JumpUids(Epoch epoch, Incarnation incarnation, bool renumber) {
  replica::ServingState state;
  state.primary = true;
  state.writes = Unavailable("message numbers are being raised after a forced promotion");
  state.epoch = epoch;
  state.incarnation = incarnation;
  state.keep_outbox = true;
  state.limit_uid_distance = true;
  visibility_.SetServing(state);
  ASSIGN_OR_RETURN(const std::vector<UserId> users, RowView(path_.engine).Users());
  for (std::size_t i = 0; i < users.size(); ++i) {
    TRY(UserJump(path_, users[i], epoch).Run(renumber));
    if (i % limits::kUidJumpUsersPerWait == 0) {
      path_.pipeline.Drain();
    }
  }
  path_.pipeline.Drain();
  LogInfo("uids_jumped", {{"users", users.size()}, {"epoch", epoch.value()}});
  return OkStatus();
}

}  // namespace twinspool::store
