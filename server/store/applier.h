// Applier: the inside of Apply(), one object per call. Shared by apply.cc (headers and small
// things), apply_messages.cc, apply_bodies.cc and apply_forget.cc; nobody else includes this.
//
// Every method handles one item kind: ignore what is not newer, change head objects and rows,
// derive counters and digests, note an outbox item with what was there before.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/digest.h"
#include "common/uid_set.h"
#include "server/store/apply.h"
#include "server/store/page.h"

namespace twinspool::store {

/// Adds and subtracts terms of a stored digest.
inline void ChangeDigest(DigestBytes* digest, const Digest128& minus, const Digest128& plus) {
  Digest128 sum = Digest128::FromBytes(*digest);
  sum.Subtract(minus);
  sum.Add(plus);
  *digest = sum.bytes();
}

/// The digest's term of a row of misc; `key` without its kind.
Digest128 MiscTermOf(UserId user, std::uint8_t kind, std::string_view key, const MiscRow& row);

class Applier {
 public:
  Applier(UserId user, const ApplyOptions& options, HeadEdit& edit, ApplyResult* result)
      : user_id_(user), options_(options), edit_(edit), result_(result) {}

  Status Run(const proto::UserChanges& changes);

 private:
  Status One(const proto::ChangeItem& item);

  // apply.cc
  Status ApplyUser(const proto::UserItem& item);
  Status ApplyMailbox(const proto::MailboxItem& item);
  Status MoveUserName(const HeadUser& user, const proto::UserHeader& next);
  Status MoveMailboxName(const HeadMailbox& before, const proto::MailboxHeader& next);
  /// Adds (or, with `sign` -1, takes away) a live mailbox's share of the user's totals.
  static void CountMailbox(HeadUser* user, const MailboxRow& row, int sign);
  Status ApplyMisc(const proto::MiscItem& item);
  Status ApplyToken(const proto::TokenItem& item);
  /// A name row goes if it still leads to the user, or mailbox, before the change.
  Status DropUserName(const HeadUser& before);
  Status DropMailboxName(const HeadMailbox& before);

  // apply_forget.cc
  Status ApplyForget(const proto::ForgetItem& item);
  Status ForgetMailbox(const proto::ForgetItem& item);
  Status ForgetSmallRow(const proto::ForgetItem& item);
  Status ForgetUser(const proto::ForgetItem& item);
  /// Every entry of a mailbox, live ones too.
  Status PurgeAll(HeadMailbox* mailbox);

  // apply_messages.cc
  Status ApplyRecord(const proto::RecordItem& item);
  Status AddRecord(HeadMailbox* mailbox, const proto::RecordItem& item);
  Status ApplyEntries(const proto::EntryItem& item);
  Status ApplyPurge(const proto::PurgeItem& item);
  Status PurgeOne(HeadMailbox* mailbox, Page* page, Uid uid);
  /// Calls fn(page, uid) for every entry of `uids` that exists, page by page.
  template <typename Fn>
  Status ForExisting(const HeadMailbox& mailbox, const UidSet& uids, Fn&& fn);
  /// Replaces an entry (or adds it, `before` null) and moves counters and digest along.
  Status ChangeEntry(HeadMailbox* mailbox, Uid uid, const PageEntry* before, PageEntry after);
  /// Adds or takes away one entry's share of the counters.
  Status CountEntry(HeadMailbox* mailbox, Uid uid, const PageEntry& entry, int sign);
  Result<std::uint64_t> SizeOf(MailboxId mailbox, Uid uid);
  static Digest128 TermOf(const HeadMailbox& mailbox, Uid uid, const PageEntry& entry) {
    return TermOf(mailbox.id, *mailbox.header, uid, entry);
  }
  static Digest128 TermOf(MailboxId mailbox, const MailboxHeaderPart& header, Uid uid,
                          const PageEntry& entry);
  /// The digest names the keywords of entries: where a place in the table gets another name, those
  /// that stand on it are counted anew. While both nodes are in step there are none.
  Status RenameKeywords(HeadMailbox* mailbox, const MailboxHeaderPart& next);
  Result<HeadMailbox*> KnownMailbox(const std::string& id);

  // apply_bodies.cc
  Status ApplyBody(const proto::BodyItem& item);
  Status ApplyCopyBody(const proto::CopyBodyItem& item);
  Status ApplyCollect(const proto::CollectItem& item);
  Status AddToPool(BodyNo body, const Guid& guid, std::uint64_t size, std::uint32_t chunks);
  Status CheckOctets(const proto::BodyItem& item, const Guid& guid);
  Result<bool> Referred(BodyNo body);
  Result<std::optional<PoolEntry>> InPool(UserId user, const Guid& guid);
  Status CollectOne(BodyNo body, const LooseBody& loose);
  /// A body that a record now names.
  Status Refer(BodyNo body);
  /// A body that lost a reference: marks it loose if that was the last.
  Status Unrefer(BodyNo body, const Guid& guid);
  /// Marks bodies that came with these changes and that no record named.
  Status MarkFreshLoose();

  void Seen(std::uint64_t modseq) {
    if (modseq > highest_) {
      highest_ = modseq;
    }
  }
  void Note(const proto::OutboxItem& item);
  proto::OutboxItem NewNote(proto::OutboxItem::Kind kind, std::uint64_t modseq) const;

  const UserId user_id_;
  const ApplyOptions& options_;
  HeadEdit& edit_;
  ApplyResult* const result_;
  std::uint64_t highest_ = 0;
  bool forgot_user_ = false;
  std::map<BodyNo, Guid> fresh_;  // bodies of these changes that nothing refers to yet
  std::map<std::pair<MailboxId, Uid>, std::uint64_t> sizes_;  // of records of these changes
};

}  // namespace twinspool::store
