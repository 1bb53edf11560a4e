// Writes about messages: each function adds items to a transaction that its caller has made,
// admitted and will commit. An error means a refusal; the transaction is then not committed.
// Functions that may touch very many messages do one part per call and say where to go on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/mail_store.h"
#include "server/store/page.h"
#include "server/store/stage.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// The keyword table of one mailbox as a transaction sees and grows it.
class KeywordTable {
 public:
  /// With `edit` a full table gives the place of a keyword that no message carries any more, an
  /// expunged one neither, to a new one; that looks at the whole mailbox.
  explicit KeywordTable(const HeadMailbox& mailbox, HeadEdit* edit = nullptr);
  /// What becomes of a name that the table does not have yet.
  enum class NewName {
    kSkip,
    kAdd,           // kLimit when the table is full
    kAddWhileRoom,  // left out when the table is full
  };
  /// Bitmap of these names. kLimit: too many or too long.
  Result<std::string> Bits(const std::vector<std::string>& names, NewName new_name);
  const std::vector<std::string>& names() const { return names_; }
  bool changed() const { return names_.size() > known_ || !reused_.empty(); }
  /// The mailbox's header with the grown table, as an item under `modseq`.
  void AddItem(StoreTxn& txn, const HeadMailbox& mailbox, Modseq modseq) const;

 private:
  /// The place for a new name; kLimit when every keyword is in use.
  Result<std::size_t> PlaceFor(const std::string& name);
  Status FindUnused();

  const HeadMailbox& mailbox_;
  HeadEdit* const edit_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> bit_of_;  // by folded name
  std::size_t known_;
  std::optional<std::vector<std::size_t>> unused_;  // once looked for
  std::vector<std::size_t> reused_;
};

/// Names of the set bits.
std::vector<std::string> KeywordNames(const std::string& bitmap,
                                      const std::vector<std::string>& table);

struct NewMessage {
  StagedBody body;
  FlagList flags;
  std::int64_t internal_date_ns = 0;
  std::int16_t zone_minutes = 0;
};
/// All of them or an error; takes kRightInsert. Flags that the viewer may not set are left out
/// (RFC 4314 §4). No look at the quota: CheckQuota before.
Result<AppendResult> AppendMessages(StoreTxn& txn, MailboxRef mailbox,
                                    std::vector<NewMessage> messages, proto::Origin origin);

/// Appends `message` to `to` and expunges `old` from `from`. kNotFound when that has gone;
/// kOverQuota. Takes kRightInsert there, kRightDeleteMessages and kRightExpunge here.
Result<AppendResult> ReplaceMessage(StoreTxn& txn, MailboxRef to, NewMessage message,
                                    MailboxRef from, Uid old);

/// One part of a STORE, of what the viewer may change (kPermissionDenied when that is nothing of
/// it): at most limits::kMessagesPerWrite messages looked at, from `from` on. Adds
/// to `result` what was decided; answers where to go on, or nothing at the end. The caller counts
/// `missing` at the end from what was found.
Result<std::optional<Uid>> StorePart(StoreTxn& txn, MailboxRef mailbox, const StoreRequest& request,
                                     Uid from, StoreResult* result, UidSet* found);

/// One part of an EXPUNGE (nothing: all with \Deleted); takes kRightExpunge.
Result<std::optional<Uid>> ExpungePart(StoreTxn& txn, MailboxRef mailbox,
                                       const std::optional<UidSet>& uids, Uid from,
                                       ExpungeResult* result);

struct CopyPlan {
  MailboxRef from;
  MailboxRef to;
  const UidSet* uids = nullptr;
  bool move = false;
  /// Messages of one transaction; more is kLimit for a copy, and another part for a move.
  std::size_t part_max = 0;
};
/// A COPY whole, or one part of a MOVE from `from_uid` on. The transaction holds both owners.
/// Takes kRightRead here (a MOVE kRightDeleteMessages and kRightExpunge, too) and kRightInsert
/// there; kOverQuota.
Result<std::optional<Uid>> CopyPart(StoreTxn& txn, const CopyPlan& plan, Uid from_uid,
                                    CopyResult* result);

/// Gives live messages of `uids` new UIDs at the end of their own mailbox: same body, dates, flags
/// and keywords; the old UIDs are expunged. One part, from `from` on; answers where to go on.
Result<std::optional<Uid>> RenumberPart(StoreTxn& txn, MailboxRef mailbox, const UidSet& uids,
                                        Uid from);

/// Token of a delivery that an old primary gave back: who sent it is not known any more, its MTA
/// may come again.
std::string ReturnedDeliveryKey(MailboxId inbox, const Guid& guid);

/// Remembers under the key that a delivery is stored as `uid`, for limits::kDeliveryMemorySeconds.
Status RememberDelivery(StoreTxn& txn, UserId user, std::string_view key, Uid uid);

/// A delivery into INBOX; `duplicate` (and no new message) when the same was delivered within 24 h,
/// or when an old primary gave the octets back and this is the first retry since.
Result<DeliverResult> DeliverMessage(StoreTxn& txn, UserId user, const std::string& sender,
                                     const std::string& recipient, StagedBody body);

/// Calls fn(uid, entry) for entries of the mailbox that are in `uids` (null: all), rising from
/// `from`, until it answers false; answers the UID at which it stopped.
Result<std::optional<Uid>> ForEntries(HeadEdit& edit, MailboxRef mailbox, const UidSet* uids,
                                      Uid from,
                                      const std::function<bool(Uid, const PageEntry&)>& fn);

}  // namespace twinspool::store
