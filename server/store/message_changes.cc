// STORE and EXPUNGE: changes of messages that are there. COPY and MOVE: message_copies.cc.
#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/store/access.h"
#include "server/store/entry_groups.h"
#include "server/store/gaps.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/seen_writer.h"

namespace twinspool::store {

Result<std::optional<Uid>> ForEntries(HeadEdit& edit, MailboxRef mailbox, const UidSet* uids,
                                      Uid from,
                                      const std::function<bool(Uid, const PageEntry&)>& fn) {
  if (uids != nullptr && uids->empty()) {
    return std::optional<Uid>();
  }
  const std::uint32_t first = std::max(uids != nullptr ? uids->Min() : 1u, from.value());
  const std::uint32_t last = uids != nullptr ? uids->Max() : UINT32_MAX;
  std::vector<std::uint32_t> pages;
  if (last >> kPageBits == first >> kPageBits) {
    pages.push_back(first >> kPageBits);
  } else {
    ASSIGN_OR_RETURN(pages,
                     edit.Pages(mailbox.owner, mailbox.id, first >> kPageBits, last >> kPageBits));
  }
  for (const std::uint32_t number : pages) {
    ASSIGN_OR_RETURN(const Page* page, edit.ReadPage(mailbox.owner, mailbox.id, number));
    for (const PageEntry& entry : page->entries()) {
      const std::uint32_t uid = number << kPageBits | entry.uid_low;
      if (uid < first || uid > last || (uids != nullptr && !uids->Contains(uid))) {
        continue;
      }
      if (!fn(Uid(uid), entry)) {
        return std::optional<Uid>(Uid(uid));
      }
    }
  }
  return std::optional<Uid>();
}

namespace {

/// `now` with `change` made: the bits of `given` replace, are added or taken away.
std::string ChangedKeywords(const std::string& now, FlagChange change, const std::string& given) {
  if (change == FlagChange::kReplace) {
    return given;
  }
  std::string next = now;
  if (next.size() < given.size() && change == FlagChange::kAdd) {
    next.resize(given.size());
  }
  for (std::size_t i = 0; i < given.size() && i < next.size(); ++i) {
    const auto have = static_cast<unsigned char>(next[i]);
    const auto bits = static_cast<unsigned char>(given[i]);
    next[i] = static_cast<char>(change == FlagChange::kAdd ? have | bits : have & ~bits);
  }
  while (!next.empty() && next.back() == '\0') {
    next.pop_back();
  }
  return next;
}

std::uint8_t ChangedFlags(std::uint8_t now, FlagChange change, SystemFlags given) {
  switch (change) {
    case FlagChange::kReplace:
      return given;
    case FlagChange::kAdd:
      return static_cast<std::uint8_t>(now | given);
    case FlagChange::kRemove:
      return static_cast<std::uint8_t>(now & ~given);
  }
  return now;
}

}  // namespace

namespace {

/// What a STORE asks for, as far as the viewer may change it (RFC 4314 §4).
struct AllowedChange {
  FlagChange change = FlagChange::kReplace;
  SystemFlags given = 0;    // system flags named
  SystemFlags allowed = 0;  // system flags that may change at all
  bool keywords = true;     // keywords may
  std::string bits;         // keywords named

  SystemFlags Flags(SystemFlags now) const {
    const SystemFlags wanted = ChangedFlags(now, change, given);
    return static_cast<SystemFlags>((now & ~allowed) | (wanted & allowed));
  }
  std::string Keywords(const std::string& now) const {
    return keywords ? ChangedKeywords(now, change, bits) : now;
  }
};

Result<AllowedChange> Allow(const StoreRequest& request, Rights rights) {
  AllowedChange allow{.change = request.change,
                      .given = request.flags.system,
                      .allowed = FlagsAllowedBy(rights),
                      .keywords = (rights & kRightWrite) != 0,
                      .bits = ""};
  const bool nothing_named = request.flags.system == 0 && request.flags.keywords.empty();
  const bool some = (allow.allowed & request.flags.system) != 0 ||
                    (allow.keywords && !request.flags.keywords.empty()) ||
                    (nothing_named && allow.allowed != 0);
  if (rights != kRightsAll && !some) {
    return PermissionDenied(
        "these flags take rights to the mailbox (s, t or w) that its owner "
        "has not given");
  }
  return allow;
}

}  // namespace

namespace {

/// One part of a STORE under way: what is decided of each message, then the items.
class Storing {
 public:
  Storing(StoreTxn& txn, MailboxRef ref, const StoreRequest& request, const HeadMailbox& mailbox,
          SeenWriter seen)
      : txn_(txn),
        ref_(ref),
        request_(request),
        mailbox_(mailbox),
        // Values from a time that a forced promotion cut off prove nothing.
        lost_(request.unchanged_since &&
              InLostTime(mailbox.header->decoded, *request.unchanged_since)),
        keywords_(mailbox, &txn.edit()),
        seen_(std::move(seen)) {}

  Status Prepare(Rights rights) {
    ASSIGN_OR_RETURN(change_, Allow(request_, rights));
    const std::vector<std::string> none;
    ASSIGN_OR_RETURN(change_.bits, keywords_.Bits(change_.keywords ? request_.flags.keywords : none,
                                                  request_.change == FlagChange::kRemove
                                                      ? KeywordTable::NewName::kSkip
                                                      : KeywordTable::NewName::kAdd));
    return OkStatus();
  }

  Status Look(Uid uid, const PageEntry& entry, StoreResult* result) {
    SystemFlags now = entry.flags;
    Modseq modseq = entry.modseq;
    TRY(seen_.Apply(uid, &now, &modseq));
    if (request_.unchanged_since && (lost_ || modseq > *request_.unchanged_since)) {
      result->modified.Add(uid);
    } else {
      Change(uid, entry, now);
      if (request_.known > Modseq() && modseq > request_.known) {
        result->news.Add(uid);
      }
    }
    return OkStatus();
  }

  /// Adds the items of all that was looked at.
  Status Finish(StoreResult* result) {
    if (groups_.empty() && marks_.empty()) {
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(ref_.owner));
    if (keywords_.changed()) {
      keywords_.AddItem(txn_, mailbox_, modseq);
    }
    groups_.AddItems(txn_, ref_, modseq);
    UidSet changed = groups_.all();
    for (const auto& [uid, set] : marks_) {
      TRY(seen_.Mark(uid, set, modseq));
      changed.Add(uid);
    }
    TRY(seen_.Flush());
    result->changed.emplace_back(std::move(changed), modseq);
    return OkStatus();
  }

 private:
  /// `now`: the flags as the viewer sees them.
  void Change(Uid uid, const PageEntry& entry, SystemFlags now) {
    PageEntry changed = entry;
    changed.flags = change_.Flags(now);
    changed.keywords = change_.Keywords(entry.keywords);
    if (seen_.active()) {
      if (((changed.flags ^ now) & kSeen) != 0) {
        marks_.emplace_back(uid, (changed.flags & kSeen) != 0);
      }
      changed.flags = static_cast<SystemFlags>((changed.flags & ~kSeen) | (entry.flags & kSeen));
    }
    if (changed.flags != entry.flags || changed.keywords != entry.keywords) {
      groups_.Add(uid, changed);
    }
  }

  StoreTxn& txn_;
  const MailboxRef ref_;
  const StoreRequest& request_;
  const HeadMailbox& mailbox_;
  const bool lost_;
  KeywordTable keywords_;
  SeenWriter seen_;
  AllowedChange change_;
  EntryGroups groups_;
  std::vector<std::pair<Uid, bool>> marks_;  // \Seen that is the viewer's own
};

}  // namespace

Result<std::optional<Uid>> StorePart(StoreTxn& txn, MailboxRef ref, const StoreRequest& request,
                                     Uid from, StoreResult* result, UidSet* found) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, OpenMailbox(txn, ref, kRightRead));
  ASSIGN_OR_RETURN(const Rights rights, RightsIn(txn, ref));
  ASSIGN_OR_RETURN(SeenWriter seen, SeenWriter::Open(txn, ref));
  Storing storing(txn, ref, request, *mailbox, std::move(seen));
  TRY(storing.Prepare(rights));
  Status status;
  std::size_t looked_at = 0;
  ASSIGN_OR_RETURN(
      const std::optional<Uid> next,
      ForEntries(txn.edit(), ref, &request.uids, from, [&](Uid uid, const PageEntry& entry) {
        if (entry.expunged()) {
          return true;
        }
        if (++looked_at > limits::kMessagesPerWrite) {
          return false;
        }
        found->Add(uid);
        status = storing.Look(uid, entry, result);
        return status.ok();
      }));
  TRY(status);
  TRY(storing.Finish(result));
  return next;
}

Result<std::optional<Uid>> ExpungePart(StoreTxn& txn, MailboxRef ref,
                                       const std::optional<UidSet>& uids, Uid from,
                                       ExpungeResult* result) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, OpenMailbox(txn, ref, kRightExpunge));
  if (mailbox->row.deleted == 0) {
    return std::optional<Uid>();
  }
  EntryGroups groups;
  std::size_t taken = 0;
  ASSIGN_OR_RETURN(const std::optional<Uid> next,
                   ForEntries(txn.edit(), ref, uids ? &*uids : nullptr, from,
                              [&](Uid uid, const PageEntry& entry) {
                                if (entry.expunged() || (entry.flags & kDeleted) == 0) {
                                  return true;
                                }
                                if (++taken > limits::kMessagesPerWrite) {
                                  return false;
                                }
                                PageEntry gone = entry;
                                gone.state |= kStateExpunged;
                                groups.Add(uid, gone);
                                return true;
                              }));
  if (!groups.empty()) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(ref.owner));
    groups.AddItems(txn, ref, modseq);
    result->expunged.Add(groups.all());
    result->modseq = modseq;
  }
  return next;
}

}  // namespace twinspool::store
